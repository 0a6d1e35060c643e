//! Addresses: those that stand bare among words, which GitHub's Markdown reads before emphasis, and which of them a touch leads to.

use std::borrow::Cow;
use std::ops::Range;

/// What a bare address begins with. The last has no scheme, and is a page.
const BEGINNINGS: [&str; 3] = ["https://", "http://", "www."];
/// What a touch leads to on every platform that has links.
const FOLLOWED: [&str; 4] = ["http", "https", "mailto", "tel"];
/// Letters of emphasis, which are only letters within an address.
const MARKS: [char; 3] = ['*', '_', '~'];
/// What ends a sentence, or words in quotes, behind an address.
const SENTENCE_ENDS: [char; 7] = ['?', '!', '.', ',', ':', ';', '\''];

/// Whether a touch leads there. What else could be one is not said by a model: `tg://user?id=7` would call a person by name.
pub(crate) fn is_followed(to: &str) -> bool {
    let scheme = to.split_once(':').map_or("", |(scheme, _)| scheme);
    FOLLOWED.iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

/// Whether words tell an address themselves.
pub(crate) fn tells(words: &str, to: &str) -> bool {
    let bare = ["mailto:", "tel:", "http://"]
        .iter()
        .find_map(|scheme| to.strip_prefix(scheme));
    words == to || bare == Some(words)
}

/// Where a bare address leads.
pub(super) fn leads_to(address: &str) -> String {
    if starts_with(address, "www.") {
        format!("http://{address}")
    } else {
        address.to_owned()
    }
}

/// The bare addresses of a text, in order.
pub(super) fn bare(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut before = None;
    let mut ends = 0;
    for (at, c) in text.char_indices() {
        let begins_word = at >= ends && !before.is_some_and(char::is_alphanumeric);
        before = Some(c);
        if !begins_word || !matches!(c, 'h' | 'H' | 'w' | 'W') {
            continue;
        }
        let rest = text.get(at..).unwrap_or_default();
        let Some(beginning) = BEGINNINGS.iter().find(|known| starts_with(rest, known)) else {
            continue;
        };
        let length = length(rest, text.get(..at).unwrap_or_default());
        let named = rest.get(beginning.len()..length).unwrap_or_default();
        // Somewhere is a name with letters or digits; a page without a scheme has a second part.
        let is_somewhere = named.starts_with(char::is_alphanumeric);
        if is_somewhere && (*beginning != "www." || named.contains('.')) {
            found.push(at..at + length);
            ends = at + length;
        }
    }
    found
}

fn starts_with(text: &str, beginning: &str) -> bool {
    text.get(..beginning.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(beginning))
}

/// How much of `rest` is the address with which it begins. `before`: what stands in front of it.
fn length(rest: &str, before: &str) -> usize {
    // Emphasis that begins right in front of it ends where it would.
    let head = before.trim_end_matches(MARKS);
    let opened = before.get(head.len()..).unwrap_or_default();
    let closed: String = opened.chars().rev().collect();
    let mut open = 0_usize;
    let mut end = rest.len();
    for (at, c) in rest.char_indices() {
        match c {
            '(' => open += 1,
            ')' if open > 0 => open -= 1,
            ')' | '<' | '>' | '"' | '`' | '|' | ']' | '[' | '\\' => {
                end = at;
                break;
            }
            c if c.is_whitespace() || c.is_control() => {
                end = at;
                break;
            }
            _ => {}
        }
        let left = rest.get(at..).and_then(|left| left.strip_prefix(&*closed));
        let is_closed = left.is_some_and(|left| !left.starts_with(char::is_alphanumeric));
        if !closed.is_empty() && is_closed {
            end = at;
            break;
        }
    }
    // What ends a sentence, or emphasis that began further ahead, is no part of it.
    let mut address = rest.get(..end).unwrap_or_default();
    loop {
        let trimmed = address.trim_end_matches(SENTENCE_ENDS);
        let name = trimmed.trim_end_matches(MARKS);
        let marks = trimmed.get(name.len()..).unwrap_or_default();
        if name.len() == address.len() || is_paired(name, marks) {
            return trimmed.len();
        }
        address = name;
    }
}

/// Whether marks at the end of an address close others within it that begin a word: `/__init__`.
fn is_paired(name: &str, marks: &str) -> bool {
    let begins = |at: usize| {
        let before = name.get(..at).and_then(|before| before.chars().next_back());
        before.is_some_and(|c| !c.is_alphanumeric())
    };
    !marks.is_empty() && name.rfind(marks).is_some_and(begins)
}

/// A text whose addresses hold no letter of emphasis, as long as the one that was written, and how to have them back.
#[derive(Debug)]
pub(super) struct Masked<'a> {
    pub(super) text: Cow<'a, str>,
    /// What stands for each of [`MARKS`]. Unset: nothing does.
    stand_ins: Option<[char; 3]>,
}

