//! Backups under load, restored: what a backup holds is whole, of one moment, and lives on.
//!
//! The number of backups is small here and 50 in `make backup-drill` (`GATEHOUSE_BACKUP_ROUNDS`).

use std::{
    fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use data_encoding::{BASE64, HEXLOWER};
use gatehouse_tests::{Gateway, gateway::run_in, platform::Platform, until};
use rusqlite::Connection;
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::with_an_answer_each;

/// Messages that wait for their answer at once.
const IN_FLIGHT: usize = 20;

fn rounds() -> usize {
    std::env::var_os("GATEHOUSE_BACKUP_ROUNDS")
        .and_then(|rounds| rounds.to_str()?.parse().ok())
        .unwrap_or(4)
}

fn home() -> TempDir {
    let home = tempfile::Builder::new().prefix("gatehouse-").tempdir();
    home.expect("a temporary folder")
}

/// Says one thing after the other; notes what was acknowledged.
async fn talk(platform: &Platform, gateway: &Gateway, said: &Mutex<Vec<String>>, stop: &AtomicBool) {
    while !stop.load(Ordering::Acquire) {
        let count = said.lock().expect("a list").len();
        let (id, from) = (format!("m{count}"), format!("person{}", count % 5));
        until("an acknowledgement", async || {
            platform
                .deliver(gateway, &id, &from, &format!("[{id}]"))
                .await
                .then_some(())
        })
        .await;
        said.lock().expect("a list").push(id);
        until("fewer messages in flight", async || {
            (count < platform.replies().len() + IN_FLIGHT).then_some(())
        })
        .await;
    }
}

fn ids(database: &Path, query: &str) -> Vec<String> {
    let connection = Connection::open(database).expect("a database");
    let mut statement = connection.prepare(query).expect(query);
    let rows = statement.query_map([], |row| row.get(0)).expect(query);
    rows.collect::<Result<_, _>>().expect(query)
}

/// A picture that a person attaches: the bytes tell the rounds apart.
async fn attach(gateway: &Gateway, round: usize) {
    let bytes = format!("\x00\x01 recording {round}");
    let attachment = json!({"type": "file", "fileName": "a.bin", "content": BASE64.encode(bytes.as_bytes())});
    // A session of its own: the other is as full as it may be.
    let params = json!({"sessionKey": "pictures", "message": format!("[p{round}]"), "idempotencyKey": format!("p{round}"),
        "attachments": [attachment]});
    let sent = gateway.run(&["call", "chat.send", &params.to_string()]).await;
    assert!(sent.status.success(), "{sent:?}");
}

/// The media that the transcripts of a home name, each of which must be there and be what its name says.
fn media(home: &Path) -> usize {
    let named = ids(
        &home.join("session/session.db"),
        "SELECT DISTINCT media FROM media_refs",
    );
    for id in &named {
        let folder = id.get(..2).expect("a digest");
        let bytes = fs::read(home.join("session/media").join(folder).join(id)).expect(id);
        assert_eq!(&HEXLOWER.encode(&Sha256::digest(&bytes)), id);
    }
    named.len()
}

const ADOPTED: &str = "SELECT message_id FROM inbox WHERE state = 'adopted' ORDER BY message_id";
const KNOWN: &str = "SELECT message FROM inbound ORDER BY message";
const TAKEN: &str = "SELECT key FROM deliveries WHERE state = 'taken'";
const ENQUEUED: &str = "SELECT delivery_key FROM outbox";
/// Every message that the home has, in whichever of the two databases.
const RECEIVED: &str = "SELECT message_id FROM inbox ORDER BY message_id";
/// How often each was asked, in transcripts.
const ASKED: &str = "SELECT content FROM entries WHERE role = 'user'";
const ANSWERED: &str = "SELECT reply_to_id FROM outbox WHERE state = 'sent'";

#[tokio::test]
async fn a_backup_under_load_is_of_one_moment_and_lives_on_in_a_new_home() {
    let platform = Platform::start().await;
    let mut gateway = Gateway::start(&with_an_answer_each(&platform.config())).await;
    let folder = home();
    let soul = "session/workspace/main/SOUL.md"; // a file of an agent goes with the rest
    fs::create_dir_all(gateway.path("session/workspace/main")).expect("a folder");
    fs::write(gateway.path(soul), "be kind").expect("a file");
    let (said, stop) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    let backups = async {
        let mut promised = Vec::new();
        for round in 0..rounds() {
            until("work between two backups", async || {
                (platform.replies().len() > 20 * (round + 1)).then_some(())
            })
            .await;
            attach(&gateway, round).await;
            promised.clone_from(&*said.lock().expect("a list"));
            let file = folder.path().join(format!("{round}.tar"));
            let taken = gateway.run(&["backup", file.to_str().expect("a path")]).await;
            assert!(taken.status.success(), "{taken:?}");
        }
        stop.store(true, Ordering::Release);
        promised
    };
    let (promised, ()) = tokio::join!(backups, talk(&platform, &gateway, &said, &stop));
    gateway.interrupt().await;

    let mut last = None;
    for round in 0..rounds() {
        let (home, file) = (home(), folder.path().join(format!("{round}.tar")));
        let restored = run_in(home.path(), &["restore", file.to_str().expect("a path")]).await;
        assert!(restored.status.success(), "{restored:?}");
        let told = fs::read_to_string(home.path().join(soul)).expect("restored");
        assert_eq!(told, "be kind");
        assert_eq!(media(home.path()), round + 1, "one for each round so far");
        let (session, bridge) = (
            home.path().join("session/session.db"),
            home.path().join("channel-bridge/bridge.db"),
        );
        let (known, enqueued) = (ids(&session, KNOWN), ids(&bridge, ENQUEUED));
        let lost: Vec<_> = ids(&bridge, ADOPTED)
            .into_iter()
            .filter(|id| !known.contains(id))
            .collect();
        assert!(lost.is_empty(), "messages that nobody has: {lost:?}");
        let lost: Vec<_> = ids(&session, TAKEN)
            .into_iter()
            .filter(|key| !enqueued.contains(key))
            .collect();
        assert!(lost.is_empty(), "replies that nobody has: {lost:?}");
        last = Some(home);
    }
    let (small, file) = (home(), folder.path().join("small.tar"));
    let path = file.to_str().expect("a path");
    let taken = gateway.run(&["backup", "--without-media", path]).await;
    assert!(taken.status.success(), "{taken:?}");
    assert!(run_in(small.path(), &["restore", path]).await.status.success());
    assert!(!small.path().join("session/media").exists());
    let file = folder.path().join("offline.tar");
    let path = file.to_str().expect("a path");
    for step in ["backup", "restore"] {
        // Over a home that has media: what stood there is kept as a whole.
        let done = gateway.run(&[step, path]).await;
        assert!(done.status.success(), "{step}: {done:?}");
    }
    assert_eq!(media(&gateway.path("")), rounds());
    let aside = fs::read_dir(gateway.path("session")).expect("a folder").flatten();
    let aside = aside.filter(|entry| {
        entry
            .file_name()
            .to_string_lossy()
            .starts_with("media.before-restore-")
    });
    assert_eq!(aside.count(), 1);
    let mut restored = Gateway::start_in(last.expect("a backup"), &[]).await;
    let (session, bridge) = (
        restored.path("session/session.db"),
        restored.path("channel-bridge/bridge.db"),
    );
    let received = ids(&bridge, RECEIVED);
    let missing: Vec<_> = promised.iter().filter(|id| !received.contains(id)).collect();
    assert!(
        missing.is_empty(),
        "acknowledged before the backup began: {missing:?}"
    );
    until("every message of the backup answered", async || {
        let answered = ids(&bridge, ANSWERED);
        received.iter().all(|id| answered.contains(id)).then_some(())
    })
    .await;
    restored.interrupt().await;
    for (what, query, database) in [("asked", ASKED, &session), ("answered", ANSWERED, &bridge)] {
        let rows = ids(database, query);
        for id in &received {
            let count = rows
                .iter()
                .filter(|row| *row == id || row.contains(&format!("[{id}]")))
                .count();
            assert_eq!(count, 1, "{id} was {what} {count} times");
        }
    }
}

#[tokio::test]
async fn a_session_database_that_is_older_than_the_bridges_loses_no_message() {
    let platform = Platform::start().await;
    let gateway = Gateway::start(&with_an_answer_each(&platform.config())).await;
    let say = async |gateway: &Gateway, ids: std::ops::Range<usize>| {
        for id in ids.clone() {
            assert!(
                platform
                    .deliver(gateway, &format!("m{id}"), "anna", &format!("[m{id}]"))
                    .await
            );
        }
        until("the answers", async || {
            (platform.replies().len() >= ids.end).then_some(())
        })
        .await;
    };
    say(&gateway, 0..5).await;
    let old = tempfile::NamedTempFile::new().expect("a file");
    let gateway = gateway
        .restart_after(|home| {
            fs::copy(home.join("session/session.db"), old.path()).expect("a copy");
        })
        .await;
    say(&gateway, 5..10).await;

    let mut gateway = gateway
        .restart_after(|home| {
            for name in ["session.db", "session.db-wal", "session.db-shm"] {
                let _ = fs::remove_file(home.join("session").join(name));
            }
            fs::copy(old.path(), home.join("session/session.db")).expect("the older one");
        })
        .await;

    until("the lost ones answered again", async || {
        (platform.replies().len() >= 15).then_some(())
    })
    .await;
    gateway.interrupt().await;
    let asked = ids(&gateway.path("session/session.db"), ASKED);
    for id in 0..10 {
        let count = asked
            .iter()
            .filter(|row| row.contains(&format!("[m{id}]")))
            .count();
        assert_eq!(count, 1, "m{id} stands {count} times in the transcripts");
    }
    assert_eq!(
        platform.replies().len(),
        15,
        "what session still knew is answered once"
    );
}

#[tokio::test]
async fn a_restore_refuses_what_does_not_fit_and_changes_nothing() {
    let platform = Platform::start().await;
    let mut gateway = Gateway::start(&with_an_answer_each(&platform.config())).await;
    let folder = home();
    let [first, second] = ["a.tar", "b.tar"].map(|name| folder.path().join(name));
    for (file, id) in [(&first, "m1"), (&second, "m2")] {
        assert!(platform.deliver(&gateway, id, "anna", id).await);
        let taken = gateway.run(&["backup", file.to_str().expect("a path")]).await;
        assert!(taken.status.success(), "{taken:?}");
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(file).expect("it").permissions());
        assert_eq!(mode & 0o777, 0o600, "it holds the token");
    }
    let running = gateway.run(&["restore", first.to_str().expect("a path")]).await;
    assert_eq!(running.status.code(), Some(77), "{running:?}");
    gateway.interrupt().await;
    let offline = folder.path().join("offline.tar");
    let taken = gateway.run(&["backup", offline.to_str().expect("a path")]).await;
    assert!(
        taken.status.success(),
        "a gateway that does not run is backed up too: {taken:?}"
    );

    let (one, other) = (fs::read(&first).expect("it"), fs::read(&second).expect("it"));
    let mut flipped = one.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x55;
    // The bridge's database of one backup and the rest of another.
    let bridge_bytes = usize::from_str_radix(
        std::str::from_utf8(&one[124..135])
            .expect("digits")
            .trim_matches(['\0', ' ']),
        8,
    )
    .expect("a size");
    let end = 512 + bridge_bytes.div_ceil(512) * 512;
    let mixed = [&one[..end], &other[end..]].concat();
    for (what, content) in [
        ("cut", &one[..one.len() / 2]),
        ("cut before the manifest", &one[..one.len() - 4096]),
        ("changed", &flipped),
        ("mixed", &mixed),
        ("empty", &[]),
        ("no archive", &b"hello".repeat(500)),
    ] {
        let (target, file) = (home(), folder.path().join("bad.tar"));
        fs::write(&file, content).expect("a file");

        let refused = run_in(target.path(), &["restore", file.to_str().expect("a path")]).await;

        assert_eq!(refused.status.code(), Some(1), "{what}: {refused:?}");
        for left in [
            "gatehouse.json5",
            "session/session.db",
            "channel-bridge/bridge.db",
            "session/session.db.restore",
        ] {
            assert!(!target.path().join(left).exists(), "{what}: {left}");
        }
    }
    let again = gateway.run(&["restore", first.to_str().expect("a path")]).await;
    assert!(again.status.success(), "over a home that has data: {again:?}");
    let kept = fs::read_dir(gateway.path("session")).expect("a folder").flatten();
    assert!(
        kept.into_iter()
            .any(|entry| entry.file_name().to_string_lossy().contains("before-restore")),
        "what stood there is kept"
    );
}

