//! What waits to be said in chats: seen, dropped and stopped from outside.

use gatehouse_core::{Address, Identity, client::Peer};
use gatehouse_proto::session::v1::{AbortChatRequest, session_service_client::SessionServiceClient};
use gatehouse_tests::{Client, Gateway, platform::Platform, until};
use serde_json::{Value, json};

use crate::{ALL, identity::credential, with_channels};

/// A gateway whose platform takes messages from people and no replies: they wait.
async fn waiting_gateway(platform: &Platform) -> Gateway {
    let mut channels = platform.config();
    channels["webhook"]["accounts"]["test"]["callbackUrl"] = json!("http://127.0.0.1:9/discard");
    let mut config = with_channels(&channels);
    config["session"] = json!({"dmScope": "per-channel-peer"});
    Gateway::start(&config).await
}

async fn list(operator: &Client, what: Value) -> Value {
    operator.call("channels.outbox.list", what).await.expect("a list")
}

#[tokio::test]
async fn what_waits_for_a_chat_is_listed_page_by_page_and_dropped_over_a_socket() {
    let platform = Platform::start().await;
    let gateway = waiting_gateway(&platform).await;
    let operator = Client::plain(&gateway, ALL).await;
    for (n, to) in ["anna", "anna", "bert"].iter().enumerate() {
        let message = json!({"channel": "webhook", "to": to, "message": format!("number {n}"), "idempotencyKey": format!("k{n}")});
        operator.call("send", message).await.expect("stored");
    }

    let all = list(&operator, json!({})).await;
    let first = list(&operator, json!({"limit": 2})).await;
    let rest = list(&operator, json!({"limit": 2, "cursor": first["nextCursor"]})).await;

    assert_eq!(all["totalCount"], 3, "{all}");
    let runs = |page: &Value| {
        let rows = page["deliveries"].as_array().expect("rows").iter();
        rows.map(|row| row["runId"].as_str().expect("a run").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (runs(&first), runs(&rest)),
        (vec!["k0".into(), "k1".into()], vec!["k2".into()])
    );
    assert!(rest.get("nextCursor").is_none(), "{rest}");
    assert_eq!(runs(&list(&operator, json!({"to": "bert"})).await), ["k2"]);

    let nothing = operator.call("channels.outbox.drop", json!({})).await;
    assert!(nothing.is_err(), "what is meant has to be said: {nothing:?}");
    let one = operator
        .call("channels.outbox.drop", json!({"runId": "k0"}))
        .await
        .expect("dropped");
    assert_eq!(
        (&one["droppedCount"], &one["dropped"][0]["to"]),
        (&json!(1), &json!("anna")),
        "{one}"
    );
    assert_eq!(runs(&list(&operator, json!({})).await), ["k1", "k2"]);
    let others = operator
        .call("channels.outbox.drop", json!({"all": true}))
        .await
        .expect("dropped");
    assert_eq!(others["droppedCount"], 2, "{others}");
    assert_eq!(list(&operator, json!({})).await["totalCount"], 0);

    let reader = Client::plain(&gateway, &["operator.read"]).await;
    assert_eq!(list(&reader, json!({})).await["totalCount"], 0);
    assert!(
        reader
            .call("channels.outbox.drop", json!({"all": true}))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn an_abort_by_grpc_drops_what_the_bridge_still_holds_of_the_conversation() {
    let platform = Platform::start().await;
    let gateway = waiting_gateway(&platform).await;
    let operator = Client::plain(&gateway, ALL).await;
    for who in ["anna", "bert"] {
        assert!(
            platform
                .deliver(&gateway, &format!("m-{who}"), who, "hello")
                .await
        );
    }
    let waiting = until("both replies", async || {
        let page = list(&operator, json!({})).await;
        (page["totalCount"] == 2).then_some(page)
    })
    .await;
    let rows = waiting["deliveries"].as_array().expect("rows");
    let annas = rows
        .iter()
        .find(|row| row["to"] == "anna")
        .expect("a reply to anna");
    let socket = Address::Unix(gateway.path("run/session.sock"));
    let peer = Peer::lazy(&socket, &credential(&gateway, Identity::Operator));

    let aborted = SessionServiceClient::new(peer.service())
        .abort_chat(AbortChatRequest {
            session_key: annas["sessionKey"].as_str().expect("a session").to_owned(),
            agent_id: None,
            run_id: None,
        })
        .await
        .expect("aborted")
        .into_inner();

    assert_eq!(
        (aborted.ok, aborted.aborted, aborted.dropped_count),
        (true, true, Some(1)),
        "{aborted:?}"
    );
    let left = list(&operator, json!({})).await;
    assert_eq!(
        (&left["totalCount"], &left["deliveries"][0]["to"]),
        (&json!(1), &json!("bert")),
        "{left}"
    );
}
