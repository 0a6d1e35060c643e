//! Owns the running revision, the gateway token and the files: the only writer. Everything here blocks on the disk; the
//! task in [`crate::registry`] runs it one step at a time.

use std::{io, path::Path, sync::Arc};

use gatehouse_core::{Chain, Clock, House, Secret};
use gatehouse_proto::config::v1::Credential;
use serde_json::Value;
use tokio::sync::watch;

use crate::{
    authority::{self, Change},
    credential::{self, Row},
    error::Error,
    exposure,
    issue::Issue,
    redact,
    refusal::ConfigError,
    revision::{Refused, Revision, has_written_secret, hash},
    secrets::{self, Sources},
    store::{Disk, Store},
    text,
    token::{self, Origin},
};

const NOT_TEXT: &str = "the file is not UTF-8 text";

/// What is written when there is no file.
pub(crate) const SAMPLE: &str = include_str!("sample.json5");

/// What runs, and how the file is. Readers get it whole.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) revision: Arc<Revision>,
    /// Who may come in: the gateway token first.
    pub(crate) credentials: Arc<[Credential]>,
    pub(crate) file: Arc<FileState>,
}

/// The file as it was last seen.
#[derive(Debug, Clone)]
pub(crate) struct FileState {
    pub(crate) exists: bool,
    /// Whether what stands in the file runs.
    pub(crate) valid: bool,
    /// The text, secrets redacted. `None` when there is no file or when it cannot be read well enough to redact it.
    pub(crate) shown: Option<String>,
    /// The document, secrets redacted.
    pub(crate) parsed: Value,
    pub(crate) issues: Vec<Issue>,
}

/// A change that comes through a method.
#[derive(Clone, Default)]
pub(crate) struct Patch {
    /// The partial document.
    pub(crate) raw: String,
    /// What it was made against.
    pub(crate) base_hash: Option<String>,
    /// Why.
    pub(crate) note: Option<String>,
    /// Whether it may open or lock what the document before it did not.
    pub(crate) force: bool,
}

/// Whether a change may open or lock something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Consent {
    /// It is refused with what it would do.
    Asked,
    /// It is told what it did.
    Given,
}

/// The outcome of a change.
#[derive(Debug)]
pub(crate) struct Patched {
    pub(crate) state: State,
    /// What deserves attention about this change in particular.
    pub(crate) notes: Vec<Issue>,
}

#[derive(Debug)]
pub(crate) struct Keeper<D = crate::store::Real> {
    store: Store<D>,
    sources: Sources,
    clock: Clock,
    /// The hash of the text that was last seen in the file. Not the text: this type can be printed.
    seen: Option<String>,
    /// Whether the last refusal was for secrets that may come: then the same text is tried again.
    waits: bool,
    token: Secret,
    /// The credentials beside the gateway token, and the text that they were read from.
    rows: Vec<Row>,
    rows_text: Option<String>,
    state: watch::Sender<State>,
}

