//! The writer thread: gathers jobs, runs each in a savepoint, commits them together, looks whether the files still have their
//! names, and answers.

use std::{
    error::Error as StdError,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::{
    Error,
    condition::{Condition, Fault, Side, fault},
    files::{Files, Since},
    open::BUSY_TIMEOUT,
    panicked, plans,
};

/// How long nothing is written before the files are looked at and the log is tidied up, where nobody tells what happens to them: a
/// lost file is to be known within a second. At the next write it is noticed in any case, before anything is acknowledged into it.
pub(super) const LOOK: Duration = Duration::from_millis(900);

/// The same where the kernel tells ([`super::signs`]); it does not see what another machine does to a file system of the network, and
/// not what becomes of the folders above.
pub(super) const LOOK_WATCHED: Duration = Duration::from_secs(30);

/// The same while the log is large, or something is wrong with a file: whoever mends it wants to see that it is mended.
const LOOK_SOON: Duration = Duration::from_millis(500);

/// A log of this size is moved into the database when nothing else is to be done. SQLite itself does so every 3,000 pages
/// (12 MiB), and can not while somebody reads an old state.
const WAL_BYTES_IDLE: u64 = 16 * 1024 * 1024;

/// The largest log. A reader that never ends keeps it from being moved into the database; without an end the disk would be
/// full one day, and that stops more than this database.
pub(super) const WAL_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Jobs that share one commit. More would only make the first of them wait longer.
const GROUP_JOBS: usize = 128;

/// A job, in two steps: `run` inside the transaction, or with the reason why there is none, and what to call with the commit's
/// outcome.
pub(super) struct Job {
    run: Box<Run>,
}

type Run = dyn FnOnce(Result<(&Transaction<'_>, &Condition), Error>) -> Ran + Send;
type Answer = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// What became of a job, before its commit.
struct Ran {
    /// Whether its savepoint is to be kept.
    keep: bool,
    answer: Answer,
    /// What its error says about the file.
    fault: Option<Fault>,
    /// Why its savepoint could not be ended, when it could not.
    ended: Option<rusqlite::Error>,
}

/// Why a group is not on the disk.
enum Lost {
    Sqlite(rusqlite::Error),
    Files(Fault),
}

impl Lost {
    /// The same error for each caller of the group.
    fn error(&self) -> Error {
        match self {
            Self::Sqlite(error) => Error::Sqlite(copy(error)),
            Self::Files(fault) => fault.clone().into(),
        }
    }
}

/// Packs a job with the place where its answer goes.
pub(super) fn job<T, E, F>(job: F) -> (Job, oneshot::Receiver<Result<T, E>>)
where
    T: Send + 'static,
    E: StdError + From<Error> + Send + 'static,
    F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let run = move |transaction: Result<(&Transaction<'_>, &Condition), Error>| {
        let (outcome, fault) = match transaction {
            Ok((transaction, condition)) => {
                let outcome = catch_unwind(AssertUnwindSafe(|| {
                    let outcome = job(transaction);
                    plans::check(transaction);
                    outcome
                }))
                .unwrap_or_else(|panic| Err(panicked(&*panic).into()));
                let fault = outcome.as_ref().err();
                let fault = fault.and_then(|error| condition.fault_in(error, Side::Write));
                (outcome, fault)
            }
            Err(error) => (Err(error.into()), None),
        };
        let keep = outcome.is_ok();
        let answer: Answer = Box::new(move |committed| {
            // A failed job has its own answer, whatever became of the commit.
            let _ = reply.send(outcome.and_then(|value| committed.map(|()| value).map_err(E::from)));
        });
        Ran {
            keep,
            answer,
            fault,
            ended: None,
        }
    };
    (Job { run: Box::new(run) }, answer)
}

/// The thread's state.
pub(super) struct Writer {
    connection: Connection,
    files: Files,
    condition: Arc<Condition>,
    bounds: Bounds,
}

/// What differs between databases.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The largest log.
    pub(super) wal_bytes: u64,
    /// How long the files of an idle and healthy database are not looked at.
    pub(super) look: Duration,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        files: Files,
        condition: Arc<Condition>,
        bounds: Bounds,
    ) -> Self {
        Self {
            connection,
            files,
            condition,
            bounds,
        }
    }

    /// Does jobs until nobody is left who could hand one over.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            let is_quiet = self.condition.current().is_none() && self.condition.wal_bytes() <= WAL_BYTES_IDLE;
            match jobs.recv_timeout(if is_quiet { self.bounds.look } else { LOOK_SOON }) {
                Ok(first) => {
                    let mut group = std::iter::once(first)
                        .chain(jobs.try_iter().take(GROUP_JOBS - 1))
                        .peekable();
                    while group.peek().is_some() {
                        self.commit(&mut group);
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if self.check(Since::LastCheck).is_err() {
            // Closing would remove the log, and in a file without a name nobody finds what was moved there.
            std::mem::forget(self.connection);
            return;
        }
        // Closing moves the WAL into the file, so that a copy of the file alone is whole.
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(%error, "the database did not close cleanly");
        }
    }

    /// Looks at the files while nothing is to be done, and tidies up.
    fn look(&mut self) {
        let condition = Arc::clone(&self.condition);
        let _writing = condition.writing();
        if self.check(Since::LastCheck).is_ok() && condition.wal_bytes() > WAL_BYTES_IDLE {
            self.checkpoint();
        }
    }

    fn check(&mut self, since: Since) -> Result<(), Fault> {
        let connection = &self.connection;
        match self.files.check(since, || log_is_empty(connection)) {
            Ok(wal_bytes) => {
                self.condition.set_wal_bytes(wal_bytes);
                self.condition.attached();
                Ok(())
            }
            Err(fault) => {
                self.condition.report(fault.clone());
                Err(fault)
            }
        }
    }

    /// Moves the log into the database, unless somebody reads an old state: nobody is waited for.
    fn checkpoint(&mut self) {
        let truncate = |()| {
            self.connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
        };
        let busy = self.connection.busy_timeout(Duration::ZERO).and_then(truncate);
        if let Err(error) = busy.and(self.connection.busy_timeout(BUSY_TIMEOUT)) {
            tracing::debug!(%error, "the log could not be moved into the database");
        }
        // Found by the check as any other fault.
        let _ = self.check(Since::Checkpoint);
    }

    /// Why nothing can be written now, found without writing.
    fn refusal(&mut self) -> Option<Fault> {
        if let Err(fault) = self.check(Since::LastCheck) {
            return Some(fault);
        }
        if self.condition.wal_bytes() > self.bounds.wal_bytes {
            self.checkpoint();
        }
        if self.condition.wal_bytes() <= self.bounds.wal_bytes {
            return None;
        }
        let path = self.condition.path().display();
        let fault = Fault::Unwritable(format!(
            "{path}-wal has reached its bound of {} MiB, because another program has kept {path} open for reading: end it \
             (`fuser {path}` names it)",
            self.bounds.wal_bytes >> 20
        ));
        self.condition.report(fault.clone());
        Some(fault)
    }

    /// Runs and commits a group, or as much of it as one transaction lives to see.
    fn commit(&mut self, group: &mut impl Iterator<Item = Job>) {
        let condition = Arc::clone(&self.condition);
        let _writing = condition.writing();
        if let Some(fault) = self.refusal() {
            return refuse(group, || fault.clone().into());
        }
        let before = self.connection.total_changes();
        let transaction = match self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
        {
            Ok(transaction) => transaction,
            Err(error) => {
                tracing::error!(%error, "a transaction could not be begun");
                if let Some(fault) = fault(condition.path(), &error, Side::Write) {
                    condition.report(fault);
                }
                return refuse(group, || Error::Sqlite(copy(&error)));
            }
        };
        let (mut answers, mut faults, mut lost) = (Vec::new(), Vec::new(), None);
        for job in group {
            let ran = run_in_savepoint(&transaction, job, &condition);
            answers.push(ran.answer);
            faults.extend(ran.fault);
            // A full disk and the like make SQLite roll back the whole transaction, not the statement alone
            // (sqlite.org/lang_transaction.html, 2.3). Going on would commit each further job by itself, unseen by the commit below.
            if transaction.is_autocommit() {
                lost = ran.ended.or_else(|| Some(rusqlite::Error::InvalidQuery));
                break;
            }
        }
        let committed = match lost {
            Some(error) => {
                tracing::error!(%error, "the database took back a whole group of jobs");
                drop(transaction);
                Err(Lost::Sqlite(error))
            }
            None => transaction.commit().map_err(|error| {
                faults.extend(fault(condition.path(), &error, Side::Write));
                Lost::Sqlite(error)
            }),
        };
        // What was committed into a file without a name is gone when this process is.
        let committed = committed.and_then(|()| self.check(Since::Commit).map_err(Lost::Files));
        // An empty commit writes nothing and proves nothing.
        if committed.is_ok() && self.connection.total_changes() > before {
            condition.committed();
        }
        faults.into_iter().for_each(|fault| condition.report(fault));
        for answer in answers {
            answer(committed.as_ref().copied().map_err(Lost::error));
        }
    }
}

/// Whether everything in the log has been moved into the database. Columns: busy, pages in the log, pages moved.
fn log_is_empty(connection: &Connection) -> bool {
    let pages = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(1));
    pages.is_ok_and(|pages| pages == 0)
}