impl<'a> Masked<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let unmasked = Self {
            text: Cow::Borrowed(text),
            stand_ins: None,
        };
        let hold_marks = |range: &Range<usize>| {
            let before = text.get(..range.start).unwrap_or_default();
            !is_destination(before) && text.get(range.clone()).is_some_and(|it| it.contains(MARKS))
        };
        let addresses: Vec<Range<usize>> = bare(text).into_iter().filter(hold_marks).collect();
        if addresses.is_empty() {
            return unmasked;
        }
        // Control characters are as long as the letters, and mean nothing to Markdown. Those of the text are left alone.
        let mut free = ('\u{1}'..='\u{8}').filter(|c| !text.contains(*c));
        let (Some(star), Some(line), Some(wave)) = (free.next(), free.next(), free.next()) else {
            return unmasked;
        };
        let stand_ins = [star, line, wave];
        let mut masked = String::with_capacity(text.len());
        let mut from = 0;
        for address in addresses {
            masked.push_str(text.get(from..address.start).unwrap_or_default());
            from = address.end;
            let letters = text.get(address).unwrap_or_default().chars();
            masked.extend(letters.map(|c| exchanged(c, &MARKS, &stand_ins)));
        }
        masked.push_str(text.get(from..).unwrap_or_default());
        Self {
            text: Cow::Owned(masked),
            stand_ins: Some(stand_ins),
        }
    }

    /// What was written where this is read.
    pub(super) fn written(stand_ins: Option<[char; 3]>, text: String) -> String {
        match stand_ins {
            Some(stand_ins) if text.contains(stand_ins) => {
                text.chars().map(|c| exchanged(c, &stand_ins, &MARKS)).collect()
            }
            Some(_) | None => text,
        }
    }

    pub(super) fn stand_ins(&self) -> Option<[char; 3]> {
        self.stand_ins
    }
}

/// Whether what comes behind this is where a link leads: no emphasis is read there, and it may hold no control characters.
fn is_destination(before: &str) -> bool {
    let before = before.trim_end();
    ["<", "](", "]:"].iter().any(|mark| before.ends_with(mark))
}

fn exchanged(c: char, from: &[char; 3], to: &[char; 3]) -> char {
    let at = from.iter().position(|known| *known == c);
    at.and_then(|at| to.get(at)).copied().unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::{Masked, bare};

    #[test]
    fn an_address_ends_where_a_reader_sees_it_end() {
        for (text, wanted) in [
            (
                "see https://a.b/__main__.html.",
                vec!["https://a.b/__main__.html"],
            ),
            ("(https://a.b/A_(b)_c) x", vec!["https://a.b/A_(b)_c"]),
            ("**https://a.b/x_y**: now", vec!["https://a.b/x_y"]),
            ("**https://a.b/x**:now", vec!["https://a.b/x"]),
            ("*at https://a.b/x*, and", vec!["https://a.b/x"]),
            (
                "[https://a.b/_x_](HTTP://c.d/_)",
                vec!["https://a.b/_x_", "HTTP://c.d/"],
            ),
            ("www.a.b/_x_ and www.x", vec!["www.a.b/_x_"]),
            ("xhttps://a.b https:// http://*", vec![]),
            ("\"https://a.b?q=a_b*c\"!", vec!["https://a.b?q=a_b*c"]),
            (r"https://a.b/c\_d", vec!["https://a.b/c"]),
        ] {
            let found: Vec<&str> = bare(text)
                .into_iter()
                .filter_map(|range| text.get(range))
                .collect();
            assert_eq!(found, wanted, "{text}");
        }
    }

    #[test]
    fn what_stands_for_letters_is_as_long_and_is_taken_back() {
        let text = "\u{1} https://a.b/_*~x *y*";
        let masked = Masked::of(text);

        assert_eq!(masked.text.len(), text.len());
        assert_eq!(masked.text, "\u{1} https://a.b/\u{3}\u{2}\u{4}x *y*");
        let stand_ins = masked.stand_ins();
        assert_eq!(Masked::written(stand_ins, masked.text.into_owned()), text);
    }
}
