//! What could stand at the cursor, listed below the line.

use crate::chat::{command::COMMANDS, wrap};

/// Rows that the list takes at most.
const ROWS_MAX: usize = 6;

/// One thing that could stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Candidate {
    /// What is put into the line.
    pub(in super::super) text: String,
    /// What it is.
    pub(in super::super) about: String,
}

impl Candidate {
    /// Of two texts.
    pub(in super::super) fn new(text: impl Into<String>, about: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            about: about.into(),
        }
    }
}

/// The list.
#[derive(Debug, Default)]
pub(super) struct Menu {
    listed: Vec<Candidate>,
    /// Which one is in the line. None: none yet, and Tab asks.
    chosen: Option<usize>,
    /// Whether Tab goes through it.
    is_open: bool,
}

impl Menu {
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    pub(super) fn close(&mut self) {
        *self = Self::default();
    }

    /// Lists what begins with a word, and says what the word can become by now.
    pub(super) fn open(&mut self, word: &str, candidates: Vec<Candidate>) -> Option<String> {
        let fits = |candidate: &Candidate| candidate.text.starts_with(word);
        let mut listed: Vec<_> = candidates.iter().filter(|one| fits(one)).cloned().collect();
        if listed.is_empty() {
            // Not how it begins, but what it contains: `llama` for `ollama/llama3.2`.
            listed = candidates;
            listed.retain(|candidate| !word.is_empty() && candidate.text.contains(word));
        }
        self.close();
        if let [only] = listed.as_slice() {
            return Some(format!("{} ", only.text));
        }
        let common = common(&listed);
        self.is_open = !listed.is_empty();
        self.listed = listed;
        Some(common).filter(|common| common.len() > word.len() && common.starts_with(word))
    }

    /// The next one.
    pub(super) fn next(&mut self) -> String {
        let next = self.chosen.map_or(0, |chosen| chosen + 1) % self.listed.len().max(1);
        self.chosen = Some(next);
        self.listed
            .get(next)
            .map(|one| one.text.clone())
            .unwrap_or_default()
    }

    /// Lists the commands that a word which begins with a slash can become.
    pub(super) fn follow(&mut self, before: &str, is_at_end: bool) {
        self.close();
        if let Some(word) = before.strip_prefix('/')
            && is_at_end
            && !word.contains(char::is_whitespace)
        {
            self.listed = commands(word).collect();
        }
    }

    pub(super) fn rows(&self, columns: usize) -> Vec<String> {
        let first = self
            .chosen
            .map_or(0, |chosen| (chosen + 1).saturating_sub(ROWS_MAX));
        let shown = self.listed.iter().enumerate().skip(first).take(ROWS_MAX);
        let widest = self
            .listed
            .iter()
            .map(|one| wrap::width(&one.text))
            .max()
            .unwrap_or(0);
        let rows = shown.map(|(index, one)| {
            let mark = if self.chosen == Some(index) { ">" } else { " " };
            let pad = widest - wrap::width(&one.text);
            let row = format!("{mark} {}{:pad$}  {}", one.text, "", one.about);
            wrap::rows(&row, columns).into_iter().next().unwrap_or_default()
        });
        rows.collect()
    }
}

/// The commands that begin so.
pub(in super::super) fn commands(word: &str) -> impl Iterator<Item = Candidate> {
    let word = word.to_owned();
    COMMANDS
        .iter()
        .filter(move |command| command.name.starts_with(&word))
        .map(|command| Candidate::new(format!("/{}", command.name), command.about))
}

fn common(listed: &[Candidate]) -> String {
    let Some((first, others)) = listed.split_first() else {
        return String::new();
    };
    let mut common = first.text.as_str();
    for other in others {
        let shared = common.chars().zip(other.text.chars()).take_while(|(a, b)| a == b);
        let bytes = shared.map(|(c, _)| c.len_utf8()).sum();
        common = common.get(..bytes).unwrap_or_default();
    }
    common.to_owned()
}
