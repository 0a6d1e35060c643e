//! What is changed, what is answered, and what has hardly any words.

use super::*;

#[tokio::test]
async fn a_change_of_no_words_asks_nothing_whichever_of_the_messages_it_names() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let changed = |first: i64, now: i64, text: &str| json!({"editMessage": {"targetSentTimestamp": first, "dataMessage": {"timestamp": now, "message": text}}});

    let first = json!({"dataMessage": {"timestamp": 1_000, "message": "what I said", "mentions": null}});
    scene.daemon.envelope(ANNA, first);
    scene.daemon.envelope(ANNA, changed(1_000, 2_000, "what I said"));
    scene.daemon.envelope(ANNA, changed(1_000, 3_000, "what I meant"));
    scene.daemon.envelope(ANNA, changed(1_000, 4_000, "what I meant"));
    scene.daemon.envelope(ANNA, changed(3_000, 5_000, "what I meant"));
    scene.daemon.says(ANNA, "that is all");

    assert_eq!(
        scene.hears(3).await,
        ["what I said", "(edited) what I meant", "that is all"]
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn short_answers_are_quoted_and_a_name_alone_is_heard() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let named = json!([{"name": "Gate", "uuid": UUID, "start": 0, "length": 1}]);
    let say = |text: &str, quote: Value, mentions: &Value| {
        let said = json!({"timestamp": scene.daemon.moment(), "message": text, "groupInfo": {"groupId": FAMILY},
            "quote": quote, "mentions": mentions});
        scene.daemon.envelope(ANNA, json!({"dataMessage": said}));
    };
    let quote = |text: Value, files: Value| json!({"authorUuid": UUID, "text": text, "attachments": files});
    let asked = quote(json!("shall I?"), json!([]));

    say("warum?", asked.clone(), &json!([]));
    say("Stop!", asked.clone(), &json!([]));
    say("\u{fffc}", asked, &named);
    say("\u{fffc}", Value::Null, &named);
    let picture = quote(
        Value::Null,
        json!([{"contentType": "image/jpeg", "filename": null}]),
    );
    say("what is it?", picture, &json!([]));
    let poll = json!({"timestamp": 9, "pollCreate": {"question": "tea?", "options": ["yes", "no"]}});
    scene.daemon.envelope(ANNA, json!({"dataMessage": poll}));

    assert_eq!(
        scene.hears(6).await,
        [
            "> shall I?\n\nwarum?",
            "Stop!",
            "> shall I?\n\n@Gate",
            "@Gate",
            "> [image]\n\nwhat is it?",
            "[poll: tea? yes / no]"
        ]
    );
    scene.bench.stop().await;
}
