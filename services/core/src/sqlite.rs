//! A SQLite file that one process owns.
//!
//! One writer thread commits in groups: while a commit waits for the disk, the next jobs gather and share the next one, so that
//! `synchronous=FULL` costs one flush for many callers. Readers stand beside it on connections that cannot write. A job's
//! answer is sent after the commit that holds it: what was answered is on the disk, in a file that still has its name.
//!
//! What real statements find out about the file is its [`Fault`]; [`keep_health`] makes it the health of the process.

mod check;
mod condition;
mod files;
mod health;
mod meters;
mod open;
mod plans;
mod signs;
mod snapshot;
mod writer;

use std::{
    any::Any,
    error::Error as StdError,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use rusqlite::{Connection, ErrorCode, Transaction};
use tokio::sync::{oneshot, watch};

pub use self::{
    check::look,
    condition::Fault,
    health::{Timing, keep_health},
    snapshot::{Closed, Snapshot, check_copy},
};
use self::{
    condition::{Condition, HUNG_AFTER, Side},
    files::Files,
    meters::Meters,
    signs::{Hearing, Signs},
    writer::Writer,
};
use crate::{
    error::Kind,
    store::{self, Trouble},
};

/// Jobs that may wait for the writer: several full groups. More means that the disk is away; callers are told at once.
const WRITE_QUEUE_JOBS: usize = 1024;

/// Jobs that may wait for a reader.
const READ_QUEUE_JOBS: usize = 1024;

/// Reader threads: one can be busy with a long page while the other answers short questions.
const READERS: usize = 2;

/// What can go wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has it.
    #[error("{0} is open in another process: one process owns a database")]
    Locked(String),
    /// It was written by a newer version.
    #[error(
        "{path} has schema {found}, this program knows up to {known}: start the newer version, or restore the copy made before it"
    )]
    Newer {
        /// The file.
        path: String,
        /// Its schema.
        found: usize,
        /// Ours.
        known: usize,
    },
    /// It was here, and is not any more.
    #[error(
        "{path} is missing or empty, although it has been in use: put it back or restore a backup with `gatehouse restore \
         FILE`; to begin anew on purpose, remove {mark} as well"
    )]
    Missing {
        /// The file.
        path: String,
        /// What says that it has been in use.
        mark: String,
    },
    /// It cannot be relied on: why, and what to do.
    #[error("{0}")]
    Unusable(String),
    /// The disk does not answer.
    #[error("the disk that holds the database has not answered for {} s", HUNG_AFTER.as_secs())]
    Hung,
    /// A file operation failed.
    #[error("the database file cannot be used")]
    File(#[source] std::io::Error),
    /// SQLite failed.
    #[error("the database failed")]
    Sqlite(#[from] rusqlite::Error),
    /// Too many jobs wait.
    #[error("the database is busy")]
    Busy,
    /// The threads are gone.
    #[error("the database is closed")]
    Closed,
    /// A job panicked and was rolled back.
    #[error("a database job panicked")]
    Panicked,
}

impl Error {
    /// What it means to a caller.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Busy => Kind::Exhausted,
            Self::Closed
            | Self::Locked(_)
            | Self::File(_)
            | Self::Missing { .. }
            | Self::Unusable(_)
            | Self::Hung => Kind::Unavailable,
            Self::Newer { .. } | Self::Panicked => Kind::Internal,
            Self::Sqlite(error) => match error.sqlite_error_code() {
                Some(
                    ErrorCode::DiskFull
                    | ErrorCode::ReadOnly
                    | ErrorCode::CannotOpen
                    | ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseCorrupt
                    | ErrorCode::NotADatabase
                    | ErrorCode::SystemIoFailure,
                ) => Kind::Unavailable,
                _ => Kind::Internal,
            },
        }
    }
}

impl From<Error> for store::Error {
    fn from(error: Error) -> Self {
        let trouble = error.trouble();
        Self::new(error.kind(), error).with_trouble(trouble)
    }
}

impl Error {
    /// What a caller can be told of it.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        Some(match self {
            Self::Hung => Trouble::DiskHung,
            Self::File(_) => Trouble::DiskFails,
            Self::Missing { .. } | Self::Unusable(_) => Trouble::Detached,
            Self::Sqlite(error) => match error.sqlite_error_code()? {
                ErrorCode::DiskFull => Trouble::DiskFull,
                ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::SystemIoFailure => {
                    Trouble::DiskFails
                }
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Trouble::Damaged,
                _ => return None,
            },
            Self::Newer { .. } | Self::Locked(_) | Self::Busy | Self::Closed | Self::Panicked => return None,
        })
    }
}

type ReadJob = Box<dyn FnOnce(&Connection) + Send>;

