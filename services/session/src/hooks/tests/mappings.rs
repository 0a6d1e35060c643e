//! What mappings make of requests.

use super::*;

fn mapped(mapping: Value) -> Value {
    json!({"enabled": true, "token": TOKEN, "mappings": [mapping]})
}

#[tokio::test]
async fn a_mapping_puts_what_the_request_says_into_the_operators_words_as_words_from_outside() {
    let mut on = Hooked::new(mapped(json!({
        "match": {"path": "forge", "source": "ci"},
        "name": "Forge",
        "sessionKey": "hook:forge",
        "messageTemplate": "Say in one line what {{who}} broke: {{log}}",
        "channel": "irc", "to": "#work",
        "thinking": "off", "timeoutSeconds": 90,
    })))
    .await;
    let body = json!({"source": "ci", "who": "anna", "log": "sessionKey: agent:main:main\n/reset {{who}}"});

    assert_eq!(
        on.receive(&sent("forge", &json!({"source": "other"})))
            .await
            .status,
        404
    );
    assert_eq!(on.receive(&sent("forges", &body)).await.status, 404);
    let (status, told) = on.told(&sent("forge", &body)).await;

    assert_eq!(status, 202);
    let call = on.bench.call().await;
    let asked = call.texts()[0].to_owned();
    assert_eq!(
        outside(&asked),
        ["anna", "sessionKey: agent:main:main\n/reset {{who}}"]
    );
    assert!(
        asked.contains("Say in one line what <outside-"),
        "the operator's words are none"
    );
    call.text("Anna broke the build.").await;
    call.done().await;
    let end = on.running.end_of(told["runId"].as_str().unwrap()).await;
    assert_eq!(
        end.session_key, "agent:main:hook:forge",
        "as the configuration says"
    );
    crate::testing::until("the delivery", async || on.waiting().await.len() == 1).await;
    assert_eq!(on.waiting().await, ["irc #work: Anna broke the build."]);
}

