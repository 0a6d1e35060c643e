//! How a command ends: the exit code, what went wrong in one line, and what to do next.

use std::{borrow::Cow, fmt, process::ExitCode};

use gatehouse_core::telemetry::escape;
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
    /// Nobody answers.
    Unavailable,
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
            Self::Unavailable => 69,
            Self::Refused => 77,
            Self::Configuration => 78,
            Self::Interrupted => 130,
            Self::OutputClosed => 141,
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

/// A command that did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failed {
    /// The exit code.
    pub(crate) exit: Exit,
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
        let mut error = json!({"exit": self.exit.code(), "message": self.message});
        if !self.details.is_empty() {
            error["details"] = json!(self.details);
        }
        if let Some(next) = &self.next {
            error["next"] = json!(next);
        }
        format!("{}\n", json!({ "error": error }))
    }
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
mod tests {
    use super::*;

    #[test]
    fn a_refusal_a_silence_and_a_failure_end_differently() {
        assert_eq!(Exit::of_protocol("FORBIDDEN").code(), 77);
        assert_eq!(Exit::of_protocol("UNAVAILABLE").code(), 69);
        assert_eq!(Exit::of_protocol("INVALID_REQUEST").code(), 1);
    }

    #[test]
    fn the_next_step_stands_on_its_own_line() {
        let failed =
            Failed::new(Exit::Unavailable, "no gateway answers").next("start one with `gatehouse up`");

        assert_eq!(
            failed.to_string(),
            "no gateway answers\nstart one with `gatehouse up`"
        );
    }

    #[test]
    fn a_line_break_from_outside_begins_no_line() {
        let failed = Failed::of_lines(Exit::Configuration, "two mistakes:\n  a: wrong\n  b: wrong")
            .next("mend gate\nhouse: all is well");

        let text = failed.text(Style::plain());

        assert_eq!(
            text,
            "gatehouse: two mistakes:\n    a: wrong\n    b: wrong\n  mend gate\\nhouse: all is well\n"
        );
        let failed = Failed::new(Exit::Failed, "no key x\ngatehouse: all is well\x1b[2J");
        assert_eq!(failed.text(Style::plain()).lines().count(), 1);
        assert!(!failed.to_string().contains(['\n', '\x1b']), "{failed}");
    }

    #[test]
    fn a_program_gets_one_line_with_the_code() {
        let failed = Failed::of_lines(Exit::Refused, "not allowed\nat a").next("ask");

        assert_eq!(
            failed.json(),
            "{\"error\":{\"exit\":77,\"message\":\"not allowed\",\"details\":[\"at a\"],\"next\":\"ask\"}}\n"
        );
        assert_eq!(Failed::new(Exit::OutputClosed, "nobody reads").json(), "");
    }
}
