//! Homes of earlier releases, frozen as `tests/frozen` says: this release starts in them and finds what was kept there.

use std::{fs, path::Path};

use gatehouse_tests::{Client, Gateway};
use rusqlite::Connection;
use serde_json::{Value, json};

/// Every database of a home, with the file of its frozen text.
const DATABASES: [(&str, &str); 3] = [
    ("session/session.db", "session.sql"),
    ("channel-bridge/bridge.db", "bridge.sql"),
    ("config/devices.db", "devices.sql"),
];

fn frozen() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("frozen")
}

fn thaw(release: &Path) -> tempfile::TempDir {
    let home = tempfile::Builder::new()
        .prefix("gatehouse-")
        .tempdir()
        .expect("a folder");
    fs::copy(
        release.join("gatehouse.json5"),
        home.path().join("gatehouse.json5"),
    )
    .expect("the document");
    for (database, text) in DATABASES {
        let path = home.path().join(database);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        let text = fs::read_to_string(release.join(text)).expect("frozen");
        let connection = Connection::open(&path).expect("a database");
        connection.execute_batch(&text).expect("the frozen form");
    }
    home
}

fn form(path: &Path) -> i64 {
    let connection = Connection::open(path).expect("a database");
    let whole: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .expect("an answer");
    assert_eq!(whole, "ok", "{}", path.display());
    connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .expect("a number")
}

#[tokio::test]
async fn a_home_of_each_release_is_opened_by_this_one_with_everything_that_was_kept() {
    let mut releases: Vec<_> = fs::read_dir(frozen())
        .expect("frozen homes")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    releases.sort();
    assert!(!releases.is_empty());
    for release in releases {
        let home = thaw(&release);
        let before: Vec<i64> = DATABASES
            .iter()
            .map(|(path, _)| form(&home.path().join(path)))
            .collect();

        let mut gateway = Gateway::start_in(home, &[]).await;

        let screen = Client::plain(&gateway, &["operator.read", "operator.write"]).await;
        let history = screen
            .call("chat.history", json!({"sessionKey": "agent:clerk:main"}))
            .await;
        let history = history.expect("the transcript").to_string();
        assert!(history.contains("what the first release was told"), "{history}");
        let jobs = screen.call("cron.list", json!({})).await.expect("the jobs");
        assert_eq!(jobs["jobs"][0]["name"], "brief", "{jobs}");
        let agents: Value = screen.call("agents.list", json!({})).await.expect("the agents");
        assert!(agents.to_string().contains("clerk"), "{agents}");
        let document = fs::read_to_string(gateway.path("gatehouse.json5")).expect("the document");
        let expected = fs::read_to_string(release.join("gatehouse.now.json5")).expect("frozen");
        assert_eq!(document, expected, "{}", release.display());
        gateway.interrupt().await;
        for ((path, _), before) in DATABASES.iter().zip(before) {
            assert!(form(&gateway.path(path)) >= before, "{path} goes forward");
        }
        let bridge = Connection::open(gateway.path("channel-bridge/bridge.db")).expect("a database");
        let inbox: i64 = bridge
            .query_row("SELECT count(*) FROM inbox WHERE message_id = 'm1'", [], |row| {
                row.get(0)
            })
            .expect("the inbox");
        assert_eq!(inbox, 1, "what came in is known: a repeat is noticed");
    }
}
