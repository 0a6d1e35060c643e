//! The page of a Control UI: its addresses made whole, so that it loads the same from every place inside the program, and the
//! policy by which a browser runs its own scripts and nobody else's.

use std::{
    io::{Read, Write},
    os::unix::fs::MetadataExt,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::HeaderValue;
use sha2::{Digest, Sha256};

use self::markup::{Piece, pieces};
use crate::site::Mount;

mod markup;

/// A page that is larger is no page of a program.
const PAGE_BYTES_MAX: u64 = 1024 * 1024;

/// Where the program finds out below which path it stands.
const BASE_MARK: &str = "data-openclaw-control-ui-base-path";

/// Loads are from here alone, or from the page itself (its icons are fetched as `data:`): what a model writes cannot make a page send
/// anything to somebody else, by a picture for example.
const POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; \
                      style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; frame-src 'self' blob:; connect-src 'self' data: blob:; \
                      object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; script-src 'self' \
                      'wasm-unsafe-eval'";

/// A page as it is sent.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) text: Bytes,
    pub(super) packed: Bytes,
    pub(super) tag: HeaderValue,
    pub(super) packed_tag: HeaderValue,
    /// The Content-Security-Policy.
    pub(super) policy: HeaderValue,
}

/// Which file a page was made of, and for which place.
type Made = (Mount, u64, i64, i64, u64);

/// The last page that was made.
#[derive(Debug, Default)]
pub(super) struct Pages(Mutex<Option<(Made, Arc<Page>)>>);

impl Pages {
    /// The page, made anew when its file is another one than before. Reads the disk.
    pub(super) fn of(&self, mount: &Mount) -> Result<Arc<Page>, String> {
        let shown = mount.root().join("index.html");
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", shown.display());
        let file = mount
            .file("index.html")
            .ok_or_else(|| wrong(&"the folder is not there"))?;
        let (file, facts) = file.open().map_err(|error| wrong(&error))?;
        let made = (
            mount.clone(),
            facts.ino(),
            facts.ctime(),
            facts.ctime_nsec(),
            facts.len(),
        );
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, page)) = last.filter(|(of, _)| *of == made) {
            return Ok(page);
        }
        let mut text = String::new();
        file.take(PAGE_BYTES_MAX)
            .read_to_string(&mut text)
            .map_err(|error| wrong(&error))?;
        let at = At::folder(mount.base());
        let page = Arc::new(make(&text, &at, POLICY).map_err(|error| wrong(&error))?);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((made, Arc::clone(&page)));
        Ok(page)
    }
}

/// Where the files of a page stand.
#[derive(Debug)]
pub(super) struct At<'a> {
    /// The address of the page, without a slash at its end.
    pub(super) base: &'a str,
    /// That of its files, likewise.
    pub(super) files: &'a str,
    /// Files that stand beside the page all the same.
    pub(super) fixed: &'a [&'a str],
}

impl<'a> At<'a> {
    /// As they stand in a folder: the page beside its files.
    fn folder(base: &'a str) -> Self {
        let (files, fixed) = (base, [].as_slice());
        Self { base, files, fixed }
    }

    fn of(&self, file: &str) -> &str {
        if self.fixed.contains(&file) {
            self.base
        } else {
            self.files
        }
    }
}

/// A page as it is sent, with a policy that lets the scripts in it run.
pub(super) fn make(text: &str, at: &At<'_>, policy: &str) -> Result<Page, String> {
    let (text, scripts) = placed(text, at);
    let mut policy = policy.to_owned();
    for script in scripts {
        policy.push_str(&format!(" 'sha256-{}'", STANDARD.encode(script)));
    }
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    let packed = packer.write_all(text.as_bytes()).and_then(|()| packer.finish());
    let digest = STANDARD.encode(Sha256::digest(&text));
    let value = |text: String| HeaderValue::try_from(text).map_err(|error| error.to_string());
    Ok(Page {
        tag: value(format!("\"{digest}\""))?,
        packed_tag: value(format!("\"{digest}-gzip\""))?,
        policy: value(policy)?,
        packed: packed.map_err(|error| error.to_string())?.into(),
        text: text.into(),
    })
}

