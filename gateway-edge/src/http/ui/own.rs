//! The gateway's own page: the files of `web/`, from the binary. A debug build reads them from the checkout, so that a reload of the
//! browser shows what was changed.
//!
//! All files but a few stand below a folder that is named by the content of all of them: what a browser has of one version is good for
//! ever, and modules of two versions never meet.

use std::{
    borrow::Cow,
    collections::HashMap,
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

use axum::response::Response;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use gatehouse_core::hex;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use super::{
    file::{ASK_AGAIN, FOR_EVER},
    kind::Kind,
    page::{self, At, Page},
};
use crate::{
    http::{range, respond::respond},
    site::{ASSETS, FIXED, OwnPage},
};

#[derive(Debug, RustEmbed)]
#[folder = "web/"]
struct Web;

/// What the page may load and do: what comes from here, and no text becomes a program. The one trusted type names the service worker.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; \
                      connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types gatehouse-worker";

/// What the service worker may do: ask here.
const WORKER_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// The page itself.
const INDEX: &str = "index.html";

/// Digits of the digest in the name of that folder: chance makes two of them equal never.
const VERSION_DIGITS: usize = 16;

/// What was made of the files: the page, and packed forms of what was asked for. It is as much as was served.
#[derive(Debug, Default)]
pub(crate) struct Own(Mutex<Option<Arc<Made>>>);

#[derive(Debug)]
struct Made {
    version: String,
    base: Box<str>,
    page: Page,
    /// By name. As many as there are files.
    packed: Mutex<HashMap<String, Bytes>>,
}

impl Own {
    /// What is made for this place, made anew when it is for another one or the files have changed.
    fn made(&self, own: &OwnPage) -> Result<Arc<Made>, String> {
        let version = version();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = last
            .as_ref()
            .filter(|made| made.version == version && *made.base == *own.base())
        {
            return Ok(Arc::clone(made));
        }
        let made = Arc::new(Made {
            page: page_at(own.base(), &version)?,
            version,
            base: own.base().into(),
            packed: Mutex::default(),
        });
        *last = Some(Arc::clone(&made));
        Ok(made)
    }

    /// What was made last for this place: files are those of the page that named them, and are not looked through for each of them.
    fn last(&self, own: &OwnPage) -> Result<Arc<Made>, String> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match last.filter(|made| *made.base == *own.base()) {
            Some(made) => Ok(made),
            None => self.made(own),
        }
    }

    /// The page, with its address in it.
    pub(super) fn page(&self, own: &OwnPage, headers: &HeaderMap) -> Option<Response> {
        match self.made(own) {
            Ok(made) => Some(super::page_response(&made.page, headers)),
            Err(problem) => {
                tracing::error!(problem, "the page of the gateway cannot be made");
                None
            }
        }
    }

    /// One of its files.
    pub(super) fn file(&self, own: &OwnPage, name: &str, headers: &HeaderMap) -> Option<Response> {
        let made = self.last(own).ok()?;
        let (name, kept) = match name.strip_prefix(ASSETS) {
            Some(rest) => {
                // Another version's modules do not fit to these: who has its page loads the page anew.
                let (version, name) = rest.strip_prefix('/')?.split_once('/')?;
                (name, (version == made.version).then_some(FOR_EVER)?)
            }
            None => (name, ASK_AGAIN),
        };
        let (file, kind) = (Web::get(name)?, Kind::of(name)?);
        let packs = kind.packs && range::accepts(headers, "gzip");
        let tag = tag_of(&file.metadata.sha256_hash(), packs)?;
        let mut response = if range::is_known(headers, &tag) {
            let mut response = Response::default();
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else if packs {
            respond(StatusCode::OK, kind.mime, made.packed(name, &file.data)?)
        } else {
            respond(StatusCode::OK, kind.mime, shared(file.data))
        };
        let answered = response.headers_mut();
        if packs {
            answered.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        answered.insert(header::ETAG, tag);
        answered.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        answered.insert(header::CACHE_CONTROL, kept);
        if name == "sw.js" {
            answered.insert(header::CONTENT_SECURITY_POLICY, WORKER_POLICY);
        }
        Some(response)
    }
}

impl Made {
    fn packed(&self, name: &str, text: &[u8]) -> Option<Bytes> {
        let mut kept = self.packed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(packed) = kept.get(name) {
            return Some(packed.clone());
        }
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer.write_all(text).ok()?;
        let packed = Bytes::from(packer.finish().ok()?);
        kept.insert(name.to_owned(), packed.clone());
        Some(packed)
    }
}

/// The bytes of a file: those in the binary are not copied.
fn shared(data: Cow<'static, [u8]>) -> Bytes {
    match data {
        Cow::Borrowed(data) => Bytes::from_static(data),
        Cow::Owned(data) => data.into(),
    }
}

/// Names the content of all files.
fn version() -> String {
    let mut names: Vec<_> = Web::iter().collect();
    names.sort_unstable();
    let mut digest = Sha256::new();
    for name in names {
        let file = Web::get(&name);
        digest.update(name.as_bytes());
        digest.update(file.map(|file| file.metadata.sha256_hash()).unwrap_or_default());
    }
    let mut version = hex::encode(&digest.finalize());
    version.truncate(VERSION_DIGITS);
    version
}

fn tag_of(digest: &[u8], packed: bool) -> Option<HeaderValue> {
    let digest = hex::encode(digest);
    let form = if packed { "-gzip" } else { "" };
    HeaderValue::try_from(format!("\"{digest}{form}\"")).ok()
}

/// The page at a place. Its modules are named in it, so that a browser asks for all of them at once and not for one after the other.
fn page_at(base: &str, version: &str) -> Result<Page, String> {
    let index = Web::get(INDEX).ok_or("web/index.html is not there")?;
    let text = std::str::from_utf8(&index.data).map_err(|error| error.to_string())?;
    let mut names: Vec<_> = Web::iter().filter(|name| is_of_the_chat(name)).collect();
    names.sort_unstable();
    let modules: String = names
        .iter()
        .map(|name| format!("<link rel=\"modulepreload\" href=\"./{name}\">\n"))
        .collect();
    let text = text.replace(
        "<script type=\"module\"",
        &format!("{modules}<script type=\"module\""),
    );
    let at = At {
        base,
        files: &format!("{base}/{ASSETS}/{version}"),
        fixed: &FIXED,
    };
    page::make(&text, &at, POLICY)
}

/// Whether a chat needs this file. What looks after the gateway is loaded by who goes there.
fn is_of_the_chat(name: &str) -> bool {
    let is_elsewhere =
        name.starts_with("views/gateway/") || ["views/now.js", "sw.js", "main.js"].contains(&name);
    name.ends_with(".js") && !is_elsewhere
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_in_the_page_is_that_of_a_file_of_this_version() {
        let version = version();
        let page = page_at("/claw", &version).unwrap();
        let text = std::str::from_utf8(&page.text).unwrap();

        let mut count = 0;
        for address in text.split("href=\"").chain(text.split("src=\"")).skip(1) {
            let address = address.split('"').next().unwrap();
            let Some(rest) = address.strip_prefix("/claw/") else {
                continue;
            };
            let name = rest.strip_prefix(&format!("{ASSETS}/{version}/")).unwrap_or(rest);
            assert!(Web::get(name).is_some(), "{address}");
            assert_eq!(FIXED.contains(&name), name == rest, "{address}");
            count += 1;
        }
        assert!(count > 20, "{text}");
        assert!(!text.contains("./"), "{text}");
    }

    #[test]
    fn the_policy_lets_nothing_in_from_elsewhere_and_no_text_become_a_program() {
        assert!(!POLICY.contains("unsafe") && !POLICY.contains("http"));
        assert!(POLICY.contains("require-trusted-types-for 'script'"));
        let index = Web::get(INDEX).unwrap();
        let index = std::str::from_utf8(&index.data).unwrap();
        assert!(
            !index.contains("style=") && !index.contains("<style") && !index.contains(" on"),
            "nothing in the page itself would be refused by it"
        );
    }
}
