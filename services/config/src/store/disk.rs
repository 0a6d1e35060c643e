//! The few operations on files that the store needs, so that a test can let the machine die between any two of them.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, lchown},
    path::{Path, PathBuf},
};

use gatehouse_core::{NamedFile, ReadError, private};

use crate::text::DOCUMENT_BYTES_MAX;

/// Operations on files.
pub(crate) trait Disk: Send + 'static {
    /// Makes a folder for its owner alone, and those above it.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// The content of a file. `None` when there is none.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>>;
    /// The permission bits of a file. `None` when there is none.
    fn mode(&self, path: &Path) -> io::Result<Option<u32>>;
    /// Where a link leads; other paths as they are.
    fn resolve(&self, path: &Path) -> PathBuf;
    /// Writes a new or truncated file and flushes it to the disk.
    fn write(&self, path: &Path, content: &[u8], mode: u32) -> io::Result<()>;
    /// Makes this the whole content of a file that is there, and flushes it to the disk. Without room it fails before anything that
    /// stood there is overwritten.
    fn overwrite(&self, path: &Path, content: &[u8]) -> io::Result<()>;
    /// Gives a file the owner and the group of another, as far as this process may: it has neither where it may not.
    fn give_owner(&self, file: &Path, of: &Path);
    /// Gives a file another name, which may be in use.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Flushes the names of a folder to the disk.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// Takes a file away, if it is there.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// The names in a folder.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
}

/// The disk of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Real;

impl Disk for Real {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        private::create_folder(path)
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        // Not as a file is opened otherwise: a FIFO in its place would hold us up for ever, and every later change with us.
        let file = match NamedFile::anywhere(path).open() {
            Ok((file, _)) => file,
            Err(ReadError::Open(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(ReadError::Open(error)) => return Err(error),
            Err(other) => return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it {other}"))),
        };
        // One byte more than a document may have: the reader then sees that it is too long.
        let most = u64::try_from(DOCUMENT_BYTES_MAX)
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        let mut content = Vec::new();
        file.take(most).read_to_end(&mut content)?;
        Ok(Some(content))
    }

    fn mode(&self, path: &Path) -> io::Result<Option<u32>> {
        match fs::metadata(path) {
            Ok(facts) => Ok(Some(facts.permissions().mode() & 0o777)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn resolve(&self, path: &Path) -> PathBuf {
        fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
    }

    fn write(&self, path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(path)?;
        file.set_permissions(Permissions::from_mode(mode))?; // a left-over of a crash keeps its own mode otherwise
        file.write_all(content)?;
        file.sync_all()
    }

    fn overwrite(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is not a regular file",
            ));
        }
        let file = OpenOptions::new().write(true).open(path)?;
        let before = file.metadata()?.len();
        let kept = usize::try_from(before).unwrap_or(usize::MAX).min(content.len());
        let (first, more) = content.split_at(kept);
        // What needs room goes first: it is behind what stood there, and can be cut off again.
        if let Err(error) = file.write_all_at(more, before) {
            let _ = file.set_len(before);
            return Err(error);
        }
        file.write_all_at(first, 0)?;
        file.set_len(u64::try_from(content.len()).unwrap_or(u64::MAX))?;
        file.sync_all()
    }

    fn give_owner(&self, file: &Path, of: &Path) {
        let (Ok(ours), Ok(theirs)) = (fs::metadata(file), fs::metadata(of)) else {
            return;
        };
        if (ours.uid(), ours.gid()) != (theirs.uid(), theirs.gid())
            && lchown(file, Some(theirs.uid()), Some(theirs.gid())).is_err()
        {
            let _ = lchown(file, None, Some(theirs.gid())); // only root gives files away; a group of its own anybody may give
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        fs::read_dir(path)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }
}
