//! What the last start of a gateway went through, step by step: `gatehouse up` keeps it in the home, `gatehouse status --start` shows
//! it, also when that start failed and nobody runs who could be asked.

use std::{fs, io, path::Path};

use gatehouse_core::{private, telemetry::escape};
use serde::{Deserialize, Serialize};

use crate::exit::{Exit, Failed};

/// In the home. Each start takes the place of the one before it: why one failed is asked right after it.
pub(crate) const FILE: &str = "start.json";

/// The longest file that is read. What is written has seven steps of bounded texts.
const BYTES_MAX: u64 = 64 * 1024;

/// The longest text about a step, in characters: a document with many mistakes names them in the log.
const TOLD_CHARS_MAX: usize = 1_000;

/// The steps, in the order in which a person thinks of them. The last four go on side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Step {
    /// The document is read, and brought to the form of this version.
    Configuration,
    /// Every reference to a secret leads somewhere.
    Secrets,
    /// There is something to show for those who want to come in.
    Token,
    /// Processes of other people's have joined, or are known to be away.
    Plugins,
    /// The bridge knows its accounts. That they are connected is not waited for.
    Channels,
    /// Clients can connect, and what they say is kept.
    Sockets,
    /// Jobs run at their time, and the network can find the gateway if it is to.
    Schedules,
}

impl Step {
    pub(crate) const ALL: [Self; 7] = [
        Self::Configuration,
        Self::Secrets,
        Self::Token,
        Self::Plugins,
        Self::Channels,
        Self::Sockets,
        Self::Schedules,
    ];

    /// For a person.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Secrets => "secrets",
            Self::Token => "token",
            Self::Plugins => "plugins",
            Self::Channels => "channels",
            Self::Sockets => "sockets",
            Self::Schedules => "schedules and discovery",
        }
    }

    /// Which one it is, counted from one.
    pub(crate) fn number(self) -> usize {
        let position = Self::ALL.iter().position(|step| *step == self);
        position.map_or(Self::ALL.len(), |index| index + 1)
    }
}

/// How far a step is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// Not there yet.
    #[default]
    Waiting,
    /// Done.
    Done,
    /// The start ended here.
    Failed,
}

impl State {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// One step of a start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reached {
    /// Which.
    pub(crate) step: Step,
    /// How far it is.
    #[serde(default)]
    pub(crate) state: State,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) took_ms: Option<u64>,
    /// When it ended, after the begin of the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after_ms: Option<u64>,
    /// What was found, or what is wrong: the key or the program.
    #[serde(default)]
    pub(crate) told: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
    /// What the start ended with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) exit: Option<u8>,
}

/// A start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Start {
    /// The version that started.
    pub(crate) version: String,
    /// When, milliseconds since 1970.
    pub(crate) started_ms: i64,
    /// The steps, each once, in their order.
    pub(crate) steps: Vec<Reached>,
}

impl Start {
    /// One that has just begun.
    pub(crate) fn begun(now_ms: i64) -> Self {
        let steps = Step::ALL.map(|step| Reached {
            step,
            state: State::Waiting,
            took_ms: None,
            after_ms: None,
            told: String::new(),
            next: None,
            exit: None,
        });
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_ms: now_ms,
            steps: steps.into(),
        }
    }

    /// Whether every step is done.
    pub(crate) fn is_done(&self) -> bool {
        self.steps.iter().all(|reached| reached.state == State::Done)
    }

    /// The step at which it ended.
    pub(crate) fn failed(&self) -> Option<&Reached> {
        self.steps.iter().find(|reached| reached.state == State::Failed)
    }

    /// Keeps it in a home, whole or not at all.
    pub(crate) fn write(&self, home: &Path) -> io::Result<()> {
        let (path, new) = (home.join(FILE), home.join(format!("{FILE}.new")));
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {} // a killed start may have left it
        }
        drop(private::create_new(&new, &serde_json::to_vec(self)?)?);
        fs::rename(new, path)
    }

    /// What is kept in a home.
    pub(crate) fn read(home: &Path) -> Result<Self, Failed> {
        let path = home.join(FILE);
        let failed = |why: &dyn std::fmt::Display| {
            Failed::new(Exit::Failed, format!("cannot read {}: {why}", path.display()))
                .next("the next `gatehouse up` writes it anew")
        };
        match fs::metadata(&path) {
            Ok(facts) if facts.len() > BYTES_MAX => return Err(failed(&"it is too large")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Failed::new(
                    Exit::Unavailable,
                    format!("no start is kept in {}", home.display()),
                )
                .next(
                    "`gatehouse up` keeps its last one; in containers each service tells its own in its log",
                ));
            }
            _ => {}
        }
        let bytes = fs::read(&path).map_err(|error| failed(&error))?;
        serde_json::from_slice(&bytes).map_err(|error| failed(&error))
    }
}

/// A text about a step: one line, with an end.
pub(crate) fn bounded(text: &str) -> String {
    let line = escape(text.trim());
    let mut told: String = line.chars().take(TOLD_CHARS_MAX).collect();
    if told.len() < line.len() {
        told.push('…');
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again_and_the_next_start_takes_its_place() {
        let home = tempfile::tempdir().unwrap();
        let mut start = Start::begun(1);
        start.write(home.path()).unwrap();
        start.steps[0].state = State::Done;
        start.steps[0].told = bounded(&"x".repeat(5_000));

        start.write(home.path()).unwrap();

        assert_eq!(Start::read(home.path()).unwrap(), start);
        assert!(start.steps[0].told.chars().count() <= TOLD_CHARS_MAX + 1);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_home_without_a_start_and_one_with_something_else_say_so() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(Start::read(home.path()).unwrap_err().exit, Exit::Unavailable);

        for text in ["", "[1]", &"x".repeat(100_000)] {
            fs::write(home.path().join(FILE), text).unwrap();

            let failed = Start::read(home.path()).unwrap_err();

            assert!(failed.to_string().contains("gatehouse up"), "{failed}");
        }
    }

    #[test]
    fn seven_steps_are_counted_from_one() {
        let numbers: Vec<usize> = Step::ALL.into_iter().map(Step::number).collect();

        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7]);
    }
}
