//! What was typed before: kept in a file, gone through with the arrows, searched with Ctrl-R.

use std::{
    fmt, fs,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustyline::history::{FileHistory, History, SearchDirection};

/// Messages that are kept: some months of them.
const KEPT_MAX: usize = 1_000;

/// A longer message is not kept: it is a paste, and lies somewhere else.
const KEPT_BYTES_MAX: usize = 16 * 1024;

/// What was typed before.
pub(in super::super) struct Recall {
    kept: FileHistory,
    file: Option<PathBuf>,
    /// Which of it is in the line.
    at: Option<usize>,
    /// What stood in the line before the first arrow up.
    draft: String,
}

impl fmt::Debug for Recall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recall")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Recall {
    /// Kept in this file, which nobody else can read. Without a file, or when it cannot be used: for this chat alone.
    pub(in super::super) fn open(file: Option<PathBuf>) -> Self {
        let mut kept = FileHistory::new();
        let _ = kept.set_max_len(KEPT_MAX);
        let _ = kept.ignore_dups(true);
        kept.ignore_space(true);
        let file = file.filter(|file| make(file).is_ok());
        if let Some(file) = &file {
            let _ = kept.load(file);
        }
        Self {
            kept,
            file,
            at: None,
            draft: String::new(),
        }
    }

    /// Keeps a message. One that begins with a space is not kept, as shells do it.
    pub(super) fn remember(&mut self, text: &str) {
        self.leave();
        if text.len() > KEPT_BYTES_MAX || !self.kept.add(text).unwrap_or(false) {
            return;
        }
        if let Some(file) = &self.file {
            // A disk that is full takes the message from the arrow of the next chat, and from nobody else.
            let _ = self.kept.append(file);
        }
    }

    /// The one before. `draft` is what stands in the line now.
    pub(super) fn older(&mut self, draft: &str) -> Option<String> {
        let at = self.at.unwrap_or(self.kept.len()).checked_sub(1)?;
        if self.at.is_none() {
            draft.clone_into(&mut self.draft);
        }
        self.at = Some(at);
        self.get(at)
    }

    /// The one after; behind the newest, what stood there first.
    pub(super) fn newer(&mut self) -> Option<String> {
        let at = self.at? + 1;
        if at < self.kept.len() {
            self.at = Some(at);
            return self.get(at);
        }
        self.at = None;
        Some(std::mem::take(&mut self.draft))
    }

    /// The line is another one now.
    pub(super) fn leave(&mut self) {
        self.at = None;
        self.draft.clear();
    }

    fn get(&self, at: usize) -> Option<String> {
        let found = self.kept.get(at, SearchDirection::Forward).ok()??;
        Some(found.entry.into_owned())
    }

    /// The next one in this direction that contains a word, whatever its case.
    fn find(&self, word: &str, mut from: impl Iterator<Item = usize>) -> Option<(usize, String)> {
        let word = word.to_lowercase();
        from.find_map(|at| {
            let text = self.get(at)?;
            text.to_lowercase().contains(&word).then_some((at, text))
        })
    }
}

/// Makes the file, so that it is never one that others can read, not even for a moment.
fn make(file: &Path) -> std::io::Result<()> {
    if let Some(folder) = file.parent().filter(|folder| !folder.is_dir()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(file)
        .map(drop)
}

/// A search backwards.
#[derive(Debug, Default)]
pub(super) struct Search {
    word: String,
    /// Where it is, and what it is.
    pub(super) hit: Option<(usize, String)>,
}

impl Search {
    pub(super) fn prompt(&self) -> String {
        let missed = if self.hit.is_none() && !self.word.is_empty() {
            "nothing with"
        } else {
            "search"
        };
        format!("({missed} {}) ", self.word)
    }

    pub(super) fn push(&mut self, c: char, recall: &Recall) {
        self.word.push(c);
        let to = self.hit.as_ref().map_or(recall.kept.len(), |(at, _)| at + 1);
        self.hit = recall.find(&self.word, (0..to).rev());
    }

    pub(super) fn pop(&mut self, recall: &Recall) {
        self.word.pop();
        self.hit = None;
        if !self.word.is_empty() {
            self.hit = recall.find(&self.word, (0..recall.kept.len()).rev());
        }
    }

    pub(super) fn older(&mut self, recall: &Recall) {
        if let Some((at, _)) = self.hit {
            self.hit = recall.find(&self.word, (0..at).rev()).or(self.hit.take());
        }
    }

    pub(super) fn newer(&mut self, recall: &Recall) {
        if let Some((at, _)) = self.hit {
            self.hit = recall
                .find(&self.word, at + 1..recall.kept.len())
                .or(self.hit.take());
        }
    }
}