#[tokio::test]
async fn the_files_that_the_document_includes_are_backed_up_and_restored_where_they_were() {
    const CONFIG: &str = "agents.defaults.timeoutSeconds";
    let files = [
        (
            "conf/agents.json5",
            "{ $include: './more/limits.json5' } // ours\n",
        ),
        ("conf/more/limits.json5", "{ defaults: { timeoutSeconds: 77 } }\n"),
        ("secrets/agents.json5", "{ defaults: { maxConcurrent: 3 } }\n"),
    ];
    let gateway = Gateway::start(&json!({})).await;
    let mut gateway = gateway
        .restart_after(|home| {
            for (name, text) in files {
                let path = home.join(name);
                fs::create_dir_all(path.parent().expect("a folder")).expect("made");
                fs::write(path, text).expect("written");
            }
            let path = home.join("gatehouse.json5");
            let document = fs::read_to_string(&path).expect("the document");
            let mut document: serde_json::Value =
                serde_json::from_str(&document).expect("as the test wrote it");
            document["agents"] = json!({"$include": ["./conf/agents.json5", "./secrets/agents.json5"]});
            fs::write(path, document.to_string()).expect("written");
        })
        .await;
    let shown =
        |output: std::process::Output| String::from_utf8(output.stdout).expect("text").trim().to_owned();
    assert_eq!(shown(gateway.run(&["config", "get", CONFIG]).await), "77");
    let folder = home();
    let live = folder.path().join("live.tar");
    let offline = folder.path().join("offline.tar");
    for file in [&live, &offline] {
        let taken = gateway.run(&["backup", file.to_str().expect("a path")]).await;
        assert!(taken.status.success(), "{taken:?}");
        gateway.interrupt().await;
    }

    for file in [live, offline] {
        let home = home();
        let restored = run_in(home.path(), &["restore", file.to_str().expect("a path")]).await;

        assert!(restored.status.success(), "{restored:?}");
        for (name, text) in files {
            assert_eq!(fs::read_to_string(home.path().join(name)).expect(name), text);
        }
        let said = shown(run_in(home.path(), &["config", "get", CONFIG]).await);
        assert_eq!(said, "77");
        // Once more over what is there now: that is a configuration, too.
        let again = run_in(home.path(), &["restore", file.to_str().expect("a path")]).await;
        assert!(again.status.success(), "{again:?}");
    }
}
