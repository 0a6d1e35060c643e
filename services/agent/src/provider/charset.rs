//! In which letters a server writes. Everything is UTF-8 but for servers of an older sort, which write in the letters of their country and
//! mostly say so.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use reqwest::header::{CONTENT_TYPE, HeaderMap};

/// What the head of an answer says about its letters.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Charset(Option<&'static Encoding>);

impl Charset {
    /// Reads `Content-Type`.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let label = || {
            let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
            kind.split(';').skip(1).find_map(|parameter| {
                let (name, value) = parameter.split_once('=')?;
                let value = value.trim().trim_matches(['"', '\'']);
                name.trim().eq_ignore_ascii_case("charset").then_some(value)
            })
        };
        Self(label().and_then(|label| Encoding::for_label(label.as_bytes())))
    }

    /// A line of an answer. What can be read as UTF-8 is that, whatever the head says: many heads say what their server's maker left there.
    pub(crate) fn line(self, bytes: &[u8]) -> Cow<'_, str> {
        match (std::str::from_utf8(bytes), self.0) {
            (Ok(text), _) => Cow::Borrowed(text),
            (Err(_), Some(encoding)) if encoding.is_ascii_compatible() => {
                encoding.decode_without_bom_handling(bytes).0
            }
            (Err(_), _) => String::from_utf8_lossy(bytes),
        }
    }

    /// A whole body, also of a server that says nothing: one in which nothing beyond ASCII is UTF-8 is Latin-1, as browsers take it.
    pub(crate) fn whole(self, bytes: &[u8]) -> Cow<'_, str> {
        if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
            return encoding
                .decode_without_bom_handling(bytes.get(mark..).unwrap_or_default())
                .0;
        }
        match self.0 {
            // Every text in it can be read as UTF-8, with nothing in it that anybody meant.
            Some(encoding) if !encoding.is_ascii_compatible() => {
                encoding.decode_without_bom_handling(bytes).0
            }
            Some(encoding) if encoding != UTF_8 => self.line(bytes),
            _ => match String::from_utf8_lossy(bytes) {
                Cow::Owned(text) if has_no_letter_beyond_ascii(&text) => {
                    WINDOWS_1252.decode_without_bom_handling(bytes).0
                }
                text => text,
            },
        }
    }
}

fn has_no_letter_beyond_ascii(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii() || c == char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charset(kind: &str) -> Charset {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, kind.parse().unwrap());
        Charset::of(&headers)
    }

    #[test]
    fn a_line_is_read_in_the_letters_that_the_head_names_unless_it_is_utf_8() {
        for (kind, bytes, text) in [
            (
                "text/event-stream; charset=ISO-8859-1",
                &b"Gr\xfc\xdfe"[..],
                "Grüße",
            ),
            ("application/json;CHARSET=\"gbk\"", b"\xc4\xe3\xba\xc3", "你好"),
            ("application/json; charset=Shift_JIS", b"\x93\xfa\x96\x7b", "日本"),
            (
                "text/event-stream; charset=ISO-8859-1",
                "Grüße".as_bytes(),
                "Grüße",
            ),
            (
                "text/event-stream; charset=nobody-knows",
                b"Gr\xfc\xdfe",
                "Gr\u{fffd}\u{fffd}e",
            ),
            ("text/event-stream", b"caf\xc3\xa9 \xf0\x9f", "café \u{fffd}"),
        ] {
            assert_eq!(charset(kind).line(bytes), text, "{kind}");
        }
    }

    #[test]
    fn a_whole_body_is_read_also_where_nobody_says_in_which_letters() {
        let wide = |text: &str| {
            let units = text.encode_utf16().flat_map(u16::to_le_bytes);
            [0xff, 0xfe].into_iter().chain(units).collect::<Vec<u8>>()
        };
        assert_eq!(
            Charset::default().whole(b"Ger\xe4t l\xe4uft nicht"),
            "Gerät läuft nicht"
        );
        assert_eq!(Charset::default().whole("Gerät".as_bytes()), "Gerät");
        assert_eq!(Charset::default().whole("\u{feff}Gerät".as_bytes()), "Gerät");
        assert_eq!(Charset::default().whole(&wide("Gerät")), "Gerät");
        assert_eq!(
            charset("text/plain; charset=utf-16le").whole(&wide("Gerät")[2..]),
            "Gerät"
        );
        assert_eq!(
            Charset::default().whole(b"caf\xc3\xa9 \xf0\x9f"),
            "café \u{fffd}",
            "UTF-8 that was cut is not Latin-1"
        );
    }
}
