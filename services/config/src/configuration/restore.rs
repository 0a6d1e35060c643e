//! Former texts: which there are, and one of them back.

use super::{
    Configuration,
    change::{Consent, Patched},
};
use crate::{
    authority::{self, Change},
    error::Error,
    include,
    store::{Disk, Former, WriteError},
    text,
};

/// A former text that is wanted back.
#[derive(Debug, Clone, Default)]
pub(crate) struct Restore {
    /// The first digits of its revision.
    pub(crate) revision: String,
    /// What it replaces.
    pub(crate) base_hash: Option<String>,
    /// Whether it may open or lock what the document before it did not.
    pub(crate) force: bool,
}

impl<D: Disk> Configuration<D> {
    /// The texts that are kept, the newest first.
    pub(crate) fn history(&mut self) -> Result<Vec<Former>, Error> {
        self.store.history().map_err(Error::History)
    }

    /// Makes a former text the document again.
    pub(crate) fn restore(&mut self, restore: &Restore) -> Result<Patched, Error> {
        let running = self.ensure_base(restore.base_hash.as_deref())?;
        let history = self.history()?;
        let mut fitting = history
            .iter()
            .filter(|one| one.revision.starts_with(&restore.revision));
        let former = fitting.next().ok_or(Error::NoSuchRevision)?;
        if fitting.any(|other| other.revision != former.revision) {
            return Err(Error::AmbiguousRevision);
        }
        let text = self.store.read_former(former).map_err(Error::History)?;
        let text = text.ok_or(Error::NoSuchRevision)?;
        let (own, _) = text::parse(&text).map_err(|error| Error::Unreadable(error.to_string()))?;
        let after = include::follow(&text, &own, &self.sources.folder).value;
        // It may have been written by hand: whoever asks for it by a method is not the owner of the machine.
        let refused = authority::check(&Change {
            before: running.revision.written(),
            after: &after,
            sent: &after,
            sources: &self.sources,
        });
        if !refused.is_empty() {
            return Err(Error::Forbidden(refused));
        }
        let note = format!("revision {} restored", former.revision);
        self.put(
            &running,
            &text,
            Vec::new(),
            Some(&note),
            Consent::of(restore.force),
        )
    }

    /// Keeps a text that an editor replaced. Without it everything runs.
    pub(super) fn keep_replaced(&self, text: &str) {
        let kept = self
            .store
            .keep(text.as_bytes(), self.clock.now(), Some("edited by hand"));
        if let Err(error) = kept {
            warn_not_kept(&error);
        }
    }
}

fn warn_not_kept(error: &WriteError) {
    tracing::warn!(error = %gatehouse_core::Chain(error), "the text that was replaced by hand is not kept");
}
