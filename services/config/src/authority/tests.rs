use std::{collections::HashMap, fs, os::unix::fs::symlink, path::PathBuf};

use gatehouse_core::{Clock, Env, House};
use serde_json::json;

use super::*;
use crate::{
    MARKER,
    error::Error,
    keeper::{Keeper, Patch, sources_of, store_of},
    redact, text,
};

fn sources() -> Sources {
    let variables: HashMap<&str, &str> = HashMap::new();
    Sources {
        env: Box::new(move |name| variables.get(name).map(ToString::to_string)),
        folder: PathBuf::from("/home/x"),
        secrets: PathBuf::from("/home/x/secrets"),
    }
}

/// What a patch of one document is refused for.
fn refused(before: &Value, patch: &Value) -> Vec<String> {
    let (mut change, mut after) = (patch.clone(), before.clone());
    redact::restore(&mut change, before).expect("every mark has its secret");
    text::merge(&mut after, &change);
    let issues = check(&Change {
        before,
        after: &after,
        sent: patch,
        sources: &sources(),
    });
    issues.iter().map(ToString::to_string).collect()
}

fn provider(key: &Value) -> Value {
    json!({"models": {"providers": {"p": {"baseUrl": "https://a.example/v1", "apiKey": key}}}})
}

#[test]
fn a_method_names_no_file_outside_of_the_folder_for_secrets() {
    for path in [
        "/etc/shadow",
        "/proc/self/environ",
        "/home/x/credential/service",
        "credential/service",
        "config/token",
        "../x/credential/service",
        "secrets/../credential/service",
        "/home/x/secrets/../credential/service",
        "/home/x/secrets",
        "secrets",
        "secrets/",
        "secrets/..",
        "/home/x/secrets-of-another/key",
        "./credential/service",
        "",
        "/dev/stdin",
        "~/secrets/key",
        "file:///home/x/secrets/key",
    ] {
        let reference = json!({"source": "file", "path": path});
        for (what, patch) in [
            ("a secret", provider(&reference)),
            ("a token", json!({"gateway": {"auth": {"token": reference}}})),
            (
                "a header",
                json!({"models": {"providers": {"p": {"headers": {"X": reference}}}}}),
            ),
            (
                "an account",
                json!({"channels": {"irc": {"accounts": {"a": {"sasl": {"password": reference}}}}}}),
            ),
            (
                "switched off",
                json!({"channels": {"irc": {"enabled": false, "password": reference}}}),
            ),
            (
                "an unknown key",
                json!({"channels": {"telegram": {"botToken": reference}}}),
            ),
            (
                "an array",
                json!({"plugins": {"x": [1, {"deep": [[reference]]}]}}),
            ),
            (
                "a new section",
                json!({"tomorrow": {"where": {"ever": reference}}}),
            ),
            (
                "with a provider",
                json!({"tomorrow": {"source": "file", "path": path, "provider": "p", "id": "value"}}),
            ),
            (
                "of another source",
                json!({"tomorrow": {"source": "env", "path": path}}),
            ),
            (
                "a provider",
                json!({"secrets": {"providers": {"p": {"source": "file", "path": path}}}}),
            ),
            (
                "a provider of another source",
                json!({"secrets": {"providers": {"p": {"source": "env", "path": path}}}}),
            ),
            ("a certificate", json!({"channels": {"irc": {"tlsCaFile": path}}})),
            (
                "an account's certificate",
                json!({"channels": {"irc": {"accounts": {"a": {"tlsCaFile": path}}}}}),
            ),
            ("without a source", provider(&json!({"path": path}))),
        ] {
            assert!(!refused(&json!({}), &patch).is_empty(), "{what}: {path}");
        }
    }
    for path in [
        "secrets/key",
        "/home/x/secrets/key",
        "./secrets/a/b",
        "secrets/a/../key",
    ] {
        let reference = json!({"source": "file", "path": path});
        assert_eq!(refused(&json!({}), &provider(&reference)), [""; 0], "{path}");
        let certificate = json!({"channels": {"irc": {"tlsCaFile": path}}});
        assert_eq!(refused(&json!({}), &certificate), [""; 0], "{path}");
    }
}