impl<D: Disk> Keeper<D> {
    /// Reads everything that is needed to run. The credential is not touched here.
    pub(crate) fn start(store: Store<D>, sources: Sources, clock: Clock) -> Result<Self, ConfigError> {
        let path = store.document().to_owned();
        let step = |what: &str| ConfigError::files(format!("{what} {}", path.display()));
        store.prepare().map_err(step("make the folders of"))?;
        let text = match store.read_document() {
            Ok(Some(text)) => Some(text),
            Ok(None) => {
                store
                    .write_document(SAMPLE, clock.now_ms(), None)
                    .map_err(step("write the sample"))?;
                tracing::info!(path = %path.display(), "wrote a sample configuration");
                Some(SAMPLE.to_owned())
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => None, // a mistake in it, like others
            Err(error) => return Err(step("read")(error)),
        };
        let read = match &text {
            Some(text) => Revision::read(text, &sources),
            None => Err(Refused {
                issues: vec![Issue::error("", NOT_TEXT)],
                missing: Vec::new(),
            }),
        };
        let (revision, file, waits) = match read {
            Ok(revision) => {
                let file = FileState::of(text.as_deref(), true, issues_of(&revision, &store));
                (revision, file, false)
            }
            Err(refused) if refused.only_secrets() => {
                return Err(ConfigError::Secrets {
                    path,
                    missing: refused.missing,
                });
            }
            Err(refused) => {
                let Some(last) = store
                    .read_last_valid()
                    .map_err(step("read the last valid copy of"))?
                else {
                    return Err(ConfigError::Invalid {
                        path,
                        issues: refused.all(),
                    });
                };
                let revision = Revision::read(&last, &sources).map_err(|old| match old.only_secrets() {
                    true => ConfigError::Secrets {
                        path: path.clone(),
                        missing: old.missing,
                    },
                    false => ConfigError::Invalid {
                        path: path.clone(),
                        issues: refused.all(),
                    },
                })?;
                for issue in refused.issues.iter().filter(|issue| issue.is_error()) {
                    tracing::error!(%issue, "the configuration file has a mistake; the last valid revision runs");
                }
                (
                    revision,
                    FileState::of(text.as_deref(), false, refused.all()),
                    !refused.missing.is_empty(),
                )
            }
        };
        let token = token::of(&revision, &store)?;
        let rows_text = store.read_credentials().map_err(ConfigError::files(format!(
            "read {}",
            store.credentials_path().display()
        )))?;
        let rows = rows_of(rows_text.as_deref()).unwrap_or_default();
        for issue in revision.warnings() {
            tracing::warn!(%issue, "the configuration deserves attention");
        }
        let state = State {
            credentials: table(&token, &revision, &rows),
            revision: Arc::new(revision),
            file: Arc::new(file),
        };
        Ok(Self {
            store,
            sources,
            clock,
            seen: text.as_deref().map(hash),
            waits,
            token,
            rows,
            rows_text,
            state: watch::Sender::new(state),
        })
    }

    /// Keeps the running revision for the next start. Not part of [`Keeper::start`]: a mere check writes nothing.
    pub(crate) fn keep_running(&self) {
        let running = self.state();
        match self.store.read_last_valid() {
            Ok(Some(last)) if last == running.revision.text() => {}
            _ => self.keep(running.revision.text()),
        }
    }

    fn keep(&self, text: &str) {
        // Without the copy everything runs; only a later start with a mistake in the file would be refused.
        if let Err(error) = self.store.write_last_valid(text) {
            tracing::warn!(error = %Chain(&error), "the copy of the valid configuration cannot be written");
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    pub(crate) fn store(&self) -> &Store<D> {
        &self.store
    }

    #[cfg(test)]
    pub(crate) fn token(&self) -> &Secret {
        &self.token
    }

    /// Reads the files again, and runs what is new and valid.
    pub(crate) fn look(&mut self) -> Result<(), Error> {
        self.look_at_credentials();
        self.look_at_document()
    }

    /// A table with a mistake is not taken; the last one stays.
    fn look_at_credentials(&mut self) {
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

    fn look_at_document(&mut self) -> Result<(), Error> {
        let text = match self.store.read_document() {
            Ok(text) => text,
            Err(error) => {
                let message = match error.kind() {
                    io::ErrorKind::InvalidData => NOT_TEXT.to_owned(),
                    other => format!("the file cannot be read ({other})"),
                };
                let issue = Issue::error("", message);
                self.seen = None;
                return self.refuse(FileState {
                    exists: true,
                    issues: vec![issue],
                    ..FileState::default()
                });
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
            return self.refuse(FileState {
                issues: vec![Issue::error("", message)],
                ..FileState::default()
            });
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
                self.refuse(FileState::of(Some(&text), false, refused.all()))
            }
        }
    }

    fn refuse(&self, file: FileState) -> Result<(), Error> {
        let news = self.state.borrow().file.issues != file.issues;
        for issue in file.issues.iter().filter(|issue| issue.is_error() && news) {
            tracing::error!(%issue, "the configuration file is not taken; what runs goes on");
        }
        self.state.send_modify(|state| state.file = Arc::new(file));
        Ok(())
    }

    /// Takes a revision that stands in the file.
    fn run(&mut self, revision: Revision) -> Result<(), Error> {
        let token = token::of(&revision, &self.store).map_err(Error::Token)?;
        self.keep(revision.text());
        let file = FileState::of(Some(revision.text()), true, issues_of(&revision, &self.store));
        self.seen = Some(revision.hash().to_owned());
        self.waits = false;
        self.token = token;
        self.state.send_replace(State {
            credentials: table(&self.token, &revision, &self.rows),
            revision: Arc::new(revision),
            file: Arc::new(file),
        });
        Ok(())
    }

    /// Merges a partial document into the running one and writes the result.
    pub(crate) fn patch(&mut self, patch: &Patch) -> Result<Patched, Error> {
        self.look()?; // an edit by hand that nobody has noticed yet is a change too
        let running = self.state();
        match patch.base_hash.as_deref() {
            None => return Err(Error::BaseHashMissing),
            Some(base) if base != running.revision.hash() => {
                return Err(Error::Changed {
                    hash: running.revision.hash().to_owned(),
                });
            }
            Some(_) => {}
        }
        let (sent, _) = text::parse(&patch.raw).map_err(|error| Error::Unreadable(error.to_string()))?;
        let before = running.revision.written();
        let mut change = sent.clone();
        redact::restore(&mut change, before).map_err(Error::Invalid)?;
        secrets::replace_whole(&mut change, before);
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
        let consent = if patch.force {
            Consent::Given
        } else {
            Consent::Asked
        };
        self.write(&running, &change, patch.note.as_deref(), consent)
    }

    fn write(
        &mut self,
        running: &State,
        patch: &Value,
        note: Option<&str>,
        consent: Consent,
    ) -> Result<Patched, Error> {
        let mut notes = Vec::new();
        let new = text::merge_text(running.revision.text(), patch).unwrap_or_else(|| {
            notes.push(Issue::warning(
                "",
                "the file was written anew, without its comments; the former text is in config/history",
            ));
            let mut value = running.revision.written().clone();
            text::merge(&mut value, patch);
            text::render(&value, 0) + "\n"
        });
        if !running.file.valid && running.file.exists {
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
            });
        }
        let revision =
            Revision::read(&new, &self.sources).map_err(|refused: Refused| Error::Invalid(refused.all()))?;
        let exposed = exposure::added(running.revision.document(), revision.document());
        match consent {
            Consent::Asked if !exposed.is_empty() => return Err(Error::ForceRequired(exposed)),
            Consent::Asked | Consent::Given => notes.extend(exposed),
        }
        self.still_seen()?;
        if let Err(source) = self.store.write_document(&new, self.clock.now_ms(), note) {
            // The disk failed in the middle: what stands there now is one of the two, and it is what runs.
            let _ = self.look();
            return Err(Error::Store(source));
        }
        self.run(revision)?;
        Ok(Patched {
            state: self.state(),
            notes,
        })
    }

    /// An editor may have been faster than this change: then its text is taken, and the change is refused.
    fn still_seen(&mut self) -> Result<(), Error> {
        let now = self
            .store
            .read_document()
            .map_or(None, |text| text.as_deref().map(hash));
        if now == self.seen {
            return Ok(());
        }
        self.look()?;
        Err(Error::Changed {
            hash: self.state().revision.hash().to_owned(),
        })
    }

    /// Makes a new gateway token, and says where it is kept.
    pub(crate) fn rotate(&mut self) -> Result<(Secret, String), Error> {
        self.look()?;
        let running = self.state();
        let token = Secret::generate();
        match token::origin(&running.revision) {
            Origin::Referred => Err(Error::TokenReferred),
            Origin::Kept => {
                self.store.write_token(token.expose()).map_err(Error::Store)?;
                self.token = token.clone();
                let credentials = table(&self.token, &running.revision, &self.rows);
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

impl Default for FileState {
    fn default() -> Self {
        let parsed = Value::Object(serde_json::Map::new());
        Self {
            exists: false,
            valid: false,
            shown: None,
            parsed,
            issues: Vec::new(),
        }
    }
}

impl FileState {
    /// `None` for a file that is not text.
    fn of(text: Option<&str>, valid: bool, issues: Vec<Issue>) -> Self {
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
            shown,
            parsed,
            issues,
        }
    }
}

/// Reads the credentials beside the gateway token. No file: there are none. `None`: the text has a mistake.
fn rows_of(text: Option<&str>) -> Option<Vec<Row>> {
    match text.map_or_else(|| Ok(Vec::new()), credential::parse) {
        Ok(rows) => Some(rows),
        Err(problem) => {
            tracing::error!(problem, "the credentials beside the gateway token are not taken");
            None
        }
    }
}

fn table(token: &Secret, revision: &Revision, rows: &[Row]) -> Arc<[Credential]> {
    let scopes = revision.document().gateway.auth.token_scopes.as_deref();
    credential::table(token, scopes, rows).into()
}

/// What there is to say about a revision that runs from its file.
fn issues_of<D: Disk>(revision: &Revision, store: &Store<D>) -> Vec<Issue> {
    let mut issues = revision.warnings().to_vec();
    if store.document_is_open() && has_written_secret(revision.written()) {
        issues.push(Issue::warning(
            "",
            "everybody on this machine can read the file, and secrets stand in it: `chmod 600` it",
        ));
    }
    issues
}

/// The store of an installation.
pub(crate) fn store_of(house: &House) -> Store {
    Store::new(
        crate::store::Real,
        house.config.clone(),
        house.folder(gatehouse_core::Service::Config),
    )
    .with_private(house.private_paths())
}

/// Where an installation's references are looked up.
pub(crate) fn sources_of(house: &House, env: &gatehouse_core::Env) -> Sources {
    // What is absolute means the same in every process and at every time. It fails only without a working directory.
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = absolute(&house.config).parent().map(Path::to_owned);
    let env = env.clone();
    Sources {
        env: Box::new(move |name| env.get(name).map(ToOwned::to_owned)),
        folder: folder.unwrap_or_default(),
        secrets: absolute(&house.home).join("secrets"),
    }
}

#[cfg(test)]
mod tests;