/// An open database. Clones share it; dropping the last one does what waits, ends the threads and closes the file.
#[derive(Clone, Debug)]
pub struct Database(Arc<Shared>);

struct Shared {
    // Gone only while this is dropped.
    writer: Option<Arc<SyncSender<writer::Job>>>,
    readers: Option<SyncSender<ReadJob>>,
    threads: Vec<JoinHandle<()>>,
    steps: plans::Steps,
    condition: Arc<Condition>,
    meters: Meters,
    /// What hears of changes to the files, where the system can tell.
    hearing: Option<Hearing>,
    // Held until the threads are gone: the kernel lets go of it even when the process is killed.
    _lock: std::fs::File,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Shared")
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let join = |thread: JoinHandle<()>| {
            // A job may hold the last handle; its own thread cannot wait for itself.
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        };
        self.hearing = None;
        // The writer, which is the first, goes last: only the last connection moves the log into the file, and readers cannot.
        self.readers = None;
        self.threads.drain(1..).for_each(join);
        self.writer = None;
        self.threads.drain(..).for_each(join);
    }
}

impl Database {
    /// Opens or makes the file, brings its schema up to date, and owns it until it is dropped.
    ///
    /// Migration N brings schema N to N + 1. A database that already has data is copied beside itself before it is migrated.
    ///
    /// # Errors
    /// When another process owns it, when it is newer than this program, or when it cannot be opened.
    pub fn open(path: &Path, migrations: &'static [&'static str]) -> Result<Self, Error> {
        let opened = Self::open_bounded(path, migrations, writer::WAL_BYTES_MAX);
        opened.map_err(|error| match error {
            // Whoever reads it knows neither which file nor whose.
            Error::File(error) => Error::Unusable(format!(
                "{} cannot be opened ({error}): see that it is a file of yours on a disk that is well, or restore a backup with \
                 `gatehouse restore FILE`",
                path.display()
            )),
            other => other,
        })
    }

    fn open_bounded(
        path: &Path,
        migrations: &'static [&'static str],
        wal_bytes_max: u64,
    ) -> Result<Self, Error> {
        let mut lock = open::lock(path)?;
        check::expect_history(path, &mut lock)?;
        check::header(path)?;
        snapshot::forget_leftovers(path);
        let mut connection = open::for_writing(path).map_err(|error| check::opened(path, error))?;
        check::pages(path, &connection)?;
        open::migrate(&mut connection, path, migrations).map_err(|error| check::opened(path, error))?;
        check::mark(&mut lock).map_err(Error::File)?;
        let steps = plans::Steps::default();
        plans::watch(&connection, &steps);
        let condition = Arc::new(Condition::new(path));
        let (queue, jobs) = sync_channel(WRITE_QUEUE_JOBS);
        let queue = Arc::new(queue);
        let files = Files::of(path).map_err(Error::File)?;
        let signs = Signs::of(path).inspect_err(|error| {
            tracing::debug!(%error, "the files of the database are looked at every second: they cannot be watched");
        });
        let bounds = writer::Bounds {
            wal_bytes: wal_bytes_max,
            look: if signs.is_ok() {
                writer::LOOK_WATCHED
            } else {
                writer::LOOK
            },
        };
        let writer = Writer::new(connection, files, Arc::clone(&condition), bounds);
        let mut threads = vec![spawn("sqlite-write".into(), move || writer.run(&jobs))?];
        let readers = spawn_readers(path, &mut threads, &steps)?;
        let hearing = signs
            .ok()
            .map(|signs| signs.hear(look_at_files(&queue)))
            .transpose();
        Ok(Self(Arc::new(Shared {
            writer: Some(queue),
            readers: Some(readers),
            threads,
            steps,
            condition,
            meters: Meters::new(WRITE_QUEUE_JOBS),
            hearing: hearing.map_err(Error::File)?,
            _lock: lock,
        })))
    }

    /// What is wrong with the database, as it changes.
    #[must_use]
    pub fn faults(&self) -> watch::Receiver<Option<Fault>> {
        self.0.condition.watch()
    }

    /// Adds the size of the log, and how it is to write, to a registry of metrics.
    pub fn register(&self, registry: &mut prometheus_client::registry::Registry) {
        registry.register(
            "gatehouse_database_wal_bytes",
            "Size of the database's write-ahead log; it grows while somebody reads an old state",
            self.0.condition.wal_gauge.clone(),
        );
        self.0.meters.register(registry);
    }

    /// Runs a job that writes, and answers when it is on the disk. A job that fails or panics leaves nothing behind.
    ///
    /// # Errors
    /// What the job answers, or what befell the database.
    ///
    /// # Cancel safety
    /// A job that was handed over is done even if the caller goes away.
    pub async fn write<T, E, F>(&self, job: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: StdError + From<Error> + Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    {
        // Nobody waits behind a disk that does not answer: they are told, and try again.
        if self.0.condition.writing_for() >= HUNG_AFTER {
            return Err(Error::Hung.into());
        }
        self.submit(job).await
    }

    async fn submit<T, E, F>(&self, job: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: StdError + From<Error> + Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    {
        let (job, answer) = writer::job(job);
        let _writes = self.0.meters.write();
        self.0
            .writer
            .as_ref()
            .ok_or(Error::Closed)?
            .try_send(job)
            .map_err(busy)?;
        answer.await.unwrap_or_else(|_| Err(Error::Closed.into()))
    }

    /// Runs a job that reads. It sees everything that was answered before.
    ///
    /// # Errors
    /// What the job answers, or what befell the database.
    pub async fn read<T, E, F>(&self, job: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: StdError + From<Error> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let condition = Arc::clone(&self.0.condition);
        let job: ReadJob = Box::new(move |connection| {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let outcome = job(connection);
                plans::check(connection);
                outcome
            }))
            .unwrap_or_else(|panic| Err(panicked(&*panic).into()));
            if let Some(fault) = outcome
                .as_ref()
                .err()
                .and_then(|error| condition.fault_in(error, Side::Read))
            {
                condition.report(fault);
            }
            // Before the answer: the clone held by this job must not outlive the database's last handle.
            drop(condition);
            let _ = reply.send(outcome);
        });
        self.0
            .readers
            .as_ref()
            .ok_or(Error::Closed)?
            .try_send(job)
            .map_err(busy)?;
        answer.await.unwrap_or_else(|_| Err(Error::Closed.into()))
    }

    /// Writes something and takes it back: proof that the disk takes what is acknowledged.
    ///
    /// # Errors
    /// When it does not.
    pub async fn probe(&self) -> Result<(), Error> {
        self.submit(|transaction| {
            transaction.execute_batch(
                "CREATE TABLE IF NOT EXISTS gatehouse_probe (id INTEGER PRIMARY KEY, count INTEGER NOT NULL);
                 INSERT INTO gatehouse_probe VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET count = count + 1;",
            )?;
            Ok(())
        })
        .await
    }

    /// How much this database worked since it was opened, in steps of SQLite's machine; 0 in release builds. Tests compare
    /// what an operation costs on a young database and on an old one.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.0.steps.count()
    }

    /// Asks SQLite to look at every page, and ends the fault of a damaged file when it finds nothing.
    ///
    /// # Errors
    /// When it finds something wrong or cannot look.
    pub async fn check_integrity(&self) -> Result<(), Error> {
        let verdict = self
            .read(|connection| Ok::<_, Error>(check::verdict(connection)?))
            .await?;
        if verdict == "ok" {
            self.0.condition.checked();
            return Ok(());
        }
        let path = self.0.condition.path().display();
        let fault = Fault::Damaged(condition::damaged(&path, &verdict));
        self.0.condition.report(fault.clone());
        Err(fault.into())
    }
}

