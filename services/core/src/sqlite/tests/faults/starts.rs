//! What a start finds, and what a disk does meanwhile.

use super::*;

#[tokio::test]
async fn a_damaged_file_is_refused_at_the_start_with_what_to_do() {
    type Attack = fn(&Path);
    let attacks: [(&str, Attack); 5] = [
        ("cut in half", |path| {
            let bytes = fs::metadata(path).unwrap().len();
            fs::OpenOptions::new()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(bytes / 2)
                .unwrap();
        }),
        ("cut within the header", |path| {
            fs::OpenOptions::new()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(50)
                .unwrap();
        }),
        ("no header", |path| overwrite(path, 0, b"something else entirely")),
        ("a page of nonsense", |path| overwrite(path, 4096, &[0xa5; 4096])),
        ("text", |path| {
            fs::write(path, "not a database\n".repeat(1000)).unwrap()
        }),
    ];
    for (name, attack) in attacks {
        let (_folder, path) = temporary();
        closed(&path).await;

        attack(&path);

        let refused = Database::open(&path, SCHEMA).expect_err(name);
        assert!(
            refused.to_string().contains("gatehouse restore"),
            "{name}: {refused}"
        );
    }
}

#[tokio::test]
async fn a_database_that_is_gone_is_not_made_anew_unless_that_is_meant() {
    for empty in [true, false] {
        let (_folder, path) = temporary();
        closed(&path).await;
        fs::remove_file(&path).unwrap();
        if empty {
            fs::write(&path, "").unwrap();
        }

        let refused = Database::open(&path, SCHEMA).unwrap_err();

        assert!(matches!(&refused, Error::Missing { .. }), "{refused}");
        fs::remove_file(path.with_extension("db.lock")).unwrap();
        let _ = fs::remove_file(&path);
        open(&path, SCHEMA).await;
    }
}

#[tokio::test]
async fn a_log_whose_database_is_gone_is_left_alone_and_nothing_is_made_in_its_place() {
    for empty in [true, false] {
        let (_folder, path) = temporary();
        let database = filled(&path).await;
        let log = files::with_suffix(&path, "-wal");
        fs::remove_file(&path).unwrap();
        if empty {
            fs::write(&path, "").unwrap();
        }
        fault(&database).await;
        let bytes = fs::metadata(&log).unwrap().len();
        assert!(bytes > 0, "what was written is there");

        drop(database); // as at a stop that is asked for
        let refused = Database::open(&path, SCHEMA).unwrap_err();

        assert!(matches!(&refused, Error::Missing { .. }), "{refused}");
        assert_eq!(
            fs::metadata(&log).unwrap().len(),
            bytes,
            "it may be all that is left"
        );
    }
}

#[tokio::test]
async fn a_log_that_a_reader_keeps_has_a_bound_and_is_well_when_the_reader_is_gone() {
    const BOUND: u64 = 1024 * 1024;
    let (_folder, path) = temporary();
    let database = Database::open_bounded(&path, SCHEMA, BOUND).unwrap();
    let reader = Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM item").unwrap();

    let mut refused = None;
    for item in 0..2000 {
        if let Err(error) = add(&database, &format!("{item}{}", "x".repeat(4000))).await {
            refused = Some(error);
            break;
        }
    }

    let refused = refused.expect("the bound is reached").to_string();
    assert!(refused.contains("fuser"), "{refused}");
    let wal = fs::metadata(files::with_suffix(&path, "-wal")).unwrap().len();
    assert!(wal < 2 * BOUND, "{wal}");
    reader.execute_batch("COMMIT").unwrap();
    add(&database, "later").await.unwrap();
    well(&database).await;
}

#[tokio::test]
async fn a_disk_that_hangs_makes_the_process_unready_and_new_jobs_are_told_at_once() {
    let (_folder, path) = temporary();
    let database = open(&path, SCHEMA).await;
    let (health, drain) = (Health::new(), Drain::new());
    let timing = Timing {
        probe_every: Some(Duration::from_millis(20)),
        hung_after: Duration::from_millis(100),
        ..Timing::default()
    };
    keep_health(database.clone(), timing, health.clone(), || Ok(()), &drain);
    let mut states = health.watch();
    let mut until = async |serves: bool| {
        let found = tokio::time::timeout(DEADLINE, states.wait_for(|state| state.serves() == serves)).await;
        found.expect("in time").unwrap().clone()
    };
    until(true).await;

    let (hold, held) = channel::<()>();
    let stuck = tokio::spawn({
        let database = database.clone();
        async move {
            database
                .write(move |_| {
                    held.recv().unwrap();
                    Ok::<_, Error>(())
                })
                .await
        }
    });
    let state = until(false).await;

    assert!(
        matches!(&state, State::NotServing(text) if text.contains("does not answer")),
        "{state:?}"
    );
    // Real time: the writer's clock is the machine's.
    let refused = tokio::time::timeout(DEADLINE, async {
        loop {
            let asked = database.write(|_| Ok::<_, Error>(()));
            if let Ok(refused) = tokio::time::timeout(Duration::from_millis(50), asked).await {
                return refused;
            }
        }
    });
    assert!(matches!(refused.await.expect("in time"), Err(Error::Hung)));
    hold.send(()).unwrap();
    stuck.await.unwrap().unwrap();
    until(true).await;
    assert!(drain.finish(DEADLINE).await);
}

#[tokio::test]
async fn health_names_the_fault_and_what_else_is_missing() {
    let (_folder, path) = temporary();
    let database = filled(&path).await;
    let (health, drain) = (Health::new(), Drain::new());
    let (missing, ready) = watch::channel(true);
    let ready = move || match *ready.borrow() {
        true => Err("the configuration is not known yet".to_owned()),
        false => Ok(()),
    };
    let timing = Timing {
        probe_every: Some(Duration::from_millis(20)),
        ..Timing::default()
    };
    keep_health(database.clone(), timing, health.clone(), ready, &drain);
    let mut states = health.watch();
    let mut until = async |text: &str| {
        let says = |state: &State| format!("{state:?}").contains(text);
        let found = tokio::time::timeout(DEADLINE, states.wait_for(says)).await;
        found.unwrap_or_else(|_| panic!("{text} in time")).unwrap();
    };

    until("configuration").await;
    missing.send_replace(false);
    until("Serving").await;
    fs::remove_file(&path).unwrap();
    until("was deleted").await;
}

#[tokio::test]
async fn what_is_no_file_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("items.db");
    fs::create_dir(&path).unwrap();

    let refused = Database::open(&path, SCHEMA).unwrap_err().to_string();

    for needed in [&*path.to_string_lossy(), "Is a directory", "gatehouse restore"] {
        assert!(refused.contains(needed), "{needed}: {refused}");
    }
}
