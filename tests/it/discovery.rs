//! A gateway on the local network, as Avahi sees it: in a network of the test's own.

use std::{fs, path::Path, process::Command};

use gatehouse_tests::{Findings, gateway::binary};
use serde_json::{Value, json};

/// Whether this machine has what is needed: Avahi, and networks of one's own.
fn is_possible() -> bool {
    let finds = |program: &str| {
        let found = Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .output();
        found.is_ok_and(|found| found.status.success())
    };
    let veth = Command::new("unshare")
        .args([
            "-n", "-m", "ip", "link", "add", "m0", "type", "veth", "peer", "name", "m1",
        ])
        .output();
    ["avahi-daemon", "avahi-browse", "dbus-daemon", "pgrep", "python3"]
        .into_iter()
        .all(finds)
        && veth.is_ok_and(|made| made.status.success())
}

#[test]
fn avahi_finds_the_gateway_follows_it_and_nobody_depends_on_it() {
    if !is_possible() {
        eprintln!("left out: no avahi (make prerequisites), or no network of one's own here");
        return;
    }
    let folder = tempfile::Builder::new()
        .prefix("gatehouse-")
        .tempdir()
        .expect("a folder");
    let home = folder.path().join("home");
    fs::create_dir(&home).expect("made");
    // Named, because this may be a container.
    let document = json!({"gateway": {"tls": {"enabled": true}}, "discovery": {"mdns": {"mode": "minimal"}}});
    fs::write(home.join("gatehouse.json5"), document.to_string()).expect("written");
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/discovery");

    let found = Findings::of(
        Command::new("unshare")
            .args(["-n", "-m", "bash"])
            .arg(ours.join("network.sh"))
            .arg(binary())
            .arg(folder.path())
            .arg(ours.join("hostile.py")),
    );

    let port = found.line("port");
    let first = found.line("first");
    assert!(first.contains(&format!(";192.0.2.7;{port};")), "{first}");
    for key in [
        "\"role=gateway\"",
        &format!("\"gatewayPort={port}\""),
        "\"gatewayTls=1\"",
        "\"gatewayTlsSha256=",
    ] {
        assert!(first.contains(key), "{key}: {first}");
    }
    let token = fs::read_to_string(home.join("config/token")).expect("the token");
    let machine = fs::read_to_string("/proc/sys/kernel/hostname").expect("a name");
    let host = first.split(';').nth(6).expect("the host").to_owned();
    for private in [token.trim(), home.to_str().expect("UTF-8")] {
        assert!(!found.said().contains(private), "{}", found.said());
    }
    assert_ne!(
        host.trim_end_matches(".local"),
        machine.trim(),
        "people name machines after themselves"
    );
    assert_eq!(found.line("follows"), "yes");
    let listed: Value = serde_json::from_str(found.line("discover")).expect("JSON");
    let urls = listed["gateways"][0]["urls"].to_string();
    assert!(urls.contains(&format!("wss://198.51.100.9:{port}")), "{listed}");
    assert_eq!(found.line("again"), "yes");
    assert_eq!(found.line("ready"), "without a network");
    assert_eq!(found.line("end"), "0");
    assert_eq!(found.line("goodbye"), "yes");
    assert_eq!(found.line("storm"), "ready");
    assert_eq!(found.line("ended"), "0");
}
