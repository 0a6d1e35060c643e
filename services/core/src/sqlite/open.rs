//! Opening: the lock, the pragmas, the migrations.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::Error;
use crate::address::make_private_folder;

/// A reader waits this long for a checkpoint to let it in.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Statements that are kept compiled, for each connection.
const STATEMENTS: usize = 128;

/// Pages of the log (4 KiB each) after which SQLite moves it into the database: 12 MiB, less than a log that is taken for large
/// ([`super::writer`]). With its own 1,000 a busy writer spent a tenth of its time on this, and wrote pages again and again that each
/// commit changes.
const CHECKPOINT_PAGES: i64 = 3_000;

/// Takes the kernel's lock on `<path>.lock`. A killed process leaves the file but not the lock.
pub(super) fn lock(path: &Path) -> Result<File, Error> {
    make_private_folder(path).map_err(Error::File)?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(beside(path, "lock"))
        .map_err(Error::File)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked(path.display().to_string())),
        Err(TryLockError::Error(error)) => Err(Error::File(error)),
    }
}

pub(super) fn for_writing(path: &Path) -> Result<Connection, Error> {
    make_private_file(path)?;
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    // What a savepoint may have to take back is kept in memory. Beyond 64 KiB it went into a file that was made and removed with every
    // commit, and half of what was written was this.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // A WAL that grew in a burst is cut back to this many bytes at the next checkpoint.
    connection.pragma_update(None, "journal_size_limit", 16 * 1024 * 1024)?;
    Ok(connection)
}

pub(super) fn for_reading(path: &Path) -> Result<Connection, Error> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "query_only", true)?;
    // Half of SQLite's default. The kernel has the pages as well, and a first page of history touches a few dozen; two services
    // with two readers each fill theirs within the first hours and never give them back.
    connection.pragma_update(None, "cache_size", -1024)?;
    Ok(connection)
}

pub(super) fn migrate(connection: &mut Connection, path: &Path, migrations: &[&str]) -> Result<(), Error> {
    let found: usize = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = migrations.len();
    if found > known {
        return Err(Error::Newer {
            path: path.display().to_string(),
            found,
            known,
        });
    }
    if found > 0 && found < known {
        let copy = beside(path, &format!("before-{known}"));
        let _ = fs::remove_file(&copy);
        make_private_file(&copy)?;
        connection.execute("VACUUM INTO ?1", [copy.to_string_lossy()])?;
        tracing::info!(copy = %copy.display(), from = found, to = known, "copied the database before migrating it");
    }
    if found < known {
        // All or none: a process killed in between would else find a half migrated file, and copy that over the good copy.
        let transaction = connection.transaction()?;
        for migration in migrations.iter().skip(found) {
            transaction.execute_batch(migration)?;
        }
        transaction.pragma_update(None, "user_version", known)?;
        transaction.commit()?;
    }
    Ok(())
}

/// SQLite would make the file readable by all: it is made here, and only then given to SQLite.
pub(super) fn make_private_file(path: &Path) -> Result<(), Error> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(Error::File)?;
    Ok(())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}
