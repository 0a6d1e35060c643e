//! How much text a platform takes in one message, and the one splitter that cuts by it.
//!
//! The same input gives the same parts, always: the outbox keeps them, and a receiver may recognise them. A part never ends
//! within a grapheme (what a reader sees as one character), except where one grapheme alone is longer than a message may be.

#[cfg(test)]
mod tests;

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

/// What is left for the text however long the address is: every part carries some of it, so that cutting comes to an end, and
/// the platform refuses what it does not take.
const ROOM_MIN: usize = 32;
/// How far beyond the room it is looked for the end of a grapheme, in bytes. The longest emoji have 35; one that never ends is
/// not a reason to read the whole text for each part.
const GRAPHEME_BYTES_MAX: usize = 256;
/// The bytes of a grapheme that is counted as one, for the same bound.
const GRAPHEME_BYTES_LIKELY: usize = 32;

/// What a platform counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextUnit {
    Bytes,
    Chars,
    /// Half of the characters outside the basic plane each: what JavaScript and Java call a length.
    Utf16,
    Graphemes,
}

impl TextUnit {
    pub(crate) fn size(self, text: &str) -> usize {
        match self {
            Self::Bytes => text.len(),
            Self::Chars => text.chars().count(),
            Self::Utf16 => text.chars().map(char::len_utf16).sum(),
            Self::Graphemes => text.graphemes(true).count(),
        }
    }

    /// The most bytes that are worth looking at to fill this much room.
    const fn window(self, room: usize) -> usize {
        let each = match self {
            Self::Bytes => 1,
            Self::Chars | Self::Utf16 => 4,
            Self::Graphemes => GRAPHEME_BYTES_LIKELY,
        };
        room.saturating_mul(each).saturating_add(GRAPHEME_BYTES_MAX)
    }
}

/// What a message looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextShape {
    /// One line without control characters. Blank lines cannot be said and are left out.
    Line,
    /// Whatever it is: the parts, joined, are the text.
    Plain,
    /// Markdown, of which counts what a reader sees. Each part is Markdown by itself.
    Markdown,
}

impl TextShape {
    /// A label as it stands in front of a part.
    pub(crate) fn label(self, label: &str) -> String {
        match self {
            Self::Line | Self::Plain => label.to_owned(),
            // On a line of its own it takes nothing from the markup behind it.
            Self::Markdown => format!("{}\n\n", label.trim_end()),
        }
    }

    /// A word with an address behind it. The word stands in square brackets.
    pub(crate) fn link(self, word: &str, address: &str) -> String {
        match self {
            Self::Line | Self::Plain => format!("{word} {address}"),
            Self::Markdown => format!("{word}({address})"),
        }
    }

    /// What stands between two parts of one text that are put together again.
    pub(crate) const fn between(self) -> &'static str {
        match self {
            Self::Line => "\n",
            Self::Plain => "",
            Self::Markdown => "\n\n",
        }
    }
}

/// How much text one message may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TextLimit {
    pub(crate) unit: TextUnit,
    pub(crate) max: usize,
    pub(crate) shape: TextShape,
    /// Whether the bytes of the address take from `max` as well.
    pub(crate) address_counts: bool,
}

impl TextLimit {
    pub(crate) const fn new(unit: TextUnit, max: usize, shape: TextShape) -> Self {
        Self {
            unit,
            max,
            shape,
            address_counts: false,
        }
    }

    /// Cuts a text for this address, each part `reserve` units shorter than it could be, so that a label fits in front. At
    /// line breaks, else at spaces, else between graphemes.
    pub(crate) fn split(&self, to: &str, text: &str, reserve: usize) -> Vec<String> {
        let address = if self.address_counts { to.len() } else { 0 };
        let room = self.max.saturating_sub(address.saturating_add(reserve));
        let room = room.max(ROOM_MIN.min(self.max));
        match self.shape {
            TextShape::Line => lines(self.unit, text, room),
            TextShape::Plain => plain(self.unit, text, room),
            TextShape::Markdown => crate::markup::split(self.unit, text, room),
        }
    }
}

fn lines(unit: TextUnit, text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.split(['\n', '\r']) {
        let mut rest = line.trim_end();
        while let Some((head, tail)) = overflow(unit, rest, room) {
            let at_a_word = || {
                head.rfind(' ')
                    .filter(|at| unit.size(before(head, *at)) * 2 >= room)
            };
            let (head, tail) = match at_a_word() {
                Some(at) if !tail.starts_with(' ') => rest.split_at(at),
                Some(_) | None => (head, tail),
            };
            let head = head.trim_end();
            if !head.is_empty() {
                lines.push(printable(head));
            }
            rest = tail.trim_start();
        }
        if !rest.trim().is_empty() {
            lines.push(printable(rest));
        }
    }
    lines
}

fn plain(unit: TextUnit, text: &str, room: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((head, _)) = overflow(unit, rest, room) {
        let (head, tail) = rest.split_at(border(unit, head, room));
        parts.push(head.to_owned());
        rest = tail;
    }
    if !rest.trim().is_empty() {
        parts.push(rest.to_owned());
    }
    parts
}

/// Where to cut what just fits: behind the last line break, else the last space, if the part keeps at least half of its room.
pub(crate) fn border(unit: TextUnit, head: &str, room: usize) -> usize {
    // A space may carry a mark, and is then more than a space.
    let ends_a_grapheme = |end: &usize| {
        let mut cursor = GraphemeCursor::new(*end, head.len(), true);
        cursor.is_boundary(head, 0).unwrap_or(true)
    };
    let line = || head.rfind('\n').map(|at| at + 1);
    let word = || {
        head.rmatch_indices(' ')
            .map(|(at, _)| at + 1)
            .find(ends_a_grapheme)
    };
    line()
        .or_else(word)
        .filter(|at| unit.size(before(head, *at)) * 2 >= room)
        .unwrap_or(head.len())
}

/// The most that fits, and what is beyond; nothing when everything fits.
pub(crate) fn overflow(unit: TextUnit, text: &str, room: usize) -> Option<(&str, &str)> {
    let window = text.floor_char_boundary(unit.window(room));
    let (near, far) = text.split_at(window);
    let mut used = 0;
    let mut end = 0;
    for grapheme in near.graphemes(true) {
        used += unit.size(grapheme);
        let cut_by_the_window = !far.is_empty() && end + grapheme.len() == near.len();
        if used > room || cut_by_the_window {
            break;
        }
        end += grapheme.len();
    }
    if end == 0 && !text.is_empty() {
        end = by_chars(unit, text, room);
    }
    (end < text.len()).then(|| text.split_at(end))
}

/// For a grapheme that is longer than its room: as many of its characters as fit, and one at least.
fn by_chars(unit: TextUnit, text: &str, room: usize) -> usize {
    let mut used = 0;
    let mut end = 0;
    for c in text.chars() {
        used += match unit {
            TextUnit::Bytes => c.len_utf8(),
            TextUnit::Utf16 => c.len_utf16(),
            // A grapheme without an end within the window counts by its characters.
            TextUnit::Chars | TextUnit::Graphemes => 1,
        };
        if used > room && end > 0 {
            break;
        }
        end += c.len_utf8();
    }
    end
}

fn before(text: &str, at: usize) -> &str {
    text.get(..at).unwrap_or(text)
}

/// No NUL, which ends a line on some servers, and no \x01, which would make a CTCP command of it.
fn printable(line: &str) -> String {
    line.chars().filter(|c| !matches!(c, '\0' | '\u{01}')).collect()
}
