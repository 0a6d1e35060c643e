//! Who may call what, and who may take how much of it, on real processes.

use std::{net::TcpListener, path::PathBuf, sync::Arc};

use bytes::Bytes;
use gatehouse_contract::{Map, Method};
use gatehouse_core::{Address, Identity, Secret, Service, client::Peer, raw::RawBytes};
use gatehouse_tests::{Client, Gateway, http, until};
use serde_json::json;
use tonic::{Code, Request, client::Grpc};
use uuid::Uuid;

use crate::{ALL, SCREEN};

pub(crate) fn credential(gateway: &Gateway, identity: Identity) -> Secret {
    let path = gateway.path("credential").join(identity.name());
    let text = std::fs::read_to_string(path).expect("a credential");
    Secret::new(text.trim())
}

/// Where a method is served.
fn socket(gateway: &Gateway, method: &Method) -> PathBuf {
    let package = method.service.split('.').nth(1).expect("gatehouse.<package>.v1");
    let package = match package {
        "backup" | "node" => "session", // both that keep databases serve copies of them
        "device" | "user" => "config",
        "plugin" => "broadcast", // plugins themselves are none of ours
        package => package,
    };
    let service = Service::ALL
        .into_iter()
        .find(|service| service.name().contains(package))
        .expect("a service");
    gateway.path(format!("run/{service}.sock"))
}

/// Calls a method with nothing, as whoever shows this, and says how that ended.
async fn call(gateway: &Gateway, method: &Method, shown: &Secret) -> (Code, String) {
    let peer = Peer::lazy(&Address::Unix(socket(gateway, method)), shown);
    let mut request = Request::new(Bytes::new());
    peer.prepare(request.metadata_mut());
    let mut grpc = Grpc::new(peer.channel());
    grpc.ready().await.expect("the service is there");
    let path = method.path.parse().expect("a path");
    match grpc.server_streaming(request, path, RawBytes).await {
        Ok(_) => (Code::Ok, String::new()),
        Err(status) => (status.code(), status.message().to_owned()),
    }
}

#[tokio::test]
async fn a_stolen_credential_opens_what_its_service_needs_and_nothing_else() {
    let gateway = Gateway::start(&json!({})).await;

    for method in Map::core().rpcs() {
        for identity in Identity::ALL {
            if method.callers.contains(&identity) {
                continue;
            }
            let (code, message) = call(&gateway, method, &credential(&gateway, identity)).await;

            assert_eq!(
                code,
                Code::PermissionDenied,
                "{identity}: {}: {message}",
                method.path
            );
            assert!(
                message.starts_with(identity.name()) && message.contains(&method.path),
                "{message}"
            );
        }
        let (code, _) = call(&gateway, method, &Secret::new("guess")).await;
        assert_eq!(code, Code::Unauthenticated, "{}", method.path);
    }
}

#[tokio::test]
async fn every_service_does_its_work_with_the_credential_it_has() {
    let gateway = Gateway::start(&json!({})).await;
    let client = Client::plain(&gateway, ALL).await;
    let run = Uuid::new_v4().to_string();

    // Publishing, running a turn and following events take session, agent, broadcast and the edge.
    let sent = json!({"sessionKey": "main", "message": "hello", "idempotencyKey": run});
    client.call("chat.send", sent).await.expect("taken");
    client
        .event("chat", |chat| chat["runId"] == run && chat["state"] == "final")
        .await;
    // Following the configuration and reporting takes all six.
    until("six services that run the one revision", async || {
        let status = client.call("status", json!({})).await.ok()?;
        let services = status["services"].as_array()?;
        let knows = |name: &str| {
            let mut reports = services.iter().filter(|service| service["service"] == name);
            reports.any(|service| {
                service["configHash"] == status["configHash"] && service["configHash"].is_string()
            })
        };
        Service::ALL
            .map(Service::name)
            .into_iter()
            .all(knows)
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_home_with_the_one_shared_credential_goes_on_working() {
    let gateway = Gateway::start(&json!({})).await;
    let gateway = gateway
        .restart_after(|home| {
            std::fs::remove_dir_all(home.join("credential")).expect("removed");
            std::fs::create_dir(home.join("credential")).expect("made");
            std::fs::write(home.join("credential/service"), "shared-by-all\n").expect("written");
        })
        .await;

    let client = Client::plain(&gateway, SCREEN).await;

    client.call("sessions.list", json!({})).await.expect("a list");
    assert!(!gateway.path("credential/service").exists());
}

#[tokio::test]
async fn a_client_that_parks_a_thousand_waits_leaves_the_gateway_ready_and_the_others_served() {
    // A model that never answers: whoever waits for its run waits for long.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/v1", silent.local_addr().expect("its address"));
    let gateway = Gateway::start(&json!({
        "models": {"providers": {"silent": {"baseUrl": url, "models": [{"id": "m", "name": "m"}]}}},
        "agents": {"defaults": {"model": {"primary": "silent/m"}}},
    }))
    .await;
    let run = Uuid::new_v4().to_string();
    let quiet = Client::plain(&gateway, SCREEN).await;
    let sent = json!({"sessionKey": "main", "message": "hello", "idempotencyKey": run});
    quiet.call("chat.send", sent).await.expect("taken");

    let mut greedy = Vec::new();
    let mut waits = Vec::new();
    for _ in 0..8 {
        let client = Arc::new(Client::plain(&gateway, SCREEN).await);
        for _ in 0..256 {
            let (client, run) = (Arc::clone(&client), run.clone());
            waits.push(tokio::spawn(async move {
                let params = json!({"runId": run, "timeoutMs": 3_600_000});
                client.call("agent.wait", params).await
            }));
        }
        greedy.push(client);
    }
    until("refusals", async || {
        let refused = waits.iter().filter(|wait| wait.is_finished()).count();
        (refused >= 8 * 128).then_some(())
    })
    .await;

    // A probe that came in the burst itself may have been late on a busy machine; the waits that stay change nothing.
    until("a gateway that is ready beside the waits", async || {
        let ready = http::get(&format!("{}/readyz", gateway.http())).await.ok()?;
        (ready.status() == 200).then_some(())
    })
    .await;
    let parked = waits.iter().filter(|wait| !wait.is_finished()).count();
    assert!(parked > 512, "only {parked} wait");
    for client in greedy.iter().map(|client| &**client).chain([&quiet]) {
        client
            .call("sessions.list", json!({}))
            .await
            .expect("a short call");
    }
    let params = json!({"runId": run, "timeoutMs": 1});
    let waited = quiet.call("agent.wait", params).await.expect("a wait of its own");
    assert_eq!(waited["status"], "timeout");
    for wait in waits {
        if wait.is_finished() {
            let refusal = wait.await.expect("no panic").expect_err("more than its share");
            assert!(refusal.retryable && refusal.code == "UNAVAILABLE", "{refusal:?}");
            assert!(refusal.message.contains("long waits"), "{refusal:?}");
        } else {
            wait.abort();
        }
    }
}
