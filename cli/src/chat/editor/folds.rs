//! Long pastes: one character of the line each, shown as what it stands for.
//!
//! A log of a thousand lines in the line would be drawn anew with every key, and push away all that is above it. The characters
//! are of a private plane, which no keyboard and no text has.

/// A paste of more lines is folded.
const LINES_MAX: usize = 8;

/// So is one of more characters: ten rows of a usual terminal.
const CHARS_MAX: usize = 800;

/// The first character that stands for a paste.
const FIRST: u32 = 0xF_0000;

/// More pastes than anybody puts into one message.
const FOLDS_MAX: usize = 256;

/// What was folded.
#[derive(Debug, Default)]
pub(super) struct Folds(Vec<String>);

impl Folds {
    /// The text as it goes into the line: itself, or the character that stands for it.
    pub(super) fn take_in(&mut self, text: &str) -> String {
        let text: String = text
            .chars()
            .filter(|c| self.text_of(*c).is_some() || index(*c).is_none())
            .collect();
        let is_long = text.matches('\n').count() >= LINES_MAX || text.chars().count() > CHARS_MAX;
        if !is_long || self.0.len() >= FOLDS_MAX {
            return text;
        }
        let stands_for = u32::try_from(self.0.len())
            .ok()
            .and_then(|n| char::from_u32(FIRST + n));
        let Some(stands_for) = stands_for else { return text };
        let text = self.expanded(&text);
        self.0.push(text);
        stands_for.into()
    }

    /// Nothing is folded any more.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// What a character stands for.
    fn text_of(&self, c: char) -> Option<&str> {
        self.0.get(index(c)?).map(String::as_str)
    }

    /// What is shown for a character that stands for a paste.
    pub(super) fn label(&self, c: char) -> Option<String> {
        let text = self.text_of(c)?;
        let lines = text.trim_end_matches('\n').split('\n').count();
        Some(if lines > 1 {
            format!("[{lines} lines pasted]")
        } else {
            format!("[{} characters pasted]", text.chars().count())
        })
    }

    /// The line as it is sent.
    pub(super) fn expanded(&self, line: &str) -> String {
        self.each(line, |c| self.text_of(c).map(str::to_owned))
    }

    /// The line as it is shown.
    pub(super) fn labelled(&self, line: &str) -> String {
        self.each(line, |c| self.label(c))
    }

    fn each(&self, line: &str, what: impl Fn(char) -> Option<String>) -> String {
        let mut out = String::with_capacity(line.len());
        for c in line.chars() {
            match what(c) {
                Some(text) => out.push_str(&text),
                None => out.push(c),
            }
        }
        out
    }
}

fn index(c: char) -> Option<usize> {
    let number = u32::from(c).checked_sub(FIRST)?;
    usize::try_from(number).ok().filter(|number| *number < FOLDS_MAX)
}
