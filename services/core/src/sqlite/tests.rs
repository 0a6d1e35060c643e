use std::{path::PathBuf, sync::mpsc::channel};

mod faults;
mod snapshots;

use super::*;

const SCHEMA: &[&str] = &["CREATE TABLE item (name TEXT PRIMARY KEY)"];

fn temporary() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/test.db");
    (folder, path)
}

async fn add(database: &Database, name: &str) -> Result<(), Error> {
    let name = name.to_owned();
    database
        .write(move |transaction| {
            Ok(transaction
                .execute("INSERT INTO item VALUES (?1)", [name])
                .map(|_| ())?)
        })
        .await
}

async fn count(database: &Database) -> usize {
    let count = |connection: &Connection| {
        Ok::<_, Error>(connection.query_row(
            "SELECT count(*) FROM item -- scans: a test counts",
            [],
            |row| row.get(0),
        )?)
    };
    database.read(count).await.unwrap()
}

/// A handle is gone before its threads are; opening again waits for them.
async fn open(path: &Path, schema: &'static [&'static str]) -> Database {
    for _ in 0..500 {
        match Database::open(path, schema) {
            Err(Error::Locked(_)) => tokio::time::sleep(std::time::Duration::from_millis(2)).await,
            opened => return opened.unwrap(),
        }
    }
    panic!("still locked");
}

#[tokio::test]
async fn what_was_answered_is_read_by_the_next_reader_and_after_reopening() {
    let (_folder, path) = temporary();
    let database = open(&path, SCHEMA).await;
    add(&database, "a").await.unwrap();
    assert_eq!(count(&database).await, 1);
    drop(database);

    let database = open(&path, SCHEMA).await;

    assert_eq!(count(&database).await, 1);
    database.probe().await.unwrap();
    database.check_integrity().await.unwrap();
}

#[tokio::test]
async fn a_failed_or_panicking_job_leaves_nothing_and_harms_no_neighbour() {
    let (_folder, path) = temporary();
    let database = open(&path, SCHEMA).await;
    let (hold, held) = channel::<()>();
    // The writer is held up, so that the next jobs share one commit.
    let first = database.write(move |_| {
        held.recv().unwrap();
        Ok::<_, Error>(())
    });
    let failing = database.write(|transaction| {
        transaction.execute("INSERT INTO item VALUES ('x')", [])?;
        Err::<(), _>(Error::Busy)
    });
    let panicking = database.write(|transaction| {
        transaction.execute("INSERT INTO item VALUES ('y')", [])?;
        panic!("on purpose");
        #[expect(unreachable_code, reason = "names the types")]
        Ok::<(), Error>(())
    });
    let good = add(&database, "good");

    let release = async { hold.send(()).unwrap() };
    let (first, failing, panicking, good, ()) = tokio::join!(first, failing, panicking, good, release);

    assert!(first.is_ok() && good.is_ok());
    assert!(matches!(failing, Err(Error::Busy)));
    assert!(matches!(panicking, Err(Error::Panicked)));
    assert_eq!(count(&database).await, 1);
}

#[tokio::test]
async fn one_process_owns_a_database_and_a_reader_cannot_write() {
    let (_folder, path) = temporary();
    let database = open(&path, SCHEMA).await;

    assert!(matches!(Database::open(&path, SCHEMA), Err(Error::Locked(_))));
    let write =
        |connection: &Connection| Ok::<_, Error>(connection.execute("INSERT INTO item VALUES ('r')", [])?);
    assert!(database.read(write).await.is_err());
}

#[tokio::test]
async fn a_migration_keeps_a_copy_and_a_newer_file_is_refused() {
    const NEXT: &[&str] = &[SCHEMA[0], "ALTER TABLE item ADD COLUMN note TEXT"];
    let (folder, path) = temporary();
    let database = open(&path, SCHEMA).await;
    add(&database, "kept").await.unwrap();
    drop(database);

    let database = open(&path, NEXT).await;
    assert_eq!(count(&database).await, 1);
    assert!(folder.path().join("a/test.db.before-2").exists());
    drop(database);

    let refused = loop {
        match Database::open(&path, SCHEMA) {
            Err(Error::Locked(_)) => tokio::time::sleep(std::time::Duration::from_millis(2)).await,
            other => break other,
        }
    };
    assert!(matches!(
        refused,
        Err(Error::Newer {
            found: 2,
            known: 1,
            ..
        })
    ));
}

