//! A whole document that comes through a method, in place of the one that runs.

use serde_json::Value;

use super::{
    Configuration,
    change::{Consent, Patched},
};
use crate::{
    authority::{self, Change},
    error::Error,
    include,
    issue::Issue,
    path::Path,
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
        let before = running.revision.own();
        let mut after = sent.clone();
        redact::restore(&mut after, before).map_err(Error::Invalid)?;
        let named = Names::of(before, &after);
        if !named.added.is_empty() {
            return Err(Error::Forbidden(named.added));
        }
        let mut notes = Vec::new();
        match Consent::of(whole.force) {
            Consent::Asked if !named.lost.is_empty() => return Err(Error::Included(named.lost)),
            Consent::Asked | Consent::Given => notes.extend(named.lost.into_iter().map(Issue::into_warning)),
        }
        let meant = include::follow(&whole.raw, &after, &self.sources.folder).value;
        let refused = authority::check(&Change {
            before: running.revision.written(),
            after: &meant,
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
            notes,
            whole.note.as_deref(),
            Consent::of(whole.force),
        )
    }
}

/// Where one document includes files and another does not.
struct Names {
    /// A method names none: what is included is shown to whoever may read the configuration.
    added: Vec<Issue>,
    lost: Vec<Issue>,
}

impl Names {
    fn of(before: &Value, after: &Value) -> Self {
        let (before, after) = (include::named(before), include::named(after));
        let lost = before.iter().filter(|(place, _)| !after.contains_key(place));
        let added = after
            .iter()
            .filter(|(place, names)| before.get(place) != Some(names));
        let issue = |place: &Path, problem: &str| Issue::error(place, problem);
        Self {
            added: added
                .map(|(place, _)| {
                    issue(place, "`$include` names a file: whoever owns the machine writes it into the configuration file by hand")
                })
                .collect(),
            lost: lost
                .map(|(place, _)| {
                    issue(
                        place,
                        "the configuration file includes others here, and the new text does not: leave `$include` where it stands \
                         and change those files; to give them up, send the change with `force`",
                    )
                })
                .collect(),
        }
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
