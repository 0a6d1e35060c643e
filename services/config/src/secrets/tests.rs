use std::{collections::HashMap, fs, os::unix::fs::PermissionsExt};

use serde_json::json;

use super::*;

fn sources(variables: &[(&str, &str)], folder: &std::path::Path) -> Sources {
    let variables: HashMap<String, String> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Sources {
        env: Box::new(move |name| variables.get(name).cloned()),
        folder: folder.to_owned(),
        secrets: folder.join("secrets"),
    }
}

#[test]
fn references_are_followed_in_texts_and_objects() {
    let home = tempfile::tempdir().expect("a folder");
    fs::write(home.path().join("key"), "from-file\n").expect("written");
    fs::write(home.path().join("keys.json"), r#"{"a":{"b":"inside"}}"#).expect("written");
    fs::set_permissions(home.path().join("key"), fs::Permissions::from_mode(0o600)).expect("closed");
    fs::set_permissions(home.path().join("keys.json"), fs::Permissions::from_mode(0o644)).expect("open");
    let written = json!({
        "secrets": {"providers": {"main": {"source": "file", "path": "keys.json"}}},
        "gateway": {"publicOrigin": "https://${HOST}", "auth": {"token": "$${HOST} ${host}"}},
        "models": {"providers": {
            "a": {"apiKey": {"source": "env", "provider": "default", "id": "KEY"}, "headers": {"X": "Bearer ${KEY}"}},
            "b": {"apiKey": {"source": "file", "path": "key"}},
            "c": {"apiKey": {"source": "file", "provider": "main", "id": "/a/b"}},
        }},
    });

    let resolved = resolve(
        &written,
        &sources(&[("HOST", "home"), ("KEY", "k1")], home.path()),
    );

    assert_eq!(resolved.missing, []);
    assert_eq!(
        resolved.value["gateway"]["publicOrigin"], "https://${HOST}",
        "no secret belongs there, so everybody may read it"
    );
    assert_eq!(resolved.value["gateway"]["auth"]["token"], "${HOST} ${host}");
    assert_eq!(
        resolved.value["models"]["providers"]["a"],
        json!({"apiKey": "k1", "headers": {"X": "Bearer k1"}})
    );
    assert_eq!(resolved.value["models"]["providers"]["b"]["apiKey"], "from-file");
    assert_eq!(resolved.value["models"]["providers"]["c"]["apiKey"], "inside");
    let warnings: Vec<&str> = resolved.issues.iter().map(|issue| issue.path.as_str()).collect();
    assert_eq!(
        warnings,
        ["gateway.publicOrigin", "models.providers.c.apiKey"],
        "a name that is not followed, and a file that everybody can read"
    );
}

#[test]
fn a_key_for_a_file_fills_the_key_of_its_secret_unless_that_is_set() {
    let home = tempfile::tempdir().expect("a folder");
    fs::write(home.path().join("bot"), "xoxb-from-file\n").expect("written");
    fs::set_permissions(home.path().join("bot"), fs::Permissions::from_mode(0o600)).expect("closed");
    let written = json!({"channels": {
        "slack": {"botTokenFile": "bot", "appToken": "xapp-1", "appTokenFile": "nowhere"},
        "discord": {"accounts": {"home": {"tokenFile": "nowhere"}, "off": {"enabled": false, "tokenFile": "nowhere"}}},
    }});

    let resolved = resolve(&written, &sources(&[], home.path()));

    let slack = &resolved.value["channels"]["slack"];
    assert_eq!(
        (&slack["botToken"], &slack["appToken"]),
        (&json!("xoxb-from-file"), &json!("xapp-1"))
    );
    let missing: Vec<&str> = resolved
        .missing
        .iter()
        .map(|missing| missing.path.as_str())
        .collect();
    assert_eq!(missing, ["channels.discord.accounts.home.tokenFile"]);
    assert_eq!(
        resolved.issues.len(),
        1,
        "what is off may wait: {:?}",
        resolved.issues
    );
}

#[test]
fn everything_that_is_missing_is_told_at_once() {
    let home = tempfile::tempdir().expect("a folder");
    let written = json!({
        "gateway": {"auth": {"token": "${TOKEN}"}, "publicOrigin": "https://h"},
        "models": {"providers": {
            "a": {"apiKey": {"source": "env", "id": "EMPTY"}},
            "b": {"apiKey": {"source": "file", "path": "nowhere"}},
        }},
    });

    let resolved = resolve(&written, &sources(&[("EMPTY", "")], home.path()));

    let paths: Vec<&str> = resolved
        .missing
        .iter()
        .map(|missing| missing.path.as_str())
        .collect();
    assert_eq!(
        paths,
        [
            "gateway.auth.token",
            "models.providers.a.apiKey",
            "models.providers.b.apiKey"
        ]
    );
    assert_eq!(
        resolved.missing[0].looked_for,
        "the environment variable TOKEN is not set"
    );
    assert!(
        resolved.missing[2]
            .looked_for
            .ends_with("nowhere cannot be opened (entity not found)")
    );
}

#[test]
fn what_nothing_uses_may_be_missing() {
    let home = tempfile::tempdir().expect("a folder");
    let written = json!({"channels": {
        "carrierpigeon": {"botToken": "${PIGEON}"},
        "irc": {"enabled": false, "password": "${IRC}", "accounts": {"x": {"password": {"source": "exec", "id": "x"}}}},
    }});

    let resolved = resolve(&written, &sources(&[], home.path()));

    assert_eq!(resolved.missing, []);
    assert_eq!(resolved.issues.len(), 2, "an unknown key is not followed at all");
    assert!(!resolved.issues.iter().any(Issue::is_error));
    assert_eq!(
        resolved.value["channels"]["carrierpigeon"]["botToken"],
        "${PIGEON}"
    );
}

#[test]
fn a_secret_of_what_is_switched_off_or_not_asked_for_may_be_missing_wherever_it_stands() {
    let home = tempfile::tempdir().expect("a folder");
    let missing = |written: &Value| {
        let missing = resolve(written, &sources(&[], home.path())).missing;
        missing.into_iter().map(|one| one.path).collect::<Vec<_>>()
    };
    let with = |on: bool| {
        json!({
            "gateway": {"auth": {"mode": if on { "password" } else { "token" }, "password": "${PASSWORD}"}},
            "hooks": {"enabled": on, "token": "${HOOK}"},
            "plugins": {"entries": {"kitchen": {"enabled": on, "env": {"API_KEY": "${KITCHEN}"}}}},
            "channels": {"irc": {"nickserv": {"enabled": on, "password": "${NICK}"}}},
        })
    };

    assert_eq!(missing(&with(false)), Vec::<String>::new());
    assert_eq!(
        missing(&with(true)),
        [
            "gateway.auth.password",
            "hooks.token",
            "plugins.entries.kitchen.env.API_KEY",
            "channels.irc.nickserv.password",
        ]
    );
    assert_eq!(
        missing(&json!({"hooks": {"token": "${HOOK}"}})),
        Vec::<String>::new(),
        "hooks are off unless somebody switches them on"
    );
    assert_eq!(
        missing(&json!({"cron": {"enabled": false, "webhookToken": "${JOBS}"}})),
        ["cron.webhookToken"],
        "a job can be run by hand all the same"
    );
}

#[test]
fn sources_of_later_are_refused_in_clear_words() {
    let home = tempfile::tempdir().expect("a folder");
    let written = json!({"gateway": {"auth": {"token": {"source": "exec", "provider": "vault", "id": "x"}}}});

    let resolved = resolve(&written, &sources(&[], home.path()));

    assert_eq!(
        resolved.issues,
        [Issue::error(
            "gateway.auth.token",
            "Gatehouse cannot follow a reference with `source: \"exec\"` yet; use \"env\" or \"file\""
        )]
    );
}
