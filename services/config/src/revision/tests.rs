mod secrets;

use gatehouse_document::samples;
use serde_json::json;

use super::*;

fn sources() -> Sources {
    Sources {
        env: Box::new(|name| (name == "KEY").then(|| "key-from-env".to_owned())),
        folder: std::path::PathBuf::from("/home/gateway"),
        secrets: std::path::PathBuf::from("/home/gateway/secrets"),
    }
}

fn read(value: Value) -> Revision {
    Revision::read(&value.to_string(), &sources()).unwrap_or_else(|refused| panic!("{refused:?}"))
}

fn errors(value: Value) -> Vec<String> {
    match Revision::read(&value.to_string(), &sources()) {
        Ok(_) => Vec::new(),
        Err(refused) => refused
            .all()
            .iter()
            .filter(|issue| issue.is_error())
            .map(ToString::to_string)
            .collect(),
    }
}

fn warnings(value: Value) -> Vec<String> {
    read(value).warnings().iter().map(ToString::to_string).collect()
}

fn full() -> Revision {
    read(json!({
        "gateway": {"auth": {"token": "the-gateway-token-kX9qvL7p", "password": "old-pass-Wq7zN2kX"}, "publicOrigin": "http://h"},
        "agents": {"defaults": {"model": "a/m"}, "entries": {"main": {"name": "Main", "memorySearch": {"apiKey": "x-secret"}}}},
        "bindings": [{"agentId": "main", "match": {"channel": "irc"}, "extra": 1}],
        "models": {"providers": {"a": {"baseUrl": "http://h/v1", "apiKey": "${KEY}", "headers": {"X-Key": "header-secret"}}}},
        "channels": {"irc": {"server": "s", "nick": "n", "password": "irc-secret"}, "telegram": {"botToken": "tg-secret"}},
        "hooks": {"token": "hook-secret"},
    }))
}

#[test]
fn a_field_of_a_request_that_is_null_reaches_the_agent_and_a_key_that_is_null_is_not_set() {
    let revision = read(json!({
        "agents": {"defaults": {"model": "a/m"}},
        "models": {"providers": {"a": {
            "baseUrl": "http://h/v1", "apiKey": null,
            "params": {"stream_options": null, "extra_body": {"top_k": null}},
            "models": [{"id": "m", "contextWindow": null, "params": {"temperature": null}}],
        }}},
    }));
    let agent: Value = serde_json::from_str(&revision.cut(Reader::Agent)).expect("JSON");
    let provider = &agent["models"]["providers"]["a"];
    assert_eq!(
        provider["params"],
        json!({"stream_options": null, "extra_body": {"top_k": null}})
    );
    assert_eq!(provider["models"][0]["params"], json!({"temperature": null}));
    assert_eq!(provider.get("apiKey"), None);
    assert_eq!(provider["models"][0].get("contextWindow"), None);
}

