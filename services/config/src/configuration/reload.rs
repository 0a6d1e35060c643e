//! Reading the files again: whatever is new and valid runs, and what is not leaves what runs as it is.

use std::{io, sync::Arc};

use gatehouse_core::Chain;

use super::{
    Configuration, FileState,
    file::{EMPTIED, NOT_TEXT, issues_of},
    table,
};
use crate::{
    credential::{self, Row},
    error::Error,
    include::{self, Included},
    issue::Issue,
    revision::Revision,
    store::Disk,
    text, token,
};

/// A text in the file that was not read before.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct News {
    hash: Option<String>,
    /// Whether it may be half of a save: nothing at all, or no whole document.
    pub(crate) is_unfinished: bool,
}

impl<D: Disk> Configuration<D> {
    /// What stands in the file, if it was not read before. Nothing is taken.
    pub(crate) fn news(&mut self) -> Option<News> {
        let text = self.store.read_document().ok()?;
        let found = text
            .as_deref()
            .map(|text| include::look(text, &self.sources.folder));
        let is_unfinished = found.as_ref().is_none_or(|found| found.is_unfinished);
        let hash = found.map(|found| found.hash);
        (hash != self.seen).then(|| News {
            hash,
            is_unfinished: is_unfinished || text.is_none_or(|text| text::is_blank(&text)),
        })
    }

    /// Reads the files again, and runs what is new and valid.
    pub(crate) fn reload(&mut self) -> Result<(), Error> {
        self.keep_token();
        self.reload_credentials();
        self.reload_document()
    }

    /// A token file that is gone is written again, with the token that everybody has: a new one would lock them out, and without the
    /// file no command of this machine comes in.
    fn keep_token(&self) {
        let is_kept = token::origin(&self.state().revision) == token::Origin::Kept;
        if !is_kept || !matches!(self.store.read_token(), Ok(None)) {
            return;
        }
        let path = self.store.token_path();
        match self.store.write_token(self.token.expose()) {
            Ok(()) => tracing::warn!(
                path = %path.display(),
                "the file of the gateway token was gone, and was written again; `gatehouse token rotate` makes a new token"
            ),
            Err(error) => {
                tracing::error!(path = %path.display(), error = %Chain(&error), "the file of the gateway token is gone, and cannot be written");
            }
        }
    }

    /// A table with a mistake is not taken; the last one stays.
    fn reload_credentials(&mut self) {
        let text = match self.store.read_credentials() {
            Ok(text) => text,
            Err(error) => {
                tracing::error!(error = %Chain(&error), "the credentials cannot be read; the last ones stay");
                return;
            }
        };
        if text == self.rows_text {
            return;
        }
        if let Some(rows) = rows_of(text.as_deref()) {
            self.rows = rows;
            tracing::info!(
                credentials = self.rows.len(),
                "took the credentials beside the gateway token"
            );
            let credentials = table(&self.token, &self.state().revision, &self.rows, &self.store);
            self.state.send_modify(|state| state.credentials = credentials);
        }
        self.rows_text = text;
    }

    fn reload_document(&mut self) -> Result<(), Error> {
        let text = match self.store.read_document() {
            Ok(text) => text,
            Err(error) => {
                let message = match error.kind() {
                    io::ErrorKind::InvalidData => NOT_TEXT.to_owned(),
                    // A FIFO or a device in its place.
                    io::ErrorKind::InvalidInput => format!("the file cannot be used: {error}"),
                    other => format!("the file cannot be read ({other})"),
                };
                let issue = Issue::error("", message);
                self.seen = None;
                self.refuse(FileState {
                    exists: true,
                    issues: vec![issue],
                    ..FileState::default()
                });
                return Ok(());
            }
        };
        let found = text
            .as_deref()
            .map(|text| include::look(text, &self.sources.folder));
        self.includes = found.as_ref().map(Included::paths).unwrap_or_default();
        let seen = found.map(|found| found.hash);
        if seen == self.seen && !self.waits {
            return Ok(());
        }
        self.waits = false;
        self.seen.clone_from(&seen);
        let Some(text) = text else {
            let message = "the file is gone; what runs goes on, and the next change writes the file again";
            self.refuse(FileState {
                issues: vec![Issue::error("", message)],
                ..FileState::default()
            });
            return Ok(());
        };
        let running = self.state().revision;
        if text::is_blank(&text) && !text::is_blank(running.text()) {
            self.refuse(FileState::of(Some(&text), false, vec![Issue::error("", EMPTIED)]));
            return Ok(());
        }
        let is_running = seen.as_deref() == Some(running.hash());
        if is_running && running.left_out().waits() {
            // The same text means something else once a secret is there that was missing.
            self.waits = true;
            match Revision::read(&text, &self.sources) {
                Ok(revision) if !revision.means_the_same_as(&running) => {
                    self.run(revision)?;
                    tracing::info!(config.hash = running.hash(), "a secret came that was missing");
                    return Ok(());
                }
                Ok(_) | Err(_) => {}
            }
        }
        if is_running {
            // It stands in the file again, after a mistake or a removal.
            let rest = issues_of(&running, &self.store);
            let file = match self.absent.as_slice() {
                [] => FileState::of(Some(&text), true, rest),
                absent => FileState::without_included(&text, absent, rest),
            };
            if !self.state.borrow().file.valid {
                self.state.send_modify(|state| state.file = Arc::new(file));
            }
            return Ok(());
        }
        match Revision::read(&text, &self.sources) {
            Ok(revision) => {
                self.waits = true; // until it runs
                if text != running.text() {
                    self.keep_replaced(running.text());
                }
                self.run(revision)?;
                tracing::debug!(
                    config.hash = self.state().revision.hash(),
                    "took a configuration edited by hand"
                );
                Ok(())
            }
            Err(refused) => {
                self.waits = !refused.missing.is_empty();
                self.refuse(FileState::of(Some(&text), false, refused.all()));
                Ok(())
            }
        }
    }

    /// Remembers a file that does not run.
    fn refuse(&self, file: FileState) {
        let news = self.state.borrow().file.issues != file.issues;
        for issue in file.issues.iter().filter(|issue| issue.is_error() && news) {
            tracing::error!(%issue, "the configuration file is not taken; what runs goes on");
        }
        self.state.send_modify(|state| state.file = Arc::new(file));
    }
}

/// Reads the credentials beside the gateway token. No file: there are none. `None`: the text has a mistake.
pub(super) fn rows_of(text: Option<&str>) -> Option<Vec<Row>> {
    match text.map_or_else(|| Ok(Vec::new()), credential::parse) {
        Ok(rows) => Some(rows),
        Err(problem) => {
            tracing::error!(problem, "the credentials beside the gateway token are not taken");
            None
        }
    }
}
