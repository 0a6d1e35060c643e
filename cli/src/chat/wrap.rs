//! Text as rows of a terminal: broken between words, at its edge, by what is seen and not by bytes.
//!
//! The text comes in pieces, as an answer is written; a row that is full never changes again. Colours are our own and have no width.

use std::mem;

use unicode_linebreak::linebreaks;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// A tab, which a terminal would draw from where the cursor stands.
const TAB: &str = "    ";

/// Ends a colour.
const RESET: &str = "\x1b[0m";

/// Cells that a text takes on a terminal. Control characters are shown as one replacement character each.
pub(super) fn width(text: &str) -> usize {
    let plain: String = cells(text).into_iter().map(|cell| cell.text).collect();
    plain.width()
}

/// Text that is written piece by piece, as rows.
#[derive(Debug)]
pub(super) struct Flow {
    columns: usize,
    /// What was said after the last row that is full.
    open: String,
}

impl Flow {
    /// Rows of at most so many cells.
    pub(super) fn new(columns: usize) -> Self {
        Self {
            columns: columns.max(1),
            open: String::new(),
        }
    }

    /// Takes more text. The rows that are full now, for ever.
    pub(super) fn push(&mut self, text: &str) -> Vec<String> {
        let mut full = Vec::new();
        for piece in text.split_inclusive('\n') {
            let line = piece.strip_suffix('\n');
            self.open.push_str(line.unwrap_or(piece));
            full.append(&mut self.fold());
            if line.is_some() {
                let (row, pen) = closed(&mem::take(&mut self.open));
                full.push(row);
                self.open = pen;
            }
        }
        full
    }

    /// The row that is being written. Empty: none is.
    pub(super) fn tail(&self) -> String {
        closed(&self.open).0
    }

    /// Whether a row is being written.
    pub(super) fn is_open(&self) -> bool {
        cells(&self.open).iter().any(|cell| cell.width > 0)
    }

    /// Other rows from here on. What no longer fits is full.
    pub(super) fn resize(&mut self, columns: usize) -> Vec<String> {
        self.columns = columns.max(1);
        self.fold()
    }

    /// Cuts full rows off the open one.
    fn fold(&mut self) -> Vec<String> {
        let mut rows = wrapped(&self.open, self.columns);
        self.open = rows.pop().unwrap_or_default();
        rows.iter().map(|row| closed(row).0).collect()
    }
}

/// A whole text as rows.
pub(super) fn rows(text: &str, columns: usize) -> Vec<String> {
    let mut flow = Flow::new(columns);
    let mut rows = flow.push(text);
    if flow.is_open() {
        rows.push(flow.tail());
    }
    rows
}

/// One thing that is drawn in one or more cells, with the colours that begin before it.
#[derive(Debug)]
struct Cell<'a> {
    pen: &'a str,
    text: &'a str,
    width: usize,
}

/// Reads a line. A colour at its end is a cell without text.
fn cells(line: &str) -> Vec<Cell<'_>> {
    let mut cells = Vec::new();
    let mut rest = line;
    loop {
        let pen_bytes = pen_length(rest);
        let (pen, text) = rest.split_at(pen_bytes);
        let plain_bytes = text.find("\x1b[").unwrap_or(text.len());
        let (plain, after) = text.split_at(plain_bytes);
        let mut first = pen;
        for text in plain.graphemes(true) {
            let text = if text == "\t" { TAB } else { text };
            let pen = mem::take(&mut first);
            cells.push(Cell {
                pen,
                text,
                width: text.width(),
            });
        }
        if !first.is_empty() {
            cells.push(Cell {
                pen: first,
                text: "",
                width: 0,
            });
        }
        if after.is_empty() {
            return cells;
        }
        rest = after;
    }
}

/// Bytes of the colours with which a text begins. What looks like the beginning of one and is none is one byte of text at least.
fn pen_length(text: &str) -> usize {
    let mut length = 0;
    while let Some(code) = text.get(length..).and_then(|rest| rest.strip_prefix("\x1b[")) {
        let Some(end) = code.find(|c: char| !c.is_ascii_digit() && c != ';') else {
            return text.len();
        };
        length += 2 + end + 1;
    }
    length.min(text.len())
}

