//! A home as `gatehouse up` makes it: who on this machine can reach what is in it, and what each process knows.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests: a panic is the failure"
)]

mod gateway;

use std::{
    fs,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tokio::time::Instant;

use gateway::{Gateway, READY};

/// The environments of the services by their names.
fn environments(gateway: &Gateway) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().map_while(Result::ok) {
        let read = |name: &str| fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        let is_child = read("status")
            .lines()
            .any(|line| line == format!("PPid:\t{}", gateway.up.id()));
        if is_child {
            let name = read("cmdline").split('\0').nth(1).unwrap_or_default().to_owned();
            found.push((name, read("environ")));
        }
    }
    found
}

/// Everything below a folder with its mode.
fn modes(folder: &Path, found: &mut Vec<(PathBuf, u32, bool)>) {
    for entry in fs::read_dir(folder).unwrap().map_while(Result::ok) {
        let Ok(facts) = entry.path().symlink_metadata() else {
            continue;
        }; // a draft that has got its name
        found.push((entry.path(), facts.permissions().mode() & 0o7777, facts.is_dir()));
        if facts.is_dir() {
            modes(&entry.path(), found);
        } else {
            assert!(
                facts.is_file() || facts.file_type().is_socket(),
                "{}",
                entry.path().display()
            );
        }
    }
}

#[test]
fn everything_in_a_home_is_for_its_owner_whatever_the_umask() {
    for umask in ["000", "077"] {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("new/home");
        let gateway = Gateway::start(&home, umask, &[]);

        let mut found = vec![(
            home.clone(),
            fs::metadata(&home).unwrap().permissions().mode() & 0o7777,
            true,
        )];
        modes(&home, &mut found);

        for (path, mode, is_folder) in &found {
            // Digests tell nothing, and services may run as other users.
            let right = match is_folder {
                true => 0o700,
                false if path.ends_with("credential/digests") => 0o644,
                false => 0o600,
            };
            assert_eq!(
                *mode,
                right,
                "umask {umask}: {} has mode {mode:o}",
                path.display()
            );
        }
        assert!(found.len() > 12, "{found:?}");
        drop(gateway);
    }
}

#[test]
fn a_home_that_others_can_reach_is_told_with_the_command_that_closes_it() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    fs::create_dir(&home).unwrap();
    fs::create_dir(home.join("credential")).unwrap();
    fs::write(home.join("gatehouse.json5"), "{}").unwrap();
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    set(&home, 0o755);
    set(&home.join("credential"), 0o777);
    let gateway = Gateway::start(&home, "022", &[]);

    for command in [&["status"][..], &["config", "validate"]] {
        let output = gateway.command(command);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();

        assert!(
            output.status.success(),
            "{command:?}: {said} {}",
            String::from_utf8_lossy(&output.stderr)
        );
        for path in [&home, &home.join("credential")] {
            assert!(
                said.contains(&format!("`chmod 0700 {}`", path.display())),
                "{command:?}: {said}"
            );
        }
    }
    assert_eq!(
        fs::metadata(&home).unwrap().permissions().mode() & 0o777,
        0o755,
        "it is told, and not changed"
    );
}

#[test]
fn secrets_are_in_the_environment_of_the_config_service_alone() {
    let home = tempfile::tempdir().unwrap();
    fs::write(
        home.path().join("gatehouse.json5"),
        "{models: {providers: {p: {baseUrl: 'http://127.0.0.1:1/v1', apiKey: '${ROUTER_KEY}'}}}}",
    )
    .unwrap();
    let secrets = [
        ("ROUTER_KEY", "secret-of-the-router"),
        ("GATEHOUSE_SECRET_LATER", "secret-for-later"),
        ("UNRELATED", "secret-of-another-program"),
    ];
    let gateway = Gateway::start(home.path(), "022", &secrets);

    let environments = environments(&gateway);

    assert_eq!(environments.len(), 6, "{environments:?}");
    for (service, environment) in environments {
        for (_, secret) in secrets {
            assert_eq!(
                environment.contains(secret),
                service == "config",
                "{service}: {secret}"
            );
        }
    }
}

