//! Owns the running revision, the table of credentials and the files: the only writer. Everything here blocks on the disk; the
//! task in `registry` runs it one step at a time.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use gatehouse_core::{Chain, Clock, Home, Secret};
use gatehouse_proto::config::v1::Credential;
use tokio::sync::watch;

use crate::{
    credential::{self, Row},
    error::Error,
    include::{self, Included},
    issue::Issue,
    plugin_token,
    refusal::ConfigError,
    restart,
    revision::{Refused, Revision},
    secrets::Sources,
    store::{Disk, Store},
    text, token,
};

mod change;
mod file;
mod lists;
mod reload;
mod restore;
mod roster;
mod tidy;
mod whole;

pub use self::file::Runs;
pub(crate) use self::{
    change::{Patch, Patched},
    file::FileState,
    lists::Lists,
    restore::Restore,
    whole::Whole,
};
use self::{
    file::{EMPTIED, NOT_TEXT, issues_of},
    reload::rows_of,
};

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

#[derive(Debug)]
pub(crate) struct Configuration<D = crate::store::Real> {
    store: Store<D>,
    sources: Sources,
    clock: Clock,
    /// The hash of what was last seen in the file and in those that it includes. Not the text: this type can be printed.
    seen: Option<String>,
    /// The files that the text includes which was last seen.
    includes: Vec<PathBuf>,
    /// Whether the last refusal was for secrets that may come: then the same text is tried again.
    waits: bool,
    /// What is missing in what runs: files that the document includes. Empty as soon as a whole one runs.
    absent: Vec<Issue>,
    token: Secret,
    /// The credentials beside the gateway token, and the text that they were read from.
    rows: Vec<Row>,
    rows_text: Option<String>,
    state: watch::Sender<State>,
}

impl<D: Disk> Configuration<D> {
    /// Reads everything that is needed to run. The credentials of the services are not touched here.
    pub(crate) fn open(store: Store<D>, sources: Sources, clock: Clock) -> Result<Self, ConfigError> {
        store.end_write_in_place().map_err(ConfigError::files(format!(
            "end a change of {}",
            store.document().display()
        )))?;
        let text = first_text(&store, &clock)?;
        let First {
            revision,
            file,
            waits,
            absent,
        } = First::read(text.as_deref(), &store, &sources)?;
        let token = token::of(&revision, &store)?;
        let rows_text = store.read_credentials().map_err(ConfigError::files(format!(
            "read {}",
            store.credentials_path().display()
        )))?;
        let rows = rows_of(rows_text.as_deref()).unwrap_or_default();
        warn(&revision, &[]);
        let seen = text.as_deref().map(|text| include::look(text, &sources.folder));
        let state = State {
            credentials: table(&token, &revision, &rows, &store),
            revision: Arc::new(revision),
            file: Arc::new(file),
        };
        Ok(Self {
            store,
            sources,
            clock,
            includes: seen.as_ref().map(Included::paths).unwrap_or_default(),
            seen: seen.map(|seen| seen.hash),
            waits,
            absent,
            token,
            rows,
            rows_text,
            state: watch::Sender::new(state),
        })
    }

    /// Saves the running revision for the next start. Not part of [`Configuration::open`]: a mere check writes nothing.
    pub(crate) fn save_running(&self) {
        if !self.absent.is_empty() {
            return; // a part of a document is no revision that anybody wants back
        }
        let running = self.state();
        match self.store.read_last_valid() {
            Ok(Some(last)) if last == running.revision.whole_text() => {}
            _ => self.save_last_valid(&running.revision),
        }
    }

