//! Writing the document into the file that is there, where no other file can take its name: a mount of this one file, or a folder
//! that only others may write. A machine that dies in the middle would leave half a document; so both texts are kept beside it
//! until it is done, and the next start ends what was begun.

use std::{io, path::PathBuf};

use super::{Disk, Store, WriteError};

/// Whether a write failed because no file can get the name of another there.
pub(super) fn is_called_for(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ResourceBusy
            | io::ErrorKind::CrossesDevices
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
    )
}

impl<D: Disk> Store<D> {
    /// What the document was, and what it becomes. Both are there while it is neither.
    fn journal(&self) -> [PathBuf; 2] {
        ["replaced.json5", "replacing.json5"].map(|name| self.folder.join(name))
    }

    /// Writes the document in place of what stands in the file.
    pub(super) fn write_in_place(&self, before: &[u8], after: &[u8]) -> Result<(), WriteError> {
        let [replaced, replacing] = self.journal();
        self.replace(&replaced, before)?;
        self.replace(&replacing, after)?;
        let written = self.disk.overwrite(&self.document, after);
        // What was begun and failed is taken back; where that fails too, the next start ends it.
        if written.is_ok() || self.disk.overwrite(&self.document, before).is_ok() {
            let _ = self.forget_journal(); // left over, it is recognised as done
        }
        written.map_err(WriteError::at(&self.document))
    }

    /// Ends a write in place that a dying machine left half done. A file that somebody edited since is left as it is.
    pub(crate) fn end_write_in_place(&self) -> io::Result<()> {
        let [replaced, replacing] = self.journal();
        let (Some(before), Some(after)) = (self.disk.read(&replaced)?, self.disk.read(&replacing)?) else {
            return Ok(());
        };
        let found = self.disk.read(&self.document)?;
        if found.is_some_and(|found| is_between(&found, &before, &after)) {
            self.disk.overwrite(&self.document, &after)?;
            tracing::warn!("a change of the configuration that was cut off is made whole");
        }
        self.forget_journal()
    }

    fn forget_journal(&self) -> io::Result<()> {
        for path in self.journal() {
            self.disk.remove(&path)?;
        }
        self.disk.sync_folder(&self.folder)
    }
}

/// Whether a content is on the way from one to another: neither of them, and each byte is of one of them.
fn is_between(found: &[u8], before: &[u8], after: &[u8]) -> bool {
    found != before
        && found != after
        && found
            .iter()
            .enumerate()
            .all(|(place, byte)| before.get(place) == Some(byte) || after.get(place) == Some(byte))
}