#[test]
fn a_reference_by_a_named_place_is_judged_by_the_file_it_leads_to() {
    let before = json!({"secrets": {"providers": {
        "outside": {"source": "file", "path": "/etc/keys.json"}, "inside": {"source": "file", "path": "secrets/keys.json"},
    }}});
    let of = |provider: &str| provider_of(provider, "/a");

    assert_eq!(refused(&before, &of("inside")), [""; 0]);
    assert_eq!(refused(&before, &of("outside")).len(), 1);
    assert_eq!(refused(&before, &of("nowhere")).len(), 1);
    // The file of a place that is in use is not exchanged either.
    let mut used = before.clone();
    text::merge(&mut used, &of("inside"));
    let exchange =
        json!({"secrets": {"providers": {"inside": {"path": "/etc/shadow", "mode": "singleValue"}}}});
    assert_eq!(refused(&used, &exchange).len(), 1);
    // Another entry of a file that somebody allowed by hand is another secret.
    let mut by_hand = before;
    text::merge(&mut by_hand, &of("outside"));
    assert_eq!(refused(&by_hand, &provider_of("outside", "/b")).len(), 1);
}

fn provider_of(place: &str, id: &str) -> Value {
    provider(&json!({"source": "file", "provider": place, "id": id}))
}

#[test]
fn what_was_written_by_hand_stays_where_it_stands() {
    let before = json!({
        "models": {"providers": {
            "a": {"baseUrl": "https://a.example", "apiKey": {"source": "file", "path": "/etc/key"}, "headers": {"X": "${HAND}"}},
        }},
        "channels": {"irc": {"tlsCaFile": "/etc/ca.pem"}},
        "plugins": {"list": [{"source": "file", "path": "/etc/plugin"}, "${HAND}", 1]},
    });

    assert_eq!(refused(&before, &json!({"gateway": {"port": 1}})), [""; 0]);
    assert_eq!(refused(&before, &before), [""; 0], "sent back as it was read");
    let timeout = json!({"models": {"providers": {"a": {"timeoutSeconds": 5}}}});
    assert_eq!(refused(&before, &timeout), [""; 0]);
    let shorter = json!({"plugins": {"list": ["${HAND}", {"source": "file", "path": "/etc/plugin"}]}});
    assert_eq!(refused(&before, &shorter), [""; 0], "only moved in its list");
    for moved in [
        json!({"models": {"providers": {"a": {"apiKey": {"source": "file", "path": "/etc/key2"}}}}}),
        json!({"models": {"providers": {"b": {"baseUrl": "https://a.example", "apiKey": {"source": "file", "path": "/etc/key"}}}}}),
        json!({"models": {"providers": {"a": {"headers": {"Y": "${HAND}"}}}}}),
        json!({"models": {"providers": {"a": {"headers": {"X": "Bearer ${HAND}"}}}}}),
        json!({"channels": {"irc": {"accounts": {"b": {"tlsCaFile": "/etc/ca.pem"}}}}}),
        json!({"plugins": {"other": "${HAND}"}}),
    ] {
        assert!(!refused(&before, &moved).is_empty(), "{moved}");
    }
}

#[test]
fn a_method_names_listed_variables_only() {
    let before = json!({"env": {"allow": ["LISTED", "GATEHOUSE_TOKEN", "GATEHOUSE_HOME"]}});
    let every = |name: &str| {
        [
            provider(&json!(format!("${{{name}}}"))),
            provider(&json!(format!("Bearer ${{{name}}} and more"))),
            provider(&json!(format!("$${{A}}${{{name}}}"))),
            provider(&json!({"source": "env", "id": name})),
            provider(&json!({"source": "env", "provider": "default", "id": name})),
            json!({"channels": {"telegram": {"botToken": format!("${{{name}}}")}}}),
            json!({"plugins": {"x": [{"source": "env", "id": name}]}}),
            json!({"gateway": {"auth": {"token": format!("${{{name}}}")}}}),
        ]
    };
    for name in [
        "OPENROUTER_API_KEY",
        "PATH",
        "HOME",
        "GATEHOUSE_TOKEN",
        "GATEHOUSE_HOME",
        "GATEHOUSE_CREDENTIAL",
        "GATEHOUSE_SECRET_",
        "GATEHOUSE_SECRET",
        "AWS_SECRET_ACCESS_KEY",
    ] {
        for patch in every(name) {
            assert_eq!(refused(&before, &patch).len(), 1, "{patch}");
        }
    }
    for name in ["LISTED", "GATEHOUSE_SECRET_OPENAI"] {
        for patch in every(name) {
            assert_eq!(refused(&before, &patch), [""; 0], "{patch}");
        }
    }
    // What is no reference is a text.
    for text in ["$${PATH}", "${path}", "$PATH", "${PATH", "{PATH}"] {
        assert_eq!(refused(&before, &provider(&json!(text))), [""; 0], "{text}");
    }
    let prompt = json!({"agents": {"defaults": {"systemPrompt": "say ${HOME}"}}});
    assert_eq!(refused(&before, &prompt), [""; 0], "not followed there");
}

