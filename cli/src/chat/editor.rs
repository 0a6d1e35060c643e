//! The line that is being typed: keys go in, what they ask for comes out. No terminal in here.
//!
//! The habits are those of readline. Moving and deleting is the line buffer of `rustyline`; its own loop is not used, because it
//! owns the terminal while it reads, and an answer is written there at the same time.

mod face;
mod folds;
mod menu;
mod recall;

use std::mem;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use rustyline::{
    At, Word,
    line_buffer::{ChangeListener, DeleteListener, Direction, LineBuffer},
};
use unicode_segmentation::UnicodeSegmentation;

pub(super) use self::{
    face::Face,
    menu::{Candidate, commands},
    recall::Recall,
};
use self::{folds::Folds, menu::Menu, recall::Search};
use super::command::{self, MESSAGE_BYTES_MAX};

/// What is typed by hand is shorter; longer pastes are folded.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// What a key asks for beyond the line itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Nothing.
    Nothing,
    /// The line is whole.
    Submit(Typed),
    /// Ctrl-C with nothing to cancel in the line.
    Interrupt,
    /// Ctrl-D in an empty line.
    Leave,
    /// Tab: what could stand here is wanted. See [`Editor::offer`].
    Complete,
    /// Ctrl-L.
    Clear,
    /// Ctrl-Z.
    Suspend,
    /// It was not done, and why.
    Refused(String),
}

/// A line that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Typed {
    /// All of it.
    pub(super) text: String,
    /// As it stood on the screen, long pastes folded.
    pub(super) shown: String,
}

/// The line, the cursor in it, and what was typed before.
#[derive(Debug)]
pub(super) struct Editor {
    line: LineBuffer,
    folds: Folds,
    killed: String,
    recall: Recall,
    search: Option<Search>,
    menu: Menu,
}

impl Editor {
    /// An empty line.
    pub(super) fn new(recall: Recall) -> Self {
        Self {
            line: LineBuffer::with_capacity(LINE_BYTES_MAX),
            folds: Folds::default(),
            killed: String::new(),
            recall,
            search: None,
            menu: Menu::default(),
        }
    }

    /// What stands before the cursor.
    pub(super) fn before_cursor(&self) -> &str {
        self.line.as_str().get(..self.line.pos()).unwrap_or_default()
    }

    /// The rows that show it, at most so many.
    pub(super) fn face(&self, columns: usize, rows_max: usize) -> Face {
        let (prompt, line, cursor) = match &self.search {
            Some(search) => {
                let hit = search.hit.as_ref().map_or("", |(_, hit)| hit.as_str());
                (search.prompt(), hit, hit.len())
            }
            None => ("> ".to_owned(), self.line.as_str(), self.line.pos()),
        };
        let menu = self.menu.rows(columns);
        let rows_max = rows_max.saturating_sub(menu.len()).max(1);
        face::draw(&prompt, line, cursor, &self.folds, columns, rows_max).below(menu)
    }

    /// Puts a text into the line, for a person who wants it back. What is typed already stays behind it.
    pub(super) fn restore(&mut self, text: &str) {
        let rest = mem::take(&mut self.line_text());
        self.set(text);
        if !rest.is_empty() {
            self.insert(&format!("\n{rest}"));
        }
    }

    /// Keeps what was said, for the arrow up.
    pub(super) fn remember(&mut self, text: &str) {
        self.recall.remember(text);
    }

    /// One key.
    pub(super) fn key(&mut self, key: KeyEvent) -> Act {
        if self.search.is_some() {
            return self.search_key(key);
        }
        let is_tab = key.code == KeyCode::Tab;
        if is_tab && self.menu.is_open() {
            let text = self.menu.next();
            self.replace_word(&text);
            return Act::Nothing;
        }
        if matches!(key.code, KeyCode::Esc) && self.menu.is_open() {
            self.menu.close();
            return Act::Nothing;
        }
        let act = self.edit(key);
        if !is_tab {
            let before = self.line.as_str().get(..self.line.pos()).unwrap_or_default();
            self.menu.follow(before, self.line.is_cursor_at_end());
        }
        act
    }

