//! Faults that nobody announces: processes that hang, databases that are damaged or go away, and what is said of them.

use std::{fs, path::Path, time::Duration};

use gatehouse_tests::{
    Client, Gateway,
    gateway::{is_alive, signal},
    http, until,
    wait::until_within,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::SCREEN;

const SERVICES: [&str; 6] = [
    "agent",
    "broadcast",
    "channel-bridge",
    "config",
    "edge",
    "session",
];

/// Half a minute of silence, the questions around it, and a busy machine.
const RESTARTED_WITHIN: Duration = Duration::from_secs(90);

async fn ready(gateway: &Gateway) -> (u16, Value) {
    match http::get(&format!("{}/readyz", gateway.http())).await {
        Ok(answer) => (answer.status().as_u16(), answer.json().await.unwrap_or_default()),
        Err(_) => (0, Value::Null),
    }
}

async fn status(gateway: &Gateway) -> (Option<i32>, Value) {
    let output = gateway.run(&["status", "--json"]).await;
    let report = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code(), report)
}

fn state<'a>(status: &'a Value, service: &str) -> Vec<&'a str> {
    let rows = status["status"]["services"].as_array().into_iter().flatten();
    rows.filter(|row| row["service"] == service)
        .filter_map(|row| row["state"].as_str())
        .collect()
}

#[tokio::test]
async fn processes_that_hang_are_started_again_and_messages_are_answered_after() {
    let gateway = Gateway::start(&json!({})).await;
    let before: Vec<u32> = SERVICES
        .iter()
        .filter_map(|service| gateway.pid(service))
        .collect();
    assert_eq!(before.len(), SERVICES.len());
    // Until the supervisor has heard each of them once, which it tries twice a second, it counts as starting.
    until("every process older than its start", async || {
        let (_, shown) = status(&gateway).await;
        let rows = shown["status"]["services"].as_array()?.clone();
        let old = rows.iter().filter(|row| row["uptimeMs"].as_i64() > Some(3_000));
        (old.count() == SERVICES.len()).then_some(())
    })
    .await;

    before.iter().for_each(|pid| signal(*pid, "STOP"));

    until_within(RESTARTED_WITHIN, "other processes", async || {
        let now: Vec<u32> = SERVICES
            .iter()
            .filter_map(|service| gateway.pid(service))
            .collect();
        let all_new = now.len() == before.len() && now.iter().all(|pid| !before.contains(pid));
        all_new.then_some(())
    })
    .await;
    let run = Uuid::new_v4().to_string();
    let answered = until("an answer", async || {
        let client = Client::try_plain(&gateway, SCREEN).await.ok()?;
        let message = json!({"sessionKey": "agent:main:main", "message": "hello", "idempotencyKey": run});
        client.call("chat.send", message).await.ok()?;
        let wait = client
            .call("agent.wait", json!({"runId": run, "timeoutMs": 5000}))
            .await
            .ok()?;
        (wait["status"] == "ok").then_some(wait)
    });
    answered.await;
}

