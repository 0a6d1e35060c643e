//! Markdown, cut so that each part renders by itself: a block of code is cut before it begins where that is not too early,
//! and else closed and opened again.

use super::{TextUnit, before, border, overflow};

/// The longest marker that opens a block. Nobody writes a longer one, and repeating it would leave no room.
const MARKER_MAX: usize = 8;
/// How much of a part may go to the first line of a block that is opened again; of a longer one the marker is repeated.
const OPENING_SHARE: usize = 4;

/// A block of code that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fence {
    /// What closes it.
    marker: String,
    /// The line that opened it.
    opening: String,
    /// Where that line begins, in the text that was looked at; nothing when it was open before.
    at: Option<usize>,
}

impl Fence {
    /// The fence that a line opens.
    fn opened_by(line: &str, at: usize) -> Option<Self> {
        let line = line.trim();
        let marker = marker(line)?;
        // A line with more marks behind the language is code in a line, not the beginning of a block.
        let info = line.strip_prefix(marker.as_str()).unwrap_or_default();
        if info.contains('`') {
            return None;
        }
        Some(Self {
            opening: line.to_owned(),
            marker,
            at: Some(at),
        })
    }

    fn closed_by(&self, line: &str) -> bool {
        let line = line.trim();
        line.starts_with(self.marker.as_str()) && line.chars().all(|c| self.marker.starts_with(c))
    }

    /// What closes it at the end of a part.
    fn close(&self) -> String {
        format!("\n{}", self.marker)
    }

    /// What opens it again in the next part.
    fn reopen(&self, unit: TextUnit, room: usize) -> String {
        let long = unit.size(&self.opening) * OPENING_SHARE > room;
        format!("{}\n", if long { &self.marker } else { &self.opening })
    }
}

/// The fence that is open behind a text, if one was open before it.
fn follow(mut open: Option<Fence>, text: &str) -> Option<Fence> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        open = match open {
            Some(fence) if fence.closed_by(line) => None,
            Some(fence) => Some(fence),
            None => Fence::opened_by(line, at),
        };
        at += line.len();
    }
    open
}

pub(super) fn split(unit: TextUnit, text: &str, room: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = text;
    let mut open: Option<Fence> = None;
    loop {
        let reopened = open
            .as_ref()
            .map(|fence| fence.reopen(unit, room))
            .unwrap_or_default();
        // A room so small that fences would fill it carries the bare text.
        let inner = room.saturating_sub(unit.size(&reopened));
        if overflow(unit, rest, inner).is_none() {
            if !rest.trim().is_empty() {
                parts.push(reopened + rest);
            }
            return parts;
        }
        // Whatever fence is open at the end, its marker is no longer than the longest in sight.
        let closing = longest_marker(
            open.as_ref(),
            before(rest, rest.floor_char_boundary(unit.window(room))),
        );
        let inner = inner.saturating_sub(closing + 1).max(1);
        let Some((head, _)) = overflow(unit, rest, inner) else {
            parts.push(reopened + rest);
            return parts;
        };
        let mut at = border(unit, head, inner);
        let mut after = follow(open.clone(), before(rest, at));
        if let Some(begins) = after.as_ref().and_then(|fence| fence.at) {
            let early = unit.size(before(rest, begins)) * 2 < inner;
            let torn = !before(rest, at).get(begins..).unwrap_or_default().contains('\n');
            if begins > 0 && (torn || !early) {
                (at, after) = (begins, None);
            }
        }
        let (head, tail) = rest.split_at(at);
        match &after {
            Some(fence) => parts.push(reopened + head.trim_end_matches('\n') + &fence.close()),
            None => parts.push(reopened + head),
        }
        (rest, open) = (tail, after.map(|fence| Fence { at: None, ..fence }));
    }
}

/// The marker at the beginning of a line.
fn marker(line: &str) -> Option<String> {
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let marker: String = line.chars().take_while(|c| *c == mark).collect();
    Some(marker).filter(|marker| (3..=MARKER_MAX).contains(&marker.len()))
}

/// How long the marker is that may have to close this text, in characters, all of them ASCII. A line that opens nothing as it
/// stands may do so where it is cut.
fn longest_marker(open: Option<&Fence>, text: &str) -> usize {
    let opened = text.lines().filter_map(|line| marker(line.trim()));
    let lengths = open.map(|fence| fence.marker.len()).into_iter();
    lengths
        .chain(opened.map(|marker| marker.len()))
        .max()
        .unwrap_or(0)
}

/// Whether every block of code that a text opens is closed in it.
#[cfg(test)]
pub(super) fn is_closed(text: &str) -> bool {
    follow(None, text).is_none()
}
