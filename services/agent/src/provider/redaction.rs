//! What we send as a secret, in all forms in which it may come back: a provider's words go to chats and transcripts, and servers
//! like to repeat the request that they refuse.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use gatehouse_core::Secret;
use url::Url;

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
    forms: Vec<String>,
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
        redaction.forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        redaction.forms.dedup();
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
        for piece in url
            .query()
            .unwrap_or_default()
            .split(['&', ';'])
            .chain(url.fragment())
        {
            let (key, value) = piece.split_once('=').unwrap_or(("", piece));
            // A version or a model's name is no secret, and error texts are about them.
            let is_harmless = [
                "api-version",
                "version",
                "v",
                "model",
                "deployment",
                "region",
                "format",
            ]
            .contains(&key);
            if !is_harmless {
                self.add(value, PASSWORD_BYTES_MIN);
                self.add(&decoded(value), PASSWORD_BYTES_MIN);
            }
        }
    }

    fn add(&mut self, secret: &str, bytes_min: usize) {
        if secret.len() < bytes_min {
            return;
        }
        let json = in_json(secret);
        let percent = percent(secret, "%");
        self.forms.extend([
            secret.to_owned(),
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
            secret.bytes().map(|byte| format!("{byte:02x}")).collect(),
            secret.bytes().map(|byte| format!("{byte:02X}")).collect(),
        ]);
        // Lower-case digits only in the escapes, not in the text around them.
        self.forms.push(lower_escapes(secret));
        for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
            self.forms.push(engine.encode(secret));
        }
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            self.forms
                .extend((0..3).filter_map(|before| inside_base64(engine, secret, before)));
        }
        self.forms.retain(|form| form.len() >= PASSWORD_BYTES_MIN);
    }

    /// The text without the secrets.
    pub(crate) fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for form in &self.forms {
            if text.contains(form.as_str()) {
                text = text.replace(form.as_str(), SHOWN);
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
mod tests {
    use super::*;

    fn redaction(url: &str, secrets: &[&str]) -> Redaction {
        let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
        Redaction::of(&Url::parse(url).unwrap(), &secrets)
    }

    #[test]
    fn a_key_is_hidden_in_every_form_in_which_it_may_come_back() {
        let key = "sk/very+se\"cret&==";
        let redaction = redaction("http://h/v1", &[key]);
        for form in [
            key.to_owned(),
            serde_json::to_string(key).unwrap(),
            serde_json::to_string(&serde_json::to_string(key).unwrap()).unwrap(),
            "sk\\/very+se\\\"cret&==".to_owned(),
            format!("{key:?}"),
            "sk%2Fvery%2Bse%22cret%26%3D%3D".to_owned(),
            "sk%2fvery%2bse%22cret%26%3d%3d".to_owned(),
            "sk%252Fvery%252Bse%2522cret%2526%253D%253D".to_owned(),
            "sk/very+se&quot;cret&amp;==".to_owned(),
            STANDARD.encode(key),
            URL_SAFE_NO_PAD.encode(key),
            STANDARD.encode(format!("Bearer {key}")),
            STANDARD.encode(format!("me:{key}")),
            URL_SAFE.encode(format!("x{key}yz")),
            STANDARD.encode(format!("xy{key}")),
            key.bytes().map(|byte| format!("{byte:02x}")).collect(),
        ] {
            let shown = redaction.clean(&format!("you sent <{form}>, sorry"));

            assert!(shown.contains(SHOWN), "{form}: {shown}");
            let shown = shown.replace(SHOWN, "");
            assert!(
                !shown.contains("very") && !shown.contains("cret"),
                "{form}: {shown}"
            );
        }
    }

    #[test]
    fn what_an_address_holds_is_hidden() {
        let redaction = redaction(
            "https://me:hunt%2Fer2@h/v1?key=q-secret%2B1&api-version=2024-10-21&t=abcd",
            &[],
        );

        for secret in [
            "hunt/er2",
            "hunt%2Fer2",
            "hunt%2fer2",
            "me:hunt/er2",
            &STANDARD.encode("me:hunt/er2"),
            &URL_SAFE_NO_PAD.encode("me:hunt/er2"),
            "q-secret+1",
            "q-secret%2B1",
            &STANDARD.encode("q-secret+1"),
            "abcd",
        ] {
            let shown = redaction.clean(&format!("refused: ({secret})"));

            assert_eq!(shown, "refused: ([secret])", "{secret}");
        }
        assert_eq!(
            redaction.clean("2024-10-21 is too old for me"),
            "2024-10-21 is too old for me"
        );
    }

    #[test]
    fn a_token_in_place_of_the_name_is_hidden() {
        assert_eq!(redaction("https://tok-1@h/v1", &[]).clean("tok-1?"), "[secret]?");
    }

    #[test]
    fn what_stands_behind_the_scheme_of_a_header_is_hidden() {
        let basic = format!("Basic {}", STANDARD.encode("me:hunter2"));
        let redaction = redaction("http://h", &["Bearer sk-very-secret", &basic]);

        assert_eq!(
            redaction.clean("no sk-very-secret, no hunter2"),
            "no [secret], no [secret]"
        );
    }

    #[test]
    fn a_placeholder_is_left_in_the_text() {
        let redaction = redaction("http://h/v1", &["ollama", "k", ""]);

        assert_eq!(redaction.clean("see ollama ps, k?"), "see ollama ps, k?");
    }
}