#[test]
fn what_a_change_opens_or_names_is_refused_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(
        home.path(),
        "022",
        &[("GATEHOUSE_SECRET_A", "a-secret-in-the-environment")],
    );
    fs::write(home.path().join("secrets/key"), "a-secret-in-a-file\n").unwrap();
    fs::set_permissions(home.path().join("secrets/key"), fs::Permissions::from_mode(0o600)).unwrap();
    let set = |key: &str, value: &str, more: &[&str]| {
        let output = gateway.command(&[&["config", "set", key, value][..], more].concat());
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let provider = |key: &str| format!("{{baseUrl: 'http://127.0.0.1:1/v1', apiKey: {key}}}");

    let (code, said) = set("gateway.trustedProxies", "['0.0.0.0/0']", &[]);
    assert!(
        code == Some(1) && said.contains("--force") && said.contains("any address"),
        "{code:?} {said}"
    );
    let (code, said) = set("gateway.trustedProxies", "['0.0.0.0/0']", &["--force"]);
    assert!(code == Some(0) && said.contains("any address"), "{code:?} {said}");
    for outside in [
        "{source: 'file', path: '/etc/hostname'}",
        "{source: 'file', path: 'credential/service'}",
        "'${PATH}'",
    ] {
        let (code, said) = set("models.providers.p", &provider(outside), &["--force"]);
        assert!(
            code == Some(77) && said.contains("configuration file"),
            "{code:?} {said}"
        );
    }
    for inside in ["{source: 'file', path: 'secrets/key'}", "'${GATEHOUSE_SECRET_A}'"] {
        let (code, said) = set("models.providers.p", &provider(inside), &[]);
        assert_eq!(code, Some(0), "{said}");
    }
    let (code, said) = set("models.providers.p.baseUrl", "http://127.0.0.2:1/v1", &[]);
    assert!(
        code == Some(77) && said.contains("does not follow"),
        "{code:?} {said}"
    );
    let shown = gateway.command(&["config", "get"]);
    assert!(!String::from_utf8_lossy(&shown.stdout).contains("a-secret"));
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + READY;
    while Instant::now() < end {
        if let Some(found) = look() {
            return found;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    panic!("{what}: not within {} s", READY.as_secs());
}

impl Gateway {
    /// The process id of a service.
    fn pid(&self, service: &str) -> Option<String> {
        let own = self.up.id();
        let entries = fs::read_dir("/proc").unwrap().map_while(Result::ok);
        let found = entries.map(|entry| entry.path()).find(|path| {
            let read = |name: &str| fs::read_to_string(path.join(name)).unwrap_or_default();
            read("status").lines().any(|line| line == format!("PPid:\t{own}"))
                && read("cmdline").split('\0').nth(1) == Some(service)
        });
        Some(found?.file_name()?.to_string_lossy().into_owned())
    }

    fn signal(&self, name: &str, pid: &str) {
        assert!(Command::new("kill").args([name, pid]).status().unwrap().success());
    }

    fn url(&self) -> Option<String> {
        fs::read_to_string(self.home.join("run/edge.url")).ok()
    }
}

#[test]
fn an_edge_that_was_given_any_port_has_it_again_after_a_crash() {
    let home = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(home.path(), "022", &[]);
    let (first, url) = (gateway.pid("edge").unwrap(), gateway.url().unwrap());

    gateway.signal("-KILL", &first);
    until("another edge", || gateway.pid("edge").filter(|pid| *pid != first));
    let again = until("its address", || gateway.url());

    assert_eq!(again, url);
    until("an answer there", || {
        gateway
            .command(&["call", "health"])
            .status
            .success()
            .then_some(())
    });
}

#[test]
fn every_service_is_shown_while_the_one_that_knows_all_is_away() {
    let home = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(home.path(), "022", &[]);
    let broadcast = gateway.pid("broadcast").unwrap();

    gateway.signal("-STOP", &broadcast);
    let (page, json) = (
        gateway.command(&["status"]),
        gateway.command(&["status", "--json"]),
    );
    gateway.signal("-CONT", &broadcast);

    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(page.status.code(), Some(1), "{}", text(&page.stderr));
    let shown = text(&page.stdout);
    for (service, state) in [
        ("session", "serving"),
        ("edge", "degraded"),
        ("broadcast", "silent"),
    ] {
        let row = shown
            .lines()
            .find(|line| line.starts_with(service))
            .unwrap_or_default();
        assert!(row.contains(state), "{service} is not {state}:\n{shown}");
    }
    assert!(
        shown.contains("messages are taken") && shown.contains("no channels"),
        "{shown}"
    );
    assert!(
        text(&page.stderr).contains("not serving: broadcast"),
        "{}",
        text(&page.stderr)
    );
    assert_eq!(json.status.code(), Some(1), "{}", text(&json.stderr));
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(report["status"]["partial"], true, "{report}");
    assert_eq!(report["status"]["ready"], true, "{report}");
    let services = report["status"]["services"].as_array().unwrap();
    let away: Vec<_> = services
        .iter()
        .filter(|one| one["state"] == "silent")
        .map(|one| &one["service"])
        .collect();
    assert_eq!(away, ["broadcast"], "{report}");
    assert_eq!(services.len(), 6, "{report}");
    assert!(report["channels"].is_object(), "{report}");
}
