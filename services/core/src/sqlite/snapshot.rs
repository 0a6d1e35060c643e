//! A copy of a database as it was at one moment, taken while it is in use.
//!
//! The moment is pinned by a read transaction and told before anything is copied, so that the moments of two databases can
//! be made one by whoever holds up what passes between them, for milliseconds only.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};
use tokio::sync::oneshot;

use super::{Database, Error, check, files::with_suffix, open};

/// What the name of a copy begins with, behind the database's own.
const INFIX: &str = ".snapshot-";

/// A copy in a file of its own beside the database. Dropping it removes the file.
#[derive(Debug)]
pub struct Snapshot {
    path: PathBuf,
}

impl Snapshot {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

impl Database {
    /// Copies the database as it is when `pinned` is told. It goes on working meanwhile.
    ///
    /// # Errors
    /// When it cannot be read or the copy cannot be written.
    pub async fn snapshot(&self, pinned: oneshot::Sender<()>) -> Result<Snapshot, Error> {
        let path = with_suffix(
            self.0.condition.path(),
            &format!("{INFIX}{}", uuid::Uuid::new_v4().simple()),
        );
        // On a connection that is open: it reads what was acknowledged, also when the file has lost its name.
        self.read(move |connection| {
            let snapshot = Snapshot { path };
            copy(connection, &snapshot.path, || pinned.send(()).unwrap_or_default())?;
            Ok(snapshot)
        })
        .await
    }
}

/// A database that no process has open, and that none can open until this is dropped.
#[derive(Debug)]
pub struct Closed {
    path: PathBuf,
    lock: File,
}

impl Closed {
    /// Takes its lock.
    ///
    /// # Errors
    /// When a process has it open.
    pub fn hold(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            path: path.to_owned(),
            lock: open::lock(path)?,
        })
    }

    /// Copies it.
    ///
    /// # Errors
    /// When it cannot be read, or the copy cannot be written.
    pub fn copy_to(&mut self, to: &Path) -> Result<(), Error> {
        check::expect_history(&self.path, &mut self.lock)?;
        check::header(&self.path)?;
        copy(&open::for_reading(&self.path)?, to, || ())
    }

    /// Notes that there is a database to be expected here, before it is put in place: until then no start makes a new one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn expect(&mut self) -> Result<(), Error> {
        check::mark(&mut self.lock).map_err(Error::File)
    }

    /// The files of it that exist: the database, its log and the log's index.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        ["", "-wal", "-shm"]
            .map(|suffix| with_suffix(&self.path, suffix))
            .into_iter()
            .filter(|path| path.exists())
            .collect()
    }
}

/// Looks at every page of a copy, and answers its schema.
///
/// # Errors
/// When it is damaged or no database.
pub fn check_copy(path: &Path) -> Result<usize, Error> {
    check::header(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let look = || -> Result<_, Error> {
        let connection = Connection::open_with_flags(path, flags)?;
        let schema = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        Ok((check::verdict(&connection)?, schema))
    };
    match look().map_err(|error| check::opened(path, error))? {
        (verdict, schema) if verdict == "ok" => Ok(schema),
        (verdict, _) => Err(Error::Unusable(format!(
            "{} is damaged: {verdict}",
            path.display()
        ))),
    }
}

/// Removes what a process that was killed while it copied has left.
pub(super) fn forget_leftovers(database: &Path) {
    let (Some(folder), Some(name)) = (database.parent(), database.file_name()) else {
        return;
    };
    let prefix = format!("{}{INFIX}", name.to_string_lossy());
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            drop(fs::remove_file(entry.path()));
        }
    }
}

fn copy(from: &Connection, to: &Path, pinned: impl FnOnce()) -> Result<(), Error> {
    open::make_private_file(to)?;
    let reading = from.unchecked_transaction()?;
    // The transaction begins with its first statement.
    reading.query_row("PRAGMA schema_version", [], |_| Ok(()))?;
    pinned();
    let mut copy = Connection::open(to)?;
    // A copy that is not finished is thrown away: nothing of it needs to survive a crash.
    copy.pragma_update(None, "synchronous", false)?;
    match Backup::new(&reading, &mut copy)?.step(-1)? {
        StepResult::Done => Ok(()),
        _ => Err(Error::Busy), // somebody else writes into the copy
    }
}

fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        // Most of them do not exist.
        let _ = fs::remove_file(with_suffix(path, suffix));
    }
}
