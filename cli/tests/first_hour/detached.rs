//! A gateway without a terminal, and one user who has it in mind from every folder.

use std::{fs, path::Path, process::Stdio};

use crate::support::{Person, err, json, out, until};

#[test]
fn a_gateway_without_a_terminal_is_started_found_restarted_and_stopped_from_any_folder() {
    let person = Person::new();
    let mut up = person.command("work", &["up", "-d", "--port", "0", "--json"]);
    let started = up.env("GATEHOUSE_LOG", "debug").output().unwrap();
    assert!(started.status.success(), "{}", err(&started));
    let started = json(&out(&started));
    let (pid, url) = (
        started["pid"].to_string(),
        started["url"].as_str().unwrap().to_owned(),
    );
    assert_eq!(
        started["home"].as_str(),
        person.home().to_str(),
        "the default home"
    );
    assert!(!person.path("work/data").exists());

    // Every command finds it, wherever one stands.
    for folder in ["tmp", "me", "work"] {
        let status = json(&person.done(folder, &["status", "--json"]));
        assert_eq!(status["status"]["ok"], true, "{folder}");
    }
    assert!(person.done("tmp", &["chat", "hello"]).contains("hello"));

    // One service goes and comes, the others stay.
    let before = person.service(&pid, "agent").unwrap();
    let session = person.service(&pid, "session").unwrap();
    person.done("tmp", &["restart", "agent"]);
    assert_ne!(person.service(&pid, "agent").unwrap(), before);
    assert_eq!(person.service(&pid, "session").unwrap(), session);

    // All of it: the same process number, the same port is free again, and the session is kept.
    person.done("tmp", &["restart"]);
    assert_ne!(person.service(&pid, "session").unwrap(), session);
    let again = json(&person.done("tmp", &["status", "--json"]));
    assert_eq!(again["status"]["ok"], true);
    assert!(url.starts_with("ws://127.0.0.1:"));

    let logs = person.done("tmp", &["logs", "-n", "10000"]);
    assert_eq!(logs.matches("Gatehouse is ready").count(), 2, "{logs}");
    let of_the_agent = person.done("tmp", &["logs", "agent"]);
    assert!(
        !of_the_agent.is_empty() && of_the_agent.lines().all(|line| line.starts_with("agent ")),
        "{of_the_agent}"
    );

    person.done("tmp", &["stop"]);
    assert!(!Path::new("/proc").join(&pid).exists() || person.service(&pid, "edge").is_none());
    let stopped = person.run("tmp", &["status"]);
    assert_eq!(stopped.status.code(), Some(69), "{}", err(&stopped));
    assert!(
        err(&stopped).contains(person.home().to_str().unwrap()),
        "{}",
        err(&stopped)
    );
    let again = person.run("tmp", &["stop", "--json"]);
    assert_eq!(again.status.code(), Some(69));
    assert_eq!(json(&err(&again))["error"]["code"], "UNAVAILABLE");
}

#[test]
fn a_restart_runs_the_program_that_an_upgrade_put_in_its_place() {
    let person = Person::new();
    let program = person.path("gatehouse");
    let install = || {
        let from = env!("CARGO_BIN_EXE_gatehouse");
        let _ = fs::remove_file(&program);
        fs::hard_link(from, &program)
            .or_else(|_| fs::copy(from, &program).map(drop))
            .unwrap();
    };
    install();
    let mut up = std::process::Command::new(&program);
    up.args(["up", "-d", "--port", "0"]);
    person.surround(&mut up, "work");
    let started = up.output().unwrap();
    assert!(started.status.success(), "{}", err(&started));

    install();
    person.done("tmp", &["restart"]);

    assert!(person.done("tmp", &["chat", "hello"]).contains("hello"));
}

#[test]
fn a_home_that_stopped_is_the_one_that_is_started_again_whatever_ran_since() {
    let person = Person::new();
    person.done("work", &["up", "-d", "--port", "0"]);
    person.done("work", &["stop"]);
    let other = person.path("other");
    let second = ["up", "-d", "--port", "0", "--home", other.to_str().unwrap()];
    person.done("work", &second);
    person.done("work", &["stop"]);

    let failed = person.run("work", &["status"]);

    let told = err(&failed);
    assert!(told.contains(person.home().to_str().unwrap()), "{told}");
    assert!(!told.contains(other.to_str().unwrap()), "{told}");
}

#[test]
fn a_log_is_followed_over_lines_that_come() {
    use std::io::{BufRead, BufReader};
    let person = Person::new();
    person.done("work", &["up", "-d", "--port", "0"]);
    let mut follow = person
        .command("tmp", &["logs", "-f", "-n", "1"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();

    lines.next().unwrap().unwrap(); // it has read what there was
    person.done("tmp", &["restart", "broadcast"]);
    let found = lines
        .by_ref()
        .map_while(Result::ok)
        .find(|line| line.contains("broadcast is started again"));

    assert!(found.is_some());
    follow.kill().unwrap();
    follow.wait().unwrap();
}

#[test]
fn following_the_advice_of_an_error_makes_no_second_empty_home() {
    let person = Person::new();
    let other = person.path("other");
    person.done(
        "work",
        &["up", "-d", "--port", "0", "--home", other.to_str().unwrap()],
    );

    // While it runs: a second one has to be asked for.
    let second = person.run("work", &["up", "-d", "--port", "0"]);
    assert_eq!(second.status.code(), Some(77), "{}", err(&second));
    assert!(err(&second).contains(other.to_str().unwrap()), "{}", err(&second));
    let same = person.run(
        "work",
        &["up", "-d", "--port", "0", "--home", other.to_str().unwrap()],
    );
    assert_eq!(same.status.code(), Some(77), "{}", err(&same));
    person.done("work", &["stop"]);

    // After it ended: the advice names the home that there is.
    for command in [
        &["status"][..],
        &["chat", "hello"],
        &["token", "show"],
        &["logs"],
        &["up"],
    ] {
        let failed = person.run("work", command);
        assert!(!failed.status.success());
        let advice = format!("--home {}", other.display());
        assert!(err(&failed).contains(&advice), "{command:?}: {}", err(&failed));
    }
    assert!(!person.home().exists() && !person.path("work/data").exists());
}

#[test]
fn a_start_without_a_terminal_that_fails_says_why_and_leaves_nothing_running() {
    let person = Person::new();
    fs::create_dir_all(person.path("other")).unwrap();
    fs::write(
        person.path("other/gatehouse.json5"),
        "{ gateway: { port: \"many\" } }",
    )
    .unwrap();
    let home = person.path("other");

    let failed = person.run("work", &["up", "-d", "--home", home.to_str().unwrap()]);

    assert_eq!(failed.status.code(), Some(78), "{}", err(&failed));
    assert!(err(&failed).contains("gateway.port"), "{}", err(&failed));
    let ended = until(|| (!home.join("run/up.sock").exists()).then_some(()));
    assert!(ended.is_some(), "its socket is still there");
}