fn refuse(group: &mut impl Iterator<Item = Job>, error: impl Fn() -> Error) {
    // Gathered before the first is answered: what comes after that is tried anew.
    for job in group.collect::<Vec<_>>() {
        ((job.run)(Err(error())).answer)(Ok(()));
    }
}

fn run_in_savepoint(transaction: &Transaction<'_>, job: Job, condition: &Condition) -> Ran {
    if let Err(error) = run_cached(transaction, "SAVEPOINT job") {
        let ran = (job.run)(Err(Error::Sqlite(copy(&error))));
        return Ran {
            ended: Some(error),
            ..ran
        };
    }
    let ran = (job.run)(Ok((transaction, condition)));
    let ended = if ran.keep {
        Ok(())
    } else {
        run_cached(transaction, "ROLLBACK TO job")
    };
    match ended.and_then(|()| run_cached(transaction, "RELEASE job")) {
        Ok(()) => ran,
        Err(error) => {
            let (told, answer) = (Error::Sqlite(copy(&error)), ran.answer);
            Ran {
                answer: Box::new(move |_| answer(Err(told))),
                ended: Some(error),
                ..ran
            }
        }
    }
}

/// Savepoints come with every job, so their statements are kept compiled.
fn run_cached(transaction: &Transaction<'_>, sql: &str) -> rusqlite::Result<()> {
    transaction.prepare_cached(sql)?.execute([]).map(drop)
}

/// SQLite's errors cannot be cloned.
fn copy(error: &rusqlite::Error) -> rusqlite::Error {
    match error {
        rusqlite::Error::SqliteFailure(code, words) => rusqlite::Error::SqliteFailure(*code, words.clone()),
        other => rusqlite::Error::ToSqlConversionFailure(other.to_string().into()),
    }
}
