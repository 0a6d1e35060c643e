//! The configuration of a home in which no gateway runs, for the owner of its files.

mod texts;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::{Path, PathBuf},
};

use gatehouse_core::{Clock, Env, Home, NamedFile, Secret};
use serde_json::Value;

pub use self::texts::{included, included_among, is_configuration, value};
use crate::{
    app::lock,
    configuration::{Configuration, Lists, Patch, Patched, Restore, sources_of, store_of},
    error::Error,
    include,
    issue::Issue,
    redact,
    refusal::ConfigError,
    revision::Revision,
    secrets::Sources,
    text::{self, Scan},
};

/// A document as it stands in its file.
#[derive(Debug)]
pub struct Shown {
    /// The text, secrets redacted. `None`: what cannot be read cannot be redacted.
    pub raw: Option<String>,
    /// The document with defaults filled in, secrets redacted; without defaults when it cannot run.
    pub config: Value,
    /// The revision.
    pub hash: String,
    /// What deserves a look, mistakes included.
    pub issues: Vec<Issue>,
    /// The entries that cannot be used, by their keys.
    pub left_out: Vec<String>,
}

/// What a change of the file came to.
#[derive(Debug)]
pub struct Changed {
    /// The revision after it.
    pub hash: String,
    /// Whether the file says something else now.
    pub is_changed: bool,
    /// Warnings about the document as it now stands.
    pub issues: Vec<Issue>,
}

/// A text that stood in the file.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The first digits of its revision.
    pub revision: String,
    /// When another took its place, milliseconds since 1970.
    pub replaced_at_ms: i64,
    /// Why.
    pub note: Option<String>,
    /// How long it is.
    pub size_bytes: usize,
}

/// The texts of a home's file that are kept, the newest first. Nothing is written.
///
/// # Errors
/// When they cannot be read.
pub fn history(home: &Home) -> Result<Vec<Kept>, ConfigError> {
    let store = store_of(home);
    let found = match store.history() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        found => found,
    };
    let failed = ConfigError::files("read config/history");
    let kept = found.map_err(failed)?.into_iter().map(|former| Kept {
        revision: former.revision,
        replaced_at_ms: former.replaced_at.as_ms(),
        note: former.note,
        size_bytes: former.size_bytes,
    });
    Ok(kept.collect())
}

/// Reads the file of a home. Nothing is written. `None`: there is none.
///
/// # Errors
/// When it cannot be read.
pub fn shown(home: &Home, env: &Env) -> Result<Option<Shown>, ConfigError> {
    let failed = ConfigError::files(format!("read {}", home.config.display()));
    let Some(raw) = store_of(home).read_document().map_err(failed)? else {
        return Ok(None);
    };
    let parsed = text::parse(&raw).ok();
    let redacted = parsed
        .as_ref()
        .map(|(value, found)| redact::redact_text(&raw, found, value));
    let sources = lenient(home, env);
    let (config, issues, left_out) = match Revision::read(&raw, &sources) {
        Ok(revision) => {
            let left_out = revision.left_out().places().map(ToString::to_string);
            (revision.shown(), revision.warnings().to_vec(), left_out.collect())
        }
        Err(refused) => {
            let written = parsed.map(|(value, _)| redact::redact(&value));
            (written.unwrap_or_default(), refused.all(), Vec::new())
        }
    };
    Ok(Some(Shown {
        raw: redacted,
        config,
        hash: include::look(&raw, &sources.folder).hash,
        issues,
        left_out,
    }))
}

/// The revision of a document that stands in a file, as the config service counts it: with what it includes. `None`: there is no text.
pub fn revision_of(document: &Path) -> Option<String> {
    let text = fs::read_to_string(document).ok()?;
    let folder = std::path::absolute(document).ok()?.parent()?.to_owned();
    Some(include::look(&text, &folder).hash)
}

/// The one writer of a home's file as long as it lives: no gateway starts meanwhile.
#[derive(Debug)]
pub struct Writer {
    configuration: Configuration,
    _lock: File,
}

impl Writer {
    /// Takes the place of the config service of a home.
    ///
    /// # Errors
    /// When a gateway runs there, or when the document has mistakes and no valid one is kept.
    pub fn open(home: &Home, env: &Env) -> Result<Self, ConfigError> {
        let lock = lock(home)?;
        let configuration = Configuration::open(store_of(home), lenient(home, env), Clock::system())?;
        Ok(Self {
            configuration,
            _lock: lock,
        })
    }

