//! What keeps a database from taking or giving data, as real statements find it: one value that the threads of a database
//! report into and its owner's health follows.

use std::{
    error::Error as StdError,
    fmt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use prometheus_client::metrics::gauge::Gauge;
use rusqlite::{ErrorCode, ffi};
use tokio::sync::watch;

use super::Error;

/// A disk that takes nothing for so long hangs: new jobs are refused instead of queued behind it. A flush takes
/// milliseconds, and on a tired disk a second.
pub(super) const HUNG_AFTER: Duration = Duration::from_secs(5);

/// Why a database is not to be relied on. The text is for a person and ends with what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It cannot be written: over with the next commit.
    Unwritable(String),
    /// Its content cannot be read: over when a check finds nothing wrong.
    Damaged(String),
    /// A file of it has lost its name or its content: over when the very same file is back.
    Detached(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unwritable(text) | Self::Damaged(text) | Self::Detached(text)) = self;
        out.write_str(text)
    }
}

/// What the threads of one database report.
pub(super) struct Condition {
    path: PathBuf,
    fault: watch::Sender<Option<Fault>>,
    born: RealInstant,
    /// Milliseconds from `born` to when the writer began what it does, plus one; 0 while it waits for a job.
    writing_since: AtomicU64,
    wal_bytes: AtomicU64,
    /// The same for a collector.
    pub(super) wal_gauge: Gauge,
}

impl Condition {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            fault: watch::Sender::new(None),
            born: RealInstant::now(),
            writing_since: AtomicU64::new(0),
            wal_bytes: AtomicU64::new(0),
            wal_gauge: Gauge::default(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn watch(&self) -> watch::Receiver<Option<Fault>> {
        self.fault.subscribe()
    }

    pub(super) fn current(&self) -> Option<Fault> {
        self.fault.borrow().clone()
    }

    /// Reports a fault. One that is over only when the file is mended is not hidden behind one that the next commit ends.
    pub(super) fn report(&self, fault: Fault) {
        self.fault.send_if_modified(|current| {
            let hides =
                matches!((&*current, &fault), (Some(old), Fault::Unwritable(_)) if !matches!(old, Fault::Unwritable(_)));
            let changed = !hides && current.as_ref() != Some(&fault);
            if changed {
                tracing::error!(database.file = %self.path.display(), %fault, "the database is not to be relied on");
                *current = Some(fault);
            }
            changed
        });
    }

    /// A commit reached the disk.
    pub(super) fn committed(&self) {
        self.end(|fault| matches!(fault, Fault::Unwritable(_)));
    }

    /// A check found nothing wrong.
    pub(super) fn checked(&self) {
        self.end(|fault| matches!(fault, Fault::Damaged(_)));
    }

    /// Every file has its name and its content.
    pub(super) fn attached(&self) {
        self.end(|fault| matches!(fault, Fault::Detached(_)));
    }

    fn end(&self, over: impl Fn(&Fault) -> bool) {
        // Asked after every commit: nobody is woken and no lock for writing is taken while nothing is wrong.
        if self.fault.borrow().as_ref().is_some_and(&over) {
            self.fault.send_if_modified(|current| {
                let ends = current.as_ref().is_some_and(&over);
                if ends {
                    tracing::info!(database.file = %self.path.display(), "the database is well again");
                    *current = None;
                }
                ends
            });
        }
    }

    /// Says that the writer begins something that touches the disk, until the guard is dropped.
    pub(super) fn writing(&self) -> Writing<'_> {
        let since = self.born.elapsed_ms().saturating_add(1);
        self.writing_since.store(since, Ordering::Release);
        Writing(self)
    }

    /// How long the writer has been at what it does.
    pub(super) fn writing_for(&self) -> Duration {
        match self.writing_since.load(Ordering::Acquire) {
            0 => Duration::ZERO,
            since => Duration::from_millis(self.born.elapsed_ms().saturating_add(1).saturating_sub(since)),
        }
    }

    pub(super) fn set_wal_bytes(&self, bytes: u64) {
        self.wal_bytes.store(bytes, Ordering::Relaxed);
        self.wal_gauge.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    pub(super) fn wal_bytes(&self) -> u64 {
        self.wal_bytes.load(Ordering::Relaxed)
    }

    /// Looks into the error of a job for what it says about the file.
    pub(super) fn fault_in(&self, error: &(dyn StdError + 'static), side: Side) -> Option<Fault> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<rusqlite::Error>() {
                return fault(&self.path, error, side);
            }
            cause = error.source();
        }
        None
    }
}

/// Which side a statement failed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Read,
    Write,
}

pub(super) struct Writing<'a>(&'a Condition);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.writing_since.store(0, Ordering::Release);
    }
}

/// What an error of SQLite says about the file; most say something about the statement alone.
pub(super) fn fault(path: &Path, error: &rusqlite::Error, side: Side) -> Option<Fault> {
    let path = path.display();
    let extended = error.sqlite_error().map_or(0, |error| error.extended_code);
    let read_failed = matches!(
        extended,
        ffi::SQLITE_IOERR_READ | ffi::SQLITE_IOERR_SHORT_READ | ffi::SQLITE_IOERR_CORRUPTFS
    );
    match error.sqlite_error_code()? {
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
            Some(Fault::Damaged(damaged(&path, &error.to_string())))
        }
        ErrorCode::SystemIoFailure if read_failed || side == Side::Read => Some(Fault::Damaged(format!(
            "{path} cannot be read ({error}): look at the disk (`dmesg`), and restore a backup onto a good one"
        ))),
        ErrorCode::SystemIoFailure | ErrorCode::CannotOpen => Some(Fault::Unwritable(format!(
            "{path} cannot be written ({error}): look at its disk"
        ))),
        ErrorCode::DiskFull => Some(Fault::Unwritable(format!(
            "the disk that holds {path} is full: free some space on it"
        ))),
        // Readers are made unable to write: on their side it is a mistake of a statement.
        ErrorCode::ReadOnly if side == Side::Write => Some(Fault::Unwritable(format!(
            "{path} or its file system is read-only: make it writable again"
        ))),
        ErrorCode::DatabaseBusy if side == Side::Write => Some(Fault::Unwritable(format!(
            "another program holds the lock of {path}: end it (`fuser {path}` names it)"
        ))),
        _ => None,
    }
}

/// The words for a damaged file, with what to do.
pub(super) fn damaged(path: &impl fmt::Display, verdict: &str) -> String {
    format!(
        "{path} is damaged ({verdict}): stop, keep the file, and restore a backup with `gatehouse restore FILE`; without \
         one, `sqlite3 OLD .recover | sqlite3 NEW` saves what can be read"
    )
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Unusable(fault.to_string())
    }
}

/// A clock for threads that no paused test clock may stop: a hung disk is measured in real time.
struct RealInstant(std::time::Instant);

impl RealInstant {
    #[expect(
        clippy::disallowed_methods,
        reason = "the writer is a thread outside of the runtime, whose clock tests pause"
    )]
    fn now() -> Self {
        Self(std::time::Instant::now())
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
