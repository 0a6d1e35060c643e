//! Changes that come through a method: a partial document, or a new gateway token.

use std::collections::BTreeSet;

use gatehouse_core::Secret;
use serde_json::Value;

use super::{
    Configuration, State,
    lists::{self, Lists},
    table,
    tidy::tidy,
};
use crate::{
    authority::{self, Change},
    error::Error,
    exposure, include,
    issue::Issue,
    redact, restart,
    revision::{Refused, Revision},
    secrets,
    store::Disk,
    text,
    token::{self, Origin},
};

/// A change that comes through a method.
#[derive(Clone, Default)]
pub(crate) struct Patch {
    /// The partial document.
    pub(crate) raw: String,
    /// What it was made against.
    pub(crate) base_hash: Option<String>,
    /// Why.
    pub(crate) note: Option<String>,
    /// What it may do to lists.
    pub(crate) lists: Lists,
    /// Whether it may open or lock what the document before it did not.
    pub(crate) force: bool,
}

/// Whether a change may open or lock something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consent {
    /// It is refused with what it would do.
    Asked,
    /// It is told what it did.
    Given,
}

impl Consent {
    pub(super) fn of(force: bool) -> Self {
        if force { Self::Given } else { Self::Asked }
    }
}

/// The outcome of a change.
#[derive(Debug)]
pub(crate) struct Patched {
    pub(crate) state: State,
    /// Warnings about this change in particular.
    pub(crate) notes: Vec<Issue>,
    /// Services that have to be started again for all of it to act.
    pub(crate) restart: BTreeSet<&'static str>,
    /// Whether the document said so already.
    pub(crate) is_noop: bool,
}

impl<D: Disk> Configuration<D> {
    /// Merges a partial document into the running one and writes the result.
    pub(crate) fn patch(&mut self, patch: &Patch) -> Result<Patched, Error> {
        let running = self.ensure_base(patch.base_hash.as_deref())?;
        let (mut sent, _) = text::parse(&patch.raw).map_err(|error| Error::Unreadable(error.to_string()))?;
        lists::complete(&running.revision.source(), &mut sent, &patch.lists)?;
        let before = running.revision.written();
        let mut change = sent.clone();
        redact::restore(&mut change, before).map_err(Error::Invalid)?;
        secrets::replace_whole(&mut change, before);
        if let Ok((_, found)) = text::parse(running.revision.text()) {
            tidy(&mut change, before, &found);
        }
        let mut after = before.clone();
        text::merge(&mut after, &change);
        // Before anything is opened that the change names.
        let refused = authority::check(&Change {
            before,
            after: &after,
            sent: &sent,
            sources: &self.sources,
        });
        if !refused.is_empty() {
            return Err(Error::Forbidden(refused));
        }
        self.write(&running, &change, patch.note.as_deref(), Consent::of(patch.force))
    }

    /// What runs, if that is what a change was made against.
    pub(super) fn ensure_base(&mut self, base: Option<&str>) -> Result<State, Error> {
        self.reload()?; // an edit by hand that nobody has noticed yet is a change too
        let running = self.state();
        match base {
            None => Err(Error::BaseHashMissing),
            Some(base) if base != running.revision.hash() => Err(Error::Changed {
                hash: running.revision.hash().to_owned(),
            }),
            Some(_) => Ok(running),
        }
    }

    fn write(
        &mut self,
        running: &State,
        patch: &Value,
        note: Option<&str>,
        consent: Consent,
    ) -> Result<Patched, Error> {
        let mut notes = Vec::new();
        if running.revision.included().places.is_empty() {
            let new = merged(&running.revision, patch, &mut notes);
            return self.put(running, &new, notes, note, consent);
        }
        // Where files are included, the document alone is changed, and only where it comes to what was asked for.
        let mut after = running.revision.written().clone();
        text::merge(&mut after, patch);
        let patch = text::difference(running.revision.written(), &after).unwrap_or_else(|| patch.clone());
        let touched = running.revision.kept().touched(&patch);
        if !touched.is_empty() {
            return Err(Error::Included(touched));
        }
        let new = merged(&running.revision, &patch, &mut notes);
        if include::look(&new, &self.sources.folder).value != after {
            let problem = "this cannot be said beside what the configuration file includes: change the files";
            return Err(Error::Included(vec![Issue::error("", problem)]));
        }
        self.put(running, &new, notes, note, consent)
    }

