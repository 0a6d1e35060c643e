//! Who may bring an event, and what for.

use super::*;

#[tokio::test]
async fn nothing_but_the_token_of_hooks_opens_them() {
    let on = Hooked::new(open()).await;
    let good = sent("agent", &json!({"message": "x"}));

    for (why, bad, status) in [
        ("none", good.clone().without("authorization"), 401),
        (
            "a wrong one",
            good.clone().with("authorization", "Bearer hM4sT8vQ2wZ6xC9c"),
            401,
        ),
        ("an empty one", good.clone().with("authorization", "Bearer "), 401),
        (
            "another scheme",
            good.clone().with("authorization", &format!("Basic {TOKEN}")),
            401,
        ),
        ("in the query", good.clone().query(&format!("token={TOKEN}")), 400),
        (
            "in the query, escaped",
            good.clone().query(&format!("a=1&%74oken={TOKEN}")),
            400,
        ),
    ] {
        let inspected = on.inspect(&bad).await;
        let refusal = inspected
            .refusal
            .unwrap_or_else(|| panic!("{why} is refused by the head alone"));
        assert_eq!(
            (refusal.status, refusal.guessed),
            (status, status == 401),
            "{why}"
        );
        let unasked = ReceiveHookRequest {
            head: Some(bad.head),
            body: bad.body,
        };
        let received = on
            .grpc
            .receive_hook(Request::new(unasked))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(received.answer.unwrap().status, status, "{why}: judged again");
    }
    let other_header = good
        .clone()
        .without("authorization")
        .with("x-openclaw-token", TOKEN);
    assert_eq!(on.receive(&other_header).await.status, 202);
    for off in [
        json!({}),
        json!({"token": TOKEN}),
        json!({"enabled": true}),
        json!({"enabled": true, "token": " "}),
    ] {
        let on = Hooked::new(off.clone()).await;
        let refused = on
            .receive(&good.clone().with("authorization", "Bearer "))
            .await
            .status;
        assert!(matches!(refused, 401 | 404), "{off}");
        assert!(on.inspect(&good).await.refusal.is_some(), "{off}");
    }
}

#[tokio::test]
async fn lists_of_what_is_allowed_are_not_widened_by_what_is_empty_or_left_out() {
    let with = async |rules: Value, request: Value| {
        let mut hooks = open();
        hooks
            .as_object_mut()
            .unwrap()
            .extend(rules.as_object().unwrap().clone());
        let config = json!({"hooks": hooks, "agents": {"entries": {"main": {"default": true}, "work": {}}}});
        let on = Hooked::with(config, NOW_MS).await;
        let mut body = json!({"message": "x"});
        body.as_object_mut()
            .unwrap()
            .extend(request.as_object().unwrap().clone());
        on.receive(&sent("agent", &body)).await.status
    };
    let keys =
        |prefixes: Value| json!({"allowRequestSessionKey": true, "allowedSessionKeyPrefixes": prefixes});

    for (rules, request, status) in [
        (json!({}), json!({"agentId": "work"}), 202),
        (json!({"allowedAgentIds": ["*"]}), json!({"agentId": "work"}), 202),
        (
            json!({"allowedAgentIds": ["work"]}),
            json!({"agentId": "Work"}),
            202,
        ),
        (
            json!({"allowedAgentIds": ["work"]}),
            json!({"agentId": "main"}),
            400,
        ),
        (json!({"allowedAgentIds": ["work"]}), json!({}), 400), // the default agent is not on the list
        (json!({"allowedAgentIds": ["work"]}), json!({"agentId": ""}), 400),
        (
            json!({"allowedAgentIds": ["work"]}),
            json!({"agentId": "  "}),
            400,
        ),
        (json!({"allowedAgentIds": []}), json!({"agentId": "work"}), 400),
        (
            json!({"allowedAgentIds": [" ", ""]}),
            json!({"agentId": "work"}),
            400,
        ),
        (json!({}), json!({"sessionKey": "hook:a"}), 400),
        (
            json!({"allowRequestSessionKey": true}),
            json!({"sessionKey": "hook:a"}),
            202,
        ),
        (
            json!({"allowRequestSessionKey": true}),
            json!({"sessionKey": "main"}),
            400,
        ),
        (keys(json!(["in:"])), json!({"sessionKey": "in:a"}), 202),
        (
            keys(json!(["in:"])),
            json!({"sessionKey": "agent:work:in:a"}),
            202,
        ),
        (
            keys(json!(["in:"])),
            json!({"sessionKey": "agent:work:main"}),
            400,
        ),
        (keys(json!([])), json!({"sessionKey": "hook:a"}), 400),
        (keys(json!(["", " "])), json!({"sessionKey": "hook:a"}), 400),
        (keys(json!(["cron:"])), json!({"sessionKey": "cron:a"}), 400),
        (keys(json!(["in:"])), json!({"sessionKey": " "}), 400),
        (
            json!({"allowRequestSessionKey": true, "allowedAgentIds": ["main"]}),
            json!({"sessionKey": "agent:work:hook:a"}),
            400,
        ),
    ] {
        assert_eq!(
            with(rules.clone(), request.clone()).await,
            status,
            "{rules} {request}"
        );
    }
}
