//! How a command ends: the exit code, what went wrong in one line, and what to do next.

use std::{fmt, process::ExitCode};

/// The documented exit codes. Those above 64 follow `sysexits.h`, which service managers know.
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
    /// What went wrong: lower case, no full stop. May have several lines.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) next: Option<String>,
}

impl Failed {
    /// A failure without a next step.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            next: None,
        }
    }

    /// The same with what to do about it.
    pub(crate) fn next(mut self, step: impl Into<String>) -> Self {
        self.next = Some(step.into());
        self
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.next {
            Some(next) => write!(f, "\n{next}"),
            None => Ok(()),
        }
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
}
