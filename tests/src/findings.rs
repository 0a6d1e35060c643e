//! What a script found out that runs something in a place of its own: lines, each with its name.

use std::process::{Command, Output};

/// The lines of a script.
#[derive(Debug)]
pub struct Findings {
    said: String,
    complaint: String,
}

impl Findings {
    /// Runs it to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn of(script: &mut Command) -> Self {
        let Output { stdout, stderr, .. } = script.output().expect("the script");
        Self {
            said: String::from_utf8_lossy(&stdout).into_owned(),
            complaint: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }

    /// Everything that it said.
    #[must_use]
    pub fn said(&self) -> &str {
        &self.said
    }

    /// The first finding of a name. `None`: it has not come so far, or has nothing of it.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&str> {
        let named = |line: &'_ str| line.split_once(' ').is_some_and(|(known, _)| known == name);
        let line = self.said.lines().find(|line| named(line))?;
        line.split_once(' ').map(|(_, found)| found)
    }

    /// The first finding of a name.
    ///
    /// # Panics
    /// When there is none, with all that the script said.
    #[must_use]
    #[expect(clippy::panic, reason = "a test fails by panicking")]
    pub fn line(&self, name: &str) -> &str {
        self.find(name)
            .unwrap_or_else(|| panic!("{name}: {}\n{}", self.said, self.complaint))
    }
}
