//! Texts that stood in the file: each is kept when another takes its place, the newest of them for long.

use std::{io, path::Path};

use gatehouse_core::{Timestamp, hex};
use sha2::{Digest, Sha256};

use super::{Disk, Store, WriteError};

/// Former texts that are kept: at one change a day some weeks, and at most 200 MiB with documents of the longest length.
pub(crate) const HISTORY_MAX: usize = 50;

/// Digits of a revision in the name of its text.
const DIGITS: usize = 12;

/// A text that stood in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Former {
    /// The first digits of its hash.
    pub(crate) revision: String,
    /// When another took its place.
    pub(crate) replaced_at: Timestamp,
    /// Why.
    pub(crate) note: Option<String>,
    pub(crate) size_bytes: usize,
    name: String,
}

impl<D: Disk> Store<D> {
    /// Keeps a former text.
    pub(crate) fn keep(
        &self,
        previous: &[u8],
        time: Timestamp,
        note: Option<&str>,
    ) -> Result<(), WriteError> {
        let folder = self.history_path();
        let revision: String = hex::encode(&Sha256::digest(previous))
            .chars()
            .take(DIGITS)
            .collect();
        // A replaced text, then why it was replaced; the time in front makes the names sort by age.
        let name = format!("{:015}-{revision}", time.as_ms());
        self.replace(&folder.join(format!("{name}.json5")), previous)?;
        if let Some(note) = note {
            self.replace(&folder.join(format!("{name}.note")), note.as_bytes())?;
        }
        self.prune(&folder).map_err(WriteError::at(&folder))
    }

    fn prune(&self, folder: &Path) -> io::Result<()> {
        let mut names = self.disk.list(folder)?;
        names.sort();
        let texts: Vec<&String> = names.iter().filter(|name| name.ends_with(".json5")).collect();
        for name in texts.iter().take(texts.len().saturating_sub(HISTORY_MAX)) {
            self.disk.remove(&folder.join(name))?;
            let note = name.trim_end_matches("json5").to_owned() + "note";
            if names.contains(&note) {
                self.disk.remove(&folder.join(note))?;
            }
        }
        Ok(())
    }

    /// The kept texts, the newest first.
    pub(crate) fn history(&self) -> io::Result<Vec<Former>> {
        let folder = self.history_path();
        let mut names = self.disk.list(&folder)?;
        names.sort();
        let mut found = Vec::new();
        for name in names.iter().rev() {
            let parts = name.strip_suffix(".json5").and_then(|name| name.split_once('-'));
            let Some((Ok(replaced_at), revision)) =
                parts.map(|(time, revision)| (time.parse().map(Timestamp::from_ms), revision))
            else {
                continue; // somebody else's file
            };
            let Some(text) = self.disk.read(&folder.join(name))? else {
                continue;
            };
            let note = self.disk.read(&folder.join(name.replace(".json5", ".note")))?;
            found.push(Former {
                revision: revision.to_owned(),
                replaced_at,
                note: note.and_then(|note| String::from_utf8(note).ok()),
                size_bytes: text.len(),
                name: name.clone(),
            });
        }
        Ok(found)
    }

    /// The text of a kept revision.
    pub(crate) fn read_former(&self, former: &Former) -> io::Result<Option<String>> {
        self.read_text(&self.history_path().join(&former.name))
    }
}
