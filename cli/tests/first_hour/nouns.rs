//! The nouns that people type, against a real gateway.

use std::{fs, net::TcpListener};

use crate::support::{Person, err, json, out};

const CONFIGURATION: &str = r#"{
  session: { dmScope: "per-channel-peer" },
  agents: { entries: { main: { default: true }, garden: { name: "Garden" } } },
  channels: {
    webhook: {
      secret: "a-secret-of-enough-letters",
      callbackUrl: "http://127.0.0.1:PORT/replies",
      dmPolicy: "pairing",
    },
  },
}"#;

/// A gateway with a webhook whose other end does not answer.
fn person() -> Person {
    let person = Person::new();
    let silent = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    fs::create_dir_all(person.home()).unwrap();
    let text = CONFIGURATION.replace("PORT", &silent.to_string());
    fs::write(person.home().join("gatehouse.json5"), text).unwrap();
    person.done("work", &["up", "-d", "--port", "0"]);
    person
}

#[test]
fn what_people_do_most_has_words() {
    let person = person();
    let done = |arguments: &[&str]| person.done("tmp", arguments);
    person.done(
        "tmp",
        &[
            "chat",
            "what grows in the shade of a wall that looks to the north, and how tall does it get?",
        ],
    );

    assert!(done(&["sessions"]).contains("agent:main:main"));
    let made = json(&person.done("tmp", &["sessions", "new", "--label", "garden", "--json"]));
    let key = made["key"].as_str().unwrap();
    assert!(done(&["sessions", "list", "--search", "garden"]).contains("garden"));
    person.done(
        "tmp",
        &["sessions", "set", key, "--label", "shade", "--pinned", "true"],
    );
    assert!(person.done("tmp", &["sessions", "show", key]).contains("shade"));
    assert!(
        person
            .done("tmp", &["sessions", "history", "main"])
            .starts_with("user: what grows")
    );
    person.done("tmp", &["sessions", "reset", "main"]);
    assert!(
        !person
            .done("tmp", &["sessions", "history", "main"])
            .contains("what grows")
    );
    assert_eq!(
        person.done("tmp", &["sessions", "stop", "main"]),
        "nothing ran and nothing waited there\n"
    );
    person.done("tmp", &["sessions", "delete", key]);

    assert!(done(&["models"]).contains("echo/echo"));
    assert!(
        person
            .done("tmp", &["models", "show", "echo/echo"])
            .contains("Echo")
    );
    assert!(done(&["agents"]).contains("garden"));
    assert!(
        person
            .done("tmp", &["agents", "show", "garden"])
            .contains("Garden")
    );
    assert!(done(&["channels"]).contains("webhook/default"));
    assert!(
        person
            .done("tmp", &["channels", "show", "webhook", "default"])
            .contains("accountId")
    );
    person.done("tmp", &["channels", "stop", "webhook"]);
    person.done("tmp", &["channels", "start", "webhook"]);
    assert_eq!(done(&["pairing"]), "", "nobody asks");

    // A repeat under one key sends nothing: both are answered with the same delivery.
    let send = [
        "message", "send", "--to", "anna", "--key", "k1", "dinner", "is", "ready", "--json",
    ];
    assert_eq!(json(&person.done("tmp", &send)), json(&person.done("tmp", &send)));
    let status = json(&person.done("tmp", &["channels", "--json"]));
    assert_eq!(
        status["channelAccounts"]["webhook"][0]["outboxCount"], 1,
        "{status}"
    );
    assert!(person.done("tmp", &["channels", "outbox"]).contains("dinner"));
    assert!(
        person
            .done("tmp", &["channels", "drop", "--to", "anna"])
            .starts_with("dropped: 1")
    );
    assert_eq!(
        person.done("tmp", &["channels", "drop", "--all"]),
        "nothing of that waited\n"
    );
    assert_eq!(person.run("tmp", &["channels", "drop"]).status.code(), Some(2));
}

#[test]
fn json_is_what_the_method_answered_and_a_name_that_is_not_there_gets_the_nearest() {
    let person = person();
    person.done("tmp", &["chat", "hello"]);
    for (noun, method) in [
        ("sessions", "sessions.list"),
        ("agents", "agents.list"),
        ("pairing", "channels.pairing.list"),
    ] {
        let printed = json(&person.done("tmp", &[noun, "--json"]));
        let called = json(&person.done("tmp", &["call", method, "{}"]));
        let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&printed), keys(&called), "{noun}");
    }
    for (arguments, near) in [
        (&["sessions", "show", "agent:main:mian"][..], "agent:main:main"),
        (&["sessions", "delete", "agent:main:mian"], "agent:main:main"),
        (&["agents", "show", "gardn"], "garden"),
        (&["models", "show", "echo/ecko"], "echo/echo"),
        (&["channels", "show", "webhok"], "webhook"),
    ] {
        let output = person.run("tmp", arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(
            err(&output).contains(&format!("did you mean {near}?")),
            "{arguments:?}: {}",
            err(&output)
        );
        assert_eq!(out(&output), "", "{arguments:?}");
    }
    let nobody = person.run("tmp", &["pairing", "approve", "ABCDEF"]);
    assert!(err(&nobody).contains("nobody asks"), "{}", err(&nobody));
    let method = person.run("tmp", &["call", "session.list"]);
    assert!(
        err(&method).contains("did you mean sessions.list?"),
        "{}",
        err(&method)
    );
    let parameter = person.run("tmp", &["call", "sessions.list", "{limt: 3}"]);
    assert!(
        err(&parameter).contains("`gatehouse methods sessions.list`"),
        "{}",
        err(&parameter)
    );
    let takes = person.done("tmp", &["methods", "sessions.list"]);
    assert!(takes.contains("\nlimit ") && !takes.contains("EVENT"), "{takes}");
    let shown = person.done("tmp", &["agents", "show", "main"]);
    assert!(
        shown.contains("model.primary  echo/echo"),
        "a value by its path, and no JSON: {shown}"
    );
    let prefix = person.run("tmp", &["methods", "nope."]);
    assert_eq!(prefix.status.code(), Some(1));
    assert_eq!(out(&prefix), "");
    let word = person.run("tmp", &["sesions"]);
    assert!(err(&word).contains("sessions"), "{}", err(&word));
    assert_eq!(word.status.code(), Some(2));
    let refused = person.run("tmp", &["call", "sessions.list", "{limit: 0}", "--json"]);
    let told = json(&err(&refused));
    assert_eq!(told["error"]["code"], "INVALID_REQUEST", "{told}");
    assert_eq!(told["error"]["path"], "/limit", "{told}");
}
