//! A machine as a node of a gateway: the binary on both sides.

use std::{fs, path::Path, process::Stdio};

use gatehouse_core::Secret;
use gatehouse_tests::{
    Client, Gateway,
    gateway::{binary, run_in},
    until,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::ALL;

/// A token that is good for one device in the role of a node.
const TOKEN: &str = "node-token-of-these-tests";

/// `gatehouse node run` in a home of its own. Dropping it kills it.
struct Node {
    home: TempDir,
    id: String,
    _process: Child,
}

impl Node {
    /// A machine that runs `echo`, tells of programs, and shares a folder.
    async fn start(gateway: &Gateway) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let id = run_in(home.path(), &["node", "id"]).await;
        let id = String::from_utf8(id.stdout).expect("an id").trim().to_owned();
        let digest: String = Secret::new(TOKEN)
            .digest()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let rows = json!([{"id": "node", "digest": digest, "role": "node", "deviceId": id}]);
        let path = gateway.path("config/credentials.json");
        fs::write(path.with_extension("new"), rows.to_string()).expect("written");
        fs::rename(path.with_extension("new"), path).expect("renamed");
        fs::create_dir(home.path().join("shared")).expect("a folder");
        let process = spawn(gateway, home.path(), TOKEN);
        Self {
            home,
            id,
            _process: process,
        }
    }
}

fn spawn(gateway: &Gateway, home: &Path, token: &str) -> Child {
    Command::new(binary())
        .args([
            "node",
            "run",
            "--name",
            "pi",
            "--token",
            token,
            "--url",
            &gateway.url(),
        ])
        .args(["--allow", "/bin/echo", "--allow", "/bin/sleep", "--files"])
        .arg(home.join("shared"))
        .arg("--home")
        .arg(home)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the node")
}

/// The node as an operator sees it, once it is there.
async fn shown(operator: &Client, fits: impl Fn(&Value) -> bool) -> Value {
    until("the node", async || {
        let list = operator.call("node.list", json!({})).await.ok()?;
        list["nodes"].as_array()?.iter().find(|node| fits(node)).cloned()
    })
    .await
}

async fn approved(operator: &Client) -> Value {
    let node = shown(operator, |node| node["approvalState"] == "pending-approval").await;
    let request = json!({"requestId": node["pendingRequestId"]});
    operator
        .call("node.pair.approve", request)
        .await
        .expect("approved");
    shown(operator, |node| node["approvalState"] == "approved").await
}

fn wish(node: &Node, command: &str, params: Value, key: &str) -> Value {
    json!({"nodeId": node.id, "command": command, "params": params, "idempotencyKey": key})
}

#[tokio::test]
async fn a_machine_becomes_a_node_does_what_was_allowed_there_and_nothing_else() {
    let gateway = Gateway::start(&json!({})).await;
    let operator = Client::v4(&gateway, ALL).await;
    let node = Node::start(&gateway).await;

    let early = shown(&operator, |node| node["connected"] == true).await;
    assert_eq!(
        (&early["displayName"], &early["commands"]),
        (&json!("pi"), &json!([]))
    );
    let asked = operator
        .first(|frame| frame["event"] == "node.pair.requested")
        .await
        .unwrap();
    assert_eq!(asked["payload"]["nodeId"], node.id);
    let refused = operator
        .call("node.invoke", wish(&node, "system.which", json!({}), "early"))
        .await;
    assert_eq!(refused.unwrap_err().code, "INVALID_REQUEST");

    let known = approved(&operator).await;

    assert_eq!(
        known["commands"],
        json!(["file.read", "system.run", "system.which"])
    );
    let echoed = operator
        .call(
            "node.invoke",
            wish(&node, "system.run", json!({"command": ["echo", "a b"]}), "1"),
        )
        .await
        .unwrap();
    assert_eq!(
        (&echoed["ok"], &echoed["payload"]["stdout"]),
        (&json!(true), &json!("a b\n"))
    );
    assert_eq!(
        serde_json::from_str::<Value>(echoed["payloadJSON"].as_str().unwrap()).unwrap(),
        echoed["payload"]
    );
    let denied = operator
        .call(
            "node.invoke",
            wish(&node, "system.run", json!({"command": ["id"]}), "2"),
        )
        .await
        .unwrap_err();
    assert_eq!(
        (denied.code.as_str(), &denied.details["nodeError"]["code"]),
        ("UNAVAILABLE", &json!("SYSTEM_RUN_DENIED"))
    );
    assert!(!denied.retryable, "it answered");
    let denied = gateway
        .run(&["nodes", "invoke", "pi", "system.run", "{command: ['id']}"])
        .await;
    let said = String::from_utf8_lossy(&denied.stderr);
    assert!(
        denied.status.code() == Some(1) && !said.contains("again"),
        "{said} {}",
        denied.status
    );
    let figures = shown(&operator, |node| node["hostStats"]["cpuCount"].is_u64()).await;
    assert!(figures["hostStats"]["memoryTotalBytes"].is_u64());

    let listed = gateway.run(&["nodes", "--json"]).await;
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["nodes"][0]["nodeId"], node.id);
    let invoked = gateway
        .run(&["nodes", "invoke", "pi", "system.which", "{bins: ['echo']}"])
        .await;
    let said = String::from_utf8_lossy(&invoked.stdout).into_owned();
    assert!(
        said.contains("/echo"),
        "{said} {}",
        String::from_utf8_lossy(&invoked.stderr)
    );
}

