//! A write that failed, in words for whoever asked for it.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// What could not be written, and why.
#[derive(Debug)]
pub struct WriteError {
    path: PathBuf,
    source: io::Error,
}

impl WriteError {
    pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { path, source }
    }

    /// Whether there is no room.
    pub(crate) fn is_full(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be written: ", self.path.display())?;
        match self.source.kind() {
            io::ErrorKind::ReadOnlyFilesystem => f.write_str(
                "it is on a read-only mount; mount it writable, or make the change where it is mounted from",
            ),
            io::ErrorKind::PermissionDenied => f.write_str(
                "the user that the gateway runs as may not write there; give the file and its folder to that user, or make \
                 the change as another",
            ),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                f.write_str("the disk is full; make room, and make the change again")
            }
            io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices => f.write_str(
                "it is mounted by itself and cannot be replaced; mount its folder, or make the change where it is mounted from",
            ),
            io::ErrorKind::NotFound => {
                f.write_str("its folder is gone; put it back, and make the change again")
            }
            _ => write!(f, "{}", self.source),
        }
    }
}

impl std::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl From<WriteError> for io::Error {
    fn from(error: WriteError) -> Self {
        Self::new(error.source.kind(), error)
    }
}
