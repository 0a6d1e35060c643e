use serde_json::json;

use super::*;

/// Severity, place within `hooks`, and message of each finding.
fn found(document: &Value) -> Vec<(bool, String, String)> {
    let read: Document = serde_json::from_value(document.clone()).expect("a document");
    let mut issues = Vec::new();
    check(&read, document, &mut issues);
    default_session(&read, document, &mut issues);
    allowed(&read, document, &mut issues);
    let told = |issue: Issue| {
        let place = issue.path.replace("hooks.", "").replace("mappings[0].", "");
        (issue.is_error(), place, issue.message)
    };
    issues.into_iter().map(told).collect()
}

/// A mapping beside three agents, of whom hooks may ask two.
fn mapping(mapping: &Value) -> Vec<(bool, String, String)> {
    let mut mapping = mapping.clone();
    if mapping["match"].is_null() {
        mapping["match"] = json!({"path": "a"});
    }
    found(&json!({
        "agents": {
            "defaults": {"models": {"own/large": {"alias": "big"}}},
            "entries": {"main": {"default": true}, "ops": {}, "night": {}},
        },
        "models": {"providers": {"own": {"baseUrl": "http://127.0.0.1:1/v1", "models": [
            {"id": "m", "compat": {"reasoningEffortMap": {"ultra": "9"}}}]}}},
        "channels": {"irc": {"server": "s", "nick": "n"}, "lines": {}},
        "plugins": {"entries": {"lines": {"endpoint": "127.0.0.1:1", "channels": ["lines"]}}},
        "hooks": {"allowedAgentIds": ["main", "OPS"], "mappings": [mapping]},
    }))
}

#[test]
fn a_mapping_that_asks_who_is_there_by_a_model_that_is_there_has_no_finding() {
    for good in [
        json!({}),
        json!({"agentId": "Ops", "model": "own/m", "thinking": "HIGH", "channel": "irc", "to": "#a"}),
        json!({"sessionKey": "agent:ops:log", "model": "big", "thinking": "ultra", "channel": "last"}),
        json!({"sessionKey": "hook:log", "model": "echo/echo", "channel": "lines"}),
        json!({"action": "wake", "textTemplate": "{{First name}}", "wakeMode": "next-heartbeat"}),
        json!({"agentId": "{{refused}}"}), // as a template, elsewhere
    ] {
        assert_eq!(mapping(&good), [], "{good}");
    }
}

#[test]
fn what_can_never_act_is_a_mistake_with_its_key_and_what_to_do() {
    for (bad, key, told) in [
        (
            json!({"agentId": "nobody"}),
            "agentId",
            "there is: main, ops, night",
        ),
        (
            json!({"sessionKey": "agent:nobody:x"}),
            "sessionKey",
            "there is no agent",
        ),
        (json!({"sessionKey": "cron:x"}), "sessionKey", "its own work"),
        (
            json!({"sessionKey": "agent:main:subagent:x"}),
            "sessionKey",
            "its own work",
        ),
        (
            json!({"agentId": "main", "sessionKey": "agent:ops:x"}),
            "agentId",
            "leave one of them out",
        ),
        (json!({"agentId": "night"}), "agentId", "allowedAgentIds"),
        (
            json!({"sessionKey": "agent:night:x"}),
            "sessionKey",
            "allowedAgentIds",
        ),
        (json!({"thinking": "hard"}), "thinking", "off, minimal"),
    ] {
        let found = mapping(&bad);

        let [(true, place, message)] = found.as_slice() else {
            panic!("{bad}: {found:?}");
        };
        assert_eq!(place, key, "{bad}");
        assert!(message.contains(told), "{bad}: {message}");
    }
}

#[test]
fn what_may_be_meant_so_is_a_warning() {
    for (odd, key, told) in [
        (json!({"model": "nobody/m"}), "model", "models.providers.nobody"),
        (
            json!({"channel": "telegram", "to": "1"}),
            "channel",
            "no channels.telegram",
        ),
        (
            json!({"messageTemplate": "{{#each list}} x"}),
            "messageTemplate",
            "computes nothing",
        ),
        (json!({"textTemplate": "x"}), "textTemplate", "action: \"agent\""),
        (
            json!({"action": "wake", "messageTemplate": "x"}),
            "messageTemplate",
            "action: \"wake\"",
        ),
        (json!({"action": "wake", "model": "own/m"}), "model", "no effect"),
    ] {
        let found = mapping(&odd);

        let [(false, place, message)] = found.as_slice() else {
            panic!("{odd}: {found:?}");
        };
        assert_eq!(place, key, "{odd}");
        assert!(message.contains(told), "{odd}: {message}");
    }
}

#[test]
fn a_mapping_behind_one_that_takes_everything_is_named_and_one_beside_it_is_not() {
    let of = |mappings: Value| {
        let found = found(&json!({"hooks": {"mappings": mappings}}));
        found.into_iter().map(|(_, place, _)| place).collect::<Vec<_>>()
    };
    let signed = json!({"profile": "github", "secret": "kX9qmQ2vL7pR4wZ8"});

    for alone in [
        json!([{"match": {"path": "a", "source": "x"}}, {"match": {"path": "a"}}]),
        json!([{"match": {"path": "a"}, "signature": signed}, {"match": {"path": "a"}}]),
        json!([{"match": {"path": "a"}, "messageTemplate": "{{"}, {"match": {"path": "a"}}]),
        json!([{"match": {"source": "x"}}, {"match": {"path": "a"}}]),
    ] {
        assert_eq!(of(alone.clone()), [] as [&str; 0], "{alone}");
    }
    for hidden in [
        json!([{"match": {"path": "a"}}, {"match": {"path": "/a/", "source": "x"}}]),
        json!([{"match": {"source": "x"}}, {"match": {"path": "a", "source": "x"}}]),
    ] {
        assert_eq!(of(hidden.clone()), ["mappings[1]"], "{hidden}");
    }
}

#[test]
fn without_a_default_agent_a_mapping_says_whom_it_asks() {
    let of = |hooks: Value| {
        let agents = json!({"entries": {"main": {}, "ops": {}}});
        found(&json!({"agents": agents, "hooks": hooks}))
    };
    let open = json!([{"match": {"path": "a"}}]);

    let found = of(json!({"mappings": open}));
    assert!(
        matches!(found.as_slice(), [(true, place, told)] if place == "agentId" && told.contains("main, ops")),
        "{found:?}"
    );
    assert_eq!(
        of(json!({"mappings": open, "defaultSessionKey": "agent:ops:x"})),
        []
    );
    assert_eq!(
        of(json!({"mappings": [{"match": {"path": "a"}, "agentId": "ops"}]})),
        []
    );
}

#[test]
fn a_default_session_and_a_list_that_name_nobody_are_warnings() {
    let found = found(&json!({
        "agents": {"entries": {"main": {}}},
        "hooks": {"defaultSessionKey": "agent:gone:x", "allowedAgentIds": ["main", "gone", " ", "*"]},
    }));

    let places: Vec<(bool, &str)> = found
        .iter()
        .map(|(error, place, _)| (*error, place.as_str()))
        .collect();
    assert_eq!(
        places,
        [(false, "defaultSessionKey"), (false, "allowedAgentIds[1]")]
    );
}
