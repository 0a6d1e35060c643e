//! The files of a database as they have to be found on the disk: the ones that were opened, under their names, with all of
//! their content. Whoever deletes, empties or replaces one while it is in use takes away what is acknowledged into it.
//!
//! SQLite itself does not notice: it goes on with the open file, which is gone when the process ends.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::condition::Fault;

/// The database, its log and the log's index, with what was last known of each. One thread looks: the writer, which is
/// also the only one that makes a file shorter.
#[derive(Debug)]
pub(super) struct Files {
    database: File,
    wal: File,
    index: File,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    device: u64,
    inode: u64,
    bytes_min: u64,
}

impl Files {
    /// Remembers the files of a database that is open.
    pub(super) fn of(database: &Path) -> io::Result<Self> {
        Ok(Self {
            database: File::of(database.to_owned())?,
            wal: File::of(with_suffix(database, "-wal"))?,
            index: File::of(with_suffix(database, "-shm"))?,
        })
    }

    /// Compares, and answers how long the log is. `log_is_empty` is asked when the log has become empty without us.
    pub(super) fn check(&mut self, since: Since, log_is_empty: impl FnOnce() -> bool) -> Result<u64, Fault> {
        // Pages are only ever added to the database (no VACUUM in place), and the index grows with the log.
        self.database.check()?;
        self.index.check()?;
        match since {
            Since::LastCheck => {}
            // A commit begins the log anew once all of it is in the database, and SQLite cuts it then.
            Since::Commit => self.wal.bytes_min = self.wal.bytes_min.min(WAL_HEADER_BYTES),
            Since::Checkpoint => self.wal.bytes_min = 0,
        }
        match self.wal.check() {
            // A tool of the operator may have moved the log into the database in the proper way.
            Err(_) if self.wal.is_empty() && log_is_empty() => {
                self.wal.bytes_min = 0;
                Ok(0)
            }
            checked => checked,
        }
    }
}

/// What our own process has done since the last look.
#[derive(Clone, Copy, Debug)]
pub(super) enum Since {
    /// Nothing.
    LastCheck,
    /// Committed.
    Commit,
    /// Moved the log into the database.
    Checkpoint,
}

/// sqlite.org/fileformat2.html, 4.1: a log that holds anything has its header.
const WAL_HEADER_BYTES: u64 = 32;

impl File {
    fn of(path: PathBuf) -> io::Result<Self> {
        let found = fs::metadata(&path)?;
        Ok(Self {
            path,
            device: found.dev(),
            inode: found.ino(),
            bytes_min: found.len(),
        })
    }

    fn is_empty(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|found| found.len() == 0 && found.ino() == self.inode)
    }

    fn check(&mut self) -> Result<u64, Fault> {
        let what = match fs::metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) != (self.device, self.inode) => "was replaced",
            Ok(found) if found.len() < self.bytes_min => {
                return Err(Fault::Detached(format!(
                    "{} was cut to {} bytes while it was in use: stop, and restore a backup with `gatehouse restore FILE`",
                    self.path.display(),
                    found.len()
                )));
            }
            Ok(found) => {
                self.bytes_min = found.len();
                return Ok(self.bytes_min);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => "was deleted",
            Err(error) => {
                return Err(Fault::Detached(format!(
                    "{} cannot be looked at ({error}): look at its disk and its rights",
                    self.path.display()
                )));
            }
        };
        Err(Fault::Detached(format!(
            "{} {what} while it was in use, and nothing more is accepted into it: save what the open file holds with \
             `gatehouse backup FILE`, stop, and `gatehouse restore FILE`",
            self.path.display()
        )))
    }
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