#[test]
fn a_method_does_not_widen_what_it_may_do() {
    let before = json!({"secrets": {"dirs": ["/run/secrets"], "providers": {}}, "env": {"allow": ["A"]}});
    for patch in [
        json!({"secrets": {"dirs": ["/"]}}),
        json!({"secrets": {"dirs": ["/run/secrets", "/etc"]}}),
        json!({"secrets": {"dirs": []}}),
        json!({"secrets": {"dirs": null}}),
        json!({"secrets": null}),
        json!({"secrets": "x"}),
        json!({"env": {"allow": ["A", "PATH"]}}),
        json!({"env": {"allow": null}}),
        json!({"env": null}),
        json!({"env": []}),
    ] {
        assert!(!refused(&before, &patch).is_empty(), "{patch}");
    }
    assert!(!refused(&json!({}), &json!({"env": {"allow": ["PATH"]}})).is_empty());
    assert!(!refused(&json!({}), &json!({"secrets": {"dirs": ["/"]}})).is_empty());
    // Both at once: the list that the change itself brings does not count.
    let both = json!({"env": {"allow": ["PATH"]}, "models": {"providers": {"p": {"apiKey": "${PATH}"}}}});
    assert_eq!(refused(&json!({}), &both).len(), 2);
    assert_eq!(refused(&before, &json!({"secrets": {"providers": {}}})), [""; 0]);
}

#[test]
fn references_that_only_a_later_version_follows_are_not_left_behind() {
    for reference in [
        json!({"source": "exec", "command": "/bin/sh", "id": "x"}),
        json!({"source": "store", "id": "x"}),
        json!({"source": "file", "path": ["/etc/shadow"]}),
        json!({"source": "env", "id": 5}),
        json!({"source": "vault", "path": "x"}),
    ] {
        assert!(
            !refused(&json!({}), &json!({"tomorrow": [reference]})).is_empty(),
            "{reference}"
        );
    }
    let harmless = json!({"tomorrow": {"source": "a newspaper"}});
    assert_eq!(refused(&json!({}), &harmless), [""; 0]);
}

#[test]
fn a_key_does_not_follow_a_changed_address() {
    let before = json!({"models": {"providers": {
        "p": {"baseUrl": "https://a.example/v1", "apiKey": "sk-literal", "headers": {"X-Key": "header-literal"}},
        "e": {"baseUrl": "https://a.example/v1", "apiKey": "${GATEHOUSE_SECRET_A}"},
        "f": {"baseUrl": "https://a.example/v1", "apiKey": {"source": "file", "path": "secrets/key"}},
    }}});
    let change = |id: &str, with: Value| {
        let patch = json!({"models": {"providers": {id: with}}});
        refused(&before, &patch).len()
    };

    for address in [
        "https://evil.example/v1",
        "http://a.example/v1",
        "https://a.example:8443/v1",
        "https://a.example@evil.example/v1",
        "https://sub.a.example/v1",
        "https:evil.example",
        "https://127.0.0.1/v1",
        "nonsense",
    ] {
        assert_eq!(
            change("p", json!({"baseUrl": address})),
            2,
            "{address}: the key and the header"
        );
        assert_eq!(
            change(
                "p",
                json!({"baseUrl": address, "apiKey": MARKER, "headers": {"X-Key": MARKER}})
            ),
            2,
            "{address}"
        );
        assert_eq!(
            change("p", json!({"baseUrl": address, "apiKey": "sk-literal"})),
            1,
            "{address}: the header"
        );
        assert_eq!(
            change(
                "p",
                json!({"baseUrl": address, "apiKey": "sk-literal", "headers": null})
            ),
            0,
            "{address}"
        );
        assert_eq!(
            change(
                "p",
                json!({"baseUrl": address, "apiKey": "new", "headers": {"X-Key": "new"}})
            ),
            0,
            "{address}"
        );
        assert_eq!(
            change("p", json!({"baseUrl": address, "apiKey": null, "headers": null})),
            0,
            "{address}"
        );
        for id in ["e", "f"] {
            assert_eq!(change(id, json!({"baseUrl": address})), 1, "{id}: {address}");
            assert_eq!(
                change(id, json!({"baseUrl": address, "apiKey": "written out"})),
                0,
                "{id}: {address}"
            );
        }
        // Naming it again, there, elsewhere, or after a rename, is not knowing it.
        for key in [
            json!("${GATEHOUSE_SECRET_A}"),
            json!("Bearer ${GATEHOUSE_SECRET_A}"),
            json!({"source": "env", "id": "GATEHOUSE_SECRET_A"}),
            json!({"source": "file", "path": "secrets/key"}),
            json!({"source": "file", "path": "/home/x/secrets/../secrets/key"}),
        ] {
            assert_eq!(
                change("e", json!({"baseUrl": address, "apiKey": key})),
                1,
                "{address} {key}"
            );
            assert_eq!(
                change("new", json!({"baseUrl": address, "apiKey": key})),
                1,
                "{address} {key}"
            );
            let renamed = json!({"models": {"providers": {"e": null, "f": null, "new": {"baseUrl": address, "apiKey": key}}}});
            assert_eq!(refused(&before, &renamed).len(), 1, "{address} {key}");
        }
    }
    assert_eq!(
        change("p", json!({"baseUrl": "https://a.example/v2"})),
        0,
        "the same server"
    );
    assert_eq!(
        change("p", json!({"baseUrl": "https://A.example:443/v2"})),
        0,
        "the same server"
    );
    assert_eq!(
        change(
            "new",
            json!({"baseUrl": "https://b.example", "apiKey": "${GATEHOUSE_SECRET_B}"})
        ),
        0
    );
    assert_eq!(
        change(
            "new",
            json!({"baseUrl": "https://a.example/", "apiKey": "${GATEHOUSE_SECRET_A}"})
        ),
        0
    );
}

