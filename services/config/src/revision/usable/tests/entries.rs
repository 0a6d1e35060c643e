//! One entry that cannot be used, and the rest that runs.

use super::*;

#[test]
fn a_provider_that_cannot_be_used_fails_alone() {
    let revision = read(&json!({
        "models": {"providers": {
            "good": {"baseUrl": "http://127.0.0.1:11434/v1"},
            "foreign": {"baseUrl": "http://h", "api": "anthropic-messages"},
            "nowhere": {"baseUrl": "not an address"},
            "shapeless": 7,
            "header": {"baseUrl": "http://h/v1", "headers": {"a b": "c"}},
        }},
        "agents": {"defaults": {"model": "good/m"}},
    }));

    let agent = cut(&revision, Reader::Agent);
    let providers: Vec<&String> = agent["models"]["providers"]
        .as_object()
        .expect("there")
        .keys()
        .collect();
    assert_eq!(providers, ["good"]);
    let why = agent["models"]["leftOut"]["foreign"]
        .as_str()
        .expect("said to who is asked for it");
    assert!(why.starts_with("`api` must be"), "{why}");
    let found = warnings(&revision);
    let named: Vec<&str> = found.iter().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(
        named,
        ["foreign", "header", "nowhere", "shapeless"].map(|id| format!("models.providers.{id}"))
    );
    assert_eq!(
        revision.shown()["models"]["providers"]["foreign"]["api"],
        "anthropic-messages",
        "it stays in the file"
    );
}

#[test]
fn one_wrong_model_of_a_list_leaves_the_others_and_each_finding_names_its_own_place() {
    let revision = read(&json!({
        "models": {"providers": {"a": {"baseUrl": "http://h/v1", "models": [
            {"id": "one", "contextWindow": "much"}, {"id": "two"}, {"name": "three"}, {"id": "four", "maxTokens": 0}, {"id": "five"},
        ]}}},
        "gateway": {"trustedProxies": ["10.0.0.1", "nobody", "10.0.0.2", "0.0.0.0/0"]},
    }));

    let agent = cut(&revision, Reader::Agent);
    let ids: Vec<&Value> = agent["models"]["providers"]["a"]["models"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|model| &model["id"])
        .collect();
    assert_eq!(ids, ["two", "five"]);
    assert_eq!(
        cut(&revision, Reader::Edge)["gateway"]["trustedProxies"],
        json!(["10.0.0.1", "10.0.0.2", "0.0.0.0/0"])
    );
    let found = warnings(&revision).join("\n");
    for place in [
        "models.providers.a.models[0]: is left out",
        "models.providers.a.models[2]: is left out",
        "models.providers.a.models[3]: is left out",
        "gateway.trustedProxies[1]: is left out",
        "gateway.trustedProxies[3]: believes what",
    ] {
        assert!(found.contains(place), "{place} in {found}");
    }
}

#[test]
fn an_account_that_cannot_be_used_is_off_and_the_others_run() {
    let revision = read(&json!({"session": {"dmScope": "per-channel-peer"}, "channels": {
        "irc": {"nick": "gate", "accounts": {
            "home": {"server": "irc.example.test"},
            "lost": {"port": 6667},
            "open": {"server": "s", "dmPolicy": "open"},
            "typo": {"server": "s", "dmPolicy": "opne", "allowFrom": ["*"]},
        }},
        "webhook": {"secret": "short"},
    }}));

    let bridge = cut(&revision, Reader::ChannelBridge);
    let accounts = &bridge["channels"]["irc"]["accounts"];
    assert_eq!(accounts["home"]["server"], "irc.example.test");
    for off in ["lost", "open", "typo"] {
        assert_eq!(accounts[off], json!({"enabled": false}), "{off}");
    }
    assert_eq!(bridge["channels"]["webhook"], json!({"enabled": false}));
    let found = warnings(&revision).join("\n");
    assert!(
        found.contains("channels.irc.accounts.lost: is off, the rest runs: `server` is required"),
        "{found}"
    );
    assert!(
        found.contains("channels.webhook: is off, the rest runs: `secret` must have 16 characters"),
        "{found}"
    );
}

#[test]
fn an_agent_with_a_mistake_is_left_out_and_nobody_answers_for_it() {
    let document = json!({
        "agents": {"entries": {
            "main": {"default": true, "timeoutSeconds": 0},
            "strict": {"systemPrompt": ["say nothing"], "name": "S"},
        }, "list": [{"name": "without id"}, {"id": "work", "identity": "clerk"}]},
        "bindings": [
            {"agentId": "strict", "match": {"channel": "irc"}},
            {"agentId": "work", "match": {"channel": "irc", "peer": {"kind": "thread", "id": "x"}}},
        ],
    });
    let revision = read(&document);

    let session = cut(&revision, Reader::Session);
    let entries: Vec<&String> = session["agents"]["entries"]
        .as_object()
        .expect("there")
        .keys()
        .collect();
    assert_eq!(entries, ["main"]);
    assert_eq!(session["agents"]["entries"]["main"].get("timeoutSeconds"), None);
    assert_eq!(session["agents"]["list"], json!([{"id": "work"}]));
    // Its rule stays: what it matches is for nobody, and not for somebody else.
    assert_eq!(session["bindings"].as_array().map(Vec::len), Some(1));
    assert_eq!(session["bindings"][0]["agentId"], "strict");
    let found = warnings(&revision).join("\n");
    assert!(
        found.contains("agents.entries.strict: is left out, the rest runs: `systemPrompt` must be a text"),
        "{found}"
    );
    assert!(
        found.contains(
            "bindings[0].agentId: the agent \"strict\" is left out: mend its entry under `agents`; nobody answers what this rule matches"
        ),
        "{found}"
    );
    assert!(found.contains("bindings[1]: is left out"), "{found}");
}