fn spawn_readers(
    path: &Path,
    threads: &mut Vec<JoinHandle<()>>,
    steps: &plans::Steps,
) -> Result<SyncSender<ReadJob>, Error> {
    let (queue, jobs) = sync_channel::<ReadJob>(READ_QUEUE_JOBS);
    let jobs = Arc::new(Mutex::new(jobs));
    for reader in 0..READERS {
        let connection = open::for_reading(path)?;
        // SQLite opens the log with the first statement; by then its name may lead elsewhere.
        connection.query_row("PRAGMA schema_version", [], |_| Ok(()))?;
        plans::watch(&connection, steps);
        let jobs = Arc::clone(&jobs);
        let run = move || loop {
            let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(job) = next else { return };
            job(&connection);
        };
        threads.push(spawn(format!("sqlite-read-{reader}"), run)?);
    }
    Ok(queue)
}

fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    std::thread::Builder::new()
        .name(name)
        .spawn(run)
        .map_err(Error::File)
}

fn busy<J>(error: std::sync::mpsc::TrySendError<J>) -> Error {
    match error {
        std::sync::mpsc::TrySendError::Full(_) => Error::Busy,
        std::sync::mpsc::TrySendError::Disconnected(_) => Error::Closed,
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let words = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = words, "a database job panicked");
    Error::Panicked
}

/// Makes the writer look at the files. Keeps neither the database nor the writer.
fn look_at_files(queue: &Arc<SyncSender<writer::Job>>) -> impl Fn() + Send + 'static {
    let queue = Arc::downgrade(queue);
    move || {
        if let Some(queue) = queue.upgrade() {
            let (look, _) = writer::job(|_| Ok::<_, Error>(()));
            let _a_busy_writer_looks_anyway = queue.try_send(look);
        }
    }
}

#[cfg(test)]
mod tests;