    fn save_last_valid(&self, revision: &Revision) {
        // It stands for itself: what it includes may be gone when it is needed.
        // Without the copy everything runs; only a later start with a mistake in the file would be refused.
        if let Err(error) = self.store.write_last_valid(&revision.whole_text()) {
            tracing::warn!(error = %Chain(&error), "the copy of the valid configuration cannot be written");
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// The files that the document includes, to be watched.
    pub(crate) fn includes(&self) -> &[PathBuf] {
        &self.includes
    }

    pub(crate) fn store(&self) -> &Store<D> {
        &self.store
    }

    #[cfg(test)]
    pub(crate) fn token(&self) -> &Secret {
        &self.token
    }

    /// Takes a revision that stands in the file.
    fn run(&mut self, revision: Revision) -> Result<(), Error> {
        let before = self.state().revision;
        let token = token::of(&revision, &self.store).map_err(Error::Token)?;
        self.save_last_valid(&revision);
        let file = FileState::of(Some(revision.text()), true, issues_of(&revision, &self.store));
        warn(&revision, before.warnings());
        for service in restart::services(&before, &revision) {
            tracing::warn!(
                service.name = service,
                "a change of the configuration acts when this service is started again"
            );
        }
        self.seen = Some(revision.hash().to_owned());
        self.includes = revision.included().paths();
        self.waits = revision.left_out().waits();
        self.absent = Vec::new();
        self.token = token;
        self.state.send_replace(State {
            credentials: table(&self.token, &revision, &self.rows, &self.store),
            revision: Arc::new(revision),
            file: Arc::new(file),
        });
        Ok(())
    }
}

/// Says once what deserves a look.
fn warn(revision: &Revision, said: &[Issue]) {
    for issue in revision.warnings().iter().filter(|issue| !said.contains(issue)) {
        tracing::warn!(%issue, "configuration warning");
    }
}

/// The text of the file at the start; a sample where there is none. `None`: the file is not text, a mistake like others.
fn first_text<D: Disk>(store: &Store<D>, clock: &Clock) -> Result<Option<String>, ConfigError> {
    let path = store.document().display();
    let step = |what: &str| ConfigError::files(format!("{what} {path}"));
    store.prepare().map_err(step("make the folders of"))?;
    match store.read_document() {
        Ok(Some(text)) => Ok(Some(text)),
        Ok(None) => {
            store
                .write_document(SAMPLE, clock.now(), None)
                .map_err(|error| step("write the sample")(error.into()))?;
            tracing::info!(path = %path, "wrote a sample configuration");
            Ok(Some(SAMPLE.to_owned()))
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
        Err(error) => Err(step("read")(error)),
    }
}

/// What a start runs with.
struct First {
    revision: Revision,
    file: FileState,
    /// Whether the file lacks nothing but secrets that may come.
    waits: bool,
    /// Files that the revision includes and that are not there.
    absent: Vec<Issue>,
}

impl First {
    /// The revision of the file, or the last one that ran when the file has a mistake.
    fn read<D: Disk>(text: Option<&str>, store: &Store<D>, sources: &Sources) -> Result<Self, ConfigError> {
        let path = || store.document().to_owned();
        let read_last = || {
            store.read_last_valid().map_err(ConfigError::files(format!(
                "read the last valid copy of {}",
                store.document().display()
            )))
        };
        let read = match text {
            // Cut off in the middle of a save; before anything ran it is a document without a key.
            Some(text) if text::is_blank(text) && read_last()?.is_some_and(|last| !text::is_blank(&last)) => {
                Err(mistake(EMPTIED))
            }
            Some(text) => Revision::read(text, sources),
            None => Err(mistake(NOT_TEXT)),
        };
        let refused = match read {
            Ok(revision) => {
                let file = FileState::of(text, true, issues_of(&revision, store));
                let waits = revision.left_out().waits();
                return Ok(Self {
                    revision,
                    file,
                    waits,
                    absent: Vec::new(),
                });
            }
            Err(refused) if refused.only_secrets() => {
                return Err(ConfigError::Secrets {
                    path: path(),
                    missing: refused.missing,
                });
            }
            Err(refused) => refused,
        };
        let invalid = || ConfigError::Invalid {
            path: path(),
            issues: refused.all(),
        };
        let revision = match read_last()?.map(|last| Revision::read(&last, sources)) {
            Some(Ok(revision)) => revision,
            Some(Err(old)) if old.only_secrets() => {
                return Err(ConfigError::Secrets {
                    path: path(),
                    missing: old.missing,
                });
            }
            // Nothing ever ran: what the document says itself is better than nothing, and what is missing is said as a mistake.
            _ if refused.only_absent => {
                let absent = refused.issues.clone();
                return Self::without_included(text.unwrap_or_default(), absent, store, sources)
                    .ok_or_else(invalid);
            }
            None | Some(Err(_)) => return Err(invalid()),
        };
        for issue in refused.issues.iter().filter(|issue| issue.is_error()) {
            tracing::error!(%issue, "the configuration file has a mistake; the last valid revision runs until it is mended");
        }
        Ok(Self {
            revision,
            file: FileState::of(text, false, refused.all()),
            waits: !refused.missing.is_empty(),
            absent: Vec::new(),
        })
    }

    /// What a document says itself. `None`: not even that can be used.
    fn without_included<D: Disk>(
        text: &str,
        absent: Vec<Issue>,
        store: &Store<D>,
        sources: &Sources,
    ) -> Option<Self> {
        let revision = Revision::read_without_absent(text, sources).ok()?;
        for issue in &absent {
            tracing::error!(
                %issue,
                "the configuration runs without a file that it includes, as no valid revision of it is kept: put the file there, or \
                 take the $include out"
            );
        }
        let file = FileState::without_included(text, &absent, issues_of(&revision, store));
        Some(Self {
            waits: revision.left_out().waits(),
            revision,
            file,
            absent,
        })
    }
}

/// A refusal of the file as a whole.
fn mistake(problem: &str) -> Refused {
    Refused {
        issues: vec![Issue::error("", problem)],
        missing: Vec::new(),
        only_absent: false,
    }
}

fn table<D: Disk>(token: &Secret, revision: &Revision, rows: &[Row], store: &Store<D>) -> Arc<[Credential]> {
    let document = revision.document();
    let scopes = document.gateway.auth.token_scopes.as_deref();
    let mut table = credential::table(token, scopes, rows);
    table.extend(plugin_token::rows(&document.plugins, store));
    table.into()
}

/// The store of an installation.
pub(crate) fn store_of(home: &Home) -> Store {
    Store::new(
        crate::store::Real,
        home.config.clone(),
        home.folder(gatehouse_core::Service::Config),
    )
    .with_private(home.private_paths())
    .with_credentials(home.credentials.clone())
}

/// Where an installation's references are looked up.
pub(crate) fn sources_of(home: &Home, env: &gatehouse_core::Env) -> Sources {
    // What is absolute means the same in every process and at every time. It fails only without a working directory.
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = absolute(&home.config).parent().map(Path::to_owned);
    let env = env.clone();
    Sources {
        env: Box::new(move |name| env.get(name).map(ToOwned::to_owned)),
        folder: folder.unwrap_or_default(),
        secrets: absolute(&home.path).join("secrets"),
    }
}

#[cfg(test)]
mod tests;
