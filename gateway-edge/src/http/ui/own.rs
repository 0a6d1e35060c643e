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
use gatehouse_document::gateway::ControlUi;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use super::{
    file::{ASK_AGAIN, FOR_EVER},
    kind::Kind,
    page::{self, At, Page},
    place::{Mount, Place},
};
use crate::http::{range, respond::respond};

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

/// Files that browsers know by one name for ever: what the worker rules, and where it starts, follows from its address.
const FIXED: [&str; 3] = ["sw.js", "manifest.webmanifest", "icon.svg"];

/// First segments of the places inside the page, as `web/views/shell.js` has them. Anything else is no place.
const PLACES: [&str; 4] = ["chat", "chats", "now", "gateway"];

/// The page itself.
const INDEX: &str = "index.html";

/// The folder of the files of one version.
const ASSETS: &str = "assets";

/// Digits of the digest in the name of that folder: chance makes two of them equal never.
const VERSION_DIGITS: usize = 16;

/// Where the page stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnPage {
    base: Box<str>,
}

impl OwnPage {
    /// At the place of a Control UI where none is named, else at the root beside it. `None`: it is turned off, or the root is taken.
    pub(crate) fn of(config: &ControlUi, other: Option<&Mount>) -> Option<Self> {
        let base = match other {
            Some(mount) if mount.is_at_root() => return None,
            Some(_) => "",
            None => config
                .base_path
                .as_deref()
                .unwrap_or_default()
                .trim_end_matches('/'),
        };
        config.enabled.then(|| Self { base: base.into() })
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    pub(super) fn is_at_root(&self) -> bool {
        self.base.is_empty()
    }

    /// What a path means. `None`: nothing of this page.
    pub(super) fn place<'a>(&self, path: &'a str) -> Option<Place<'a>> {
        let rest = path.strip_prefix(&*self.base)?;
        if matches!(rest, "" | "/") {
            return Some(Place::Front);
        }
        let rest = rest.strip_prefix('/')?;
        let first = rest.split('/').next().unwrap_or_default();
        if PLACES.contains(&first) {
            return Some(Place::Inside);
        }
        (first == ASSETS || FIXED.contains(&rest)).then_some(Place::File(rest))
    }
}

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
            .filter(|made| made.version == version && made.base == own.base)
        {
            return Ok(Arc::clone(made));
        }
        let made = Arc::new(Made {
            page: page_at(&own.base, &version)?,
            version,
            base: own.base.clone(),
            packed: Mutex::default(),
        });
        *last = Some(Arc::clone(&made));
        Ok(made)
    }

    /// What was made last for this place: files are those of the page that named them, and are not looked through for each of them.
    fn last(&self, own: &OwnPage) -> Result<Arc<Made>, String> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match last.filter(|made| made.base == own.base) {
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

    fn own(config: &str) -> Option<OwnPage> {
        let config: ControlUi = serde_json::from_str(config).unwrap();
        let other = Mount::of(&config, None);
        OwnPage::of(&config, other.as_ref())
    }

    #[test]
    fn it_stands_where_no_other_control_ui_does() {
        let base = |config: &str| own(config).map(|own| own.base.to_string());

        assert_eq!(base("{}").as_deref(), Some(""));
        assert_eq!(base(r#"{"basePath": "/claw/"}"#).as_deref(), Some("/claw"));
        assert_eq!(
            base(r#"{"root": "/srv", "basePath": "/claw"}"#).as_deref(),
            Some("")
        );
        assert_eq!(base(r#"{"root": "/srv"}"#), None, "the root is taken");
        assert_eq!(base(r#"{"enabled": false}"#), None);
    }

    #[test]
    fn a_path_is_the_front_a_place_or_a_file_and_anything_else_is_not_the_pages() {
        let root = own("{}").unwrap();

        assert_eq!(root.place("/"), Some(Place::Front));
        for inside in ["/chat/agent%3Amain%3Amain", "/now", "/gateway/devices", "/chats"] {
            assert_eq!(root.place(inside), Some(Place::Inside), "{inside}");
        }
        assert_eq!(root.place("/sw.js"), Some(Place::File("sw.js")));
        assert_eq!(
            root.place("/assets/0/main.js"),
            Some(Place::File("assets/0/main.js"))
        );
        for nothing in ["/nothing", "/chatter", "/main.js", "/rpc/health", "/api"] {
            assert_eq!(root.place(nothing), None, "{nothing}");
        }
        let below = own(r#"{"basePath": "/claw"}"#).unwrap();
        assert_eq!(below.place("/claw/now"), Some(Place::Inside));
        assert_eq!(below.place("/now"), None);
    }

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
