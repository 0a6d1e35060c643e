//! Secrets inside addresses: the name and password before the host, tokens in the path, values in the query and in the fragment. What is
//! hidden is the secret alone, so that a person still sees where the address leads.

use std::ops::Range;

use gatehouse_core::secret::looks_like_token;
use url::Url;

use crate::{marker::MARKER, outline::sounds_secret};

/// Query parameters that say how and not who. At a place for an address every other one counts as a secret: their names are
/// made up by whoever runs the server.
const HARMLESS: &[&str] = &[
    "api-version",
    "apiversion",
    "version",
    "v",
    "model",
    "deployment",
    "region",
    "location",
    "format",
    "alt",
    "stream",
    "lang",
];

/// Fewer characters behind `Bearer` are a word of a sentence.
const CREDENTIAL_BYTES_MIN: usize = 16;

/// Longer values are not harmless, whatever their name.
const HARMLESS_CHARS_MAX: usize = 32;

/// Where secrets stand in a text, in order. `is_address`: the whole text is an address. Elsewhere only what an address in the
/// text says by its form (a password) or by its name (`?token=`) counts, because a text may be about anything.
pub(crate) fn secrets(text: &str, is_address: bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    if is_address {
        let start = text.find("://").map_or(0, |at| at + 3);
        inside(text, start..text.len(), true, &mut found);
        // Browsers' rules read more as an address than its usual form: `https:me:word@host`, or a line break inside.
        let hidden_user = found
            .first()
            .is_some_and(|span| text.get(span.end..).is_some_and(|rest| rest.starts_with('@')));
        let has_user =
            Url::parse(text).is_ok_and(|url| !url.username().is_empty() || url.password().is_some());
        if has_user && !hidden_user {
            found.clear();
            found.push(0..text.len());
        }
        return found;
    }
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find("://")) {
        let start = from + at + 3;
        let rest = text.get(start..).unwrap_or_default();
        let end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`'))
            .unwrap_or(rest.len());
        inside(text, start..start + end, false, &mut found);
        from = start + end;
    }
    found.extend(credentials(text));
    found.sort_by_key(|span| span.start);
    found.dedup_by(|later, first| later.start < first.end);
    found
}

/// What stands behind the schemes by which headers show a credential (RFC 9110, 11.4), wherever somebody wrote such a header down.
fn credentials(text: &str) -> Vec<Range<usize>> {
    let lower = text.to_ascii_lowercase(); // as long as the text, byte for byte
    let after = ["bearer ", "basic "].iter().flat_map(|scheme| {
        let begins = lower.match_indices(scheme);
        begins.map(|(at, scheme)| at + scheme.len())
    });
    let span = |start: usize| {
        let rest = text.get(start..)?;
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-._~+/=:".contains(c);
        let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        let value = rest.get(..end)?;
        let is_made_up =
            value.len() >= CREDENTIAL_BYTES_MIN && value.bytes().any(|byte| byte.is_ascii_digit());
        is_made_up.then_some(start..start + end)
    };
    after.filter_map(span).collect()
}

/// What stands behind `://`.
fn inside(text: &str, span: Range<usize>, is_address: bool, found: &mut Vec<Range<usize>>) {
    let start = span.start;
    let Some(rest) = text.get(span) else { return };
    let authority = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    if let Some(at) = rest
        .get(..authority)
        .and_then(|authority| authority.rfind('@'))
        .filter(|at| *at > 0)
    {
        found.push(start..start + at);
    }
    let query = rest.find(['?', '#']);
    if is_address {
        let mut from = authority;
        let path = rest
            .get(authority..query.unwrap_or(rest.len()))
            .unwrap_or_default();
        for part in path.split(['/', '\\']) {
            if looks_like_token(part) {
                found.push(start + from..start + from + part.len());
            }
            from += part.len() + 1;
        }
    }
    let Some(query) = query else { return };
    let mut from = query + 1;
    for piece in rest.get(from..).unwrap_or_default().split(['&', ';', '#', '?']) {
        let (name, value) = piece.split_once('=').map_or(("", piece), |pair| pair);
        if !value.is_empty() && is_secret(name, value, is_address) {
            let end = from + piece.len();
            found.push(start + end - value.len()..start + end);
        }
        from += piece.len() + 1;
    }
}

fn is_secret(name: &str, value: &str, is_address: bool) -> bool {
    let name: String = url::form_urlencoded::parse(name.as_bytes())
        .map(|(name, _)| name)
        .collect();
    let name = name.to_ascii_lowercase();
    if is_address {
        return !(HARMLESS.contains(&name.as_str()) && value.chars().count() <= HARMLESS_CHARS_MAX);
    }
    sounds_secret(&name)
        || matches!(
            name.as_str(),
            "sig" | "signature" | "auth" | "pass" | "pwd" | "pw" | "jwt" | "sas" | "bearer" | "access"
        )
        || ["_key", "-key", "_signature", "-signature"]
            .iter()
            .any(|end| name.ends_with(end))
}

/// The text with its secrets replaced by [`MARKER`]. `None`: there are none.
pub(crate) fn hide(text: &str, is_address: bool) -> Option<String> {
    let spans = secrets(text, is_address);
    if spans.is_empty() {
        return None;
    }
    let mut shown = text.to_owned();
    for span in spans.into_iter().rev() {
        shown.replace_range(span, MARKER);
    }
    Some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_an_address_is_hidden_and_its_host_is_shown() {
        for (address, host) in [
            ("https://me:hunter22@host.example/v1", "@host.example/v1"),
            ("https://hunter22@host.example/v1", "@host.example/v1"),
            ("https://:hunter22@host.example/v1", "@host.example/v1"),
            ("https://me:hun%74er22:hunter22@host.example", "@host.example"),
            (
                "https://host.example/v1?key=hunter22",
                "https://host.example/v1?key=",
            ),
            (
                "https://host.example/v1?api-version=2024&k=hunter22",
                "?api-version=2024&k=",
            ),
            ("https://host.example/v1?hunter22", "https://host.example/v1?"),
            (
                "https://host.example/v1?a=1&b;c=hunter22",
                "https://host.example/v1?a=",
            ),
            (
                "https://host.example/v1#access_token=hunter22",
                "https://host.example/v1#access_token=",
            ),
            (
                "https://host.example/services/T000/B000/hunter22hunter22hunter22?v=1",
                "https://host.example/services/T000/B000/__OPENCLAW_REDACTED__?v=1",
            ),
            (
                "https://api.example/bot123456:hunter22hunter22hunter22/sendMessage",
                "https://api.example/__OPENCLAW_REDACTED__/sendMessage",
            ),
            (
                "https://me:x@host.example/?version=hunter22hunter22hunter22hunter22hunter22",
                "@host.example/?version=",
            ),
        ] {
            let shown = hide(address, true).expect(address);

            assert!(!shown.contains("hunter22"), "{shown}");
            assert!(shown.contains(host), "{shown}");
        }
    }

    #[test]
    fn an_address_in_an_unusual_form_is_hidden_whole() {
        for address in [
            "https:me:hunter22@host",
            "https:/me:hunter22@host",
            "http:\\\\me:hunter22@host",
            "ht\ntps://me:hunter22@host",
            "https:///me:hunter22@host/v1",
        ] {
            let shown = hide(address, true).expect(address);

            assert!(!shown.contains("hunter22"), "{shown}");
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for address in [
            "http://127.0.0.1:11434/v1",
            "https://h/v1?api-version=2024-10-21",
            "https://h/openai/deployments/gpt-4o-mini-2024-07-18/v1",
            "https://h/models/meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo",
            "https://h/a@b?",
            "",
            "text",
        ] {
            assert_eq!(hide(address, true), None, "{address}");
        }
        for text in [
            "see https://x.example/search?q=foo&page=2, please",
            "mail me@x.example",
            "a?b=c",
            "https://@x",
            "the bearer of this letter, a basic understanding-of-things",
        ] {
            assert_eq!(hide(text, false), None, "{text}");
        }
    }

    #[test]
    fn in_other_texts_the_form_and_the_name_tell() {
        for (text, shown) in [
            (
                "authorization=Bearer hunter22-of-the-home",
                "authorization=Bearer __OPENCLAW_REDACTED__",
            ),
            (
                "Authorization: basic bWU6aHVudGVyMjI=, x=1",
                "Authorization: basic __OPENCLAW_REDACTED__, x=1",
            ),
        ] {
            assert_eq!(hide(text, false).as_deref(), Some(shown));
        }
        let text = "ask https://me:pw@h/x?q=1&token=abc and 'https://h?api_key=def' or https://h/?X-Amz-Signature=ghi";

        let shown = hide(text, false).expect("three secrets");

        assert_eq!(
            shown,
            format!(
                "ask https://{MARKER}@h/x?q=1&token={MARKER} and 'https://h?api_key={MARKER}' or https://h/?X-Amz-Signature={MARKER}"
            )
        );
    }
}
