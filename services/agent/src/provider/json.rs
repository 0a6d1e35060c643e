//! JSON as model servers write it. Most of it is JSON; some put out halves of UTF-16 pairs, raw control characters or Python's `NaN`,
//! and none of that is a reason to lose an answer.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::Value;

/// Where a half of a UTF-16 pair is kept between reading and joining: at the end of the last plane of private use, which no server
/// has a use for. A text that uses these characters itself beside such a half is only shown a replacement character.
const HALVES: u32 = 0x10_0000;

/// What stands for a character that cannot be read.
const UNREADABLE: char = '\u{fffd}';

/// A document.
#[derive(Debug, PartialEq)]
pub(crate) struct Parsed {
    pub(crate) value: Value,
    /// Whether texts in it hold halves of UTF-16 pairs, to be taken out by [`Joiner`] or [`without_halves`].
    pub(crate) has_halves: bool,
}

/// Reads a document. `None`: it is none, also after what servers get wrong was mended.
pub(crate) fn parse(text: &str) -> Option<Parsed> {
    if let Ok(value) = serde_json::from_str(text) {
        return Some(Parsed {
            value,
            has_halves: false,
        });
    }
    let (mended, has_halves) = mend(text);
    let value = gatehouse_core::json::read(&mended).ok()?;
    Some(Parsed { value, has_halves })
}

/// Whether a text is a document that [`parse`] reads.
pub(crate) fn is_document(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok() || parse(text).is_some()
}

/// The text with a replacement character for each half.
pub(crate) fn without_halves(text: &str) -> Cow<'_, str> {
    if text.chars().any(|c| half_of(c).is_some()) {
        text.chars()
            .map(|c| half_of(c).map_or(c, |_| UNREADABLE))
            .collect::<String>()
            .into()
    } else {
        text.into()
    }
}

/// Joins halves that came in two pieces of one text.
#[derive(Debug, Default)]
pub(crate) struct Joiner {
    first: Option<u16>,
}

impl Joiner {
    /// The next piece.
    pub(crate) fn push(&mut self, text: &str, has_halves: bool) -> String {
        if self.first.is_none() && !has_halves {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            let half = has_halves.then(|| half_of(c)).flatten();
            let whole = self
                .first
                .zip(half)
                .and_then(|(first, second)| pair(first, second));
            if let Some(whole) = whole {
                self.first = None;
                out.push(whole);
                continue;
            }
            if self.first.take().is_some() {
                out.push(UNREADABLE);
            }
            match half {
                Some(first @ 0xd800..=0xdbff) => self.first = Some(first),
                Some(_) => out.push(UNREADABLE),
                None => out.push(c),
            }
        }
        out
    }

    /// The text is over.
    pub(crate) fn finish(&mut self) -> Option<char> {
        self.first.take().map(|_| UNREADABLE)
    }
}

fn half_of(c: char) -> Option<u16> {
    let unit = u16::try_from(u32::from(c).checked_sub(HALVES)?).ok()?;
    (0xd800..=0xdfff).contains(&unit).then_some(unit)
}

fn pair(first: u16, second: u16) -> Option<char> {
    if !(0xd800..=0xdbff).contains(&first) {
        return None;
    }
    char::decode_utf16([first, second]).next()?.ok()
}

