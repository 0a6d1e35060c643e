//! Tools of others that speak gRPC, as docs/operations.md tells people to use them.

use std::{path::Path, process::Stdio, time::Duration};

use gatehouse_tests::Gateway;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

/// Longer than a loaded machine takes to start Python.
const WITHIN: Duration = Duration::from_secs(60);

/// What Python's grpcio finds at an address. Debian's package is for Debian's own Python.
#[expect(clippy::panic, reason = "a test fails by panicking")]
async fn found(target: &str, credential: &Path) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/tools.py");
    let mut said = String::new();
    for python in ["python3", "/usr/bin/python3"] {
        let asked = Command::new(python)
            .arg(&script)
            .arg(target)
            .arg(credential)
            .output();
        let output = timeout(WITHIN, asked).await.expect("it ends").expect("Python");
        if output.status.success() {
            return String::from_utf8(output.stdout).expect("names");
        }
        said.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    panic!("Python's grpcio (Debian: apt-get install python3-grpcio) finds nothing: {said}");
}

/// Leads from a port to a service. The port is the one that it says.
async fn forward(gateway: &Gateway, service: &str) -> (Child, String) {
    let mut child = Command::new(gatehouse_tests::gateway::binary())
        .args(["forward", service, "--json", "--home"])
        .arg(gateway.path(""))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the binary");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let line = timeout(WITHIN, lines.next_line())
        .await
        .expect("in time")
        .expect("readable");
    let said: Value = serde_json::from_str(&line.expect("where it listens")).expect("JSON");
    let at = said["listen"].as_str().expect("an address").to_owned();
    (child, at)
}

#[tokio::test]
async fn pythons_grpc_finds_the_services_on_a_unix_socket_and_through_a_port() {
    let gateway = Gateway::start(&json!({})).await;
    let credential = gateway.path("credential/operator");
    let socket = format!("unix:{}", gateway.path("run/session.sock").display());
    let (_forward, port) = forward(&gateway, "session").await;

    for target in [socket, port] {
        let found = found(&target, &credential).await;

        // `v1alpha` is what older tools ask for.
        for version in ["v1 ", "v1alpha "] {
            let names = found.lines().find(|line| line.starts_with(version));
            assert!(
                names.is_some_and(|names| names.contains("gatehouse.session.v1.SessionService")),
                "{target}: {found}"
            );
        }
        assert!(found.contains("health 0801"), "{target}: {found}"); // field 1 is 1: SERVING
    }
}
