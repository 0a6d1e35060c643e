//! The seven steps of a start: told as they happen, kept for `gatehouse status --start`, and an end that names step, key and exit code.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Output},
};

use gatehouse_tests::{Gateway, gateway::binary, wait::until};
use serde_json::{Value, json};

const STEPS: [&str; 7] = [
    "configuration",
    "secrets",
    "token",
    "plugins",
    "channels",
    "sockets",
    "schedules and discovery",
];

fn gatehouse(home: &Path, words: &[&str]) -> Output {
    Command::new(binary())
        .args(words)
        .arg("--home")
        .arg(home)
        .env_remove("GATEHOUSE_PORT")
        .env("XDG_STATE_HOME", home.join("state"))
        .output()
        .expect("the gatehouse binary")
}

/// The last start of a home, and how `gatehouse status --start` ended.
fn last_start(home: &Path) -> (Value, Option<i32>) {
    let output = gatehouse(home, &["status", "--start", "--json"]);
    let text = String::from_utf8_lossy(&output.stdout);
    (
        serde_json::from_str(&text).unwrap_or_default(),
        output.status.code(),
    )
}

fn home_with(document: &Value) -> tempfile::TempDir {
    let home = tempfile::Builder::new()
        .prefix("gatehouse-")
        .tempdir()
        .expect("a folder");
    fs::write(home.path().join("gatehouse.json5"), document.to_string()).expect("the configuration");
    home
}

#[tokio::test]
async fn a_start_tells_seven_steps_each_with_its_time_and_keeps_them() {
    let document = json!({
        "channels": {"webhook": {"accounts": {"shop": {
            "secret": "0123456789abcdef", "callbackUrl": "http://127.0.0.1:9/reply",
        }}}},
        "plugins": {"entries": {"kitchen": {"endpoint": "127.0.0.1:9"}}},
    });

    let mut gateway = Gateway::start_logged(&document).await;

    // The plugin never answers, which is told after a while and holds up nobody.
    let start = until("the last step", async || {
        let (start, code) = last_start(&gateway.path("."));
        (start["state"] == "done" && code == Some(0)).then_some(start)
    })
    .await;
    let log = gateway.log();
    for (index, title) in STEPS.into_iter().enumerate() {
        let line = format!("{}/7 {title}: ", index + 1);
        let lines: Vec<&str> = log.lines().filter(|told| told.contains(&line)).collect();
        assert_eq!(lines.len(), 1, "{line}: {log}");
        assert!(lines[0].ends_with(" ms)"), "{lines:?}");
    }
    let told = |index: usize| {
        start["start"]["steps"][index]["told"]
            .as_str()
            .unwrap_or_default()
    };
    assert!(told(3).contains("not yet: kitchen"), "{start}");
    assert!(told(4).contains("webhook/shop"), "{start}");
    assert!(told(5).contains(&gateway.url()), "{start}");
    let page = gatehouse(&gateway.path("."), &["status", "--start"]);
    assert!(String::from_utf8_lossy(&page.stdout).contains("schedules and discovery"));
    gateway.interrupt().await;
}

#[test]
fn a_start_that_ends_names_the_step_the_key_and_what_to_do_with_78_for_the_configuration_alone() {
    let missing = home_with(
        &json!({"channels": {"telegram": {"botToken": "${A_TOKEN_OF_NOBODY}", "enabled": true}},
        "gateway": {"auth": {"password": "${A_PASSWORD_OF_NOBODY}", "mode": "password"}}}),
    );
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port();
    let in_use = home_with(&json!({"gateway": {"port": port}}));
    let wrong = home_with(&json!({"gateway": {"auth": {"mode": "tokn"}}}));
    for (home, code, index, named) in [
        (&wrong, 78, 0, "gateway.auth.mode"),
        (&missing, 78, 1, "gateway.auth.password"),
        (&in_use, 1, 5, "in use"),
    ] {
        let up = gatehouse(home.path(), &["up"]);

        assert_eq!(up.status.code(), Some(code), "{up:?}");
        let (start, shown) = last_start(home.path());
        let step = &start["start"]["steps"][index];
        assert_eq!(shown, Some(1), "{start}");
        assert_eq!(start["state"], "failed", "{start}");
        assert_eq!(step["state"], "failed", "{start}");
        assert_eq!(step["exit"], code, "{start}");
        let told = step["told"].as_str().unwrap_or_default();
        assert!(told.contains(named), "{start}");
    }
}
