//! Looking at a file before it is served: that it is there when it should be, that it is a database, and that it is whole.

use std::{
    fs,
    io::{self, Read, Write},
    path::Path,
    sync::mpsc::{RecvTimeoutError, channel},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{Error, condition::damaged, files::with_suffix};

/// How long a start may look at every page: some hundred megabytes. The rest of a larger file is found by the statements
/// that meet it.
const QUICK_CHECK: Duration = Duration::from_secs(1);

/// How every database begins (sqlite.org/fileformat2.html, 1.3).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What the lock file holds once a database has been in use: its presence beside an absent database says that one is missing.
const MARK: &str = "The database beside this file has been in use. To begin anew on purpose, remove both.\n";

/// Refuses an absent or empty database where one has been. Nothing is opened before: SQLite removes a log whose database is
/// empty, and that log may be all that is left. (It writes the first page as soon as a file becomes a database, so one
/// that has been in use is never empty by itself.)
pub(super) fn expect_history(path: &Path, lock: &mut fs::File) -> Result<(), Error> {
    let mut mark = String::new();
    // Whatever it says: an unreadable mark is a mark.
    let marked = !matches!(lock.read_to_string(&mut mark), Ok(0));
    let empty = fs::metadata(path).map_or(0, |found| found.len()) == 0;
    if marked && empty {
        return Err(Error::Missing {
            path: path.display().to_string(),
            mark: with_suffix(path, ".lock").display().to_string(),
        });
    }
    Ok(())
}

/// Remembers that the database has been in use.
pub(super) fn mark(lock: &mut fs::File) -> io::Result<()> {
    if lock.metadata()?.len() == 0 {
        lock.write_all(MARK.as_bytes())?;
        lock.sync_all()?;
    }
    Ok(())
}

/// Looks at the first page: a file that is none of ours, or that was cut, is told without reading it all.
pub(super) fn header(path: &Path) -> Result<(), Error> {
    let mut head = [0; 100];
    let (mut file, bytes) = match fs::File::open(path).and_then(|file| Ok((file.metadata()?.len(), file))) {
        Ok((bytes, file)) => (file, bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::File(error)),
    };
    if bytes == 0 {
        return Ok(());
    }
    let refuse = |verdict: &str| Err(Error::Unusable(damaged(&path.display(), verdict)));
    match file.read_exact(&mut head) {
        Ok(()) if head.starts_with(MAGIC) => {}
        Ok(()) => return refuse("it does not begin as a database does"),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return refuse("it is cut short"),
        Err(error) => return Err(Error::File(error)),
    }
    let number = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let page_bytes = match u16::from_be_bytes([head[16], head[17]]) {
        1 => 65_536,
        bytes => u64::from(bytes),
    };
    // The count of pages counts only while both change counters agree, and pages may still stand in the log alone.
    let counted = number(24) == number(92);
    let logged = fs::metadata(with_suffix(path, "-wal")).is_ok_and(|wal| wal.len() > 0);
    if counted && !logged && u64::from(number(28)) * page_bytes > bytes {
        return refuse("it is cut short");
    }
    Ok(())
}

/// Looks at every page, as far as the time allows.
pub(super) fn pages(path: &Path, connection: &Connection) -> Result<(), Error> {
    match within(connection, QUICK_CHECK, || verdict(connection)) {
        Ok(verdict) if verdict == "ok" => Ok(()),
        Ok(verdict) => Err(Error::Unusable(damaged(&path.display(), &verdict))),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            tracing::info!(database.file = %path.display(), limit = ?QUICK_CHECK, "a large database was looked at in part");
            Ok(())
        }
        Err(error) => Err(opened(path, error.into())),
    }
}

/// Looks at a database that somebody else may have open, without writing: whether it is one, and whole, as far as a second allows.
///
/// # Errors
/// What is wrong with it.
pub fn look(path: &Path) -> Result<(), Error> {
    header(path)?;
    // Without a log nobody has it open, and it is read as it is: SQLite would make files beside it.
    let has_log = fs::metadata(with_suffix(path, "-wal")).is_ok_and(|log| log.len() > 0);
    let mode = if has_log { "mode=ro" } else { "immutable=1" };
    let path_text = path.to_string_lossy();
    let escaped = path_text
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(format!("file:{escaped}?{mode}"), flags);
    let connection = connection.map_err(|error| opened(path, error.into()))?;
    pages(path, &connection)
}

/// One line: `ok`, or the first thing that is wrong.
pub(super) fn verdict(connection: &Connection) -> Result<String, rusqlite::Error> {
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok(verdict.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Runs statements that are interrupted after a while.
fn within<T>(connection: &Connection, limit: Duration, run: impl FnOnce() -> T) -> T {
    let interrupt = connection.get_interrupt_handle();
    let (done, ended) = channel::<()>();
    std::thread::scope(|threads| {
        threads.spawn(move || {
            if let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(limit) {
                interrupt.interrupt();
            }
        });
        let outcome = run();
        drop(done);
        outcome
    })
}

/// An error of the first statements: about a damaged file more is said than SQLite says.
pub(super) fn opened(path: &Path, error: Error) -> Error {
    match error {
        Error::Sqlite(error)
            if matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            ) =>
        {
            Error::Unusable(damaged(&path.display(), &error.to_string()))
        }
        other => other,
    }
}