/// The text with what no reader of JSON takes in a form that each does, and whether there were halves.
fn mend(text: &str) -> (String, bool) {
    let mut out = String::with_capacity(text.len() + 16);
    let (mut has_halves, mut rest) = (false, text);
    let mut in_string = false;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        if !in_string {
            in_string = c == '"';
            let word = ["NaN", "-Infinity", "Infinity"]
                .into_iter()
                .find_map(|word| rest.strip_prefix(word));
            if let Some(behind) = word {
                out.push_str("null");
                rest = behind;
                continue;
            }
            // A comma behind the last of a list, as other languages allow it.
            let ends_list = c == ',' && after.trim_start().starts_with(['}', ']', ',']);
            if !ends_list {
                out.push(c);
            }
            rest = after;
            continue;
        }
        rest = after;
        match c {
            '"' => {
                in_string = false;
                out.push('"');
            }
            '\\' => rest = escape(after, &mut out, &mut has_halves),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    (out, has_halves)
}

/// What stands behind a backslash. Answers what stands behind that.
fn escape<'t>(after: &'t str, out: &mut String, has_halves: &mut bool) -> &'t str {
    if let Some(unit) = unit(after) {
        let behind = after.get(5..).unwrap_or_default();
        let second = behind.strip_prefix('\\').and_then(self::unit);
        if let Some(whole) = second.and_then(|second| pair(unit, second)) {
            out.push(whole);
            return behind.get(6..).unwrap_or_default();
        }
        match char::from_u32(u32::from(unit)) {
            Some(c) if c < ' ' || matches!(c, '"' | '\\') => out.push_str(&format!("\\u{unit:04x}")),
            Some(c) => out.push(c),
            None => {
                *has_halves = true;
                out.extend(char::from_u32(HALVES + u32::from(unit)));
            }
        }
        return behind;
    }
    out.push('\\');
    match after.chars().next() {
        Some(c @ ('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't')) => {
            out.push(c);
            after.get(1..).unwrap_or_default()
        }
        _ => {
            out.push('\\'); // no escape: a backslash that somebody forgot to double
            after
        }
    }
}

/// `uXXXX`.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix('u')?.get(..4)?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_servers_get_wrong_is_read_as_they_mean_it() {
        for (text, means) in [
            (
                r#"{"a":NaN,"b":[-Infinity,Infinity]}"#,
                json!({"a": null, "b": [null, null]}),
            ),
            (
                "{\"a\":\"two\nlines\tand a tab\"}",
                json!({"a": "two\nlines\tand a tab"}),
            ),
            (r#"{"a":"NaN","b":NaN}"#, json!({"a": "NaN", "b": null})),
            ("{\"a\":[1,{\"b\":\",]\",},\n],}", json!({"a": [1, {"b": ",]"}]})),
            (
                r#"{"a":"hi","created":1e400,"b":[-1e999,NaN]}"#,
                json!({"a": "hi", "created": null, "b": [null, null]}),
            ),
            (
                r#"{"a":"C:\dir \'x\'","b":"\ud83d\ude42 \u00e9\u0022"}"#,
                json!({"a": "C:\\dir \\'x\\'", "b": "🙂 é\""}),
            ),
        ] {
            let parsed = parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((parsed.value, parsed.has_halves), (means, false), "{text}");
        }
        for text in ["", "ping", "{", r#"{"a":}"#, r#"{"a":"b}"#] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    /// The pieces of a text, joined.
    fn join(pieces: &[&str]) -> String {
        let mut joiner = Joiner::default();
        let mut out = String::new();
        for piece in pieces {
            let parsed = parse(&format!("\"{piece}\"")).unwrap();
            out.push_str(&joiner.push(parsed.value.as_str().unwrap(), parsed.has_halves));
        }
        out.extend(joiner.finish());
        out
    }

    #[test]
    fn halves_of_a_character_are_joined_and_lonely_ones_are_replaced() {
        assert_eq!(join(&[r"Hi \ud83d", r"\ude42 there"]), "Hi 🙂 there");
        assert_eq!(join(&[r"\uD83D", "", r"\uDE42"]), "🙂", "an empty piece between");
        assert_eq!(join(&[r"a\ud83d", "b"]), "a\u{fffd}b");
        assert_eq!(join(&[r"a\ude42b"]), "a\u{fffd}b");
        assert_eq!(join(&[r"\ud83d\ud83d", r"\ude42"]), "\u{fffd}🙂");
        assert_eq!(join(&[r"end \ud83d"]), "end \u{fffd}");
        assert_eq!(
            without_halves(parse(r#""x\ud83dy""#).unwrap().value.as_str().unwrap()),
            "x\u{fffd}y"
        );
    }

    proptest! {
        #[test]
        fn what_is_json_already_is_mended_into_itself(text in "\\PC{0,40}", number: i32) {
            let document = json!({"a": text, "b": [number, null, true], text.clone(): number}).to_string();

            let mended: Value = serde_json::from_str(&mend(&document).0).unwrap();

            prop_assert_eq!(mended, serde_json::from_str::<Value>(&document).unwrap());
        }

        #[test]
        fn nothing_is_too_odd_to_be_read_to_its_end(text in "[\"\\\\{}u0-9d8dNa:, \u{1}é]{0,40}") {
            let _ = parse(&text);
            let _ = mend(&text);
        }
    }
}
