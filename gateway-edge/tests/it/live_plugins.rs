//! Plugins that the configuration names: they join the map while it is in use, and whatever is wrong with one is its own affair.

use gatehouse_proto::plugin::v1::{DescribeResponse, PluginState, ReportPluginsRequest};
use gatehouse_test_contract::descriptors;
use prost::Message;
use serde_json::{Value, json};

use crate::{
    client::{Client, v4},
    gateway::{Gateway, Plugin, Reply, TOKEN, credential, revision, until, with_credentials},
};

const SCOPES: [&str; 2] = ["operator.read", "operator.write"];
const DESCRIBE: &str = "/gatehouse.plugin.v1.ManifestService/Describe";
const CONFIGURE: &str = "/gatehouse.plugin.v1.ManifestService/Configure";
const REPORT: &str = "/gatehouse.plugin.v1.PluginService/ReportPlugins";
const BOIL: &str = "/t.v1.Kitchen/Boil";

/// Tea with a name, and a method and an event about it.
fn contract(option: &str) -> Vec<u8> {
    descriptors(&format!(
        "message Tea {{ string name = 1; }}
         message Done {{ option (gatehouse.options.v1.event) = {{
            name: \"kitchen.done\" access: ACCESS_OPERATOR_READ }}; string dish = 1; }}
         service Kitchen {{ rpc Boil(Tea) returns (Tea) {{
            option (gatehouse.options.v1.method) = {{ {option} }}; }} }}"
    ))
}

fn boil() -> Vec<u8> {
    contract("name: \"kitchen.boil\" access: ACCESS_OPERATOR_READ deadline_ms: 300")
}

/// The wire form of a string in field 1.
fn text(text: &str) -> Vec<u8> {
    [&[10, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

pub(crate) fn describes(plugin: &Plugin, descriptors: Vec<u8>, schema: &str) {
    let described = DescribeResponse {
        title: "The kitchen".to_owned(),
        version: "1.2".to_owned(),
        file_descriptor_set: descriptors,
        config_schema: schema.to_owned(),
    };
    plugin.answers(DESCRIBE, Reply::Many(vec![described.encode_to_vec()]));
    plugin.answers(CONFIGURE, Reply::Many(vec![Vec::new()]));
}

/// A gateway, and a plugin beside it that boils tea.
pub(crate) async fn kitchen() -> (Gateway, Plugin) {
    let gateway = Gateway::start().await;
    gateway.answers_path(REPORT, Reply::Many(vec![Vec::new()]));
    let plugin = gateway.plugin();
    describes(&plugin, boil(), "");
    plugin.answers(BOIL, Reply::Many(vec![text("tea")]));
    (gateway, plugin)
}

pub(crate) fn configure(gateway: &Gateway, entries: Value) {
    let config = json!({"plugins": {"entries": entries}}).to_string();
    gateway.config.send_replace(Some(revision(&config, TOKEN)));
}

fn only(plugin: &Plugin) -> Value {
    json!({"kitchen": {"endpoint": plugin.endpoint}})
}

/// How a plugin is, as broadcast was told last.
fn told(gateway: &Gateway, id: &str) -> Option<(PluginState, String)> {
    let last = gateway.calls(REPORT).pop()?;
    let report = ReportPluginsRequest::decode(last.body).unwrap();
    let plugins = report.plugins.into_iter().filter_map(|reported| reported.plugin);
    let mut found = plugins.filter(|plugin| plugin.id == id);
    found
        .next()
        .map(|plugin| (plugin.state(), plugin.detail.unwrap_or_default()))
}

/// Waits until a plugin is so, and answers why.
pub(crate) async fn becomes(gateway: &Gateway, id: &str, state: PluginState) -> String {
    until(&format!("{id} that is {state:?}"), async || {
        told(gateway, id).is_some_and(|(is, _)| is == state)
    })
    .await;
    told(gateway, id).map(|(_, detail)| detail).unwrap_or_default()
}

/// What is wrong with one plugin is nothing to the others: the gateway's own methods answer.
async fn goes_on(gateway: &Gateway) {
    gateway.answers("models.list", Reply::Json(r#"{"models":[]}"#));
    let answer = Client::v4(gateway, &SCOPES)
        .await
        .call("models.list", json!({}))
        .await;
    assert_eq!(answer["ok"], true, "{answer}");
}

#[tokio::test]
async fn a_plugin_of_the_configuration_joins_and_leaves_while_clients_are_there() {
    let (gateway, plugin) = kitchen().await;
    let mut client = Client::v4(&gateway, &SCOPES).await;

    configure(&gateway, only(&plugin));
    let joined = client.event("plugins.changed").await;
    let answer = client.call("kitchen.boil", json!({"name": "mint"})).await;
    let hello = Client::v4(&gateway, &SCOPES).await.hello;
    configure(
        &gateway,
        json!({"kitchen": {"endpoint": plugin.endpoint, "enabled": false}}),
    );
    let left = client.event("plugins.changed").await;
    let after = client.call("kitchen.boil", json!({"name": "mint"})).await;

    assert_eq!(
        joined["payload"],
        json!({"pluginId": "kitchen", "reason": "joined"})
    );
    assert_eq!(answer["payload"], json!({"name": "tea"}), "{answer}");
    assert!(hello["features"]["methods"].to_string().contains("kitchen.boil"));
    assert!(hello["features"]["events"].to_string().contains("kitchen.done"));
    assert_eq!(left["payload"]["reason"], "left");
    assert_eq!(
        after["error"]["message"], "unknown method: kitchen.boil",
        "{after}"
    );
}

#[tokio::test]
async fn a_dead_plugin_is_named_answered_as_away_and_back_by_itself() {
    let (gateway, mut plugin) = kitchen().await;
    configure(&gateway, only(&plugin));
    becomes(&gateway, "kitchen", PluginState::Serving).await;
    let mut client = Client::v4(&gateway, &SCOPES).await;

    plugin.kill();
    let why = becomes(&gateway, "kitchen", PluginState::Away).await;
    let away = client.call("kitchen.boil", json!({"name": "mint"})).await;
    goes_on(&gateway).await;
    plugin.start();
    becomes(&gateway, "kitchen", PluginState::Serving).await;
    let back = client.call("kitchen.boil", json!({"name": "mint"})).await;

    assert!(!why.is_empty());
    assert_eq!(
        away["error"]["message"], "plugin kitchen is not available",
        "{away}"
    );
    assert_eq!(away["error"]["retryable"], true);
    assert_eq!(back["payload"], json!({"name": "tea"}), "{back}");
}

#[tokio::test]
async fn a_slow_plugin_holds_a_request_no_longer_than_its_deadline_and_is_named() {
    let (gateway, plugin) = kitchen().await;
    configure(&gateway, only(&plugin));
    becomes(&gateway, "kitchen", PluginState::Serving).await;
    plugin.answers(BOIL, Reply::Hang);
    let mut client = Client::v4(&gateway, &SCOPES).await;

    let late = client.call("kitchen.boil", json!({"name": "mint"})).await;
    let why = becomes(&gateway, "kitchen", PluginState::Degraded).await;
    plugin.answers(BOIL, Reply::Many(vec![text("tea")]));
    client.call("kitchen.boil", json!({"name": "mint"})).await;
    becomes(&gateway, "kitchen", PluginState::Serving).await;

    assert_eq!(late["error"]["message"], "kitchen.boil took too long", "{late}");
    assert_eq!(why, "did not answer kitchen.boil within 300 ms");
}

#[tokio::test]
async fn a_plugin_that_does_not_say_what_it_is_keeps_nobody_waiting() {
    let (gateway, plugin) = kitchen().await;
    plugin.answers(DESCRIBE, Reply::Hang);
    let other = gateway.plugin_at("other.sock");
    describes(
        &other,
        descriptors(
            "message A {} service Other { rpc Do(A) returns (A) {
            option (gatehouse.options.v1.method) = { name: \"other.do\" access: ACCESS_OPERATOR_READ }; } }",
        ),
        "",
    );

    configure(
        &gateway,
        json!({"kitchen": {"endpoint": plugin.endpoint}, "other": {"endpoint": other.endpoint}}),
    );

    becomes(&gateway, "other", PluginState::Serving).await;
    becomes(&gateway, "kitchen", PluginState::Connecting).await;
    goes_on(&gateway).await;
}

#[tokio::test]
async fn garbage_for_descriptors_keeps_a_plugin_out_and_garbage_for_an_answer_is_not_shown() {
    let (gateway, mut plugin) = kitchen().await;
    describes(&plugin, b"\xff\xff\xff".to_vec(), "");
    configure(&gateway, only(&plugin));
    let why = becomes(&gateway, "kitchen", PluginState::Refused).await;
    goes_on(&gateway).await;

    describes(&plugin, boil(), "");
    plugin.answers(BOIL, Reply::Many(vec![b"\xff\xff\xff".to_vec()]));
    plugin.kill(); // whoever mends a plugin starts it again
    plugin.start();
    becomes(&gateway, "kitchen", PluginState::Serving).await;
    let mut client = Client::v4(&gateway, &SCOPES).await;
    let answer = client.call("kitchen.boil", json!({"name": "mint"})).await;
    let fault = becomes(&gateway, "kitchen", PluginState::Degraded).await;

    assert!(why.contains("cannot be read"), "{why}");
    assert_eq!(answer["error"]["message"], "internal failure", "{answer}");
    assert!(fault.contains("kitchen.boil"), "{fault}");
}

#[tokio::test]
async fn a_plugin_that_comes_back_with_another_schema_is_called_by_that_one() {
    let (gateway, mut plugin) = kitchen().await;
    configure(&gateway, only(&plugin));
    becomes(&gateway, "kitchen", PluginState::Serving).await;
    let mut client = Client::v4(&gateway, &SCOPES).await;

    plugin.kill();
    describes(
        &plugin,
        contract("name: \"kitchen.brew\" access: ACCESS_OPERATOR_READ"),
        "",
    );
    plugin.start();
    let changed = client.event("plugins.changed").await;
    let old = client.call("kitchen.boil", json!({"name": "mint"})).await;
    let new = client.call("kitchen.brew", json!({"name": "mint"})).await;

    assert_eq!(changed["payload"]["reason"], "changed");
    assert_eq!(old["error"]["message"], "unknown method: kitchen.boil", "{old}");
    assert_eq!(new["payload"], json!({"name": "tea"}), "{new}");
}

#[tokio::test]
async fn a_plugin_whose_name_is_taken_or_that_lowers_an_access_is_refused_with_the_reason() {
    let (gateway, plugin) = kitchen().await;
    describes(
        &plugin,
        contract("name: \"models.list\" access: ACCESS_OPERATOR_READ"),
        "",
    );
    configure(&gateway, only(&plugin));
    let taken = becomes(&gateway, "kitchen", PluginState::Refused).await;

    describes(
        &plugin,
        contract("name: \"config.patch\" access: ACCESS_OPERATOR_READ"),
        "",
    );
    let entry = json!({"kitchen": {"endpoint": plugin.endpoint, "overrides": ["config.patch"]}});
    configure(&gateway, entry);
    until("the other reason", async || {
        told(&gateway, "kitchen").is_some_and(|(_, why)| why.contains("may not open"))
    })
    .await;

    assert!(taken.contains("may not take the name 'models.list'"), "{taken}");
    goes_on(&gateway).await;
}

#[tokio::test]
async fn a_plugin_that_floods_is_cut_off_at_the_bounds_and_named() {
    let (gateway, plugin) = kitchen().await;
    // No deadline of its own: what is large takes its time on a slow machine.
    describes(
        &plugin,
        contract("name: \"kitchen.boil\" access: ACCESS_OPERATOR_READ"),
        "",
    );
    configure(&gateway, only(&plugin));
    becomes(&gateway, "kitchen", PluginState::Serving).await;
    // An answer that is larger than a message may be.
    plugin.answers(BOIL, Reply::Many(vec![vec![b'x'; 33 * 1024 * 1024]]));
    let mut client = Client::v4(&gateway, &SCOPES).await;

    let answer = client.call("kitchen.boil", json!({"name": "mint"})).await;
    becomes(&gateway, "kitchen", PluginState::Degraded).await;
    describes(&plugin, vec![b'x'; 1_100_000], "");
    configure(
        &gateway,
        json!({"kitchen": {"endpoint": plugin.endpoint, "config": {}, "scopes": ["operator.read"]}}),
    );
    let why = becomes(&gateway, "kitchen", PluginState::Refused).await;

    assert_eq!(answer["error"]["message"], "internal failure", "{answer}");
    assert!(why.contains("larger than"), "{why}");
    goes_on(&gateway).await;
}

#[tokio::test]
async fn an_override_is_called_in_the_place_of_a_method_and_calls_the_original_by_its_own_credential() {
    let (gateway, plugin) = kitchen().await;
    gateway.answers("models.list", Reply::Json(r#"{"models":[]}"#));
    describes(
        &plugin,
        contract("name: \"models.list\" access: ACCESS_OPERATOR_READ"),
        "",
    );
    let entry = json!({"kitchen": {"endpoint": plugin.endpoint, "overrides": ["models.list"]}});
    let config = json!({"plugins": {"entries": entry}}).to_string();
    let rows = vec![
        credential("shared", TOKEN, &SCOPES),
        credential("plugin/kitchen", "of the kitchen", &["operator.read"]),
    ];
    gateway.config.send_replace(Some(with_credentials(&config, rows)));
    becomes(&gateway, "kitchen", PluginState::Serving).await;

    let mut client = Client::v4(&gateway, &SCOPES).await;
    let of_plugin = client.call("models.list", json!({"name": "x"})).await;
    let mut own = v4(&["operator.read"]);
    own["auth"]["token"] = json!("of the kitchen");
    let mut own = Client::connect(&gateway, own).await;
    let original = own.call("models.list", json!({})).await;
    let beyond = own.call("config.get", json!({})).await;
    let more = own.call("config.patch", json!({"raw": "{}"})).await;

    assert_eq!(of_plugin["payload"], json!({"name": "tea"}), "{of_plugin}");
    assert_eq!(original["payload"], json!({"models": []}), "{original}");
    assert_ne!(
        beyond["error"]["message"], "missing scope: operator.read",
        "{beyond}"
    );
    assert_eq!(
        more["error"]["message"], "missing scope: operator.admin",
        "{more}"
    );
    assert_eq!(plugin.calls().iter().filter(|call| call.path == BOIL).count(), 1);
}

#[tokio::test]
async fn settings_are_held_against_the_schema_that_the_plugin_brings_before_it_is_told_them() {
    let (gateway, plugin) = kitchen().await;
    let schema = json!({"type": "object", "properties": {"stove": {"enum": ["gas", "wood"]}}}).to_string();
    describes(&plugin, boil(), &schema);
    let with = |stove: &str| json!({"kitchen": {"endpoint": plugin.endpoint, "config": {"stove": stove}}});

    configure(&gateway, with("coal"));
    let why = becomes(&gateway, "kitchen", PluginState::Refused).await;
    let told_before = plugin.calls().iter().any(|call| call.path == CONFIGURE);
    configure(&gateway, with("gas"));
    becomes(&gateway, "kitchen", PluginState::Serving).await;

    assert!(why.contains("at /stove") && !why.contains("coal"), "{why}");
    assert!(!told_before);
    let calls = plugin.calls();
    let told = calls
        .iter()
        .find(|call| call.path == CONFIGURE)
        .expect("it was told");
    assert_eq!(&told.body[2..], br#"{"stove":"gas"}"#);
}

#[tokio::test]
async fn a_plugin_that_hangs_holds_so_many_calls_and_no_more() {
    let (gateway, plugin) = kitchen().await;
    describes(
        &plugin,
        contract("name: \"kitchen.boil\" access: ACCESS_OPERATOR_READ"),
        "",
    );
    plugin.answers(BOIL, Reply::Hang);
    configure(&gateway, only(&plugin));
    becomes(&gateway, "kitchen", PluginState::Serving).await;

    let mut clients = Vec::new();
    let mut busy = None;
    // A connection may have so many calls under way itself: several fill the plugin.
    while busy.is_none() && clients.len() < 20 {
        let mut client = Client::v4(&gateway, &SCOPES).await;
        for id in 0..8 {
            let call = json!({"type": "req", "id": format!("c{id}"), "method": "kitchen.boil", "params": {"name": "mint"}});
            client.send(&call.to_string()).await;
        }
        let probe = json!({"type": "req", "id": "probe", "method": "tools.none", "params": {}});
        client.send(&probe.to_string()).await;
        loop {
            let frame = client.frame().await;
            if frame["id"] == "probe" {
                break;
            }
            if frame["error"]["details"]["reason"] == "PLUGIN_BUSY" {
                busy = Some(frame);
            }
        }
        clients.push(client);
    }

    let busy = busy.expect("a call that finds no place");
    assert_eq!(busy["error"]["retryable"], true, "{busy}");
    assert!(plugin.calls().iter().filter(|call| call.path == BOIL).count() <= 64);
    goes_on(&gateway).await;
}
