//! What goes to a terminal: colours when somebody looks and did not say `NO_COLOR`, tables, and text made safe to print.

use std::{fmt::Write as _, io::IsTerminal};

use gatehouse_core::{Env, telemetry::escape};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Between two columns of a table.
const BETWEEN: usize = 2;

/// So much of the last column is shown however long the others are.
const CUT_MIN: usize = 12;

/// Whether to colour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    color: bool,
}

/// The colours the gateway uses, from the eight that every terminal has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ink {
    /// Good.
    Green,
    /// Look at this.
    Yellow,
    /// Bad.
    Red,
    /// Names.
    Cyan,
    /// Of lesser interest.
    Dim,
    /// Of greater interest.
    Bold,
    /// One of six, to tell services apart.
    Service(usize),
}

impl Style {
    /// Colours when `output` is a terminal that knows them and `NO_COLOR` is unset or empty (<https://no-color.org>).
    pub(crate) fn of(output: &impl IsTerminal, no_color: Option<&str>) -> Self {
        let is_able = output.is_terminal() && Env::process().get("TERM") != Some("dumb");
        Self {
            color: is_able && no_color.is_none_or(str::is_empty),
        }
    }

    /// No colours.
    #[cfg(test)]
    pub(crate) const fn plain() -> Self {
        Self { color: false }
    }

    /// Whether it colours.
    #[cfg(test)]
    pub(crate) const fn colored() -> Self {
        Self { color: true }
    }

    /// The text in this colour.
    pub(crate) fn paint(self, ink: Ink, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let code = match ink {
            Ink::Red => 31,
            Ink::Green => 32,
            Ink::Yellow => 33,
            Ink::Cyan => 36,
            Ink::Dim => 2,
            Ink::Bold => 1,
            Ink::Service(index) => *[36, 33, 35, 32, 34, 31].get(index % 6).unwrap_or(&36),
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// What somebody wrote, line breaks included, without the control characters that would move the cursor, recolour or retitle the
/// terminal. Everything else from outside is one line: [`escape`].
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\n' && c != '\t' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// Text from outside as one line without commands to the terminal.
pub(crate) fn one_line(text: &str) -> String {
    escape(text).into_owned()
}

/// A table for people: columns as wide as their widest cell, two spaces between, no lines.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<(Option<Ink>, String)>>,
}

impl Table {
    /// An empty table with these column names.
    pub(crate) fn new(head: &[&'static str]) -> Self {
        Self {
            head: head.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<(Option<Ink>, String)>) {
        self.rows.push(cells);
    }

    /// Whether it has no rows.
    pub(crate) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text.
    pub(crate) fn render(&self, style: Style) -> String {
        let widths = self.widths();
        self.render_in(&widths, style)
    }

    /// The same in so many columns: what stands last is the least important, and is cut. Names are not, because people copy them.
    pub(crate) fn render_within(&self, style: Style, columns: usize) -> String {
        let mut widths = self.widths();
        let whole: usize = widths
            .iter()
            .map(|width| width + BETWEEN)
            .sum::<usize>()
            .saturating_sub(BETWEEN);
        if let Some(last) = widths.last_mut() {
            *last = last
                .saturating_sub(whole.saturating_sub(columns))
                .max(CUT_MIN.min(*last));
        }
        self.render_in(&widths, style)
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.head.iter().map(|head| head.chars().count()).collect();
        for row in &self.rows {
            for (width, (_, cell)) in widths.iter_mut().zip(row) {
                *width = (*width).max(escape(cell).width());
            }
        }
        widths
    }

    fn render_in(&self, widths: &[usize], style: Style) -> String {
        let mut text = String::new();
        let head: Vec<_> = self
            .head
            .iter()
            .map(|head| (Some(Ink::Dim), (*head).to_owned()))
            .collect();
        for row in std::iter::once(&head).chain(&self.rows) {
            let last = row.len().saturating_sub(1);
            for (column, (ink, cell)) in row.iter().enumerate() {
                let width = widths.get(column).copied().unwrap_or(0);
                let cell = cut(&escape(cell), width);
                let pad = width.saturating_sub(cell.width());
                let painted = ink.map_or_else(|| cell.clone(), |ink| style.paint(ink, &cell));
                text.push_str(&painted);
                if column < last {
                    let _ = write!(text, "{:pad$}  ", "");
                }
            }
            while text.ends_with(' ') {
                text.pop();
            }
            text.push('\n');
        }
        text
    }
}

/// The beginning of a text that fits into so many columns.
fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let (mut shown, mut used) = (String::new(), 1);
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > columns {
            break;
        }
        shown.push(c);
    }
    shown.push('…');
    shown
}

/// The width of the terminal. A pipe or a file has none: there nothing is cut, because a program reads it.
pub(crate) fn columns() -> usize {
    let size = std::io::stdout().is_terminal().then(crossterm::terminal::size);
    match size {
        Some(Ok((columns, _))) if columns > 0 => columns.into(),
        Some(_) | None => usize::MAX,
    }
}

/// A moment for a person: in UTC, as logs write it, to the second. What is no moment is shown as it came.
pub(crate) fn moment(ms: i64) -> String {
    let moment = jiff::Timestamp::from_second(ms.div_euclid(1_000));
    moment.map_or_else(|_| ms.to_string(), |moment| moment.to_string())
}

/// Now, milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    gatehouse_core::Clock::system().now_ms()
}

/// A duration in milliseconds as people say it: `850 ms`, `12 s`, `3 m`, `5 h`, `2 d`.
pub(crate) fn ago(milliseconds: i64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        ..1 => format!("{} ms", milliseconds.max(0)),
        1..120 => format!("{seconds} s"),
        120..7_200 => format!("{} m", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests;
