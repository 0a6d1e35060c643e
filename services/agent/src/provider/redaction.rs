//! What we send as a secret, in all forms in which it may come back: a provider's words go to chats and transcripts, and servers
//! like to repeat the request that they refuse.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use gatehouse_core::{Secret, secret::looks_like_token};
use url::Url;

mod ordinary;

use self::ordinary::Fit;
pub(crate) use self::ordinary::is_public_header;

/// Shorter keys are placeholders for servers that want none, `ollama` for example: cut out of texts, they would make them
/// unreadable, and tell the key by what is missing.
const KEY_BYTES_MIN: usize = 8;

/// A password of an address is one whatever its length; a letter or two would be found everywhere.
const PASSWORD_BYTES_MIN: usize = 4;

/// Pieces of Base64 shorter than this are found by chance.
const BASE64_BYTES_MIN: usize = 8;

const SHOWN: &str = "[secret]";

/// The secrets of one endpoint.
#[derive(Clone, Default)]
pub(crate) struct Redaction {
    /// Longest first, so that a form that is a part of another one does not spoil it.
    forms: Vec<(String, Fit)>,
}

impl std::fmt::Debug for Redaction {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Redaction").finish_non_exhaustive()
    }
}

impl Redaction {
    /// Of the key, the values of headers, and what the address holds.
    pub(crate) fn of<'s>(url: &Url, secrets: impl IntoIterator<Item = &'s Secret>) -> Self {
        let mut redaction = Self::default();
        for secret in secrets {
            redaction.header(secret.expose());
        }
        redaction.address(url);
        // Of a form that two secrets have, the one that is looked for in more places.
        redaction
            .forms
            .sort_by(|(a, a_fit), (b, b_fit)| (b.len(), a, a_fit).cmp(&(a.len(), b, b_fit)));
        redaction.forms.dedup_by(|(later, _), (first, _)| later == first);
        redaction
    }

    /// A value of a header: the whole, and what stands behind its scheme (RFC 9110, 11.4).
    fn header(&mut self, value: &str) {
        self.add(value, KEY_BYTES_MIN);
        if let Some((scheme, credentials)) = value.trim().split_once(' ') {
            self.add(credentials.trim(), KEY_BYTES_MIN);
            if scheme.eq_ignore_ascii_case("basic")
                && let Ok(decoded) = STANDARD.decode(credentials.trim())
                && let Ok(pair) = String::from_utf8(decoded)
            {
                self.pair(&pair);
            }
        }
    }

    /// A name and password, as `Authorization: Basic` has them (RFC 7617).
    fn pair(&mut self, pair: &str) {
        self.add(pair, PASSWORD_BYTES_MIN);
        match pair.split_once(':') {
            Some((_, password)) if !password.is_empty() => self.add(password, PASSWORD_BYTES_MIN),
            // A token in place of the name.
            _ => self.add(pair.trim_end_matches(':'), PASSWORD_BYTES_MIN),
        }
    }

    fn address(&mut self, url: &Url) {
        let (name, password) = (url.username(), url.password().unwrap_or_default());
        if !name.is_empty() || !password.is_empty() {
            self.pair(&format!("{}:{}", decoded(name), decoded(password)));
            self.pair(&format!("{name}:{password}"));
        }
        for part in url.path().split('/').filter(|part| looks_like_token(part)) {
            self.add(part, KEY_BYTES_MIN);
            self.add(&decoded(part), KEY_BYTES_MIN);
        }
        for piece in url
            .query()
            .unwrap_or_default()
            .split(['&', ';'])
            .chain(url.fragment())
        {
            let (key, value) = piece.split_once('=').unwrap_or(("", piece));
            if !ordinary::is_public_parameter(key) {
                self.add(value, PASSWORD_BYTES_MIN);
                self.add(&decoded(value), PASSWORD_BYTES_MIN);
            }
        }
    }

    fn add(&mut self, secret: &str, bytes_min: usize) {
        let Some(fit) = Fit::of(secret).filter(|_| secret.len() >= bytes_min) else {
            return;
        };
        let json = in_json(secret);
        let percent = percent(secret, "%");
        let mut forms = vec![
            json.replace('/', "\\/"),
            in_json(&json),
            json,
            secret.escape_default().to_string(),
            secret
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&quot;")
                .replace('\'', "&#39;"),
            url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
            percent.to_lowercase(),
            self::percent(secret, "%25"),
            percent,
            // Lower-case digits only in the escapes, not in the text around them.
            lower_escapes(secret),
        ];
        // What no escape changes is looked for as the secret itself is.
        forms.retain(|form| !form.eq_ignore_ascii_case(secret));
        for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
            forms.push(engine.encode(secret));
        }
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            forms.extend((0..3).filter_map(|before| inside_base64(engine, secret, before)));
        }
        forms.push(secret.bytes().map(|byte| format!("{byte:02x}")).collect());
        forms.push(secret.bytes().map(|byte| format!("{byte:02X}")).collect());
        forms.retain(|form| form.len() >= PASSWORD_BYTES_MIN);
        self.forms.push((secret.to_owned(), fit));
        self.forms.extend(forms.into_iter().map(|form| {
            let fit = if form.len() < KEY_BYTES_MIN {
                Fit::Bounded
            } else {
                Fit::Anywhere
            };
            (form, fit)
        }));
    }

    /// The text without the secrets.
    pub(crate) fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (form, fit) in &self.forms {
            if text.contains(form.as_str()) {
                text = fit.replace(&text, form, SHOWN);
            }
        }
        text
    }
}

/// How a secret looks inside of a longer text in Base64, when `before` bytes of another group stand before it: without the
/// characters that it shares with its neighbours.
fn inside_base64(engine: &impl Engine, secret: &str, before: usize) -> Option<String> {
    let mut bytes = vec![0; before];
    bytes.extend(secret.as_bytes());
    let encoded = engine.encode(&bytes);
    let start = [0, 2, 3].get(before).copied()?;
    let end = encoded.len() - usize::from(!bytes.len().is_multiple_of(3));
    let inside = encoded.get(start..end)?;
    (inside.len() >= BASE64_BYTES_MIN).then(|| inside.to_owned())
}

/// The inside of a JSON string. What is a JSON document inside of one is escaped twice.
fn in_json(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    let inside = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inside.unwrap_or_default().to_owned()
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~')
}

/// RFC 3986, 2.1, with `sign` for the percent sign.
fn percent(text: &str, sign: &str) -> String {
    let encode = |byte: u8| {
        if is_unreserved(byte) {
            char::from(byte).to_string()
        } else {
            format!("{sign}{byte:02X}")
        }
    };
    text.bytes().map(encode).collect()
}

fn lower_escapes(text: &str) -> String {
    let encode = |byte: u8| {
        if is_unreserved(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02x}")
        }
    };
    text.bytes().map(encode).collect()
}

/// A piece of an address without its escapes.
fn decoded(text: &str) -> String {
    let escaped = text.replace('+', "%2B"); // a plus is a plus before the query, and in keys
    url::form_urlencoded::parse(escaped.as_bytes())
        .map(|(name, value)| {
            if value.is_empty() {
                name.into_owned()
            } else {
                format!("{name}={value}")
            }
        })
        .collect::<Vec<_>>()
        .join("&")
}

#[cfg(test)]
mod tests;