    fn edit(&mut self, key: KeyEvent) -> Act {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Enter if alt || key.modifiers.contains(KeyModifiers::SHIFT) => return self.insert("\n"),
            KeyCode::Enter => return self.enter(),
            KeyCode::Char(c) if control => return self.control(c),
            KeyCode::Char(c) if alt => self.alt(c),
            KeyCode::Char(c) => return self.insert(c.encode_utf8(&mut [0; 4])),
            KeyCode::Tab => return Act::Complete,
            KeyCode::Backspace if alt || control => self.kill(|line, kill| {
                line.delete_prev_word(Word::Emacs, 1, kill);
            }),
            KeyCode::Backspace => {
                self.line.backspace(1, &mut Deaf);
            }
            KeyCode::Delete => {
                self.line.delete(1, &mut Deaf);
            }
            KeyCode::Left if control || alt => {
                self.line.move_to_prev_word(Word::Emacs, 1);
            }
            KeyCode::Right if control || alt => {
                self.line.move_to_next_word(At::AfterEnd, Word::Emacs, 1);
            }
            KeyCode::Left => {
                self.line.move_backward(1);
            }
            KeyCode::Right => {
                self.line.move_forward(1);
            }
            KeyCode::Home => {
                self.line.move_home();
            }
            KeyCode::End => {
                self.line.move_end();
            }
            KeyCode::Up => self.up(),
            KeyCode::Down => self.down(),
            _ => {}
        }
        Act::Nothing
    }

    fn control(&mut self, c: char) -> Act {
        match c {
            'a' => {
                self.line.move_home();
            }
            'e' => {
                self.line.move_end();
            }
            'b' => {
                self.line.move_backward(1);
            }
            'f' => {
                self.line.move_forward(1);
            }
            'c' => return Act::Interrupt,
            'd' if self.line.is_empty() => return Act::Leave,
            'd' => {
                self.line.delete(1, &mut Deaf);
            }
            'h' => {
                self.line.backspace(1, &mut Deaf);
            }
            'j' => return self.insert("\n"),
            'k' => self.kill(|line, kill| {
                line.kill_line(kill);
            }),
            'l' => return Act::Clear,
            'm' => return self.enter(),
            'n' => self.down(),
            'p' => self.up(),
            'r' => {
                self.menu.close();
                self.search = Some(Search::default());
            }
            't' => {
                self.line.transpose_chars(&mut Deaf);
            }
            'u' => self.kill(|line, kill| {
                line.discard_line(kill);
            }),
            'w' => self.kill(|line, kill| {
                line.delete_prev_word(Word::Big, 1, kill);
            }),
            'y' => return self.insert(&self.killed.clone()),
            'z' => return Act::Suspend,
            _ => {}
        }
        Act::Nothing
    }

    fn alt(&mut self, c: char) {
        match c {
            'b' => {
                self.line.move_to_prev_word(Word::Emacs, 1);
            }
            'f' => {
                self.line.move_to_next_word(At::AfterEnd, Word::Emacs, 1);
            }
            'd' => self.kill(|line, kill| {
                line.delete_word(At::AfterEnd, Word::Emacs, 1, kill);
            }),
            '<' => {
                self.line.move_buffer_start();
            }
            '>' => {
                self.line.move_buffer_end();
            }
            _ => {}
        }
    }

    /// Empties the line. False: it was empty.
    pub(super) fn clear(&mut self) -> bool {
        let was = !self.line.is_empty();
        self.set("");
        was
    }

    fn enter(&mut self) -> Act {
        if command::goes_on(self.line.as_str()) {
            self.line.move_buffer_end();
            if self.line.as_str().ends_with('\\') {
                self.line.backspace(1, &mut Deaf);
            }
            return self.insert("\n");
        }
        let shown = self.folds.labelled(self.line.as_str());
        let text = self.line_text();
        if text.len() > MESSAGE_BYTES_MAX {
            return Act::Refused(too_long(text.len()));
        }
        self.set("");
        self.menu.close();
        self.recall.leave();
        Act::Submit(Typed { text, shown })
    }

    /// A text that came in one piece, whatever is in it.
    pub(super) fn paste(&mut self, text: &str) -> Act {
        if self.search.is_some() {
            self.accept_search();
        }
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let whole = text.len() + self.folds.expanded(self.line.as_str()).len();
        if whole > MESSAGE_BYTES_MAX {
            return Act::Refused(too_long(whole));
        }
        self.menu.close();
        self.insert(&text)
    }

    fn insert(&mut self, text: &str) -> Act {
        let text = self.folds.take_in(text);
        if text.is_empty() || self.line.yank(&text, 1, &mut Deaf).is_some() {
            Act::Nothing
        } else {
            Act::Refused(format!(
                "a line that is typed has at most {} KiB",
                LINE_BYTES_MAX / 1024
            ))
        }
    }

    fn set(&mut self, text: &str) {
        let kept = self.folds.take_in(text);
        let whole = self.line.len();
        self.line.delete_range(0..whole, &mut Deaf);
        let _ = self.insert(&kept);
        if kept.is_empty() {
            self.folds.forget();
        }
    }

    /// All of the line, long pastes unfolded.
    fn line_text(&self) -> String {
        self.folds.expanded(self.line.as_str())
    }

    fn kill(&mut self, how: impl FnOnce(&mut LineBuffer, &mut Kill)) {
        let mut kill = Kill::default();
        how(&mut self.line, &mut kill);
        if !kill.0.is_empty() {
            self.killed = kill.0;
        }
    }

    /// A line up in the text; from the first one, to what was typed before.
    fn up(&mut self) {
        let before = self.before_cursor();
        let Some(line_start) = before.rfind('\n') else {
            let draft = self.line_text();
            if let Some(older) = self.recall.older(&draft) {
                self.set(&older);
            }
            return;
        };
        let column = before
            .get(line_start + 1..)
            .unwrap_or_default()
            .graphemes(true)
            .count();
        let above = before.get(..line_start).unwrap_or_default();
        let above_start = above.rfind('\n').map_or(0, |at| at + 1);
        self.line
            .set_pos(above_start + bytes_of(above.get(above_start..).unwrap_or_default(), column));
    }

    fn down(&mut self) {
        let text = self.line.as_str();
        let after = text.get(self.line.pos()..).unwrap_or_default();
        let Some(line_end) = after.find('\n') else {
            if let Some(newer) = self.recall.newer() {
                self.set(&newer);
            }
            return;
        };
        let before = self.before_cursor();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before
            .get(line_start..)
            .unwrap_or_default()
            .graphemes(true)
            .count();
        let below_start = self.line.pos() + line_end + 1;
        let below = text.get(below_start..).unwrap_or_default();
        let below = below.split('\n').next().unwrap_or_default();
        self.line.set_pos(below_start + bytes_of(below, column));
    }

    /// What could stand where the cursor is. One thing is put there; of several, what they have in common.
    pub(super) fn offer(&mut self, candidates: Vec<Candidate>) {
        let word = word_of(self.before_cursor()).to_owned();
        if let Some(text) = self.menu.open(&word, candidates) {
            self.replace_word(&text);
        }
    }

    fn replace_word(&mut self, text: &str) {
        let end = self.line.pos();
        let start = end - word_of(self.before_cursor()).len();
        self.line.replace(start..end, text, &mut Deaf);
    }

    fn search_key(&mut self, key: KeyEvent) -> Act {
        let Some(search) = &mut self.search else {
            return Act::Nothing;
        };
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('r') if control => search.older(&self.recall),
            KeyCode::Char('s') if control => search.newer(&self.recall),
            KeyCode::Char('g' | 'c') if control => self.search = None,
            KeyCode::Char(c) if key.modifiers.difference(KeyModifiers::SHIFT).is_empty() => {
                search.push(c, &self.recall)
            }
            KeyCode::Backspace => search.pop(&self.recall),
            KeyCode::Esc | KeyCode::Tab => self.accept_search(),
            KeyCode::Enter => {
                self.accept_search();
                return self.enter();
            }
            _ => {
                self.accept_search();
                return self.key(key);
            }
        }
        Act::Nothing
    }

    fn accept_search(&mut self) {
        if let Some((_, hit)) = self.search.take().and_then(|search| search.hit) {
            self.set(&hit);
        }
    }
}