#[test]
fn each_service_gets_its_sections_and_only_the_secrets_it_needs() {
    let revision = full();
    let cut = |reader| -> Value { serde_json::from_str(&revision.cut(reader)).expect("JSON") };
    let keys =
        |value: &Value| -> Vec<String> { value.as_object().expect("an object").keys().cloned().collect() };

    let [edge, session, agent, bridge, broadcast] = [
        Reader::Edge,
        Reader::Session,
        Reader::Agent,
        Reader::ChannelBridge,
        Reader::Broadcast,
    ]
    .map(cut);

    assert_eq!(keys(&edge), ["gateway", "hooks", "plugins"]);
    assert_eq!(session["hooks"]["token"], "hook-secret");
    assert_eq!(keys(&cut(Reader::Operator)), ["plugins"]);
    assert_eq!(
        keys(&session),
        [
            "agents",
            "bindings",
            "session",
            "messages",
            "cron",
            "hooks",
            "commands",
            "models",
            "tools",
            "gateway",
            "channelAccounts"
        ]
    );
    assert_eq!(
        session["channelAccounts"],
        json!({
            "irc": {"default": "default", "enabled": {"default": true}},
            "telegram": {"default": "default", "enabled": {"default": false}}, // its token is none
        }),
        "where an answer can go, and not how to get there"
    );
    assert_eq!(keys(&session["commands"]), ["ownerAllowFrom"]);
    let drain = read(json!({"gateway": {"drainSeconds": 7, "publicOrigin": "https://a.example"}}));
    let drain: Value = serde_json::from_str(&drain.cut(Reader::Session)).expect("JSON");
    assert_eq!(
        drain["gateway"],
        json!({"drainSeconds": 7, "nodes": {"commands": {"allow": [], "deny": []}}}),
        "and nothing else of it"
    );
    assert_eq!(keys(&agent), ["models", "agents", "tools"]);
    assert_eq!(keys(&agent["agents"]), ["defaults"]);
    assert_eq!(keys(&bridge), ["channels", "commands", "gateway", "plugins"]);
    let reached = read(json!({"gateway": {"drainSeconds": 7, "publicOrigin": "https://a.example"}}));
    let reached: Value = serde_json::from_str(&reached.cut(Reader::ChannelBridge)).expect("JSON");
    assert_eq!(
        reached["gateway"],
        json!({"publicOrigin": "https://a.example"}),
        "and nothing else of it"
    );
    assert_eq!(broadcast, json!({}));
    assert_eq!(agent["models"]["providers"]["a"]["apiKey"], "key-from-env");
    assert_eq!(bridge["channels"]["irc"]["password"], "irc-secret");
    for (who, document) in [("edge", &edge), ("session", &session)] {
        let text = document.to_string();
        for secret in [
            "the-gateway-token-kX9qvL7p",
            "old-pass-Wq7zN2kX",
            "header-secret",
            "apiKey",
            "x-secret",
            "irc-secret",
        ] {
            assert!(!text.contains(secret), "{secret} goes to {who}");
        }
    }
    for document in [&edge, &agent, &bridge] {
        assert!(!document.to_string().contains("hook-secret"));
    }
    for document in [&edge, &session, &agent, &bridge] {
        assert!(!document.to_string().contains("the-gateway-token-kX9qvL7p"));
    }
}

