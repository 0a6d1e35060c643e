//! Parts whose markup adds more than a message has room for, on platforms that count it: addresses of links are not seen, and have to
//! be written. Such a part becomes several messages.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    adapter::{TextLimit, TextShape, TextUnit},
    markup::{Document, Piece, pieces, plain, split},
};

/// So little of a text, in characters, is not cut any more for what its markup adds, because one link alone is longer than a
/// message: it is said without markup.
const ROOM_MIN: usize = 8;
/// Parts of which it is remembered how many messages of them were taken. Beyond it all are forgotten, and said from their beginning.
const PARTS_MAX: usize = 256;

/// A part as messages of at most so many characters: one, unless its markup adds more. The same part gives the same messages.
pub(in crate::platform) fn messages(
    text: &str,
    chars_max: usize,
    write: fn(&[Piece]) -> String,
) -> Vec<String> {
    cut(text, chars_max, chars_max, write)
}

fn cut(text: &str, room: usize, chars_max: usize, write: fn(&[Piece]) -> String) -> Vec<String> {
    let shown = pieces(&Document::parse(text));
    let written = write(&shown);
    if written.chars().count() <= chars_max {
        return vec![if written.trim().is_empty() {
            text.to_owned()
        } else {
            written
        }];
    }
    let half = room / 2;
    if half < ROOM_MIN {
        return TextLimit::new(TextUnit::Chars, chars_max, TextShape::Plain).split("", &plain(&shown), 0);
    }
    let parts = split(TextUnit::Chars, text, half);
    let parts = parts.iter().flat_map(|part| cut(part, half, chars_max, write));
    parts.collect()
}

/// How many messages of a part were taken, where the last was not: whoever tries the part again says the others. Kept in memory; a
/// process that comes later says the part from its beginning. Clones share it.
#[derive(Clone, Debug, Default)]
pub(in crate::platform) struct Partly(Arc<Mutex<HashMap<String, usize>>>);

impl Partly {
    pub(in crate::platform) fn taken(&self, part: &str) -> usize {
        self.lock().get(part).copied().unwrap_or_default()
    }

    pub(in crate::platform) fn keep(&self, part: &str, taken: usize) {
        let mut parts = self.lock();
        if parts.len() >= PARTS_MAX && !parts.contains_key(part) {
            parts.clear();
        }
        parts.insert(part.to_owned(), taken);
    }

    /// It was taken as a whole.
    pub(in crate::platform) fn forget(&self, part: &str) {
        self.lock().remove(part);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FAMILY: &str = "👨‍👩‍👧‍👦";
    const CHARS_MAX: usize = 200;

    /// As platforms write it that have links of their own.
    fn write(pieces: &[Piece]) -> String {
        let mut written = String::new();
        for piece in pieces {
            match piece {
                Piece::Words(words, style) => match &style.link {
                    Some(to) => written.push_str(&format!("[{words}]({to})")),
                    None => written.push_str(words),
                },
                Piece::Code { text, .. } => written.push_str(&format!("```{text}```")),
                Piece::QuoteBegins => written.push('>'),
                Piece::QuoteEnds => {}
            }
        }
        written
    }

    fn fit(text: &str) -> Vec<String> {
        let messages = messages(text, CHARS_MAX, write);
        for message in &messages {
            assert!(message.chars().count() <= CHARS_MAX, "{message:?}");
        }
        messages
    }

    #[test]
    fn links_whose_addresses_have_no_room_in_one_message_are_whole_in_several() {
        let link = |n: usize| format!("[page {n}](https://example.org/{}/{n:03})", "a".repeat(80));
        let text: Vec<String> = (0..40).map(link).collect();

        let messages = fit(&text.join(" "));

        assert!(messages.len() > 10);
        for link in text {
            assert!(messages.iter().any(|message| message.contains(&link)), "{link}");
        }
    }

    #[test]
    fn a_link_that_is_longer_than_a_message_is_said_without_markup_and_tears_no_sign() {
        let text = format!("[{FAMILY}](https://example.org/{})", FAMILY.repeat(100));

        let messages = fit(&text);

        let rest: String = messages
            .iter()
            .map(|message| message.replace(FAMILY, ""))
            .collect();
        assert!(!rest.contains(['\u{200d}', '👨', '👦']), "{rest:?}");
    }

    #[test]
    fn what_was_taken_of_a_part_is_remembered_until_all_of_it_was() {
        let partly = Partly::default();
        partly.keep("k/0", 2);
        assert_eq!((partly.taken("k/0"), partly.taken("k/1")), (2, 0));
        partly.forget("k/0");
        assert_eq!(partly.taken("k/0"), 0);
        for part in 0..=PARTS_MAX {
            partly.keep(&part.to_string(), 1);
        }
        assert_eq!(partly.lock().len(), 1);
    }

    proptest! {
        #[test]
        fn whatever_is_written_has_room(text in "([a-c*_`\\[\\]()|#>\n -]|👍🏽|\\[a\\]\\(https://a\\.b/ccccccccccccccccccccccc\\)){0,120}") {
            fit(&text);
        }
    }
}
