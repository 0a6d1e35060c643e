//! What is on the terminal: text that scrolls away above, and below it the few rows that change.
//!
//! The rows below are drawn over those of before in one write, without clearing first, so that nothing flickers. No terminal in
//! here: rows go in, a text to write comes out.

use std::fmt::Write as _;

use super::{
    editor::Face,
    wrap::{self, Flow},
};

/// The terminal holds back what it shows until all is written; one that does not know it takes no notice.
const BEGIN: &str = "\x1b[?2026h\x1b[?25l";
const END: &str = "\x1b[?25h\x1b[?2026l";

/// The rest of the row, and of the screen.
const CLEAR_ROW: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// Rows that are kept free of the line that is typed: the answer, the status, and one above.
const OTHERS: usize = 3;

/// The picture on the terminal.
#[derive(Debug)]
pub(super) struct Pane {
    columns: usize,
    rows: usize,
    flow: Flow,
    /// Rows that are full and not written yet.
    full: Vec<String>,
    drawn: Drawn,
}

/// The rows that change, as they were written last.
#[derive(Debug, Default, PartialEq, Eq)]
struct Drawn {
    rows: Vec<String>,
    /// Where the cursor was left: row and cell.
    cursor: (usize, usize),
}

impl Pane {
    /// On a terminal of so many columns and rows, with the cursor at the beginning of a row.
    pub(super) fn new((columns, rows): (u16, u16)) -> Self {
        let columns = usize::from(columns);
        Self {
            columns,
            rows: usize::from(rows),
            flow: Flow::new(text_columns(columns)),
            full: Vec::new(),
            drawn: Drawn::default(),
        }
    }

    /// Columns of a row that is typed.
    pub(super) fn columns(&self) -> usize {
        text_columns(self.columns)
    }

    /// Rows that the typed line may take.
    pub(super) fn typed_rows_max(&self) -> usize {
        self.rows.saturating_sub(OTHERS).max(1)
    }

    /// Adds text above.
    pub(super) fn append(&mut self, text: &str) {
        let mut full = self.flow.push(text);
        self.full.append(&mut full);
    }

    /// Ends the row that is being written, so that something else can stand below it.
    pub(super) fn end_row(&mut self) {
        if self.flow.is_open() {
            self.append("\n");
        }
    }

    /// The terminal has another size now. Rows that became too long for it were broken by it.
    pub(super) fn resize(&mut self, (columns, rows): (u16, u16)) {
        self.columns = usize::from(columns);
        self.rows = usize::from(rows);
        let mut full = self.flow.resize(text_columns(self.columns));
        self.full.append(&mut full);
        let columns = self.columns.max(1);
        let (row, cell) = self.drawn.cursor;
        let above = self.drawn.rows.iter().take(row);
        let rows: usize = above.map(|row| wrap::width(row).div_ceil(columns).max(1)).sum();
        // What it was is unknown by now: it is drawn in any case.
        self.drawn.rows.clear();
        self.drawn.cursor = (rows + cell / columns, cell % columns);
    }

    /// What must be written to show this status and this line. Empty: all of it stands there.
    pub(super) fn frame(&mut self, status: Option<&str>, face: Face) -> String {
        let mut rows = Vec::new();
        if self.flow.is_open() {
            rows.push(self.flow.tail());
        }
        if let Some(status) = status {
            rows.extend(wrap::rows(status, self.columns()).into_iter().next());
        }
        let cursor = (rows.len() + face.cursor.0, face.cursor.1);
        rows.extend(face.rows);
        let room = self.rows.saturating_sub(1).saturating_sub(rows.len());
        rows.extend(face.below.into_iter().take(room));
        let drawn = Drawn { rows, cursor };
        if self.full.is_empty() && drawn == self.drawn {
            return String::new();
        }
        let mut out = BEGIN.to_owned();
        out.push_str(&self.to_top());
        for row in self.full.drain(..) {
            let _ = write!(out, "{row}{CLEAR_ROW}\r\n");
        }
        let last = drawn.rows.len().saturating_sub(1);
        for (index, row) in drawn.rows.iter().enumerate() {
            let end = if index < last { "\r\n" } else { "" };
            let _ = write!(out, "{row}{CLEAR_ROW}{end}");
        }
        out.push_str(CLEAR_BELOW);
        let (row, cell) = drawn.cursor;
        if last > row {
            let _ = write!(out, "\x1b[{}A", last - row);
        }
        out.push('\r');
        if cell > 0 {
            let _ = write!(out, "\x1b[{cell}C");
        }
        out.push_str(END);
        self.drawn = drawn;
        out
    }

    /// What must be written so that nothing of ours changes any more, and a shell can go on below.
    pub(super) fn leave(&mut self) -> String {
        self.end_row();
        let mut out = self.to_top();
        for row in self.full.drain(..) {
            let _ = write!(out, "{row}{CLEAR_ROW}\r\n");
        }
        out.push_str(CLEAR_BELOW);
        self.drawn = Drawn::default();
        out
    }

    /// What must be written to begin at the top of an empty screen.
    pub(super) fn clear(&mut self) -> String {
        self.drawn = Drawn::default();
        "\x1b[H\x1b[2J".to_owned()
    }

    /// To the first of the rows that change.
    fn to_top(&self) -> String {
        match self.drawn.cursor.0 {
            0 => "\r".to_owned(),
            rows => format!("\r\x1b[{rows}A"),
        }
    }
}

/// The last column stays free: what terminals do with a row that is exactly full differs.
fn text_columns(columns: usize) -> usize {
    columns.saturating_sub(1).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(row: &str) -> Face {
        Face {
            rows: vec![row.to_owned()],
            below: Vec::new(),
            cursor: (0, row.len()),
        }
    }

    #[test]
    fn what_stands_there_is_not_written_again() {
        let mut pane = Pane::new((80, 24));
        pane.append("one\ntwo");

        let first = pane.frame(None, face("> "));

        assert!(first.contains("one\x1b[K\r\ntwo\x1b[K\r\n> \x1b[K"), "{first:?}");
        assert_eq!(pane.frame(None, face("> ")), "");
        let more = pane.frame(None, face("> x"));
        assert!(!more.contains("one") && more.contains("\r\x1b[1Atwo"), "{more:?}");
    }

    #[test]
    fn the_answer_goes_on_above_the_line_that_is_typed() {
        let mut pane = Pane::new((10, 24));
        pane.append("one two ");
        pane.frame(Some("busy"), face("> typed"));
        pane.append("three");

        let frame = pane.frame(Some("busy"), face("> typed"));

        assert!(
            frame.contains("\x1b[2Aone two\x1b[K\r\nthree\x1b[K\r\nbusy\x1b[K\r\n> typed"),
            "{frame:?}"
        );
    }

    #[test]
    fn a_narrower_terminal_has_broken_the_rows_and_they_are_found_again() {
        let mut pane = Pane::new((80, 24));
        pane.frame(Some(&"s".repeat(50)), face("> x"));

        pane.resize((20, 24));
        let frame = pane.frame(None, face("> x"));

        assert!(
            frame.contains("\r\x1b[3A"),
            "50 cells are three rows of 20: {frame:?}"
        );
    }

    #[test]
    fn a_shell_goes_on_below_what_was_said() {
        let mut pane = Pane::new((80, 24));
        pane.append("half");
        pane.frame(Some("busy"), face("> typed"));

        assert_eq!(pane.leave(), "\r\x1b[2Ahalf\x1b[K\r\n\x1b[J");
    }
}