#[test]
fn defaults_are_filled_in_and_one_form_is_handed_out() {
    let revision = full();

    let session: Value = serde_json::from_str(&revision.cut(Reader::Session)).expect("JSON");
    assert_eq!(
        session["agents"]["defaults"]["model"],
        json!({"primary": "a/m", "fallbacks": []})
    );
    assert_eq!(session["agents"]["defaults"]["timeoutSeconds"], 600);
    assert_eq!(session["bindings"][0]["extra"], 1, "unknown keys stay");
    assert_eq!(
        session["messages"]["queue"],
        json!({
            "mode": "steer", "byChannel": {}, "debounceMs": 500, "debounceMsByChannel": {}, "cap": 20, "drop": "summarize"
        })
    );
    let shown = revision.shown();
    assert_eq!(shown["gateway"]["port"], 18_789);
    assert_eq!(shown["gateway"]["publicOrigin"], "http://h");
    assert_eq!(shown["models"]["providers"]["a"]["apiKey"], "${KEY}");
    assert_eq!(shown["hooks"]["token"], crate::MARKER);
    let text = shown.to_string();
    for secret in [
        "-secret",
        "key-from-env",
        "the-gateway-token-kX9qvL7p",
        "old-pass-Wq7zN2kX",
    ] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[test]
fn every_way_to_write_a_channel_is_handed_out_in_one_form() {
    let revision = read(json!({"session": {"dmScope": "per-peer"}, "channels": {
        "irc": {"host": "irc.example.org", "nick": "n", "allowFrom": [42, "anna"], "password": null},
        "webhook": {"secret": "0123456789abcdef", "accounts": {"a": {"callbackUrl": "http://h/x"}, "b": {"rateLimit": {"burst": 1, "perSecond": 0.5}}}},
    }}));

    let bridge: Value = serde_json::from_str(&revision.cut(Reader::ChannelBridge)).expect("JSON");

    let irc = json!({"server": "irc.example.org", "nick": "n", "allowFrom": ["42", "anna"]});
    assert_eq!(bridge["channels"]["irc"], irc);
    assert_eq!(
        bridge["channels"]["webhook"]["accounts"]["b"]["rateLimit"]["perSecond"],
        0.5
    );
    assert_eq!(revision.warnings(), []);
}

#[test]
fn a_minimal_document_of_openclaw_runs() {
    let found = warnings(json!({
        "gateway": {"mode": "local", "port": 18789, "bind": "loopback", "auth": {"mode": "token", "token": "t-0123456789abcdef"},
            "http": {"endpoints": {"chatCompletions": {"enabled": true}}}},
        "models": {"mode": "replace", "providers": {"fake": {"baseUrl": "http://127.0.0.1:19400/v1", "apiKey": "k",
            "api": "openai-completions", "models": [{"id": "fake-1", "name": "Fake One", "reasoning": false,
            "input": ["text"], "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
            "contextWindow": 128000, "maxTokens": 32000}]}}},
        "agents": {"defaults": {"model": {"primary": "fake/fake-1"}, "skipBootstrap": true, "workspace": "…"}},
        "hooks": {"enabled": true, "token": "h-0123456789abcdef", "path": "/hooks"},
    }));

    assert_eq!(
        found,
        ["agents: unknown keys, kept without effect: defaults.skipBootstrap, defaults.workspace"]
    );
}

#[test]
fn every_wrong_value_is_told_with_its_path_and_what_would_be_right() {
    let found = errors(json!({
        "gateway": {"port": 99999, "auth": {"token": 12345, "rateLimit": []}},
        "bindings": [{"match": {"channel": "irc", "peer": {"kind": "person", "id": "x"}}}],
        "session": {"dmScope": true},
        "models": {"providers": {"a": {"apiKey": false}}},
    }));

    assert_eq!(
        found,
        [
            "gateway.port: must be a whole number from 1 to 65535; it is 99999",
            "gateway.auth.token: must be a text or a reference like { source: \"env\", id: \"NAME\" }; it is something else \
         (not shown: a secret belongs here)",
            "gateway.auth.rateLimit: must be an object; it is a list",
            "bindings[0].agentId: is required here",
            "bindings[0].match.peer.kind: must be one of \"direct\", \"group\", \"channel\"; it is \"person\"",
            "session.dmScope: must be one of \"main\", \"per-peer\", \"per-channel-peer\", \"per-account-channel-peer\"; it is true",
            "models.providers.a.apiKey: must be a text or a reference like { source: \"env\", id: \"NAME\" }; it is something \
         else (not shown: a secret belongs here)",
        ]
    );
}

#[test]
fn unknown_keys_are_kept_with_a_hint() {
    let found = warnings(json!({
        "gatway": {}, "gateway": {"Port": 1, "controlUI": {}}, "session": {"dm_scope": "main"}, "channels": {"matrix": {}},
    }));

    assert_eq!(
        found,
        [
            "gatway: unknown key, kept without effect; did you mean `gateway`?",
            "gateway.Port: unknown key, kept without effect; did you mean `gateway.port`?",
            "gateway.controlUI: unknown key, kept without effect; did you mean `gateway.controlUi`?",
            "session.dm_scope: unknown key, kept without effect; did you mean `session.dmScope`?",
            "channels.matrix: Gatehouse has no channel \"matrix\" yet; its keys are kept without effect",
        ]
    );
}

#[test]
fn rules_between_keys_hold() {
    let found = warnings(json!({
        "gateway": {"bind": "custom", "publicOrigin": "home.example.org", "trustedProxies": ["10.0.0.0/40"]},
        "agents": {"entries": {"a": {"default": true}, "b": {"default": true}}},
        "bindings": [{"agentId": "c", "match": {"channel": "irc"}}],
        "models": {"providers": {"x": {"baseUrl": "not an address"}, "y": {}}},
        "channels": {"irc": {"dmPolicy": "open"}, "webhook": {"defaultAccount": "none", "accounts": {"shop": {"callbackUrl": "ftp://x"}}}},
    }));

    let begins = [
        "channels.irc: is off, the rest runs: `dmPolicy` \"open\" lets everybody",
        "channels.webhook.accounts.shop: is off, the rest runs: `secret` is required",
        "channels.webhook.defaultAccount: is left out, the rest runs: there is no account \"none\"",
        "gateway.bind: is left out, the rest runs: `customBindHost`",
        "gateway.publicOrigin: is left out, the rest runs: must be an origin",
        "gateway.trustedProxies[0]: is left out, the rest runs: must be an IP address or a range",
        "models.providers.x: is left out, the rest runs: `baseUrl` must be an address",
        "models.providers.y: is left out, the rest runs: `baseUrl` is required",
        "agents: only one agent can have `default: true`",
        "bindings[0].agentId: there is no agent \"c\"",
    ];
    assert_eq!(found.len(), begins.len(), "{found:#?}");
    for (found, begin) in found.iter().zip(begins) {
        assert!(found.starts_with(begin), "{found} does not begin with {begin}");
    }
    for each in ["`server` is required", "`nick` is required"] {
        assert!(found[0].contains(each), "{}", found[0]);
    }
    assert!(
        found[1].contains("`callbackUrl` must be an address"),
        "{}",
        found[1]
    );
}

#[test]
fn a_channel_of_a_plugin_is_known_and_its_secrets_reach_the_bridge_alone() {
    let document = json!({
        "plugins": {"entries": {"tell": {"endpoint": "h:1", "channels": ["lines"], "env": {"KEY": "k"}}}},
        "channels": {"lines": {"port": 7, "botToken": "${BOT_TOKEN}", "dmPolicy": "allowlist", "allowFrom": ["anna"],
            "accounts": {"home": {"greeting": "${HELLO}", "password": {"source": "env", "id": "BOT_TOKEN"}}}}},
    });

    let known = Sources {
        env: Box::new(|name| (name == "BOT_TOKEN").then(|| "s3cret-of-lines".to_owned())),
        ..sources()
    };

    let revision = Revision::read(&document.to_string(), &known).expect("it runs");

    let mut said: Vec<String> = revision
        .warnings()
        .iter()
        .map(|issue| issue.path.clone())
        .collect();
    said.sort();
    assert_eq!(
        said,
        [
            "channels.lines.accounts.home.greeting",
            "plugins.entries.tell.env"
        ]
    );
    let cut: Value = serde_json::from_str(&revision.cut(Reader::ChannelBridge)).expect("JSON");
    let lines = &cut["channels"]["lines"];
    assert_eq!(
        (
            &lines["port"],
            &lines["botToken"],
            &lines["accounts"]["home"]["password"]
        ),
        (&json!(7), &json!("s3cret-of-lines"), &json!("s3cret-of-lines"))
    );
    assert_eq!(cut["plugins"]["entries"]["tell"]["channels"], json!(["lines"]));
    assert!(
        cut["plugins"]["entries"]["tell"]["env"].get("KEY").is_none(),
        "{cut}"
    );
    for reader in Reader::ALL
        .into_iter()
        .filter(|reader| *reader != Reader::ChannelBridge)
    {
        assert!(!revision.cut(reader).contains("s3cret-of-lines"), "{reader:?}");
    }
    assert!(!revision.shown().to_string().contains("s3cret-of-lines"));
}

#[test]
fn a_channel_of_a_plugin_obeys_the_rules_of_every_channel() {
    let found = warnings(json!({
        "plugins": {"entries": {"tell": {"endpoint": "h:1", "channels": ["lines", "notes"]}}},
        "channels": {
            "lines": {"dmPolicy": "open", "whatever": {"is": "its own"}},
            "notes": {"accounts": {"a": {"maxMessages": 5000}, "b": {"enabled": "yes"}}},
        },
    }));

    for (found, begin) in found.iter().zip([
        "channels.lines: is off, the rest runs: `dmPolicy` \"open\" lets everybody",
        "channels.notes",
    ]) {
        assert!(found.starts_with(begin), "{found} does not begin with {begin}");
    }
}