#[test]
fn a_key_waits_for_nobody_while_there_is_no_address() {
    let without = json!({"models": {"providers": {"echo": {"apiKey": "sk-literal"}}}});

    let patch = json!({"models": {"providers": {"echo": {"baseUrl": "https://evil.example"}}}});

    assert_eq!(refused(&without, &patch).len(), 1);
}

#[test]
fn a_password_does_not_follow_to_another_chat_server() {
    let before = json!({"channels": {"irc": {
        "server": "irc.a.example", "password": "pass", "sasl": {"account": "me", "password": "sasl"},
        "accounts": {"one": {}, "two": {"server": "irc.b.example", "password": "own", "sasl": {"account": "me", "password": "other"}}},
    }}});
    let change = |with: Value| refused(&before, &json!({"channels": {"irc": with}})).len();

    assert!(change(json!({"server": "evil.example"})) >= 2);
    assert!(change(json!({"host": "evil.example", "server": null})) >= 2);
    assert!(change(json!({"port": 6667})) >= 2);
    assert!(
        change(json!({"tls": false})) >= 2,
        "everybody on the way reads it"
    );
    assert_eq!(
        change(json!({"accounts": {"evil": {"server": "evil.example"}}})),
        2,
        "inherited"
    );
    assert_eq!(
        change(json!({"accounts": {"two": {"server": "irc.c.example"}}})),
        2
    );
    assert_eq!(
        change(json!({"accounts": {"two": {"password": null}}})),
        1,
        "the other server's password takes its place"
    );
    let given = json!({"server": "irc.c.example", "password": "given", "sasl": {"account": "me", "password": "given too"}});
    assert_eq!(change(json!({"accounts": {"three": given}})), 0);
    assert_eq!(change(json!({"accounts": {"one": {"nick": "x"}}})), 0);
    let nickserv =
        json!({"channels": {"irc": {"server": "irc.a.example", "nickserv": {"password": "pass"}}}});
    let service = json!({"channels": {"irc": {"nickserv": {"service": "mallory"}}}});
    assert_eq!(refused(&nickserv, &service).len(), 1);
}

struct Home(tempfile::TempDir);

impl Home {
    fn new(document: &str) -> Self {
        let home = Self(tempfile::tempdir().expect("a folder"));
        fs::create_dir(home.0.path().join("secrets")).expect("made");
        fs::write(home.0.path().join("secrets/key"), "kept-inside-the-folder\n").expect("written");
        fs::write(home.0.path().join("outside"), "kept-outside-the-folder\n").expect("written");
        fs::write(home.0.path().join("gatehouse.json5"), document).expect("written");
        home
    }