/// The page with every relative address made absolute, and the digests of the scripts in it.
fn placed(text: &str, at: &At<'_>) -> (String, Vec<[u8; 32]>) {
    let mut page = String::with_capacity(text.len() + 256);
    let mut scripts = Vec::new();
    for piece in pieces(text) {
        match piece {
            Piece::Address(address) => match relative(address) {
                Some(rest) => {
                    page.push_str(at.of(rest));
                    page.push('/');
                    page.push_str(rest);
                }
                None => page.push_str(address),
            },
            Piece::Root(tag) => {
                page.push_str(tag);
                if !text.contains(BASE_MARK) {
                    page.push_str(&format!(" {BASE_MARK}=\"{}\"", at.base.replace('"', "&quot;")));
                }
            }
            Piece::Script(script) => {
                scripts.push(Sha256::digest(script).into());
                page.push_str(script);
            }
            Piece::Other(other) => page.push_str(other),
        }
    }
    (page, scripts)
}

/// What of an address follows the place that the page stands at. `None`: it means the same everywhere.
fn relative(address: &str) -> Option<&str> {
    let has_scheme = address.split_once(':').is_some_and(|(scheme, _)| {
        scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    });
    if address.is_empty() || address.starts_with(['/', '#', '?']) || has_scheme {
        return None;
    }
    Some(address.strip_prefix("./").unwrap_or(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r##"<!doctype html>
<html lang="en"><head>
<!-- <script src="./not.js"></script> -->
<link rel="icon" href="./favicon.svg"><link href='assets/a.css' rel=stylesheet>
<script>var a = '<link href="./stays.css">';</script>
<script type="module" crossorigin src="./assets/index-BZuf2r7K.js"></script>
</head><body><a href="#top">x</a><img src="data:image/png;base64,x"><a href="https://example.org/">y</a><a href="/abs">z</a>
<style>b{background:url("./stays.png")}</style></body></html>"##;

    #[test]
    fn addresses_of_the_page_are_whole_and_nothing_else_changes() {
        let (page, scripts) = placed(PAGE, &At::folder("/claw"));

        for there in [
            r#"<html lang="en" data-openclaw-control-ui-base-path="/claw">"#,
            r#"href="/claw/favicon.svg""#,
            "href='/claw/assets/a.css'",
            r#"src="/claw/assets/index-BZuf2r7K.js""#,
            r##"href="#top""##,
            r#"src="data:image/png;base64,x""#,
            r#"href="https://example.org/""#,
            r#"href="/abs""#,
            r#"'<link href="./stays.css">'"#,
            r#"src="./not.js""#,
            r#"url("./stays.png")"#,
        ] {
            assert!(page.contains(there), "{there}\n{page}");
        }
        let script = Sha256::digest(r#"var a = '<link href="./stays.css">';"#);
        assert_eq!(scripts, [<[u8; 32]>::from(script)]);
        let (at_root, _) = placed(PAGE, &At::folder(""));
        assert!(
            at_root.contains(r#"src="/assets/index-BZuf2r7K.js""#),
            "{at_root}"
        );
        assert!(at_root.contains(r#"base-path="">"#), "{at_root}");
    }

    #[test]
    fn the_policy_lets_the_pages_own_scripts_run_and_no_others() {
        let page = make(PAGE, &At::folder(""), POLICY).unwrap();
        let policy = page.policy.to_str().unwrap();

        assert!(
            policy.contains("script-src 'self' 'wasm-unsafe-eval' 'sha256-"),
            "{policy}"
        );
        assert!(!policy.contains("'unsafe-inline' 'sha256") && policy.contains("frame-ancestors 'none'"));
        assert_ne!(page.tag, page.packed_tag);
    }

    #[test]
    fn a_page_that_is_no_markup_stays_as_it_is() {
        for odd in [
            "",
            "<",
            "<html",
            "<a href",
            "<a href=",
            "<a href=\"x",
            "<script>",
            "<!--",
            "a < b > c",
            "</",
            "<a href=x",
        ] {
            let (page, _) = placed(odd, &At::folder(""));
            assert!(page.chars().next() == odd.chars().next(), "{odd}: {page}");
        }
    }
}