#[test]
fn an_agent_is_known_under_the_id_that_sessions_use() {
    let revision = read(&json!({
        "agents": {"entries": {"Home Desk": {"default": true}, "--": {"name": "no id"}}, "list": [{"id": "home-desk"}]},
        "bindings": [{"agentId": "HOME DESK", "match": {"channel": "irc"}}],
    }));

    let found = warnings(&revision);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].starts_with("agents.entries.--: is left out, the rest runs: cannot be an agent's id"),
        "{found:?}"
    );
    assert!(
        found[1].starts_with("agents.list[0]: has the id home-desk of an agent above"),
        "{found:?}"
    );
}

#[test]
fn a_secret_that_nothing_asks_for_may_be_missing_and_one_that_is_needed_may_not() {
    let document = |model: &str| {
        json!({
            "models": {"providers": {
                "spare": {"baseUrl": "http://h/v1", "apiKey": "${NOWHERE}", "headers": {"X": {"source": "file", "path": "none"}}},
                "local": {"baseUrl": "http://127.0.0.1/v1"},
            }},
            "agents": {"entries": {"main": {"model": {"primary": "local/m", "fallbacks": [model]}}}},
        })
    };

    let revision = read(&document("local/n"));
    assert!(revision.left_out().waits(), "it is looked for again");
    let found = warnings(&revision).join("\n");
    assert!(found.contains("models.providers.spare: is left out, the rest runs: `apiKey` the environment variable NOWHERE is not set"), "{found}");
    let agent = cut(&revision, Reader::Agent);
    assert_eq!(
        agent["models"]["providers"].as_object().map(serde_json::Map::len),
        Some(1)
    );

    let refused = Revision::read(&document("spare/m").to_string(), &sources()).expect_err("needed");
    assert!(
        refused.only_secrets() && refused.missing.len() == 2,
        "{refused:?}"
    );
}

#[test]
fn what_would_open_the_door_wider_refuses_the_document() {
    for (document, place) in [
        (
            json!({"gateway": {"auth": {"mode": "tokn"}}}),
            "gateway.auth.mode",
        ),
        (
            json!({"gateway": {"auth": {"rateLimit": {"maxAttempts": 0}}}}),
            "gateway.auth.rateLimit.maxAttempts",
        ),
        (
            json!({"gateway": {"auth": {"tokenScopes": "operator.read"}}}),
            "gateway.auth.tokenScopes",
        ),
        (json!({"session": {"dmScope": "per-thread"}}), "session.dmScope"),
        (
            json!({"channels": {"defaults": {"groupPolicy": "closed"}}}),
            "channels.defaults.groupPolicy",
        ),
        (json!({"secrets": {"dirs": "secrets"}}), "secrets.dirs"),
        (json!({"gateway": {"port": 99_999}}), "gateway.port"),
    ] {
        let mut document = document;
        document["models"] = json!({"providers": {"a": {"api": "x", "baseUrl": "http://h"}}});

        let found = refused(&document);

        assert!(
            found.iter().any(|line| line.starts_with(place)),
            "{place}: {found:?}"
        );
        assert!(
            found
                .iter()
                .any(|line| line.starts_with("models.providers.a.api: must be")),
            "all at once: {found:?}"
        );
    }
}

#[test]
fn a_document_in_which_hardly_anything_is_right_is_refused_and_comes_to_an_end() {
    let providers: serde_json::Map<String, Value> = (0..500)
        .map(|number| (format!("p{number}"), json!({"api": number})))
        .collect();

    assert!(!refused(&json!({"models": {"providers": providers}})).is_empty());
    for (place, value) in [
        ("models", json!(1)),
        ("agents", json!([])),
        ("bindings", json!({})),
        ("channels", json!("irc")),
        ("messages", json!(null)),
        ("logging", json!(true)),
        ("env", json!(0)),
    ] {
        let mut document = json!({});
        document[place] = value;

        let found = warnings(&read(&document));

        assert!(
            found.len() == 1 && found[0].starts_with(&format!("{place}: is left out")),
            "{found:?}"
        );
    }
}

#[test]
fn a_mistake_about_when_conversations_end_jobs_run_or_the_network_is_told_leaves_the_rest_running() {
    let revision = read(&json!({
        "session": {
            "dmScope": "per-channel-peer",
            "reset": {"mode": "weekly"},
            "resetByType": {"group": {"mode": "idle", "idleMinutes": "60"}, "direct": {"mode": "daily"}},
            "maintenance": {"pruneAfter": "thirty days", "maxEntries": 100},
        },
        "cron": {"enabled": "no"},
        "discovery": {"mdns": {"mode": "quiet"}},
    }));

    let session = cut(&revision, Reader::Session);
    assert_eq!(session["session"]["dmScope"], "per-channel-peer");
    assert_eq!(session["session"]["resetByType"]["direct"]["mode"], "daily");
    assert_eq!(session["session"]["resetByType"].get("group"), None);
    assert_eq!(session["session"]["maintenance"], json!({"maxEntries": 100}));
    assert_eq!(
        session["cron"]["enabled"], false,
        "not on because of a wrong word"
    );
    let found = warnings(&revision).join("\n");
    for place in [
        "cron.enabled: is off",
        "discovery: is off",
        "session.maintenance.pruneAfter: is left out",
        "session.reset: is left out",
        "session.resetByType.group: is left out",
    ] {
        assert!(found.contains(place), "{place} in {found}");
    }
    assert!(
        refused(&json!({"session": {"dmScope": "everybody"}}))
            .iter()
            .any(|line| line.contains("session.dmScope")),
        "who shares a conversation is never guessed"
    );
}
