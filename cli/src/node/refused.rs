//! Why a node did not do what it was asked for.

use std::{fmt, io};

/// Why something was not done.
#[derive(Debug)]
pub(crate) struct Refused {
    /// For programs.
    pub(crate) code: &'static str,
    /// For people.
    pub(crate) message: String,
}

impl Refused {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub(crate) fn params(error: impl fmt::Display) -> Self {
        Self::new("INVALID_PARAMS", error.to_string())
    }
}

/// What the operating system said, without its number: whoever is told is at another machine.
pub(crate) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}
