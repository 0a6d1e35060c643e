use serde_json::{Value, json};

use super::*;

fn document(value: Value) -> Document {
    serde_json::from_value(value).expect("a document")
}

fn paths(before: Value, after: Value) -> Vec<String> {
    let issues = added(&document(before), &document(after));
    issues.into_iter().map(|issue| issue.path).collect()
}

#[test]
fn what_locks_out_or_opens_up_is_named() {
    for (after, path) in [
        (
            json!({"gateway": {"auth": {"tokenScopes": []}}}),
            "gateway.auth.tokenScopes",
        ),
        (
            json!({"gateway": {"auth": {"tokenScopes": ["operator.read"]}}}),
            "gateway.auth.tokenScopes",
        ),
        (
            json!({"gateway": {"controlUi": {"allowedOrigins": ["https://a", "*"]}}}),
            "gateway.controlUi.allowedOrigins",
        ),
        (json!({"gateway": {"bind": "lan"}}), "gateway.bind"),
        (json!({"gateway": {"bind": "tailnet"}}), "gateway.bind"),
        (json!({"gateway": {"bind": "192.0.2.1"}}), "gateway.bind"),
        (
            json!({"gateway": {"auth": {"mode": "none"}}}),
            "gateway.auth.mode",
        ),
        (
            json!({"gateway": {"auth": {"mode": "trusted-proxy"}}}),
            "gateway.auth.mode",
        ),
        (
            json!({"gateway": {"auth": {"trustedProxy": {"allowLoopback": true}}}}),
            "gateway.auth.trustedProxy.allowLoopback",
        ),
        (
            json!({"gateway": {"bind": "custom", "customBindHost": "192.0.2.1"}}),
            "gateway.bind",
        ),
        (
            json!({"gateway": {"bind": "custom", "customBindHost": "::"}}),
            "gateway.bind",
        ),
        (
            json!({"gateway": {"auth": {"rateLimit": {"maxAttempts": 10_000}}}}),
            "gateway.auth.rateLimit",
        ),
        (
            json!({"gateway": {"auth": {"rateLimit": {"lockoutMs": 1_000}}}}),
            "gateway.auth.rateLimit",
        ),
        (
            json!({"gateway": {"auth": {"rateLimit": {"maxAttempts": 1, "lockoutMs": 86_400_000}}}}),
            "gateway.auth.rateLimit",
        ),
        (
            json!({"channels": {"irc": {"dmPolicy": "open", "allowFrom": ["*"]}}}),
            "channels.irc.allowFrom",
        ),
        (
            json!({"channels": {"irc": {"dmPolicy": "allowlist", "allowFrom": ["*"]}}}),
            "channels.irc.allowFrom",
        ),
        (
            json!({"channels": {"irc": {"groupPolicy": "open"}}}),
            "channels.irc.groupPolicy",
        ),
        (
            json!({"channels": {"defaults": {"groupPolicy": "open"}, "irc": {}}}),
            "channels.irc.groupPolicy",
        ),
        (
            json!({"channels": {"irc": {"groups": {"*": {}}, "groupAllowFrom": ["*"]}}}),
            "channels.irc.groupPolicy",
        ),
        (
            json!({"channels": {"webhook": {"accounts": {"a": {"groupPolicy": "open"}}}}}),
            "channels.webhook.accounts.a.groupPolicy",
        ),
        (
            json!({"channels": {"irc": {"dangerouslyAllowNameMatching": true}}}),
            "channels.irc.dangerouslyAllowNameMatching",
        ),
    ] {
        assert_eq!(paths(json!({}), after.clone()), [path], "{after}");
        assert_eq!(
            paths(after.clone(), after),
            [""; 0],
            "what stood there is not new"
        );
    }
    let written = json!({"gateway": {"auth": {"token": "x"}}});
    assert_eq!(
        paths(written, json!({})),
        ["gateway.auth.token"],
        "another token counts from then on"
    );
}

#[test]
fn what_is_usual_wants_nothing() {
    for after in [
        json!({"gateway": {"port": 1}}),
        json!({"gateway": {"auth": {"tokenScopes": ["operator.admin"]}}}),
        json!({"gateway": {"bind": "auto"}}),
        json!({"gateway": {"bind": "custom", "customBindHost": "127.0.0.2"}}),
        json!({"gateway": {"controlUi": {"allowedOrigins": ["https://ui.example"]}}}),
        json!({"channels": {"irc": {"groups": {"#room": {}}, "groupAllowFrom": ["*"]}}}),
        json!({"channels": {"irc": {"allowFrom": ["me"]}}}),
    ] {
        assert_eq!(paths(json!({}), after.clone()), [""; 0], "{after}");
    }
}

#[test]
fn a_range_of_proxies_that_holds_the_world_is_named() {
    let of = |proxies: Vec<String>| paths(json!({}), json!({"gateway": {"trustedProxies": proxies}})).len();
    for wide in [
        "0.0.0.0/0",
        "::/0",
        "0.0.0.0/1",
        "1.2.3.4/0",
        "128.0.0.0/2",
        "::ffff:0:0/96",
        "::ffff:1.2.3.4/97",
        "::ffff:0:0/95",
        "2000::/3",
        "::/1",
    ] {
        assert_eq!(of(vec![wide.to_owned()]), 1, "{wide}");
    }
    for usual in [
        "127.0.0.1",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1",
        "fd00::/8",
        "fc00::/7",
        "2001:db8::/32",
        "::ffff:10.0.0.1",
    ] {
        assert_eq!(of(vec![usual.to_owned()]), 0, "{usual}");
    }
    let private = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8"];
    assert_eq!(of(private.map(str::to_owned).to_vec()), 0);
    assert_eq!(
        of((0..=255).map(|first| format!("{first}.0.0.0/8")).collect()),
        1,
        "the world in pieces"
    );
}
