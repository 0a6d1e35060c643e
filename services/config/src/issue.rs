//! What is wrong with a document, for the person who wrote it.

use std::fmt;

use gatehouse_core::telemetry::escape;
use gatehouse_proto::config::v1::{ConfigIssue, config_issue};

use crate::path::Path;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The value cannot be used.
    Error,
    /// The key is kept and has no effect, or is a mistake more often than not.
    Warning,
}

/// One finding. Never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// How bad it is.
    pub severity: Severity,
    /// The key's path with dots. Empty for the document as a whole.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
    /// The same as `path`, for whoever looks for the entry around it.
    place: Path,
}

/// More findings than this are cut off: nobody reads on.
pub(crate) const ISSUES_MAX: usize = 100;

impl Issue {
    pub(crate) fn error(path: impl Into<Path>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, path.into(), message.into())
    }

    pub(crate) fn warning(path: impl Into<Path>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, path.into(), message.into())
    }

    fn new(severity: Severity, place: Path, message: String) -> Self {
        Self {
            severity,
            path: place.to_string(),
            message,
            place,
        }
    }

    /// The same finding where it is no hindrance.
    pub(crate) fn into_warning(self) -> Self {
        Self {
            severity: Severity::Warning,
            ..self
        }
    }

    /// Where in the document it is.
    pub(crate) fn place(&self) -> &Path {
        &self.place
    }

    /// The same finding at another place.
    pub(crate) fn at(self, place: Path) -> Self {
        Self::new(self.severity, place, self.message)
    }

    /// Whether the document cannot be used.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    pub(crate) fn to_proto(&self) -> ConfigIssue {
        let severity = match self.severity {
            Severity::Error => config_issue::Severity::Error,
            Severity::Warning => config_issue::Severity::Warning,
        };
        ConfigIssue {
            severity: severity.into(),
            path: self.path.clone(),
            message: self.message.clone(),
        }
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys and values of the document are in both.
        if !self.path.is_empty() {
            write!(f, "{}: ", escape(&self.path))?;
        }
        f.write_str(&escape(&self.message))
    }
}
