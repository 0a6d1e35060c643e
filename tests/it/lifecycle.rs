//! Starting, stopping and being killed.

use gatehouse_tests::{
    Client, Gateway,
    gateway::{is_alive, signal},
    http, until,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::SCREEN;

#[tokio::test]
async fn ctrl_c_stops_everything_and_tells_the_clients() {
    let mut gateway = Gateway::start(&json!({})).await;
    let client = Client::plain(&gateway, SCREEN).await;
    let pids = gateway.pids();
    assert_eq!(pids.len(), 7, "the supervisor, the edge and five services");

    let code = gateway.interrupt().await;

    assert_eq!(code, Some(0));
    client.event("shutdown", |_| true).await;
    until("the close", async || client.close()).await;
    assert_eq!(client.close().map(|(code, _)| code), Some(1012));
    assert!(pids.iter().all(|pid| !is_alive(*pid)), "nothing is left behind");
}

#[tokio::test]
async fn no_orphan_survives_a_killed_supervisor() {
    let mut gateway = Gateway::start(&json!({})).await;
    let pids = gateway.pids();

    gateway.kill_supervisor().await;

    until("every process gone", async || {
        pids.iter().all(|pid| !is_alive(*pid)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_restart_keeps_what_was_said() {
    let gateway = Gateway::start(&json!({})).await;
    let client = Client::plain(&gateway, SCREEN).await;
    let run = Uuid::new_v4().to_string();
    client
        .call(
            "chat.send",
            json!({"sessionKey": "main", "message": "remember me", "idempotencyKey": run}),
        )
        .await
        .expect("taken");
    client
        .event("chat", |chat| chat["runId"] == run && chat["state"] == "final")
        .await;
    let before = client
        .call("chat.history", json!({"sessionKey": "main"}))
        .await
        .expect("a history");

    let gateway = gateway.restart().await;

    let client = Client::plain(&gateway, SCREEN).await;
    let after = client
        .call("chat.history", json!({"sessionKey": "main"}))
        .await
        .expect("a history");
    assert_eq!(after["messages"], before["messages"]);
}

#[tokio::test]
async fn a_killed_service_comes_back_while_the_sockets_stay() {
    let gateway = Gateway::start(&json!({})).await;
    let client = Client::plain(&gateway, SCREEN).await;
    for service in ["session", "agent", "broadcast", "config", "channel-bridge"] {
        let old = gateway.kill(service).await;
        until("a new process", async || {
            gateway.pid(service).filter(|pid| *pid != old)
        })
        .await;
    }

    until("a whole turn", async || {
        let run = Uuid::new_v4().to_string();
        let message = json!({"sessionKey": "main", "message": "still there?", "idempotencyKey": run});
        client.call("chat.send", message).await.ok()?;
        let wait = client
            .call("agent.wait", json!({"runId": run, "timeoutMs": 20_000}))
            .await
            .ok()?;
        (wait["status"] == "ok").then_some(())
    })
    .await;
    assert!(!client.has_ended(), "no client was cut off");
}

#[tokio::test]
async fn readiness_says_what_is_missing_while_liveness_stays() {
    let gateway = Gateway::start(&json!({})).await;
    let get = async |path: &str| {
        let answer = http::get(&format!("{}{path}", gateway.http()))
            .await
            .expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a body"))
    };
    assert_eq!(get("/readyz").await.0, 200);

    // A stopped process answers nothing and is not restarted: the way a hang looks from outside.
    let session = gateway.pid("session").expect("a session service");
    let stop = |signal: &str| {
        std::process::Command::new("kill")
            .args([signal, &session.to_string()])
            .status()
            .expect("kill")
    };
    stop("-STOP");
    let unready = until("not ready", async || {
        Some(get("/readyz").await).filter(|(status, _)| *status == 503)
    })
    .await;
    let live = get("/healthz").await.0;
    stop("-CONT");

    assert!(
        unready.1.contains("session"),
        "it names the service: {}",
        unready.1
    );
    assert_eq!(live, 200);
    until("ready again", async || {
        (get("/readyz").await.0 == 200).then_some(())
    })
    .await;
}

/// Every service, by the name that it reports itself with.
const SERVICES: [&str; 6] = [
    "agent",
    "session",
    "channel-bridge",
    "config",
    "broadcast",
    "edge",
];

/// The processes of a service that a list of reports names.
fn instances(report: &Value, service: &str) -> Vec<String> {
    let rows = report["services"].as_array().into_iter().flatten();
    rows.filter(|row| row["service"] == service)
        .filter_map(|row| row["instanceId"].as_str().map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn a_service_that_is_asked_to_end_signs_off_and_is_never_listed_beside_its_successor() {
    let gateway = Gateway::start(&json!({})).await;
    for service in SERVICES {
        let screen = until("a connection", async || {
            Client::try_plain(&gateway, SCREEN).await.ok()
        })
        .await;
        let listed = async |screen: &Client| {
            let status = screen.call("status", json!({})).await.ok()?;
            Some(instances(&status, service))
        };
        let old = until("the process", async || listed(&screen).await?.pop()).await;

        gateway.ask_to_end(service).await;

        let screen = if service == "edge" {
            until("the close", async || screen.close()).await;
            until("another edge", async || {
                Client::try_plain(&gateway, SCREEN).await.ok()
            })
            .await
        } else {
            screen
        };
        until("its successor", async || {
            let now = listed(&screen).await?;
            assert!(now.len() <= 1, "{service} is listed twice: {now:?}");
            now.iter()
                .any(|instance| !instance.is_empty() && *instance != old)
                .then_some(())
        })
        .await;
        // What clients were told in the meantime, change by change.
        for told in screen.events("health") {
            let told = instances(&told, service);
            assert!(told.len() <= 1, "{service} was listed twice: {told:?}");
        }
    }
}

#[tokio::test]
async fn a_start_in_the_moment_in_which_everything_was_killed_works_every_time() {
    let mut gateway = Gateway::start(&json!({})).await;
    for _ in 0..6 {
        // The supervisor last: what it has not reaped yet holds its locks, its sockets and its port.
        for pid in gateway.pids().into_iter().rev() {
            signal(pid, "KILL");
        }
        gateway.start_again();
        until("a ready gateway", async || gateway.is_ready().await.then_some(())).await;
    }
}

#[tokio::test]
async fn a_start_after_a_kill_in_the_middle_of_another_start_works_as_well() {
    let mut gateway = Gateway::start(&json!({})).await;
    for services in [1, 2, 3, 4, 5, 6] {
        gateway.kill_supervisor().await;
        gateway.start_again();
        // So many services have begun, and none knows yet that nobody waits for it.
        until("the beginning of a start", async || {
            (gateway.pids().len() > services).then_some(())
        })
        .await;
        gateway.kill_supervisor().await;
        gateway.start_again();
        until("a ready gateway", async || gateway.is_ready().await.then_some(())).await;
    }
}