#[tokio::test]
async fn a_large_file_arrives_whole_and_nothing_that_the_folder_or_the_document_forbids() {
    let config = json!({"gateway": {"nodes": {"commands": {"deny": ["system.which"]}}}});
    let gateway = Gateway::start(&config).await;
    let operator = Client::v4(&gateway, ALL).await;
    let node = Node::start(&gateway).await;
    approved(&operator).await;
    let content: Vec<u8> = (0..7_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    fs::write(node.home.path().join("shared/large"), &content).unwrap();

    let read = operator
        .call(
            "node.invoke",
            wish(&node, "file.read", json!({"path": "large"}), "1"),
        )
        .await
        .unwrap();

    assert_eq!(read["payload"]["sizeBytes"], content.len());
    let base64 = read["payload"]["base64"].as_str().unwrap();
    assert_eq!(base64.len(), content.len().div_ceil(3) * 4);
    let outside = operator
        .call(
            "node.invoke",
            wish(&node, "file.read", json!({"path": "../node/device.key"}), "2"),
        )
        .await
        .unwrap_err();
    assert_eq!(outside.details["nodeError"]["code"], "FILE_UNAVAILABLE");
    let denied = operator
        .call("node.invoke", wish(&node, "system.which", json!({}), "3"))
        .await
        .unwrap_err();
    assert!(
        denied.message.contains("gateway.nodes.commands.deny"),
        "{}",
        denied.message
    );
}

#[tokio::test]
async fn a_node_comes_again_after_each_process_and_what_was_under_way_is_lost_once() {
    let gateway = Gateway::start(&json!({})).await;
    let operator = Client::v4(&gateway, ALL).await;
    let node = Node::start(&gateway).await;
    approved(&operator).await;
    let slow = wish(&node, "system.run", json!({"command": ["sleep", "600"]}), "slow");

    let gone = {
        let other = Client::v4(&gateway, ALL).await;
        let waits = slow.clone();
        tokio::spawn(async move { other.call("node.invoke", waits).await })
    };
    let state = async |wanted: &str| {
        until(wanted, async || {
            let history = operator.call("node.invocations.list", json!({})).await.ok()?;
            (history["invocations"][0]["state"] == wanted).then_some(())
        })
        .await;
    };
    state("running").await;
    gateway.kill("session").await;

    assert!(gone.await.unwrap().is_err());
    shown(&operator, |node| {
        node["connected"] == true && node["approvalState"] == "approved"
    })
    .await;
    state("lost").await;
    let repeat = operator.call("node.invoke", slow).await.unwrap_err();
    assert_eq!(
        repeat.details["nodeError"]["code"], "DISCONNECTED",
        "it is not run again"
    );
    let works = operator
        .call(
            "node.invoke",
            wish(&node, "system.run", json!({"command": ["echo"]}), "after"),
        )
        .await;
    assert_eq!(works.unwrap()["ok"], true);
}

#[tokio::test]
async fn a_node_that_was_removed_has_to_be_paired_before_it_connects_again() {
    let config = json!({"gateway": {"nodes": {"pairing": {"autoApproveLocal": false}}}});
    let gateway = Gateway::start(&config).await;
    let operator = Client::plain(&gateway, ALL).await;
    let home = tempfile::tempdir().expect("a folder");
    fs::create_dir(home.path().join("shared")).expect("a folder");
    let _node = spawn(&gateway, home.path(), gateway.token());
    let asks = async || {
        until("the device's request", async || {
            let devices = operator.call("device.pair.list", json!({})).await.ok()?;
            let request = &devices["pending"][0]["requestId"];
            request.is_string().then(|| json!({"requestId": request}))
        })
        .await
    };
    let request = asks().await;
    operator.call("device.pair.approve", request).await.unwrap();
    let node = approved(&operator).await;

    let id = node["nodeId"].as_str().unwrap();
    let removed = gateway.run(&["nodes", "remove", id]).await;

    assert!(removed.status.success(), "{removed:?}");
    // Its token is good for nothing any more: with that of the gateway it asks anew, and is no node until somebody agrees.
    asks().await;
    let devices = operator.call("device.pair.list", json!({})).await.unwrap();
    assert_eq!(devices["paired"], json!([]));
    let nodes = operator.call("node.list", json!({})).await.unwrap();
    assert_eq!(nodes["nodes"], json!([]));
}
