//! A map that changes under a live edge.

use std::sync::Arc;

use gatehouse_contract::PluginId;
use gatehouse_proto::broadcast::v1::Event;
use gatehouse_test_contract::descriptors;
use serde_json::json;

use crate::{
    client::Client,
    gateway::{Gateway, Plugin, Reply},
};

const SCOPES: [&str; 2] = ["operator.read", "operator.write"];

/// Tea with a name: field 1 of both messages.
const KITCHEN: &str = "
    message Tea { string name = 1; }
    message Done { option (gatehouse.options.v1.event) = {
        name: \"kitchen.done\" access: ACCESS_OPERATOR_READ publishers: IDENTITY_EDGE }; string dish = 1; }
    service Kitchen { rpc Boil(Tea) returns (Tea) {
        option (gatehouse.options.v1.method) = { name: \"NAME\" access: ACCESS }; } }";

const BOIL: &str = "/t.v1.Kitchen/Boil";

fn kitchen() -> PluginId {
    PluginId::parse("kitchen").unwrap()
}

/// The wire form of a string in field 1.
fn text(text: &str) -> Vec<u8> {
    [&[10, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

/// Registers the kitchen with its one method.
fn register(gateway: &Gateway, plugin: &Plugin, name: &str, access: &str, overrides: &[&str]) {
    let contract = descriptors(
        &KITCHEN
            .replace("NAME", name)
            .replace("ACCESS }", &format!("{access} }}")),
    );
    gateway.offers.send_modify(|offer| {
        let next = offer.with(&kitchen(), &contract, overrides, plugin.peer.clone());
        *offer = Arc::new(next.expect("a plugin that may stand beside the others"));
    });
}

fn listed(client: &Client, what: &str, name: &str) -> bool {
    let list = client.hello["features"][what].as_array().expect("a list");
    list.iter().any(|listed| listed == name)
}

#[tokio::test]
async fn a_plugin_that_is_registered_is_listed_for_the_new_and_served_to_the_old() {
    let gateway = Gateway::start().await;
    let plugin = gateway.plugin();
    plugin.answers(BOIL, Reply::Many(vec![text("tea")]));
    let mut old = Client::v4(&gateway, &SCOPES).await;
    let before = old.call("kitchen.boil", json!({"name": "mint"})).await;
    assert_eq!(before["ok"], false, "what exists is not told: {before}");
    assert!(!listed(&old, "methods", "kitchen.boil"));

    register(&gateway, &plugin, "kitchen.boil", "ACCESS_OPERATOR_WRITE", &[]);

    let answer = old.call("kitchen.boil", json!({"name": "mint"})).await;
    assert_eq!(answer["payload"], json!({"name": "tea"}), "{answer}");
    let new = Client::v4(&gateway, &SCOPES).await;
    assert!(listed(&new, "methods", "kitchen.boil") && listed(&new, "events", "kitchen.done"));
    let call = plugin.calls().pop().expect("a call of the plugin");
    assert_eq!((&*call.path, &*call.body), (BOIL, &*text("mint")));
    assert_eq!(call.caller.expect("the client behind it").scopes, SCOPES);
    assert!(
        gateway.calls(BOIL).is_empty(),
        "no service of the gateway was asked"
    );
}

#[tokio::test]
async fn what_a_plugin_declares_is_held_as_what_the_core_declares() {
    let gateway = Gateway::start().await;
    let plugin = gateway.plugin();
    register(&gateway, &plugin, "kitchen.boil", "ACCESS_OPERATOR_ADMIN", &[]);
    let mut client = Client::v4(&gateway, &SCOPES).await;

    let refused = client.call("kitchen.boil", json!({"name": "mint"})).await;
    let mut admin = Client::v4(&gateway, &["operator.admin"]).await;
    let wrong = admin.call("kitchen.boil", json!({"name": 7})).await;

    assert_eq!(
        refused["error"]["message"], "missing scope: operator.admin",
        "{refused}"
    );
    assert!(!listed(&client, "methods", "kitchen.boil"));
    assert_eq!(wrong["error"]["details"]["path"], "/name", "{wrong}");
    assert!(plugin.calls().is_empty(), "it hears of neither");
}

#[tokio::test]
async fn an_overridden_method_goes_to_the_plugin_until_it_leaves() {
    let gateway = Gateway::start().await;
    let plugin = gateway.plugin();
    plugin.answers(BOIL, Reply::Many(vec![text("of the plugin")]));
    gateway.answers("models.list", Reply::Json(r#"{"models":[]}"#));
    let mut client = Client::v4(&gateway, &SCOPES).await;

    register(
        &gateway,
        &plugin,
        "models.list",
        "ACCESS_OPERATOR_READ",
        &["models.list"],
    );
    let of_plugin = client.call("models.list", json!({"name": "x"})).await;
    gateway
        .offers
        .send_modify(|offer| *offer = Arc::new(offer.without(&kitchen())));
    let of_core = client.call("models.list", json!({})).await;

    assert_eq!(of_plugin["payload"]["name"], "of the plugin", "{of_plugin}");
    assert_eq!(of_core["payload"], json!({"models": []}), "{of_core}");
    assert_eq!(plugin.calls().len(), 1);
}

#[tokio::test]
async fn a_plugin_that_is_away_is_said_to_be_and_holds_up_nobody() {
    let gateway = Gateway::start().await;
    let mut plugin = gateway.plugin();
    let nowhere = gatehouse_core::Address::Unix("/nowhere/plugin.sock".into());
    plugin.peer = gatehouse_core::client::Peer::lazy(&nowhere, &gatehouse_core::Secret::new("x"));
    register(&gateway, &plugin, "kitchen.boil", "ACCESS_OPERATOR_READ", &[]);
    gateway.answers("models.list", Reply::Json(r#"{"models":[]}"#));
    let mut client = Client::v4(&gateway, &SCOPES).await;

    let away = client.call("kitchen.boil", json!({"name": "mint"})).await;
    let other = client.call("models.list", json!({})).await;

    assert_eq!(
        away["error"]["message"], "plugin kitchen is not available",
        "{away}"
    );
    assert_eq!(away["error"]["details"]["service"], "kitchen");
    assert_eq!(away["error"]["retryable"], true);
    assert_eq!(other["ok"], true, "{other}");
}

#[tokio::test]
async fn an_event_of_a_plugin_is_shown_once_it_is_in_the_map() {
    let gateway = Gateway::start().await;
    let plugin = gateway.plugin();
    let mut client = Client::v4(&gateway, &SCOPES).await;
    let done = |dish: &str| Event {
        r#type: "t.v1.Done".to_owned(),
        payload: text(dish).into(),
        ..Event::default()
    };

    let after = Event {
        r#type: "gatehouse.broadcast.v1.ShutdownEvent".to_owned(),
        ..Event::default()
    };
    gateway.publish(vec![done("early"), after]);
    client.event("shutdown").await; // what came before it has been looked at
    register(&gateway, &plugin, "kitchen.boil", "ACCESS_NODE", &[]);
    gateway.publish(vec![done("soup")]);

    let shown = client.event("kitchen.done").await;
    assert_eq!(shown["payload"], json!({"dish": "soup"}), "{shown}");
}
