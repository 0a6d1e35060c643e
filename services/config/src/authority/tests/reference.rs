//! Which files and variables a change may name.

use super::*;

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
