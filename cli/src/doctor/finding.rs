//! Something that was looked at, how it is, and what to do about it.

use std::{fs, io, os::unix::fs::PermissionsExt, path::PathBuf};

use gatehouse_core::{private, telemetry::escape};
use serde_json::{Value, json};

use crate::term::{Ink, Style};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// As it should be.
    Fine,
    /// Worth knowing.
    Note,
    /// It works, and will not for ever or not for everybody.
    Warning,
    /// Something does not work.
    Error,
}

impl Severity {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What can be mended without asking, because nothing is lost by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Repair {
    /// Sets a file's or a folder's mode.
    Mode(PathBuf, u32),
    /// Makes a folder.
    Folder(PathBuf),
    /// Removes a file that a killed process left behind.
    Remove(PathBuf),
}

impl Repair {
    fn run(&self) -> io::Result<()> {
        match self {
            Self::Mode(path, mode) => fs::set_permissions(path, fs::Permissions::from_mode(*mode)),
            Self::Folder(path) => private::create_folder(path),
            Self::Remove(path) => fs::remove_file(path),
        }
    }
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    area: &'static str,
    severity: Severity,
    message: String,
    fix: Option<String>,
    repair: Option<Repair>,
    fixed: bool,
}

impl Finding {
    fn new(severity: Severity, area: &'static str, message: impl Into<String>) -> Self {
        Self {
            area,
            severity,
            message: message.into(),
            fix: None,
            repair: None,
            fixed: false,
        }
    }

    pub(super) fn fine(area: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Fine, area, message)
    }

    pub(super) fn note(area: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, area, message)
    }

    pub(super) fn warning(area: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, area, message)
    }

    pub(super) fn error(area: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, area, message)
    }

    /// What a person does about it.
    pub(super) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// What `--fix` does about it.
    pub(super) fn mended_by(mut self, repair: Repair) -> Self {
        self.repair = Some(repair);
        self
    }

    /// What is mended counts no more.
    pub(super) fn severity(&self) -> Severity {
        if self.fixed { Severity::Note } else { self.severity }
    }

    /// Mends it, where that can do no harm.
    pub(super) fn repair(&mut self) {
        let Some(repair) = &self.repair else { return };
        match repair.run() {
            Ok(()) => self.fixed = true,
            Err(error) => self.message += &format!("; it cannot be mended: {error}"),
        }
    }

    pub(super) fn json(&self) -> Value {
        let mut finding = json!({
            "area": self.area, "severity": self.severity.word(), "message": self.message, "fixable": self.repair.is_some(), "fixed": self.fixed,
        });
        if let Some(fix) = &self.fix {
            finding["fix"] = json!(fix);
        }
        finding
    }

    pub(super) fn text(&self, style: Style) -> String {
        let (ink, word) = match self.severity {
            _ if self.fixed => (Ink::Green, "fixed"),
            Severity::Fine => (Ink::Green, "ok"),
            Severity::Note => (Ink::Cyan, "note"),
            Severity::Warning => (Ink::Yellow, "warning"),
            Severity::Error => (Ink::Red, "error"),
        };
        let head = style.paint(ink, &format!("{word:7}"));
        let mut text = format!("{head}  {}: {}\n", self.area, escape(&self.message));
        if let Some(fix) = self.fix.as_ref().filter(|_| !self.fixed) {
            let by_us = if self.repair.is_some() { " (or --fix)" } else { "" };
            text += &format!(
                "         {}\n",
                style.paint(Ink::Bold, &format!("{}{by_us}", escape(fix)))
            );
        }
        text
    }
}
