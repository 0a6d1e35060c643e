//! Reading the files again: whatever is new and valid runs, and what is not leaves what runs as it is.

use std::{io, sync::Arc};

use gatehouse_core::Chain;

use super::{
    Configuration, FileState,
    file::{NOT_TEXT, issues_of},
    table,
};
use crate::{
    credential::{self, Row},
    error::Error,
    issue::Issue,
    revision::{Revision, hash},
    store::Disk,
};

impl<D: Disk> Configuration<D> {
    /// Reads the files again, and runs what is new and valid.
    pub(crate) fn reload(&mut self) -> Result<(), Error> {
        self.reload_credentials();
        self.reload_document()
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
            let credentials = table(&self.token, &self.state().revision, &self.rows);
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
        let seen = text.as_deref().map(hash);
        if seen == self.seen && !self.waits {
            return Ok(());
        }
        self.waits = false;
        self.seen = seen;
        let Some(text) = text else {
            let message = "the file is gone; what runs goes on, and the next change writes the file again";
            self.refuse(FileState {
                issues: vec![Issue::error("", message)],
                ..FileState::default()
            });
            return Ok(());
        };
        if text == self.state().revision.text() {
            // It stands in the file again, after a mistake or a removal.
            let file = FileState::of(Some(&text), true, issues_of(&self.state().revision, &self.store));
            self.state.send_modify(|state| state.file = Arc::new(file));
            return Ok(());
        }
        match Revision::read(&text, &self.sources) {
            Ok(revision) => {
                self.waits = true; // until it runs
                self.run(revision)?;
                tracing::info!(
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
