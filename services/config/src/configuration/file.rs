//! The configuration file as it was last seen, which may be something else than what runs.

use serde_json::Value;

use crate::{
    include,
    issue::Issue,
    redact,
    revision::{Revision, has_written_secret},
    store::{Disk, Store},
    text,
};

pub(super) const NOT_TEXT: &str = "the file is not UTF-8 text";

/// A text without any value where a document was: half of a save, more often than not.
pub(super) const EMPTIED: &str = "the file is empty, or holds nothing but comments; what runs goes on. Put the document back \
                                  (config/history of the data folder has former ones), or write `{}` for the defaults";

/// What a gateway runs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// What stands in the file.
    File,
    /// What stood in it when it was valid last.
    LastValid,
    /// What stands in the file itself: one that it includes is not there, and no valid revision is kept.
    WithoutIncluded,
}

/// The file as it was last seen.
#[derive(Debug, Clone)]
pub(crate) struct FileState {
    pub(crate) exists: bool,
    /// Whether what stands in the file runs.
    pub(crate) valid: bool,
    /// Whether it runs without files that it includes and that are not there.
    pub(crate) lacks_included: bool,
    /// The text, secrets redacted. `None` when there is no file or when it cannot be read well enough to redact it.
    pub(crate) shown: Option<String>,
    /// The document, secrets redacted.
    pub(crate) parsed: Value,
    pub(crate) issues: Vec<Issue>,
}

impl Default for FileState {
    fn default() -> Self {
        let parsed = Value::Object(serde_json::Map::new());
        Self {
            exists: false,
            valid: false,
            lacks_included: false,
            shown: None,
            parsed,
            issues: Vec::new(),
        }
    }
}

impl FileState {
    /// What runs while the file is so.
    pub(crate) fn runs(&self) -> Runs {
        match (self.valid, self.lacks_included) {
            (true, _) => Runs::File,
            (false, true) => Runs::WithoutIncluded,
            (false, false) => Runs::LastValid,
        }
    }

    /// One that runs without files that it includes: `absent` names them.
    pub(super) fn without_included(text: &str, absent: &[Issue], rest: Vec<Issue>) -> Self {
        let issues = absent.iter().cloned().chain(rest).collect();
        Self {
            lacks_included: true,
            ..Self::of(Some(text), false, issues)
        }
    }

    /// `None` for a file that is not text.
    pub(super) fn of(text: Option<&str>, valid: bool, issues: Vec<Issue>) -> Self {
        let read = text.and_then(|text| Some((text, text::parse(text).ok()?)));
        let (shown, parsed) = match read {
            Some((text, (value, found))) => (
                Some(redact::redact_text(text, &found, &value)),
                redact::redact(&value),
            ),
            // What cannot be parsed cannot be redacted.
            None => (None, Value::Object(serde_json::Map::new())),
        };
        Self {
            exists: true,
            valid,
            lacks_included: false,
            shown,
            parsed,
            issues,
        }
    }
}

/// What there is to say about a revision that runs from its file.
pub(super) fn issues_of<D: Disk>(revision: &Revision, store: &Store<D>) -> Vec<Issue> {
    let mut issues = revision.warnings().to_vec();
    if store.document_is_open() && has_written_secret(revision.written()) {
        issues.push(Issue::warning(
            "",
            "everybody on this machine can read the file, and secrets stand in it: `chmod 600` it",
        ));
    }
    let written = revision.included().places.iter().filter_map(|include| {
        let file = include.open.as_ref()?;
        has_written_secret(&include::at(&include.place, &include.said)).then_some((include, file))
    });
    for (include, file) in written {
        let shown = file.display();
        let problem = format!(
            "everybody on this machine can read {shown}, and secrets are included here: `chmod 600` it"
        );
        issues.push(Issue::warning(&include.place, problem));
    }
    issues
}
