//! The writer thread: gathers jobs, runs each in a savepoint, commits them together, and answers after the commit.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::{Error, panicked};

/// Jobs that share one commit. More would only make the first of them wait longer.
const GROUP_JOBS: usize = 128;

/// A job, in two steps: `run` inside the transaction, and what to call with the commit's outcome. `run` answers whether its
/// savepoint is to be kept.
pub(super) struct Job {
    run: Box<Run>,
}

type Run = dyn FnOnce(&Transaction<'_>) -> (bool, Answer) + Send;
type Answer = Box<dyn FnOnce(Result<(), Error>) + Send>;

/// Packs a job with the place where its answer goes.
pub(super) fn job<T, E, F>(job: F) -> (Job, oneshot::Receiver<Result<T, E>>)
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
    F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let run = move |transaction: &Transaction<'_>| {
        let outcome = catch_unwind(AssertUnwindSafe(|| job(transaction)));
        let outcome = outcome.unwrap_or_else(|panic| Err(panicked(&*panic).into()));
        let keep = outcome.is_ok();
        let answer: Answer = Box::new(move |committed| {
            // A failed job has its own answer, whatever became of the commit.
            let _ = reply.send(outcome.and_then(|value| committed.map(|()| value).map_err(E::from)));
        });
        (keep, answer)
    };
    (Job { run: Box::new(run) }, answer)
}

pub(super) fn spawn(connection: Connection, queue_jobs: usize) -> Result<SyncSender<Job>, Error> {
    let (queue, jobs) = sync_channel(queue_jobs);
    std::thread::Builder::new()
        .name("sqlite-write".into())
        .spawn(move || run(connection, &jobs))
        .map_err(Error::File)?;
    Ok(queue)
}

fn run(mut connection: Connection, jobs: &Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let group = std::iter::once(first).chain(jobs.try_iter().take(GROUP_JOBS - 1));
        commit(&mut connection, group);
    }
    // Closing moves the WAL into the file, so that a copy of the file alone is whole.
    if let Err((_, error)) = connection.close() {
        tracing::warn!(%error, "the database did not close cleanly");
    }
}

fn commit(connection: &mut Connection, group: impl Iterator<Item = Job>) {
    let transaction = match connection.transaction_with_behavior(TransactionBehavior::Immediate) {
        Ok(transaction) => transaction,
        Err(error) => return refuse(group, &error),
    };
    let mut answers = Vec::new();
    for job in group {
        answers.push(run_in_savepoint(&transaction, job));
    }
    let committed = transaction.commit();
    for answer in answers {
        answer(match &committed {
            Ok(()) => Ok(()),
            Err(error) => Err(Error::Sqlite(copy(error))),
        });
    }
}

fn run_in_savepoint(transaction: &Transaction<'_>, job: Job) -> Answer {
    if let Err(error) = transaction.execute_batch("SAVEPOINT job") {
        return failed(error);
    }
    let (keep, answer) = (job.run)(transaction);
    let end = if keep {
        "RELEASE job"
    } else {
        "ROLLBACK TO job; RELEASE job"
    };
    match transaction.execute_batch(end) {
        Ok(()) => answer,
        Err(error) => {
            let error = Error::Sqlite(error);
            Box::new(move |_| answer(Err(error)))
        }
    }
}

/// A job that never ran: dropping it tells the caller that the database is closed, which is what it looks like from there.
fn failed(error: rusqlite::Error) -> Answer {
    tracing::error!(%error, "a savepoint could not be set");
    Box::new(|_| ())
}

/// No transaction can be begun: every job of the group is answered with the reason.
fn refuse(group: impl Iterator<Item = Job>, error: &rusqlite::Error) {
    tracing::error!(%error, "a transaction could not be begun");
    group.for_each(drop);
}

/// The same error for each caller of a group; SQLite's errors cannot be cloned.
fn copy(error: &rusqlite::Error) -> rusqlite::Error {
    match error {
        rusqlite::Error::SqliteFailure(code, words) => rusqlite::Error::SqliteFailure(*code, words.clone()),
        other => rusqlite::Error::ToSqlConversionFailure(other.to_string().into()),
    }
}