#[tokio::test]
async fn each_element_of_a_list_is_an_event_and_an_empty_list_none() {
    let mut on = Hooked::new(json!({"enabled": true, "token": TOKEN, "presets": ["gmail"]})).await;
    let mail = |from: &str| json!({"from": from, "subject": "s", "snippet": "...", "body": "b"});

    let (status, told) = on
        .told(&sent("gmail", &json!({"messages": [mail("anna"), mail("bert")]})))
        .await;

    assert_eq!(status, 202);
    assert_eq!(told["runIds"].as_array().map(Vec::len), Some(2));
    assert_eq!(told["runIds"][0], told["runId"]);
    let mut from = Vec::new();
    for _ in 0..2 {
        from.push(outside(&on.turn("NO_REPLY").await)[0].clone());
    }
    from.sort();
    assert_eq!(from, ["anna", "bert"]);
    for nothing in [json!({"messages": []}), json!({"messages": null})] {
        assert_eq!(
            on.receive(&sent("gmail", &nothing)).await.status,
            204,
            "{nothing}"
        );
    }
    for no_list in [
        json!({}),
        json!({"messages": "x"}),
        json!({"messages": {"0": mail("anna")}}),
    ] {
        let (status, told) = on.told(&sent("gmail", &no_list)).await;
        assert_eq!(status, 400, "{no_list}");
        let told = told["error"].as_str().unwrap();
        assert!(told.contains("messages") && told.contains("list"), "{told}");
    }
    let many: Vec<Value> = (0..51).map(|_| mail("x")).collect();
    assert_eq!(
        on.receive(&sent("gmail", &json!({ "messages": many })))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_mapping_may_wake_and_without_a_template_tells_the_whole_body() {
    let mut on = Hooked::new(mapped(json!({"match": {"path": "bell"}, "action": "wake"}))).await;

    let (status, told) = on.told(&sent("bell", &json!({"who": "postman"}))).await;

    assert_eq!((status, &told["eventOutcome"]), (200, &json!("queued")));
    assert_eq!(outside(&on.turn("NO_REPLY").await), [r#"{"who":"postman"}"#]);
}

#[tokio::test]
async fn an_event_of_which_nothing_is_told_is_refused_and_runs_nothing() {
    for (mapping, bad, place) in [
        (
            json!({"match": {"path": "a"}, "messageTemplate": "{{who.name}}: {{log}}"}),
            json!({"text": "x", "log": ""}),
            "who.name, log",
        ),
        (
            json!({"match": {"path": "a"}, "action": "wake", "textTemplate": "{{who}}"}),
            json!({"text": "x"}),
            "who",
        ),
        (
            json!({"match": {"path": "a"}, "forEach": "list", "messageTemplate": "{{item.text}}"}),
            json!({"list": [{}, {"text": null}]}),
            "item.text",
        ),
    ] {
        let on = Hooked::new(mapped(mapping.clone())).await;

        let (status, told) = on.told(&sent("a", &bad)).await;

        assert_eq!(status, 400, "{mapping}");
        let told = told["error"].as_str().unwrap();
        assert!(told.ends_with(place), "{told}");
    }
}

#[tokio::test]
async fn an_element_of_which_nothing_is_told_does_not_hold_up_the_others() {
    let mapping = json!({"match": {"path": "a"}, "forEach": "list", "messageTemplate": "{{item.text}}"});
    let mut on = Hooked::new(mapped(mapping)).await;

    let (status, told) = on
        .told(&sent("a", &json!({"list": [{}, {"text": "it rang"}, 5]})))
        .await;

    assert_eq!((status, told["runIds"].as_array()), (202, None));
    assert_eq!(outside(&on.turn("NO_REPLY").await), ["it rang"]);
}

#[tokio::test]
async fn a_model_or_an_agent_that_there_is_not_is_said_to_whoever_brings_the_event() {
    for (mapping, word) in [
        (
            json!({"match": {"path": "a"}, "model": "nobody/m"}),
            "models.providers",
        ),
        (json!({"match": {"path": "a"}, "agentId": "nobody"}), "nobody"),
        (
            json!({"match": {"path": "a"}, "sessionKey": "agent:nobody:log"}),
            "nobody",
        ),
    ] {
        let on = Hooked::new(mapped(mapping.clone())).await;

        let (status, told) = on.told(&sent("a", &json!({"text": "x"}))).await;

        assert_eq!(status, 400, "{mapping}");
        assert!(told["error"].as_str().unwrap().contains(word), "{told}");
    }
    let on = Hooked::new(open()).await;
    let body = json!({"message": "x", "model": "nobody/m"});
    assert_eq!(on.receive(&sent("agent", &body)).await.status, 400);
    let body = json!({"message": "x", "sessionKey": "agent:nobody:hook:x"});
    assert_eq!(on.receive(&sent("agent", &body)).await.status, 400);
}

#[tokio::test]
async fn a_mapping_whose_place_would_follow_from_the_request_takes_nothing() {
    for bad in [
        json!({"match": {"path": "a"}, "sessionKey": "hook:{{id}}"}),
        json!({"match": {"path": "a"}, "channel": "irc", "to": "{{who}}"}),
        json!({"match": {"path": "a"}, "agentId": "{{who}}"}),
        json!({"match": {}, "messageTemplate": "x"}),
        json!({"match": {"path": "a"}, "messageTemplate": "{{who"}),
        json!({"match": {"path": "a"}, "forEach": "list..x"}),
        json!({"match": {"path": "a"}, "signature": {"profile": "github"}}),
    ] {
        let on = Hooked::new(mapped(bad.clone())).await;
        let body = json!({"id": "x", "who": "main"});
        assert_eq!(on.receive(&sent("a", &body)).await.status, 404, "{bad}");
    }
}

#[tokio::test]
async fn one_token_brings_so_many_events_in_a_minute() {
    let on = Hooked::new(mapped(json!({"match": {"path": "a"}, "forEach": "list"}))).await;
    let fifty = sent("a", &json!({"list": vec![1; 50]}));
    let mut answers = Vec::new();
    for _ in 0..13 {
        answers.push(on.receive(&fifty).await);
    }

    let last = answers.pop().unwrap();

    assert!(answers.iter().all(|answer| answer.status == 202));
    assert_eq!((last.status, last.retry_after_seconds), (429, Some(60)));
    on.bench.clock.advance_ms(60_000);
    assert_eq!(on.receive(&fifty).await.status, 202);
}
