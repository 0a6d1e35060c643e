//! What systemd is told of a gateway's life, and what `gatehouse service` has it do. The part of systemd is played here.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixDatagram},
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use gatehouse_tests::{Gateway, gateway::binary};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long one word of the gateway is waited for, on a busy machine.
const WITHIN: Duration = Duration::from_secs(60);

/// A manager that hears what it is told.
struct Manager {
    folder: TempDir,
    socket: UnixDatagram,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = UnixDatagram::bind(folder.path().join("notify")).expect("a socket");
        socket.set_read_timeout(Some(WITHIN)).expect("a limit");
        Self { folder, socket }
    }

    /// Waits until it is told something of the kind.
    fn hears(&self, wanted: &str) -> String {
        let mut buffer = [0; 4096];
        loop {
            let length = self.socket.recv(&mut buffer).expect(wanted);
            let said = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if said.lines().any(|line| line.starts_with(wanted)) {
                return said;
            }
        }
    }
}

#[tokio::test]
async fn the_service_manager_is_told_that_it_is_ready_that_it_lives_and_that_it_ends() {
    let manager = Manager::new();
    let address = manager.folder.path().join("notify").display().to_string();
    // Half a second: it is told four times in it.
    let env = [("NOTIFY_SOCKET", address.as_str()), ("WATCHDOG_USEC", "500000")];

    let mut gateway = Gateway::start_with(&json!({}), &env).await;

    let ready = manager.hears("READY=1");
    assert!(
        ready.contains(&format!("STATUS=serving at {}", gateway.url())),
        "{ready}"
    );
    for _ in 0..3 {
        manager.hears("WATCHDOG=1");
    }
    assert_eq!(gateway.interrupt().await, Some(0));
    let stopping = manager.hears("STOPPING=1");
    let limit = stopping
        .lines()
        .find_map(|line| line.strip_prefix("EXTEND_TIMEOUT_USEC="));
    let limit: u64 = limit.expect("how long").parse().expect("a number");
    assert!(
        limit > 30_000_000,
        "longer than answers under way may take: {limit}"
    );
}

/// A machine whose systemd is a script: it says that it runs, writes down what it is asked, and knows one unit.
struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new(state: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in\n*is-system-running) echo {state};;\n\
             *show*) echo \"FragmentPath=$(ls $HOME/.config/systemd/user/gatehouse.service 2>/dev/null)\"\n\
             echo UnitFileState=enabled; echo ActiveState=active; echo 'StatusText=serving at ws://127.0.0.1:1';;\n\
             *) echo \"$*\" >> \"$HOME/asked\";;\nesac\n"
        );
        let path = folder.path().join("systemctl");
        fs::write(&path, script).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
        Self { folder }
    }

    fn home(&self) -> &Path {
        self.folder.path()
    }

    fn unit(&self) -> String {
        fs::read_to_string(self.home().join(".config/systemd/user/gatehouse.service")).unwrap_or_default()
    }

    fn asked(&self) -> String {
        fs::read_to_string(self.home().join("asked")).unwrap_or_default()
    }

    fn service(&self, words: &[&str]) -> Output {
        Command::new(binary())
            .arg("service")
            .args(words)
            .args(["--json", "--home"])
            .arg(self.home().join("my data"))
            .env("PATH", format!("{}:/usr/bin:/bin", self.home().display()))
            .env("HOME", self.home())
            .env_remove("XDG_CONFIG_HOME")
            .output()
            .expect("the binary")
    }
}

fn read(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

#[test]
fn a_service_is_installed_started_shown_and_removed_and_anothers_unit_is_left_alone() {
    let machine = Machine::new("running");

    let installed = machine.service(&["install"]);
    assert!(installed.status.success(), "{installed:?}");
    let home = machine.home().join("my data");
    let exec = format!(
        "ExecStart={} up --home \"{}\"",
        binary().display(),
        home.display()
    );
    assert!(machine.unit().contains(&exec), "{}", machine.unit());
    assert_eq!(
        machine.asked(),
        "--user daemon-reload\n--user enable --now gatehouse.service\n"
    );
    let status = read(&machine.service(&["status"]));
    assert_eq!(
        (&status["installed"], &status["state"], &status["says"]),
        (
            &json!(true),
            &json!("active"),
            &json!("serving at ws://127.0.0.1:1")
        )
    );
    assert!(
        machine.service(&["install"]).status.success(),
        "again, after an update"
    );

    let removed = machine.service(&["uninstall"]);
    assert!(removed.status.success(), "{removed:?}");
    assert_eq!(machine.unit(), "");
    assert!(
        machine
            .asked()
            .contains("--user disable --now gatehouse.service\n")
    );

    let path = machine.home().join(".config/systemd/user/gatehouse.service");
    fs::write(&path, "[Service]\n").expect("another's unit");
    for verb in ["install", "uninstall"] {
        let refused = machine.service(&[verb]);
        assert_eq!(refused.status.code(), Some(77), "{refused:?}");
    }
    assert_eq!(machine.unit(), "[Service]\n");
}

#[test]
fn where_systemd_runs_nothing_it_is_said_what_to_do_instead_and_the_unit_can_be_read_all_the_same() {
    let machine = Machine::new("offline");

    let refused = machine.service(&["install"]);
    assert_eq!(refused.status.code(), Some(69));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("gatehouse up -d"), "{said}");
    assert_eq!((machine.unit(), machine.asked()), (String::new(), String::new()));

    let printed = machine.service(&["install", "--print", "--system"]);
    assert_eq!(printed.status.code(), Some(2), "its home is not ours to name");
    let printed = machine.service(&["install", "--print"]);
    assert!(String::from_utf8_lossy(&printed.stdout).contains("Type=notify"));
}
