//! The writer thread: gathers jobs, runs each in a savepoint, commits them together, and answers after the commit.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::Receiver,
};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::{Error, panicked, plans};

/// Jobs that share one commit. More would only make the first of them wait longer.
const GROUP_JOBS: usize = 128;

/// A job, in two steps: `run` inside the transaction, or with the reason why there is none, and what to call with the commit's
/// outcome. `run` answers whether its savepoint is to be kept.
pub(super) struct Job {
    run: Box<Run>,
}

type Run = dyn FnOnce(Result<&Transaction<'_>, Error>) -> (bool, Answer) + Send;
type Answer = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// Packs a job with the place where its answer goes.
pub(super) fn job<T, E, F>(job: F) -> (Job, oneshot::Receiver<Result<T, E>>)
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
    F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let run = move |transaction: Result<&Transaction<'_>, Error>| {
        let outcome = match transaction {
            Ok(transaction) => catch_unwind(AssertUnwindSafe(|| {
                let outcome = job(transaction);
                plans::check(transaction);
                outcome
            }))
            .unwrap_or_else(|panic| Err(panicked(&*panic).into())),
            Err(error) => Err(error.into()),
        };
        let keep = outcome.is_ok();
        let answer: Answer = Box::new(move |committed| {
            // A failed job has its own answer, whatever became of the commit.
            let _ = reply.send(outcome.and_then(|value| committed.map(|()| value).map_err(E::from)));
        });
        (keep, answer)
    };
    (Job { run: Box::new(run) }, answer)
}

pub(super) fn run(mut connection: Connection, jobs: &Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let mut group = std::iter::once(first)
            .chain(jobs.try_iter().take(GROUP_JOBS - 1))
            .peekable();
        while group.peek().is_some() {
            commit(&mut connection, &mut group);
        }
    }
    // Closing moves the WAL into the file, so that a copy of the file alone is whole.
    if let Err((_, error)) = connection.close() {
        tracing::warn!(%error, "the database did not close cleanly");
    }
}

/// Runs and commits a group, or as much of it as one transaction lives to see.
fn commit(connection: &mut Connection, group: &mut impl Iterator<Item = Job>) {
    let transaction = match connection.transaction_with_behavior(TransactionBehavior::Immediate) {
        Ok(transaction) => transaction,
        Err(error) => {
            tracing::error!(%error, "a transaction could not be begun");
            for job in group {
                let (_, answer) = (job.run)(Err(Error::Sqlite(copy(&error))));
                answer(Ok(()));
            }
            return;
        }
    };
    let mut answers = Vec::new();
    let mut lost = None;
    for job in group {
        let (answer, ended) = run_in_savepoint(&transaction, job);
        answers.push(answer);
        // A full disk and the like make SQLite roll back the whole transaction, not the statement alone
        // (sqlite.org/lang_transaction.html, 2.3). Going on would commit each further job by itself, unseen by the commit below.
        if transaction.is_autocommit() {
            lost = ended.or_else(|| Some(rusqlite::Error::InvalidQuery));
            break;
        }
    }
    let committed = match lost {
        Some(error) => {
            tracing::error!(%error, "the database took back a whole group of jobs");
            Err(error)
        }
        None => transaction.commit(),
    };
    for answer in answers {
        answer(match &committed {
            Ok(()) => Ok(()),
            Err(error) => Err(Error::Sqlite(copy(error))),
        });
    }
}

/// The answer of the job, and why its savepoint could not be ended, when it could not.
fn run_in_savepoint(transaction: &Transaction<'_>, job: Job) -> (Answer, Option<rusqlite::Error>) {
    if let Err(error) = run_cached(transaction, "SAVEPOINT job") {
        let (_, answer) = (job.run)(Err(Error::Sqlite(copy(&error))));
        return (answer, Some(error));
    }
    let (keep, answer) = (job.run)(Ok(transaction));
    let ended = if keep {
        Ok(())
    } else {
        run_cached(transaction, "ROLLBACK TO job")
    };
    match ended.and_then(|()| run_cached(transaction, "RELEASE job")) {
        Ok(()) => (answer, None),
        Err(error) => {
            let told = Error::Sqlite(copy(&error));
            (Box::new(move |_| answer(Err(told))), Some(error))
        }
    }
}

/// Savepoints come with every job, so their statements are kept compiled.
fn run_cached(transaction: &Transaction<'_>, sql: &str) -> rusqlite::Result<()> {
    transaction.prepare_cached(sql)?.execute([]).map(drop)
}

/// The same error for each caller of a group; SQLite's errors cannot be cloned.
fn copy(error: &rusqlite::Error) -> rusqlite::Error {
    match error {
        rusqlite::Error::SqliteFailure(code, words) => rusqlite::Error::SqliteFailure(*code, words.clone()),
        other => rusqlite::Error::ToSqlConversionFailure(other.to_string().into()),
    }
}