fn too_long(bytes: usize) -> String {
    let kib = bytes.div_ceil(1024);
    format!(
        "a message has at most 1 MiB, this one would have {kib} KiB: save it in a file and name that, or send it in parts"
    )
}

/// The word that the cursor stands behind.
fn word_of(before: &str) -> &str {
    before.rsplit(char::is_whitespace).next().unwrap_or_default()
}

/// The bytes of so many characters, or of all.
fn bytes_of(line: &str, characters: usize) -> usize {
    line.graphemes(true).take(characters).map(str::len).sum()
}

/// Nobody wants to know what changed.
struct Deaf;

impl DeleteListener for Deaf {
    fn delete(&mut self, _at: usize, _text: &str, _direction: Direction) {}
}

impl ChangeListener for Deaf {
    fn insert_char(&mut self, _at: usize, _c: char) {}
    fn insert_str(&mut self, _at: usize, _text: &str) {}
    fn replace(&mut self, _at: usize, _old: &str, _new: &str) {}
}

/// What was cut out, for Ctrl-Y.
#[derive(Default)]
struct Kill(String);

impl DeleteListener for Kill {
    fn delete(&mut self, _at: usize, text: &str, _direction: Direction) {
        self.0.push_str(text);
    }
}

#[cfg(test)]
mod tests;
