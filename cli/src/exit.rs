//! How a command ends: the exit code, what went wrong in one line, and what to do next.

use std::{borrow::Cow, fmt, process::ExitCode};

use gatehouse_core::telemetry::escape;
use serde::Deserialize;
use serde_json::json;

use crate::term::{Ink, Style};

/// The documented exit codes. Those from 64 follow `sysexits.h`, which service managers know; those above 128 are what a shell says
/// of a process that a signal ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It was tried and it failed.
    Failed,
    /// The command line makes no sense.
    Usage,
    /// Something was looked at that deserves a look, and works.
    Warnings,
    /// Nobody answers.
    Unavailable,
    /// Too much is asked just now: later there may be room.
    Busy,
    /// Somebody answers and refuses: token, scope, or a home that another process holds.
    Refused,
    /// The configuration or the settings are wrong: starting again does not help.
    Configuration,
    /// Ctrl-C, where we ended by ourselves: SIGINT.
    Interrupted,
    /// Whoever read our output reads no more: SIGPIPE.
    OutputClosed,
}

impl Exit {
    /// The number.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Warnings => 3,
            Self::Unavailable => 69,
            Self::Busy => 75,
            Self::Refused => 77,
            Self::Configuration => 78,
            Self::Interrupted => 130,
            Self::OutputClosed => 141,
        }
    }

    /// All of them.
    const ALL: [Self; 9] = [
        Self::Failed,
        Self::Usage,
        Self::Warnings,
        Self::Unavailable,
        Self::Busy,
        Self::Refused,
        Self::Configuration,
        Self::Interrupted,
        Self::OutputClosed,
    ];

    /// The word for it where nobody said one.
    const fn word(self) -> &'static str {
        match self {
            Self::Failed => "FAILED",
            Self::Usage => "USAGE",
            Self::Warnings => "WARNINGS",
            Self::Unavailable => "UNAVAILABLE",
            Self::Busy => "BUSY",
            Self::Refused => "REFUSED",
            Self::Configuration => "CONFIGURATION",
            Self::Interrupted => "INTERRUPTED",
            Self::OutputClosed => "OUTPUT_CLOSED",
        }
    }

    /// What a refusal means for the caller's script. `reason`: the stable word in its details.
    pub(crate) fn of_refusal(code: &str, reason: &str) -> Self {
        match (Self::of_protocol(code), reason) {
            // A bound that is reached: whoever answers so is there.
            (Self::Unavailable, reason) if is_busy(reason) => Self::Busy,
            (exit, _) => exit,
        }
    }

    /// What a peer's protocol code means for the caller's script.
    pub(crate) fn of_protocol(code: &str) -> Self {
        match code {
            "UNAVAILABLE" | "AGENT_TIMEOUT" => Self::Unavailable,
            "FORBIDDEN" | "NOT_PAIRED" | "UNAUTHENTICATED" => Self::Refused,
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Whether the reason of a refusal says: a bound is reached, not now.
fn is_busy(reason: &str) -> bool {
    matches!(
        reason,
        "queue-full" | "QUEUE_FULL" | "BUSY" | "TOO_MANY_SUBSCRIPTIONS"
    ) || reason.ends_with("_BUSY")
}

/// A refusal in words for a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct About {
    /// A stable word: of the protocol, or a reason.
    pub(crate) code: String,
    /// The field that it is about.
    pub(crate) path: Option<String>,
}

/// A command that did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failed {
    /// The exit code.
    pub(crate) exit: Exit,
    /// What somebody else said of it for a program.
    pub(crate) about: Option<Box<About>>,
    /// What went wrong: lower case, no full stop. One line: a line break in it came from outside, and is shown as one.
    pub(crate) message: String,
    /// More about it, each a line.
    pub(crate) details: Vec<String>,
    /// What to do about it.
    pub(crate) next: Option<String>,
}

impl Failed {
    /// A failure without a next step.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            about: None,
            message: message.into(),
            details: Vec::new(),
            next: None,
        }
    }

    /// A failure whose text is made of lines by us: what came from outside is escaped in it.
    pub(crate) fn of_lines(exit: Exit, text: &str) -> Self {
        let mut lines = text.lines().map(str::to_owned);
        let message = lines.next().unwrap_or_default();
        Self {
            details: lines.collect(),
            ..Self::new(exit, message)
        }
    }

    /// The same with words for a program.
    pub(crate) fn about(mut self, code: impl Into<String>, path: Option<String>) -> Self {
        let code = code.into();
        self.about = Some(Box::new(About { code, path }));
        self
    }

    /// The same with what to do about it.
    pub(crate) fn next(mut self, step: impl Into<String>) -> Self {
        self.next = Some(step.into());
        self
    }

    /// Every line of it, fit for a terminal.
    fn lines(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let first = std::iter::once(&self.message);
        first
            .chain(&self.details)
            .chain(&self.next)
            .map(|line| escape(line))
    }

    /// For a person. Nothing when nobody reads.
    pub(crate) fn text(&self, style: Style) -> String {
        if self.exit == Exit::OutputClosed {
            return String::new();
        }
        let head = style.paint(Ink::Red, "gatehouse:");
        let lines = self.lines().enumerate().map(|(index, line)| match index {
            0 => format!("{head} {line}\n"),
            _ => format!("  {line}\n"),
        });
        lines.collect()
    }

    /// For a program: one line.
    pub(crate) fn json(&self) -> String {
        if self.exit == Exit::OutputClosed {
            return String::new();
        }
        let (code, path) = match self.about.as_deref() {
            Some(About { code, path }) => (code.as_str(), path.as_deref()),
            None => (self.exit.word(), None),
        };
        let mut error = json!({"exit": self.exit.code(), "code": code, "message": self.message});
        if let Some(path) = path {
            error["path"] = json!(path);
        }
        if !self.details.is_empty() {
            error["details"] = json!(self.details);
        }
        if let Some(next) = &self.next {
            error["next"] = json!(next);
        }
        format!("{}\n", json!({ "error": error }))
    }
}

impl Failed {
    /// Reads what another process of ours said with `--json`.
    pub(crate) fn from_json(line: &str) -> Option<Self> {
        let said: Said = serde_json::from_str(line).ok()?;
        let Told {
            exit,
            code,
            path,
            message,
            details,
            next,
        } = said.error;
        let exit = Exit::ALL.into_iter().find(|known| known.code() == exit)?;
        let failed = Self {
            details,
            next,
            ..Self::new(exit, message)
        };
        Some(match code {
            Some(code) => failed.about(code, path),
            None => failed,
        })
    }
}

#[derive(Deserialize)]
struct Said {
    error: Told,
}

#[derive(Deserialize)]
struct Told {
    exit: u8,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    path: Option<String>,
    message: String,
    #[serde(default)]
    details: Vec<String>,
    #[serde(default)]
    next: Option<String>,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.lines().enumerate() {
            let before = if index == 0 { "" } else { "\n" };
            write!(f, "{before}{line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
