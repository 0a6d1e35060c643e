//! What became of the keys that are not in the document as they were, each with the reason. Places are those of the document that is
//! imported, also when others of its list are gone by then.

use std::{collections::BTreeSet, fmt};

use gatehouse_core::telemetry::escape;
use serde::Serialize;

use crate::{
    issue::Issue,
    path::{Path, Step},
};

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// Somebody has to say what is meant: the value cannot be used, or it does what may not be wanted.
    Decision,
    /// It stands there, and is a secret that is written out.
    Secret,
    /// Gatehouse has nothing for it yet: it is left out.
    NoCounterpart,
    /// It stands elsewhere, or in another form.
    Moved,
}

/// A key and what became of it. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Noted {
    /// What became of it.
    pub fate: Fate,
    /// Where it stands in what was imported. What is in it is meant, too.
    pub place: String,
    /// Why.
    pub told: String,
    #[serde(skip)]
    at: Path,
}

impl fmt::Display for Noted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", escape(&self.place), escape(&self.told))
    }
}

/// What is said of sections that people ask for.
const REASONS: &[(&[&str], &str)] = &[
    (
        &["auth"],
        "OpenClaw keeps the keys of these in a database of its own: give each provider its `apiKey`",
    ),
    (
        &["gateway", "remote"],
        "a gateway elsewhere is reached with `gatehouse --url`",
    ),
    (
        &["gateway", "tailscale"],
        "let `tailscale serve` lead to the gateway's port",
    ),
    (
        &["env"],
        "set the variables where the gateway is started; `env.allow` lists those that changes through a method may name",
    ),
    (
        &["gateway", "controlUi", "dangerouslyDisableDeviceAuth"],
        "a page shows the token or is paired: docs/devices.md",
    ),
    (
        &["gateway", "controlUi", "allowInsecureAuth"],
        "a page shows the token or is paired: docs/devices.md",
    ),
];

#[derive(Debug, Default)]
pub(super) struct Notes {
    all: Vec<Noted>,
    /// Items of lists that were taken out, by their places in what is imported.
    gone: BTreeSet<Path>,
}

impl Notes {
    /// At a place of what is imported.
    pub(super) fn add(&mut self, at: &Path, fate: Fate, told: impl Into<String>) {
        let noted = Noted {
            fate,
            place: at.to_string(),
            told: told.into(),
            at: at.clone(),
        };
        if !self.all.contains(&noted) {
            self.all.push(noted);
        }
    }

    pub(super) fn without_counterpart(&mut self, issue: &Issue) {
        let at = self.as_imported(issue.place());
        let keys: Vec<&str> = at
            .steps()
            .iter()
            .filter_map(|step| match step {
                Step::Key(key) => Some(key.as_str()),
                Step::Index(_) => None,
            })
            .collect();
        let known = REASONS.iter().find(|(prefix, _)| keys.starts_with(prefix));
        let told = match known {
            Some((_, reason)) => (*reason).to_owned(),
            None if issue.message.contains("did you mean") => issue.message.clone(),
            None if keys.first() == Some(&"channels") && keys.len() == 2 => {
                format!("Gatehouse has no channel {:?} yet", keys[1])
            }
            None => "Gatehouse has nothing for it yet".to_owned(),
        };
        self.add(&at, Fate::NoCounterpart, told);
    }

    pub(super) fn decide(&mut self, issue: &Issue) {
        self.decide_at(issue.place(), issue);
    }

    pub(super) fn decide_at(&mut self, place: &Path, issue: &Issue) {
        let at = self.as_imported(place);
        self.add(&at, Fate::Decision, issue.message.clone());
    }

    pub(super) fn secret(&mut self, place: &Path) {
        let at = self.as_imported(place);
        let told = "a secret is written out here: better \"${NAME}\" of an environment variable, or a file of secrets.providers";
        self.add(&at, Fate::Secret, told);
    }

    /// At a place of what is left.
    pub(super) fn moved(&mut self, place: &Path, fate: Fate, told: &str) {
        let at = self.as_imported(place);
        self.add(&at, fate, told);
    }

    /// An item of a list is gone, at its place in what is left.
    pub(super) fn removed(&mut self, place: &Path) {
        if let Some(Step::Index(_)) = place.steps().last() {
            let at = self.as_imported(place);
            self.gone.insert(at);
        }
    }

    /// Whether something is said of a place, or of what it stands in. A secret that is named is taken all the same.
    pub(super) fn covers(&self, place: &Path) -> bool {
        let others = self.all.iter().filter(|noted| noted.fate != Fate::Secret);
        others.clone().any(|noted| place.is_within(&noted.at))
    }

    /// All of them, what needs somebody first.
    pub(super) fn all(self) -> Vec<Noted> {
        let mut all = self.all;
        all.sort_by_key(|noted| noted.fate);
        all
    }

    /// Where a place of what is left stood.
    fn as_imported(&self, place: &Path) -> Path {
        let mut at = Path::default();
        for step in place.steps() {
            at = match step {
                Step::Key(_) => at.with(step.clone()),
                Step::Index(index) => {
                    let stood = (0..)
                        .filter(|index| !self.gone.contains(&at.index(*index)))
                        .nth(*index);
                    at.index(stood.unwrap_or(*index))
                }
            };
        }
        at
    }
}