    /// Makes a text the document.
    pub(super) fn put(
        &mut self,
        running: &State,
        new: &str,
        mut notes: Vec<Issue>,
        note: Option<&str>,
        consent: Consent,
    ) -> Result<Patched, Error> {
        if !running.file.valid && running.file.exists {
            self.ensure_replaceable()?;
            notes.push(Issue::warning(
                "",
                "the file had mistakes and was replaced by the running configuration with this change; \
                 what stood there is in config/history",
            ));
        }
        if new == running.revision.text() && running.file.valid {
            return Ok(Patched {
                state: running.clone(),
                notes,
                restart: BTreeSet::new(),
                is_noop: true,
            });
        }
        let revision =
            Revision::read(new, &self.sources).map_err(|refused: Refused| Error::Invalid(refused.all()))?;
        // Who makes a change is there to hear that it cannot be used; what stands in the file already may be left out.
        let unusable = revision.left_out().beside(running.revision.left_out());
        if !unusable.is_empty() {
            return Err(Error::Invalid(unusable));
        }
        let exposed = exposure::added(running.revision.document(), revision.document());
        match consent {
            Consent::Asked if !exposed.is_empty() => return Err(Error::ForceRequired(exposed)),
            Consent::Asked | Consent::Given => notes.extend(exposed),
        }
        self.ensure_unchanged()?;
        if let Err(source) = self.store.write_document(new, self.clock.now(), note) {
            // The disk failed in the middle: what stands there now is one of the two, and it is what runs.
            let _ = self.reload();
            return Err(Error::Store(source));
        }
        let restart = restart::services(&running.revision, &revision);
        self.run(revision)?;
        Ok(Patched {
            state: self.state(),
            notes,
            restart,
            is_noop: false,
        })
    }

    /// A file with mistakes is replaced by what runs, but not one that includes others: those would be forgotten.
    fn ensure_replaceable(&self) -> Result<(), Error> {
        let text = self.store.read_document().ok().flatten();
        let named = text
            .and_then(|text| text::parse(&text).ok())
            .map(|(own, _)| include::named(&own));
        let lost = named.into_iter().flatten().map(|(place, _)| {
            let problem = "the file has mistakes, and includes others here, which a change would take out: mend the file first";
            Issue::error(place, problem)
        });
        match lost.collect::<Vec<_>>() {
            lost if lost.is_empty() => Ok(()),
            lost => Err(Error::Included(lost)),
        }
    }

    /// An editor may have been faster than this change: then its text is taken, and the change is refused.
    fn ensure_unchanged(&mut self) -> Result<(), Error> {
        let text = self.store.read_document().ok().flatten();
        let now = text.map(|text| include::look(&text, &self.sources.folder).hash);
        if now == self.seen {
            return Ok(());
        }
        self.reload()?;
        Err(Error::Changed {
            hash: self.state().revision.hash().to_owned(),
        })
    }

    /// Makes a new gateway token, and says where it is kept.
    pub(crate) fn rotate_token(&mut self) -> Result<(Secret, String), Error> {
        self.reload()?;
        let running = self.state();
        if token::key(&running.revision) == token::Key::Password {
            return Err(Error::PasswordInstead);
        }
        let token = Secret::generate();
        match token::origin(&running.revision) {
            Origin::Referred => Err(Error::TokenReferred),
            Origin::Kept => {
                self.store.write_token(token.expose()).map_err(Error::Store)?;
                self.token = token.clone();
                let credentials = table(&self.token, &running.revision, &self.rows, &self.store);
                self.state.send_modify(|state| state.credentials = credentials);
                Ok((token, self.store.token_path().display().to_string()))
            }
            Origin::Written => {
                let patch = serde_json::json!({ "gateway": { "auth": { "token": token.expose() } } });
                self.write(&running, &patch, Some("gateway token rotated"), Consent::Given)?;
                Ok((token, self.store.document().display().to_string()))
            }
        }
    }
}

/// The text after a merge patch.
fn merged(revision: &Revision, patch: &Value, notes: &mut Vec<Issue>) -> String {
    text::merge_text(revision.text(), patch).unwrap_or_else(|| {
        notes.push(Issue::warning(
            "",
            "the file was written anew, without its comments; the former text is in config/history",
        ));
        let mut value = revision.own().clone();
        text::merge(&mut value, patch);
        text::render(&value, 0) + "\n"
    })
}
