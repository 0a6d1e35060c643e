mod starts;

use std::{fs, os::unix::fs::FileExt, time::Duration};

use super::*;
use crate::{drain::Drain, health::Health, health::State};

const DEADLINE: Duration = Duration::from_secs(20);

/// A file with more than a page of items, so that there is something to damage.
async fn filled(path: &Path) -> Database {
    let database = open(path, SCHEMA).await;
    for item in 0..200 {
        add(&database, &format!("{item}{}", "x".repeat(200)))
            .await
            .unwrap();
    }
    database
}

async fn fault(database: &Database) -> Fault {
    let mut faults = database.faults();
    let found = tokio::time::timeout(DEADLINE, faults.wait_for(Option::is_some)).await;
    found.expect("a fault in time").unwrap().clone().unwrap()
}

async fn well(database: &Database) {
    let mut faults = database.faults();
    let found = tokio::time::timeout(DEADLINE, faults.wait_for(Option::is_none)).await;
    found.expect("no fault any more").unwrap();
}

fn overwrite(path: &Path, from: u64, with: &[u8]) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(with, from).unwrap();
}

/// All that was written, in the file itself, and nobody has it open.
async fn closed(path: &Path) {
    drop(filled(path).await);
    drop(open(path, SCHEMA).await);
}

#[tokio::test]
async fn a_full_disk_is_a_fault_until_something_is_written_again() {
    let (_folder, path) = temporary();
    let database = open(&path, SCHEMA).await;
    let limit = |pages: i64| {
        database.write(move |tx| Ok::<_, Error>(tx.pragma_update(None, "max_page_count", pages)?))
    };
    limit(16).await.unwrap();

    add(&database, &"x".repeat(1024 * 1024)).await.unwrap_err();

    let fault = fault(&database).await;
    assert!(
        matches!(&fault, Fault::Unwritable(text) if text.contains("full")),
        "{fault}"
    );
    limit(100_000).await.unwrap();
    add(&database, "small").await.unwrap();
    well(&database).await;
}

#[tokio::test]
async fn a_read_that_meets_damage_is_a_fault_that_no_write_elsewhere_ends() {
    let (_folder, path) = temporary();
    closed(&path).await;
    let database = open(&path, SCHEMA).await;
    // Behind the first page, which was read at the start; nothing of the others is in memory but what the check left there.
    let bytes = fs::metadata(&path).unwrap().len();
    overwrite(&path, 4096, &vec![0xa5; usize::try_from(bytes - 4096).unwrap()]);

    let read = |connection: &Connection| {
        Ok::<_, Error>(
            connection.query_row("SELECT count(*) FROM item WHERE name > ''", [], |row| {
                row.get::<_, i64>(0)
            })?,
        )
    };
    database.read(read).await.unwrap_err();

    let fault = fault(&database).await;
    assert!(
        matches!(&fault, Fault::Damaged(text) if text.contains("gatehouse restore")),
        "{fault}"
    );
    let _ = database.probe().await;
    assert!(database.faults().borrow().is_some(), "the page is as it was");
    assert!(database.check_integrity().await.is_err());
}

#[tokio::test]
async fn nothing_is_acknowledged_into_a_file_that_lost_its_name_or_its_content() {
    type Attack = fn(&Path);
    let attacks: [(&str, &str, Attack); 6] = [
        ("", "deleted", |file| fs::remove_file(file).unwrap()),
        ("-wal", "deleted", |file| fs::remove_file(file).unwrap()),
        ("-shm", "deleted", |file| fs::remove_file(file).unwrap()),
        ("", "cut", |file| {
            fs::OpenOptions::new()
                .write(true)
                .open(file)
                .unwrap()
                .set_len(0)
                .unwrap();
        }),
        ("-wal", "cut", |file| {
            fs::OpenOptions::new()
                .write(true)
                .open(file)
                .unwrap()
                .set_len(0)
                .unwrap();
        }),
        ("", "replaced", |file| {
            fs::copy(file, file.with_extension("new")).unwrap();
            fs::rename(file.with_extension("new"), file).unwrap();
        }),
    ];
    for (suffix, word, attack) in attacks {
        let (_folder, path) = temporary();
        let database = filled(&path).await;

        attack(&files::with_suffix(&path, suffix));

        let refused = add(&database, "lost").await.expect_err(word);
        assert_eq!(refused.kind(), Kind::Unavailable, "{refused:?}");
        let fault = fault(&database).await;
        assert!(
            matches!(&fault, Fault::Detached(text) if text.contains(word)),
            "{word}: {fault}"
        );
    }
}

#[tokio::test]
async fn what_is_done_to_a_file_is_noticed_while_nothing_is_written() {
    type Attack = fn(&Path);
    let attacks: [(&str, Attack); 5] = [
        ("", |file| fs::remove_file(file).unwrap()),
        ("-wal", |file| fs::remove_file(file).unwrap()),
        ("-shm", |file| fs::remove_file(file).unwrap()),
        ("", |file| fs::File::create(file).map(drop).unwrap()),
        ("", |file| {
            let folder = file.parent().unwrap();
            fs::rename(folder, folder.with_extension("moved")).unwrap();
            fs::create_dir(folder).unwrap(); // for the end of the test
        }),
    ];
    for (number, (suffix, attack)) in attacks.into_iter().enumerate() {
        let (_folder, path) = temporary();
        let database = filled(&path).await;

        attack(&files::with_suffix(&path, suffix));

        let found = tokio::time::timeout(writer::LOOK_WATCHED / 3, fault(&database)).await;
        assert!(
            matches!(found, Ok(Fault::Detached(_))),
            "{number}: not before the next look"
        );
        let moved = path.parent().unwrap().with_extension("moved");
        let _ = fs::remove_dir_all(moved);
    }
}

#[tokio::test]
async fn a_lost_file_is_noticed_while_nothing_is_written_and_is_well_when_it_is_back() {
    let (_folder, path) = temporary();
    let database = filled(&path).await;
    let aside = path.with_extension("aside");

    fs::rename(&path, &aside).unwrap();
    fault(&database).await;
    fs::rename(&aside, &path).unwrap();

    well(&database).await;
    add(&database, "later").await.unwrap();
}

#[tokio::test]
async fn a_log_that_a_tool_moved_into_the_database_is_no_fault() {
    let (_folder, path) = temporary();
    let database = filled(&path).await;
    let tool = Connection::open(&path).unwrap();
    tool.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    assert_eq!(fs::metadata(files::with_suffix(&path, "-wal")).unwrap().len(), 0);

    add(&database, "later").await.unwrap();

    assert_eq!(count(&database).await, 201);
    assert!(database.faults().borrow().is_none());
}
