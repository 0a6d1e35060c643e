//! What `gatehouse doctor` finds, and mends.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::Value;

use crate::support::{Person, err, json, out};

fn findings(text: &str, severity: &str) -> Vec<String> {
    let report = json(text);
    let list = report["findings"].as_array().unwrap();
    let wanted = list.iter().filter(|finding| finding["severity"] == severity);
    wanted
        .map(|finding| {
            format!(
                "{}: {}",
                finding["area"].as_str().unwrap(),
                finding["message"].as_str().unwrap()
            )
        })
        .collect()
}

#[test]
fn a_gateway_that_is_well_has_no_errors_whether_it_runs_or_not() {
    let person = Person::new();
    person.done("work", &["up", "-d", "--port", "0"]);

    let running = person.run("tmp", &["doctor", "--json"]);
    assert_eq!(
        findings(&out(&running), "error"),
        Vec::<String>::new(),
        "{}",
        err(&running)
    );
    let services = json(&out(&running))["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["area"] == "services")
        .count();
    assert_eq!(services, 6);
    person.done("tmp", &["stop"]);
    let stopped = person.run(
        "tmp",
        &["doctor", "--json", "--home", person.home().to_str().unwrap()],
    );

    // The usual port may be taken on the machine of the test.
    let errors = findings(&out(&stopped), "error")
        .into_iter()
        .filter(|error| !error.starts_with("port"));
    assert_eq!(errors.collect::<Vec<_>>(), Vec::<String>::new());
    assert!(
        findings(&out(&stopped), "note")
            .iter()
            .any(|note| note.contains("no gateway runs"))
    );
}

#[test]
fn what_is_safe_is_mended_and_the_rest_is_told_with_its_fix() {
    let person = Person::new();
    person.done("work", &["up", "-d", "--port", "0"]);
    person.done("work", &["stop"]);
    let home = person.home();
    let doctor = |more: &[&str]| {
        person.run(
            "tmp",
            &[&["doctor", "--json", "--home", home.to_str().unwrap()], more].concat(),
        )
    };
    fs::set_permissions(home.join("config/token"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::remove_dir_all(home.join("secrets")).unwrap();
    fs::create_dir_all(home.join("run")).unwrap();
    fs::write(home.join("run/edge.url"), "ws://127.0.0.1:1\n").unwrap();

    let found = doctor(&[]);
    let warnings = findings(&out(&found), "warning");
    assert!(
        warnings.iter().any(|warning| warning.contains("config/token")),
        "{warnings:?}"
    );
    assert!(
        warnings.iter().any(|warning| warning.contains("secrets")),
        "{warnings:?}"
    );
    let fixed = doctor(&["--fix"]);
    let fixed = json(&out(&fixed));
    let count = fixed["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["fixed"] == true)
        .count();
    assert_eq!(count, 3, "{fixed}");
    assert_eq!(
        fs::metadata(home.join("config/token"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o600
    );
    assert!(home.join("secrets").is_dir() && !home.join("run/edge.url").exists());
    assert!(findings(&out(&doctor(&[])), "warning").is_empty(), "it is mended");
}

#[test]
fn a_damaged_database_a_mistake_and_a_missing_secret_are_errors_and_nothing_is_changed() {
    let person = Person::new();
    person.done("work", &["up", "-d", "--port", "0"]);
    person.done("work", &["chat", "hello"]);
    person.done("work", &["stop"]);
    let home = person.home();
    let (database, file) = (home.join("session/session.db"), home.join("gatehouse.json5"));
    let mut bytes = fs::read(&database).unwrap();
    bytes.truncate(bytes.len() / 2);
    fs::write(&database, &bytes).unwrap();
    let doctor = || person.run("tmp", &["doctor", "--json", "--home", home.to_str().unwrap()]);

    fs::write(&file, "{ gateway: { port: \"many\" } }").unwrap();
    let mistaken = doctor();
    fs::write(&file, "{ gateway: { auth: { token: \"${NOBODY_SET_THIS}\" } } }").unwrap();
    let lacking = doctor();

    for output in [&mistaken, &lacking] {
        assert_eq!(output.status.code(), Some(1), "{}", err(output));
        let errors = findings(&out(output), "error");
        assert!(
            errors
                .iter()
                .any(|error| error.starts_with("databases:") && error.contains("session.db")),
            "{errors:?}"
        );
        let list: Value = json(&out(output))["findings"].clone();
        for finding in list
            .as_array()
            .unwrap()
            .iter()
            .filter(|finding| finding["severity"] == "error")
        {
            assert!(finding["fix"].is_string(), "{finding}");
        }
    }
    assert!(
        findings(&out(&mistaken), "error")
            .iter()
            .any(|error| error.contains("gateway.port"))
    );
    assert!(
        findings(&out(&lacking), "error")
            .iter()
            .any(|error| error.contains("NOBODY_SET_THIS"))
    );
    assert_eq!(fs::read(&database).unwrap(), bytes, "nothing was written");
    let files: Vec<_> = fs::read_dir(home.join("session"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(!files.iter().any(|name| name == "session.db-shm"), "{files:?}");
}

#[test]
fn a_gateway_that_is_named_by_its_address_is_asked_and_no_other_one_is_looked_for() {
    let person = Person::new();
    person.done("work", &["up", "-d", "--port", "0"]);
    let url = fs::read_to_string(person.home().join("run/edge.url")).unwrap();
    let token = person.done("tmp", &["token", "show"]);
    // As in a container of one service: a home in which no supervisor answers and nothing can be written.
    let home = person.path("elsewhere");
    fs::create_dir_all(home.join("config")).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o500)).unwrap();
    let named = [
        "doctor",
        "--json",
        "--quick",
        "--home",
        home.to_str().unwrap(),
        "--url",
        url.trim(),
        "--token",
        token.trim(),
    ];

    let report = person.run("tmp", &named);

    assert_eq!(
        findings(&out(&report), "error"),
        Vec::<String>::new(),
        "{}",
        err(&report)
    );
    let notes = findings(&out(&report), "note");
    assert!(
        notes.iter().all(|note| !note.contains("no gateway runs")),
        "{notes:?}"
    );
    assert!(
        notes.iter().any(|note| note.contains("only the echo answers")),
        "{notes:?}"
    );
}