    fn start(&self) -> Keeper {
        let home = self.0.path().to_str().expect("UTF-8");
        let env = Env::of([("GATEHOUSE_HOME", home), ("BY_HAND", "kept-in-the-environment")]);
        let house = House::read(&env);
        let keeper =
            Keeper::start(store_of(&house), sources_of(&house, &env), Clock::fixed(1_000)).expect("starts");
        keeper.keep_running();
        keeper
    }

    fn text(&self) -> String {
        fs::read_to_string(self.0.path().join("gatehouse.json5")).expect("there")
    }
}

fn patch(keeper: &mut Keeper, raw: &str) -> Result<(), Error> {
    let base_hash = Some(keeper.state().revision.hash().to_owned());
    let patch = Patch {
        raw: raw.to_owned(),
        base_hash,
        ..Patch::default()
    };
    keeper.patch(&patch).map(drop)
}

const PROVIDER: &str = "{models: {providers: {p: {baseUrl: 'http://h', apiKey: {source: 'file', path: '";

#[test]
fn a_refused_change_writes_nothing_and_says_what_to_do() {
    let home = Home::new("{}");
    let mut keeper = home.start();

    for raw in [
        format!("{PROVIDER}outside'}}}}}}}}}}"),
        "{models: {providers: {p: {baseUrl: 'http://h', apiKey: '${BY_HAND}'}}}}".to_owned(),
        "{env: {allow: ['BY_HAND']}}".to_owned(),
    ] {
        let error = patch(&mut keeper, &raw).expect_err(&raw);

        assert!(matches!(error, Error::Forbidden(_)), "{error}");
        let words = error.to_string();
        assert!(words.contains("editing the configuration file"), "{words}");
        assert!(!words.contains("kept-"), "{words}");
    }
    // Whether a file or a variable is there is not told either.
    let missing = patch(&mut keeper, &format!("{PROVIDER}nowhere'}}}}}}}}}}")).expect_err("refused");
    let there = patch(&mut keeper, &format!("{PROVIDER}outside'}}}}}}}}}}")).expect_err("refused");
    assert_eq!(missing.to_string(), there.to_string());
    assert_eq!(home.text(), "{}");
}

#[test]
fn a_file_within_the_folder_is_taken_and_a_link_out_of_it_is_not() {
    let home = Home::new("{}");
    let mut keeper = home.start();
    patch(&mut keeper, &format!("{PROVIDER}secrets/key'}}}}}}}}}}")).expect("within");
    let cut = |keeper: &Keeper| keeper.state().revision.cut(crate::revision::Reader::Agent);
    assert!(cut(&keeper).contains("kept-inside-the-folder"));

    symlink("../outside", home.0.path().join("secrets/link")).expect("linked");
    let refused = patch(&mut keeper, &format!("{PROVIDER}secrets/link'}}}}}}}}}}")).expect_err("a link out");
    assert!(refused.to_string().contains("leads out"), "{refused}");

    // What is exchanged after it was set is caught when it is read: at the next start, and with the next change.
    fs::remove_file(home.0.path().join("secrets/key")).expect("removed");
    symlink("../outside", home.0.path().join("secrets/key")).expect("linked");
    let error = patch(&mut keeper, "{gateway: {port: 2000}}").expect_err("a link out");
    assert!(!error.to_string().contains("kept-"), "{error}");
    assert!(!cut(&keeper).contains("kept-outside"));
}

#[test]
fn what_was_written_by_hand_outlives_changes_and_restarts() {
    let home = Home::new(
        "{models: {providers: {p: {baseUrl: 'http://h', apiKey: {source: 'file', path: 'outside'}, headers: {X: '${BY_HAND}'}}}}}",
    );
    let mut keeper = home.start();
    patch(&mut keeper, "{gateway: {port: 2000}}").expect("nothing to do with it");
    drop(keeper);

    let mut keeper = home.start();

    let cut = keeper.state().revision.cut(crate::revision::Reader::Agent);
    assert!(cut.contains("kept-outside-the-folder") && cut.contains("kept-in-the-environment"));
    let error = patch(
        &mut keeper,
        "{models: {providers: {p: {baseUrl: 'http://evil'}}}}",
    )
    .expect_err("another server");
    assert!(error.to_string().contains("does not follow"), "{error}");
    patch(
        &mut keeper,
        "{models: {providers: {q: {baseUrl: 'http://h', apiKey: '${BY_HAND}'}}}}",
    )
    .expect_err("not listed");
}