#[tokio::test]
async fn a_full_disk_fails_its_group_and_says_so_and_later_jobs_go_on() {
    let (_folder, path) = temporary();
    let database = open(&path, SCHEMA).await;
    database
        .write(|tx| Ok::<_, Error>(tx.pragma_update(None, "max_page_count", 16)?))
        .await
        .unwrap();
    let (hold, held) = channel::<()>();
    let first = database.write(move |_| {
        held.recv().unwrap();
        Ok::<_, Error>(())
    });
    let before = add(&database, "before");
    let big = "x".repeat(1024 * 1024);
    let full = add(&database, &big);
    let after = add(&database, "after");

    let release = async { hold.send(()).unwrap() };
    let (_, before, full, after, ()) = tokio::join!(first, before, full, after, release);

    let full = full.unwrap_err();
    assert_eq!(full.kind(), Kind::Unavailable, "{full:?}");
    assert_eq!(full.trouble(), Some(crate::store::Trouble::DiskFull));
    let answered = usize::from(before.is_ok()) + usize::from(after.is_ok());
    assert_eq!(
        count(&database).await,
        answered,
        "exactly what was acknowledged is there"
    );
    add(&database, "later").await.unwrap();
}

#[tokio::test]
async fn dropping_the_last_handle_does_what_waits_and_lets_go_of_the_file() {
    let (_folder, path) = temporary();
    for round in 0..20 {
        let database = Database::open(&path, SCHEMA).unwrap();
        assert_eq!(count(&database).await, round);
        let name = round.to_string();
        let mut waiting = Box::pin(add(&database, &name));
        let _ = futures::poll!(&mut waiting); // handed over, and nobody waits for the answer
    }
}

#[tokio::test]
async fn a_migration_that_fails_leaves_the_old_schema() {
    const BROKEN: &[&str] = &[SCHEMA[0], "ALTER TABLE item ADD COLUMN note TEXT", "nonsense"];
    let (_folder, path) = temporary();
    drop(Database::open(&path, SCHEMA).unwrap());

    assert!(matches!(Database::open(&path, BROKEN), Err(Error::Sqlite(_))));

    Database::open(&path, SCHEMA).unwrap();
}

#[cfg(debug_assertions)]
#[tokio::test]
async fn a_job_whose_work_grows_with_a_table_fails_where_tests_run() {
    let (_folder, path) = temporary();
    let database = open(&path, SCHEMA).await;
    add(&database, "a").await.unwrap();

    let reads = |connection: &Connection| {
        Ok::<_, Error>(
            connection.query_row("SELECT rowid FROM item WHERE name > ''", [], |row| {
                row.get::<_, i64>(0)
            })?,
        )
    };
    assert_eq!(database.read(reads).await.unwrap(), 1);
    let scans = |connection: &Connection| {
        Ok::<_, Error>(connection.query_row("SELECT rowid FROM item", [], |row| row.get::<_, i64>(0))?)
    };
    assert!(matches!(database.read(scans).await, Err(Error::Panicked)));
    let sorts = |transaction: &Transaction<'_>| {
        let sql = "DELETE FROM item WHERE length(name) = 1";
        Ok::<_, Error>(transaction.execute(sql, [])?)
    };
    assert!(matches!(database.write(sorts).await, Err(Error::Panicked)));

    assert_eq!(count(&database).await, 1);
}

#[cfg(debug_assertions)]
#[tokio::test]
async fn what_a_database_worked_is_counted() {
    let (_folder, path) = temporary();
    let database = open(&path, SCHEMA).await;
    for n in 0..100 {
        add(&database, &n.to_string()).await.unwrap();
    }

    let every = |connection: &Connection| {
        let sql = "SELECT sum(length(name)) FROM item -- scans: a test sums up";
        Ok::<_, Error>(connection.query_row(sql, [], |row| row.get::<_, i64>(0))?)
    };
    database.read(every).await.unwrap();
    let before = database.steps();
    database.read(every).await.unwrap();
    let few = database.steps() - before;
    for n in 100..1_000 {
        add(&database, &n.to_string()).await.unwrap();
    }

    let before = database.steps();
    database.read(every).await.unwrap();

    let many = database.steps() - before;
    assert!(many > few * 5, "{few} steps for 100 rows, {many} for 1,000");
}

#[test]
fn looking_at_a_database_writes_nothing_and_tells_a_damaged_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a?b.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(SCHEMA[0]).unwrap();
    connection.close().unwrap();
    let files = || {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        let mut found: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        found.sort();
        found
    };
    let before = (files(), std::fs::read(&path).unwrap());

    super::look(&path).unwrap();

    assert_eq!((files(), std::fs::read(&path).unwrap()), before);
    std::fs::write(&path, &before.1[..before.1.len() / 2]).unwrap();
    assert!(super::look(&path).is_err(), "it is cut short");
    std::fs::write(&path, "no database").unwrap();
    assert!(super::look(&path).is_err(), "it is none");
}
