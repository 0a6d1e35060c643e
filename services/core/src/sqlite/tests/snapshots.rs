use std::fs;

use super::*;

#[tokio::test]
async fn a_snapshot_holds_what_was_there_when_it_was_pinned_and_leaves_nothing_behind() {
    let (folder, path) = temporary();
    let database = open(&path, SCHEMA).await;
    add(&database, "before").await.unwrap();
    let (pinned, is_pinned) = oneshot::channel();

    let taken = tokio::spawn({
        let database = database.clone();
        async move { database.snapshot(pinned).await }
    });
    is_pinned.await.unwrap();
    add(&database, "after").await.unwrap();
    let snapshot = taken.await.unwrap().unwrap();

    assert_eq!(check_copy(snapshot.path()).unwrap(), SCHEMA.len());
    let copy = folder.path().join("copy.db");
    fs::copy(snapshot.path(), &copy).unwrap();
    drop(snapshot);
    assert_eq!(count(&open(&copy, SCHEMA).await).await, 1);
    let left: Vec<_> = fs::read_dir(path.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("snapshot"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn what_was_acknowledged_can_be_saved_from_a_database_whose_file_was_deleted() {
    let (_folder, path) = temporary();
    let database = open(&path, SCHEMA).await;
    add(&database, "a").await.unwrap();
    fs::remove_file(&path).unwrap();
    let (pinned, _is_pinned) = oneshot::channel();

    let snapshot = database.snapshot(pinned).await.unwrap();

    assert_eq!(check_copy(snapshot.path()).unwrap(), SCHEMA.len());
}

#[tokio::test]
async fn a_closed_database_is_copied_and_one_in_use_is_refused() {
    let (folder, path) = temporary();
    let database = open(&path, SCHEMA).await;
    add(&database, "a").await.unwrap();
    let to = folder.path().join("copy.db");
    assert!(matches!(Closed::hold(&path), Err(Error::Locked(_))));
    drop(database);
    drop(open(&path, SCHEMA).await);
    for _ in 0..500 {
        match Closed::hold(&path).and_then(|mut closed| closed.copy_to(&to)) {
            Err(Error::Locked(_)) => tokio::time::sleep(std::time::Duration::from_millis(2)).await,
            copied => {
                copied.unwrap();
                break;
            }
        }
    }

    assert_eq!(check_copy(&to).unwrap(), SCHEMA.len());
}

#[tokio::test]
async fn a_copy_that_a_killed_process_left_is_removed_at_the_next_start() {
    let (_folder, path) = temporary();
    drop(open(&path, SCHEMA).await);
    let left = path.with_extension("db.snapshot-0");
    fs::write(&left, "half").unwrap();

    let _database = open(&path, SCHEMA).await;

    assert!(!left.exists());
}
