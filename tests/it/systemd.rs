//! The unit that `gatehouse service` writes, run by systemd itself: in a machine of the test's own, whose disk forgets everything.

use std::{path::Path, process::Command};

use gatehouse_tests::gateway::binary;
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

    let output = Command::new("bash")
        .arg(script)
        .arg(binary())
        .arg(folder.path())
        .output()
        .expect("a machine of its own");

    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if let Some(why) = said.strip_prefix("none ") {
        eprintln!("left out: systemd cannot run in a machine of its own here: {why}");
        return;
    }
    let line = |name: &str| {
        let found = said
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name} ")));
        found
            .map(str::to_owned)
            .unwrap_or_else(|| panic!("{name}: {said}\n{}", String::from_utf8_lossy(&output.stderr)))
    };
    assert_eq!(line("install"), "active");
    assert!(line("status").starts_with("serving at ws://"), "{said}");
    let gateway: Value = serde_json::from_str(&line("gateway")).expect("JSON");
    assert_eq!(gateway["status"]["ok"], true, "{gateway}");
    let owner = line("user");
    let (user, folder) = owner.split_once(" owns ").expect("both");
    assert!(user != "0" && folder == format!("{user}:700"), "{owner}");
    assert_eq!(line("killed"), "1");
    assert_eq!(line("hung"), "1");
    assert_eq!(line("stop"), "success 0 0", "no process is left");
    assert_eq!(line("mistake"), "78 0");
    assert_eq!(line("uninstall"), "0 not-found");
}
