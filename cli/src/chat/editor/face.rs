//! The line as rows of the terminal, and where the cursor stands in them.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::folds::Folds;

/// Before the second row and those after it.
const INDENT: &str = "  ";

/// The rows that show the line.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Face {
    /// The rows of the line itself.
    pub(in super::super) rows: Vec<String>,
    /// What stands below it, for the eye only.
    pub(in super::super) below: Vec<String>,
    /// Where the cursor stands: row and cell, from 0.
    pub(in super::super) cursor: (usize, usize),
}

impl Face {
    pub(super) fn below(mut self, below: Vec<String>) -> Self {
        self.below = below;
        self
    }
}

/// Draws a line with the cursor before the byte `cursor`. What does not fit into the rows is told, and the cursor is in what is
/// shown.
pub(super) fn draw(
    prompt: &str,
    line: &str,
    cursor: usize,
    folds: &Folds,
    columns: usize,
    rows_max: usize,
) -> Face {
    let mut rows = vec![prompt.to_owned()];
    let mut column = prompt.width();
    let mut at = (0, column);
    for (index, text) in line.grapheme_indices(true) {
        let next_line = text == "\n";
        let shown = seen(text, folds);
        let cells = shown.width();
        // One cell stays free at the end, for the cursor.
        let is_full = column + cells >= columns && column > INDENT.len();
        if is_full && !next_line {
            rows.push(INDENT.to_owned());
            column = INDENT.len();
        }
        if index == cursor {
            at = (rows.len() - 1, column);
        }
        if next_line {
            rows.push(INDENT.to_owned());
            column = INDENT.len();
        } else if let Some(row) = rows.last_mut() {
            row.push_str(&shown);
            column += cells;
        }
    }
    if cursor >= line.len() {
        at = (rows.len() - 1, column);
    }
    let (rows, first) = window(rows, at.0, rows_max);
    Face {
        rows,
        below: Vec::new(),
        cursor: (at.0 - first, at.1.min(columns.saturating_sub(1))),
    }
}

/// A piece of the line as it is shown. What would move the cursor is not.
fn seen(text: &str, folds: &Folds) -> String {
    if let Some(label) = text.chars().next().and_then(|c| folds.label(c)) {
        return label;
    }
    match text {
        "\t" => "    ".to_owned(),
        text => crate::term::printable(text),
    }
}

/// The rows around the cursor, and which the first of them is. The last row says how many are left out.
fn window(rows: Vec<String>, cursor: usize, rows_max: usize) -> (Vec<String>, usize) {
    let all = rows.len();
    if all <= rows_max || rows_max < 2 {
        let first = if all <= rows_max { 0 } else { cursor };
        return (
            rows.into_iter().skip(first).take(rows_max.max(1)).collect(),
            first,
        );
    }
    let shown = rows_max - 1;
    let first = cursor.saturating_sub(shown - 1).min(all - shown);
    let mut seen: Vec<_> = rows.into_iter().skip(first).take(shown).collect();
    seen.push(format!("{INDENT}({shown} of {all} rows)"));
    (seen, first)
}