/// A line as rows of at most so many cells; the last one is what has room for more. Each begins with the colour that the one before
/// ended in.
fn wrapped(line: &str, columns: usize) -> Vec<String> {
    let cells = cells(line);
    let plain: String = cells.iter().map(|cell| cell.text).collect();
    let mut may_break = linebreaks(&plain).map(|(at, _)| at).peekable();
    let mut rows = Vec::new();
    // The row that is being filled: its first cell, its width, and the last cell before which it may end.
    let (mut begin, mut filled, mut end, mut at) = (0, 0, 0, 0);
    for (index, cell) in cells.iter().enumerate() {
        while may_break.next_if(|allowed| *allowed < at).is_some() {}
        if may_break.peek() == Some(&at) && index > begin {
            end = index;
        }
        at += cell.text.len();
        // Spaces hang over the edge; the next word does not.
        let hangs = cell.text == " ";
        if filled + cell.width > columns && !hangs && index > begin {
            let cut = if end > begin { end } else { index };
            rows.push(drawn(cells.get(begin..cut).unwrap_or_default()));
            begin = cut;
            filled = cells
                .get(begin..index)
                .unwrap_or_default()
                .iter()
                .map(|cell| cell.width)
                .sum();
        }
        filled += cell.width;
    }
    rows.push(drawn(cells.get(begin..).unwrap_or_default()));
    let last = rows.len() - 1;
    let mut pen = String::new();
    for (index, row) in rows.iter_mut().enumerate() {
        if index < last {
            trim(row);
        }
        let begun = format!("{pen}{row}");
        pen = closed(&begun).1;
        *row = begun;
    }
    rows
}

fn drawn(cells: &[Cell<'_>]) -> String {
    cells.iter().flat_map(|cell| [cell.pen, cell.text]).collect()
}

/// Takes off the spaces at a row's end.
fn trim(row: &mut String) {
    let kept = row.trim_end_matches(' ').len();
    row.truncate(kept);
}

/// A row that stands for itself, and the colour that the next one begins with.
fn closed(row: &str) -> (String, String) {
    let mut pen = String::new();
    for cell in cells(row) {
        match cell.pen.rsplit_once(RESET) {
            Some((_, after)) => after.clone_into(&mut pen),
            None => pen.push_str(cell.pen),
        }
    }
    let end = if pen.is_empty() { "" } else { RESET };
    (format!("{row}{end}"), pen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_at_the_edge() {
        assert_eq!(
            rows("add a provider under models.providers", 16),
            ["add a provider", "under", "models.providers"]
        );
        assert_eq!(rows("one  two\n\n  three", 8), ["one  two", "", "  three"]);
    }

    #[test]
    fn a_word_that_is_wider_than_the_row_is_cut_where_the_row_ends() {
        assert_eq!(rows("ab abcdefgh", 4), ["ab", "abcd", "efgh"]);
    }

    #[test]
    fn wide_characters_emoji_and_accents_are_counted_as_they_are_seen() {
        assert_eq!(rows("日本語の文章", 6), ["日本語", "の文章"]);
        assert_eq!(rows("👩‍💻👩‍💻👩‍💻", 4), ["👩‍💻👩‍💻", "👩‍💻"]);
        assert_eq!(
            rows("e\u{301}e\u{301}e\u{301} x", 3),
            ["e\u{301}e\u{301}e\u{301}", "x"]
        );
        assert_eq!(width("日本 e\u{301}\x1b[1mx\x1b[0m"), 7);
    }

    #[test]
    fn pieces_make_the_same_rows_as_the_whole() {
        let text =
            "The quick brown 狐 jumps over\nthe \x1b[32mlazy dog and\x1b[0m sleeps 👩‍💻 well, e\u{301}tude";
        for columns in 1..40 {
            let mut flow = Flow::new(columns);
            let mut seen = Vec::new();
            for cell in cells(text) {
                seen.extend(flow.push(cell.pen));
                for c in cell.text.chars() {
                    seen.extend(flow.push(&c.to_string()));
                }
            }
            seen.push(flow.tail());

            let plain = |rows: &[String]| -> Vec<String> {
                rows.iter()
                    .map(|row| {
                        cells(row)
                            .iter()
                            .map(|cell| cell.text)
                            .collect::<String>()
                            .trim_end()
                            .to_owned()
                    })
                    .collect()
            };
            assert_eq!(plain(&seen), plain(&rows(text, columns)), "{columns}");
            for row in &seen {
                assert!(width(row.trim_end()) <= columns.max(2), "{columns}: {row}");
            }
        }
    }

    #[test]
    fn a_colour_ends_with_its_row_and_begins_again_in_the_next() {
        let rows = rows("\x1b[2mone two\x1b[0m three", 4);

        assert_eq!(rows, ["\x1b[2mone\x1b[0m", "\x1b[2mtwo\x1b[0m", "thre", "e"]);
    }

    #[test]
    fn a_narrower_terminal_gets_narrower_rows() {
        let mut flow = Flow::new(20);
        assert_eq!(flow.push("one two three"), Vec::<String>::new());

        assert_eq!(flow.resize(8), ["one two"]);

        assert_eq!(flow.tail(), "three");
    }
}