    /// Merges a partial document into the file, by the rules of `config.patch`.
    ///
    /// # Errors
    /// As the method.
    pub fn change(&mut self, raw: &str, note: &str, force: bool) -> Result<Changed, Error> {
        let before = self.configuration.state().revision.hash().to_owned();
        let patched = self.configuration.patch(&Patch {
            raw: raw.to_owned(),
            base_hash: Some(before.clone()),
            note: Some(note.to_owned()),
            lists: Lists::default(),
            force,
        })?;
        Ok(Self::told(&before, patched))
    }

    /// Makes a former text the file again.
    ///
    /// # Errors
    /// As the method `config.restore`.
    pub fn restore(&mut self, revision: &str, force: bool) -> Result<Changed, Error> {
        let before = self.configuration.state().revision.hash().to_owned();
        let restored = self.configuration.restore(&Restore {
            revision: revision.to_owned(),
            base_hash: Some(before.clone()),
            force,
        })?;
        Ok(Self::told(&before, restored))
    }

    fn told(before: &str, patched: Patched) -> Changed {
        let hash = patched.state.revision.hash().to_owned();
        let file = &patched.state.file.issues;
        let notes = patched.notes.into_iter().filter(|note| !file.contains(note));
        Changed {
            is_changed: hash != before,
            hash,
            issues: notes.chain(file.iter().cloned()).collect(),
        }
    }
}

/// Where references lead as far as it can be known here: a variable that is not set may be set for the gateway.
fn lenient(home: &Home, env: &Env) -> Sources {
    let sources = sources_of(home, env);
    let strict = sources.env;
    let assumed = Secret::generate();
    Sources {
        env: Box::new(move |name| strict(name).or_else(|| Some(assumed.expose().to_owned()))),
        ..sources
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn home(document: &str) -> (tempfile::TempDir, Home, Env) {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("gatehouse.json5"), document).expect("written");
        let env = Env::of([("GATEHOUSE_HOME", folder.path().to_str().expect("UTF-8"))]);
        let home = Home::read(&env);
        (folder, home, env)
    }

    #[test]
    fn the_file_is_shown_without_its_secrets_and_nothing_is_written() {
        let (folder, home, env) = home("{ gateway: { auth: { token: 'kX9qmQ2vL7pR4wZ8' }, port: 2000 } }");

        let shown = shown(&home, &env).expect("readable").expect("there");

        assert_eq!(shown.config["gateway"]["port"], 2000);
        assert_eq!(
            shown.config["session"]["dmScope"], "main",
            "defaults are filled in"
        );
        assert!(!format!("{shown:?}").contains("kX9qmQ2vL7pR4wZ8"));
        assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 1);
        fs::remove_file(&home.config).expect("removed");
        assert!(
            super::shown(&home, &env)
                .expect("no file is no failure")
                .is_none()
        );
    }

    #[test]
    fn a_document_with_mistakes_is_shown_as_it_stands_and_the_mistakes_with_it() {
        let (_folder, home, env) = home("{ gateway: { port: 'many' } }");

        let shown = shown(&home, &env).expect("readable").expect("there");

        assert_eq!(shown.config["gateway"]["port"], "many");
        assert!(shown.issues.iter().any(Issue::is_error));
    }

    #[test]
    fn a_change_keeps_the_rules_of_the_method_and_holds_the_gateways_lock() {
        let (_folder, home, env) = home(
            "{\n  // mine\n  models: { providers: { a: { baseUrl: 'http://h/v1', apiKey: '${ELSEWHERE}' } } },\n}\n",
        );
        let mut writer = Writer::open(&home, &env).expect("nobody else");

        let changed = writer
            .change("{agents: {defaults: {model: 'a/m'}}}", "try", false)
            .expect("a variable may be set for the gateway");
        assert!(changed.is_changed);
        assert!(
            !writer
                .change("{session: {dmScope: null}}", "try", false)
                .expect("absent")
                .is_changed
        );
        let refused = writer
            .change("{gateway: {bind: 'lan'}}", "try", false)
            .expect_err("wants force");

        assert!(matches!(refused, Error::ForceRequired(_)), "{refused}");
        let text = fs::read_to_string(&home.config).expect("there");
        assert!(
            text.contains("// mine") && text.contains("a/m") && text.contains("${ELSEWHERE}"),
            "{text}"
        );
        let second = Writer::open(&home, &env).expect_err("one writer");
        assert!(second.to_string().contains("lock"), "{second}");
    }
}