#[tokio::test]
async fn not_even_a_stopped_process_outlives_a_killed_supervisor() {
    let mut gateway = Gateway::start(&json!({})).await;
    let pids = gateway.pids();
    signal(gateway.pid("session").expect("a session service"), "STOP");
    signal(gateway.pid("edge").expect("an edge"), "STOP");

    gateway.kill_supervisor().await;

    until("nobody left", async || {
        pids.iter().all(|pid| !is_alive(*pid)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn messages_are_taken_without_config_broadcast_and_agent_and_status_says_who_is_away() {
    for service in ["config", "broadcast", "agent"] {
        let gateway = Gateway::start(&json!({})).await;
        let pid = gateway.pid(service).expect(service);
        signal(pid, "STOP");

        let (code, report) = until("it to be named", async || {
            let (code, report) = ready(&gateway).await;
            let named = report["degraded"].as_array()?.iter().any(|name| name == service);
            named.then_some((code, report))
        })
        .await;
        let (exit, shown) = status(&gateway).await;
        signal(pid, "CONT");

        assert_eq!(code, 200, "{report}");
        assert_eq!(exit, Some(1), "{shown}");
        if service != "broadcast" {
            assert_eq!(state(&shown, service), ["silent"], "{shown}");
        }
    }
}

#[tokio::test]
async fn status_shows_the_processes_that_live_right_after_a_kill() {
    let gateway = Gateway::start(&json!({})).await;
    for service in ["session", "agent", "edge"] {
        let old = gateway.kill(service).await;
        until("the process back", async || {
            gateway.pid(service).filter(|pid| *pid != old)
        })
        .await;
        until("it ready", async || {
            (ready(&gateway).await.0 == 200).then_some(())
        })
        .await;

        let shown = until("it in the status", async || {
            let (exit, shown) = status(&gateway).await;
            (exit == Some(0)).then_some(shown)
        })
        .await;

        for service in SERVICES {
            assert_eq!(state(&shown, service), ["serving"], "{shown}");
        }
    }
}

#[tokio::test]
async fn a_database_that_goes_away_makes_the_gateway_unready_and_nothing_is_acknowledged() {
    let gateway = Gateway::start(&json!({})).await;
    let client = Client::plain(&gateway, SCREEN).await;
    let send = async || {
        let message = json!({"sessionKey": "agent:main:main", "message": "hi", "idempotencyKey": Uuid::new_v4().to_string()});
        client.call("chat.send", message).await
    };
    send().await.expect("it is well");

    fs::remove_file(gateway.path("session/session.db")).expect("the database");

    let refused = send()
        .await
        .expect_err("nothing is taken into a file without a name");
    assert!(format!("{refused:?}").contains("UNAVAILABLE"), "{refused:?}");
    until("unready", async || (ready(&gateway).await.0 == 503).then_some(())).await;
    let (exit, shown) = status(&gateway).await;
    assert_eq!(exit, Some(1));
    assert!(
        shown.to_string().contains("was deleted while it was in use"),
        "{shown}"
    );
}

#[tokio::test]
async fn a_damaged_database_is_named_by_status_with_what_to_do() {
    let mut gateway = Gateway::start(&json!({})).await;
    gateway.interrupt().await;
    let path = gateway.path("session/session.db");
    let bytes = fs::metadata(&path).expect("the database").len();
    let file = fs::OpenOptions::new().write(true).open(&path).expect("it");
    file.set_len(bytes / 2).expect("it is cut");
    gateway.start_again();

    let shown = until("status to name it", async || {
        let (exit, shown) = status(&gateway).await;
        let named = shown.to_string().contains("gatehouse restore");
        (exit == Some(1) && state(&shown, "session") == ["not_serving"] && named).then_some(shown)
    })
    .await;

    assert_eq!(state(&shown, "channel-bridge"), ["serving"], "{shown}");
    assert_eq!(ready(&gateway).await.0, 503);
}

/// What makes a file unusable.
type Damage = fn(&Path);

/// What a service needs, made unusable while the service is away: the file, how, and the step of the start that waits for it.
const BROKEN: [(&str, &str, Damage, usize); 5] = [
    ("config", "config/devices.db", overwritten, 5),
    ("session", "session/session.db", a_folder, 6),
    ("session", "session/session.db", emptied, 6),
    ("channel-bridge", "channel-bridge/bridge.db", a_folder, 4),
    ("channel-bridge", "channel-bridge/bridge.db", overwritten, 4),
];

fn emptied(path: &Path) {
    fs::write(path, "").expect("it is emptied");
}

fn overwritten(path: &Path) {
    fs::write(
        path,
        "this was a database once, and is none any more\n".repeat(200),
    )
    .expect("it is overwritten");
    for beside in ["-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(beside);
        let _ = fs::remove_file(name); // it may not be there
    }
}

fn a_folder(path: &Path) {
    fs::remove_file(path).expect("it was there");
    fs::create_dir(path).expect("a folder in its place");
}

#[tokio::test]
async fn a_file_that_a_service_cannot_use_is_named_by_status_whichever_it_is() {
    for (service, file, broken, step) in BROKEN {
        let mut gateway = Gateway::start(&json!({})).await;
        gateway.interrupt().await;
        let path = gateway.path(file);
        broken(&path);
        gateway.start_again();

        let name = path.display().to_string();
        let told = until(&format!("{service} without {file}"), async || {
            let output = gateway.run(&["status"]).await;
            let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            (!output.status.success() && told.contains(&name)).then(|| told.into_owned())
        })
        .await;

        assert!(told.contains(service), "{told}");
        let waiting = until(&format!("the start without {file}"), async || {
            let output = gateway.run(&["status", "--start", "--json"]).await;
            let start: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            let step = start["start"]["steps"][step].clone();
            step["told"].as_str()?.contains(&name).then_some(step)
        })
        .await;
        assert_eq!(waiting["state"], "waiting", "{waiting}");
        let log = until("the log to tell that it goes on so", async || {
            let log = fs::read_to_string(gateway.path("log/gatehouse.log")).ok()?;
            log.contains(&format!("{service} ends so each time"))
                .then_some(log)
        })
        .await;
        let last = log.rsplit_once("1/7 configuration").map_or("", |(_, last)| last);
        let reasons = last
            .lines()
            .filter(|line| line.contains(&name) && line.contains("gatehouse: "));
        assert_eq!(reasons.count(), 1, "{last}");
    }
}

#[tokio::test]
async fn the_reason_why_a_model_does_not_answer_reaches_the_person_and_the_status() {
    let gateway = Gateway::start(&json!({
        "models": {"providers": {"gone": {"baseUrl": "http://me:hunter2@127.0.0.1:1/v1"}}},
        "agents": {"defaults": {"model": "gone/m"}},
    }))
    .await;
    let reason = "provider gone cannot be reached at http://127.0.0.1:1: connection refused";

    let chat = gateway.run(&["chat", "hello"]).await;
    let shown = until("the provider in the status", async || {
        let (code, shown) = status(&gateway).await;
        (state(&shown, "agent") == ["degraded"]).then_some((code, shown))
    })
    .await;

    let told = String::from_utf8_lossy(&chat.stderr) + String::from_utf8_lossy(&chat.stdout);
    assert!(!chat.status.success() && told.contains(reason), "{told}");
    let (code, shown) = shown;
    assert_eq!(code, Some(0), "the gateway itself is well");
    let shown = shown.to_string();
    assert!(shown.contains(reason) && !shown.contains("hunter2"), "{shown}");

    // Whoever mends the entry sees it as not tried yet.
    let mended = [
        "config",
        "set",
        "models.providers.gone.baseUrl",
        "\"http://127.0.0.1:2/v1\"",
    ];
    assert!(gateway.run(&mended).await.status.success());
    until("a fresh start", async || {
        (state(&status(&gateway).await.1, "agent") == ["serving"]).then_some(())
    })
    .await;
}
