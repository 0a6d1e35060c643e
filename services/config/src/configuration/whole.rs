//! A whole document that comes through a method, in place of the one that runs.

use serde_json::Value;

use super::{
    Configuration,
    change::{Consent, Patched},
};
use crate::{
    authority::{self, Change},
    error::Error,
    redact,
    store::Disk,
    text::{self, Scan},
};

/// A document that is to run.
#[derive(Clone, Default)]
pub(crate) struct Whole {
    /// Its text, with marks where secrets are hidden.
    pub(crate) raw: String,
    /// What it replaces.
    pub(crate) base_hash: Option<String>,
    /// Why.
    pub(crate) note: Option<String>,
    /// Whether it may open or lock what the document before it did not.
    pub(crate) force: bool,
}

impl<D: Disk> Configuration<D> {
    /// Makes a text the document.
    pub(crate) fn replace(&mut self, whole: &Whole) -> Result<Patched, Error> {
        let running = self.ensure_base(whole.base_hash.as_deref())?;
        let (sent, found) = text::parse(&whole.raw).map_err(|error| Error::Unreadable(error.to_string()))?;
        let before = running.revision.written();
        let mut after = sent.clone();
        redact::restore(&mut after, before).map_err(Error::Invalid)?;
        let refused = authority::check(&Change {
            before,
            after: &after,
            sent: &sent,
            sources: &self.sources,
        });
        if !refused.is_empty() {
            return Err(Error::Forbidden(refused));
        }
        let new = text_of(&whole.raw, &found, &after, running.revision.text(), before);
        self.put(
            &running,
            &new,
            Vec::new(),
            whole.note.as_deref(),
            Consent::of(whole.force),
        )
    }
}

/// The text that says `after`. A program's text has no comments and the order of its own; what it changed is changed in the text
/// that runs, so that a form on a page costs nobody the comments of the file.
fn text_of(raw: &str, found: &Scan, after: &Value, running: &str, before: &Value) -> String {
    let edited = || {
        let patch = text::difference(before, after)?;
        let new = text::merge_text(running, &patch)?;
        says(&new, after).then_some(new)
    };
    let own = || {
        let new = redact::put_back(raw, found, after, running);
        says(&new, after).then_some(new)
    };
    let program = is_of_a_program(raw, found).then(edited).flatten();
    // A text in which the marks cannot be told from what they stand for is written anew.
    program
        .or_else(own)
        .unwrap_or_else(|| text::render(after, 0) + "\n")
}

fn says(text: &str, value: &Value) -> bool {
    text::parse(text).is_ok_and(|(read, _)| read == *value)
}

/// Whether a text is plain JSON without comments, as a program writes it.
fn is_of_a_program(raw: &str, found: &Scan) -> bool {
    found.comments.is_empty() && serde_json::from_str::<serde::de::IgnoredAny>(raw).is_ok()
}
