//! The unit that `gatehouse service` writes, run by systemd itself: in a machine of the test's own, whose disk forgets everything.

use std::{path::Path, process::Command};

use gatehouse_tests::{Findings, gateway::binary};
use serde_json::Value;

#[test]
fn systemd_runs_the_unit_looks_after_it_and_leaves_a_wrong_configuration_alone() {
    if !Path::new("/lib/systemd/systemd").exists() {
        eprintln!("left out: systemd is not here (make prerequisites)");
        return;
    }
    let folder = tempfile::Builder::new()
        .prefix("gatehouse-")
        .tempdir()
        .expect("a folder");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/systemd/machine.sh");

    let found = Findings::of(Command::new("bash").arg(script).arg(binary()).arg(folder.path()));

    if let Some(why) = found.find("none") {
        eprintln!("left out: systemd cannot run in a machine of its own here: {why}");
        return;
    }
    assert_eq!(found.line("install"), "active");
    assert!(found.line("status").starts_with("serving at ws://"));
    let gateway: Value = serde_json::from_str(found.line("gateway")).expect("JSON");
    assert_eq!(gateway["status"]["ok"], true, "{gateway}");
    let owner = found.line("user");
    let (user, folder) = owner.split_once(" owns ").expect("both");
    assert!(user != "0" && folder == format!("{user}:700"), "{owner}");
    assert_eq!(found.line("killed"), "1");
    assert_eq!(found.line("hung"), "1");
    assert_eq!(found.line("stop"), "success 0 0", "no process is left");
    assert_eq!(found.line("mistake"), "78 0");
    assert_eq!(found.line("uninstall"), "0 not-found");
}
