//! Credentials and where they are sent.

use super::*;

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

#[test]
fn a_callback_may_move_because_its_key_signs_and_is_never_sent() {
    let webhook = json!({"channels": {"webhook": {"secret": "0123456789abcdef",
        "callbackUrl": "https://a.example/reply?token=kept-token-of-a"}}});
    let moved = |url: &str| json!({"channels": {"webhook": {"callbackUrl": url}}});

    assert_eq!(
        refused(&webhook, &moved("https://b.example/reply")),
        [] as [&str; 0]
    );

    // What stands in the address itself is sent there, and does not come along.
    let mut change = moved(&format!("https://b.example/reply?token={MARKER}"));
    redact::restore(&mut change, &webhook).unwrap_err();
}

#[test]
fn a_header_of_one_model_does_not_follow_a_changed_address_either() {
    let before = json!({"models": {"providers": {
        "p": {"baseUrl": "https://a.example/v1", "models": [{"id": "m", "headers": {"X-Key": "header-literal"}}]},
    }}});

    let moved = json!({"models": {"providers": {"p": {"baseUrl": "https://evil.example/v1"}}}});
    assert_eq!(refused(&before, &moved).len(), 1);
    let same = json!({"models": {"providers": {"p": {"baseUrl": "https://a.example/v2"}}}});
    assert_eq!(refused(&before, &same).len(), 0);
}

#[test]
fn what_a_channel_of_a_plugin_is_told_does_not_follow_the_plugin_to_another_address() {
    let before = json!({
        "plugins": {"entries": {"tell": {"endpoint": "127.0.0.1:7", "channels": ["lines"]}}},
        "channels": {"lines": {"accounts": {"home": {"botToken": "a-token-of-lines", "port": 7}}}},
    });
    let moved = json!({"plugins": {"entries": {"tell": {"endpoint": "elsewhere.example:7"}}}});

    let found = refused(&before, &moved);

    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("channels.lines.accounts.home.botToken: belongs to plugin tell at 127.0.0.1:7"),
        "{found:?}"
    );
    let other = json!({"channels": {"lines": {"accounts": {"home": {"port": 8}}}}});
    assert_eq!(refused(&before, &other), [] as [&str; 0]);
}
