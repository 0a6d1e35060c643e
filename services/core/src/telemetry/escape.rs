//! Text from outside in a line for a person. A line break would begin a line that somebody else seems to have written, an escape
//! sequence moves the cursor over what stands there, and a bidirectional mark turns it around: each is shown, and does nothing.

use std::{borrow::Cow, fmt::Write as _};

/// The text with everything escaped that is not shown as itself. Tabs stay.
///
/// ```
/// use gatehouse_core::telemetry::escape;
///
/// assert_eq!(escape("a nick\ngatehouse: all is well"), r"a nick\ngatehouse: all is well");
/// assert_eq!(escape("grün"), "grün");
/// ```
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c if acts(c) => {
                let _ = write!(out, "{}", c.escape_unicode()); // a String takes everything
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// At most so many bytes of a text, with a word where it was cut.
pub(super) fn cut(text: &str, bytes_max: usize) -> Cow<'_, str> {
    if text.len() <= bytes_max {
        return Cow::Borrowed(text);
    }
    let end = (0..=bytes_max)
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    Cow::Owned(format!("{} ... (cut)", text.get(..end).unwrap_or_default()))
}

/// Control characters (C0, DEL, C1) and those that are not seen and change what is: Unicode's line ends and format characters.
fn acts(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(
            u32::from(c),
            0xad | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x180e | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f
                | 0xfeff | 0xfff9..=0xfffb | 0x1_bca0..=0x1_bca3 | 0x1_d173..=0x1_d17a | 0xe_0000..=0xe_0fff
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_shown_and_the_rest_stays() {
        for (text, shown) in [
            ("a\nedge | b", "a\\nedge | b"),
            ("a\r\nb\rc", "a\\r\\nb\\rc"),
            ("\x1b[2J\x1b]0;x\x07", "\\u{1b}[2J\\u{1b}]0;x\\u{7}"),
            (
                "\u{9b}31m\u{7f}\0\u{8}\u{85}",
                "\\u{9b}31m\\u{7f}\\u{0}\\u{8}\\u{85}",
            ),
            (
                "a\u{2028}b\u{2029}c\u{b}\u{c}",
                "a\\u{2028}b\\u{2029}c\\u{b}\\u{c}",
            ),
            (
                "\u{202e}gpj\u{2066}\u{200f}\u{61c}",
                "\\u{202e}gpj\\u{2066}\\u{200f}\\u{61c}",
            ),
            ("\u{feff}\u{200b}\u{e0041}", "\\u{feff}\\u{200b}\\u{e0041}"),
            ("tab\there, Grüße, 日本語 🦀", "tab\there, Grüße, 日本語 🦀"),
        ] {
            assert_eq!(escape(text), shown);
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "abc ... (cut)");
        assert_eq!(cut("ää", 3), "ä ... (cut)");
    }
}
