//! What the assistant says.

use super::*;

#[tokio::test]
async fn markdown_is_shown_with_its_styles_and_a_refusal_of_them_is_answered_with_plain_words_and_counted() {
    let scene = Scene::start().await;

    scene
        .bench
        .say("k1", "7", "# Title\n\n**bold** [there](https://a.b)")
        .await;
    scene.bench.settled().await;
    scene.api.fault(
        "sendMessage",
        Fault::Refuse(400, "Bad Request: can't parse entities: byte offset 1"),
    );
    scene.bench.say("k2", "7", "**bold** [there](https://a.b)").await;
    scene.bench.settled().await;

    let seen = scene.api.seen();
    assert_eq!(
        seen[0].sent,
        "<b>Title</b>\n\n<b>bold</b> <a href=\"https://a.b\">there</a>"
    );
    assert_eq!(seen[1].sent, "bold there (https://a.b)");
    assert_eq!(seen.len(), 2);
    let mut registry = prometheus_client::registry::Registry::default();
    scene.bench.metrics.register(&mut registry);
    let mut page = String::new();
    prometheus_client::encoding::text::encode(&mut page, &registry).unwrap();
    assert!(
        page.contains("gatehouse_channel_markup_refused_total{channel=\"webhook\",account=\"a\"} 1"),
        "{page}"
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_long_answer_comes_in_messages_that_telegram_takes_each_with_its_markup_closed() {
    let scene = Scene::start().await;
    let code = format!(
        "first\n\n```rust\n{}```\n\n**last**",
        "let word = \"<👍>\";\n".repeat(400)
    );

    scene.bench.say("k", "7", &code).await;
    scene.bench.settled().await;

    let seen = scene.api.seen();
    assert!(seen.len() > 1 && seen.len() < 5, "{}", seen.len());
    let lines: usize = seen
        .iter()
        .map(|seen| seen.text.matches("let word").count())
        .sum();
    assert_eq!(lines, 400);
    assert!(seen.last().unwrap().sent.ends_with("<b>last</b>"));
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_topic_is_answered_in_the_topic_and_the_general_one_without() {
    let scene = Scene::start().await;

    scene.bench.say("k1", "-100123:topic:42", "in the topic").await;
    scene.bench.say("k2", "-100123:topic:1", "in general").await;
    scene.bench.say("k3", "nobody in particular", "nowhere").await;
    scene.bench.settled().await;

    let topics: Vec<_> = scene
        .seen(2)
        .await
        .into_iter()
        .map(|seen| (seen.text, seen.topic))
        .collect();
    assert!(topics.contains(&("in the topic".to_owned(), Some(42))));
    assert!(topics.contains(&("in general".to_owned(), None)));
    assert_eq!(topics.len(), 2, "an address that is none is a dead letter");
    assert_eq!(scene.bench.stores.outbox.counts(key("a")).await.unwrap().dead, 1);
    scene.bench.stop().await;
}

#[tokio::test]
async fn an_answer_quotes_what_it_answers_where_that_is_wanted_and_in_its_own_chat_only() {
    let scene = Scene::with(json!({"replyToMode": "first"})).await;
    let mut delivery = crate::testing::delivery("k1", "7", "the answer", Clock::system().now());
    delivery.reply_to_id = Some("7/33".into());
    let mut foreign = crate::testing::delivery("k2", "8", "elsewhere", Clock::system().now());
    foreign.reply_to_id = Some("7/33".into());

    scene.bench.outbox.enqueue(delivery).await.unwrap();
    scene.bench.outbox.enqueue(foreign).await.unwrap();
    scene.bench.settled().await;

    let answers: std::collections::BTreeMap<_, _> = scene
        .seen(2)
        .await
        .into_iter()
        .map(|seen| (seen.text, seen.answers))
        .collect();
    assert_eq!(answers["the answer"], Some(33));
    assert_eq!(answers["elsewhere"], None);
    scene.bench.stop().await;
}

#[tokio::test]
async fn too_fast_for_one_chat_holds_up_that_chat_and_no_other_and_nothing_is_sent_earlier() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    scene.api.fault("sendMessage", Fault::Wait(2));
    let began = tokio::time::Instant::now();

    scene.bench.say("k1", "7", "slow").await;
    until("the refusal", async || {
        (!scene.api.calls("sendMessage").is_empty()).then_some(())
    })
    .await;
    scene.bench.say("k2", "7", "behind it").await;
    scene.bench.say("k3", "8", "elsewhere").await;
    scene.bench.settled().await;

    let texts: Vec<String> = scene.api.seen().into_iter().map(|seen| seen.text).collect();
    assert_eq!(texts, ["elsewhere", "slow", "behind it"]);
    let calls = scene.api.calls("sendMessage");
    let to_seven = calls.iter().filter(|call| call.body["chat_id"] == json!(7));
    let second = to_seven.clone().nth(1).unwrap().at;
    assert!(
        second
            .duration_since(to_seven.clone().next().unwrap().at)
            .as_millis()
            >= 1990
    );
    assert!(began.elapsed().as_secs() >= 2);
    scene.bench.stop().await;
}

#[tokio::test]
async fn what_telegram_will_never_take_is_a_dead_letter_with_its_words() {
    let scene = Scene::start().await;
    for words in [
        "Forbidden: bot was blocked by the user",
        "Forbidden: bot was kicked from the group chat",
    ] {
        scene.api.fault("sendMessage", Fault::Refuse(403, words));
    }
    scene.api.fault(
        "sendMessage",
        Fault::Refuse(400, "Bad Request: message thread not found"),
    );

    for n in 0..3 {
        scene.bench.say(&format!("k{n}"), &format!("{n}1"), "hello").await;
    }
    scene.bench.settled().await;

    assert!(scene.api.seen().is_empty(), "never into another place");
    assert_eq!(scene.bench.stores.outbox.counts(key("a")).await.unwrap().dead, 3);
    scene.bench.counts(Fate::Failed, 3).await;
    assert_eq!(
        scene
            .bench
            .metrics
            .get("webhook", Direction::Out, Fate::Delivered),
        0
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_group_that_moved_is_told_by_its_new_number() {
    let scene = Scene::start().await;
    scene.api.fault("sendMessage", Fault::Moved(FAMILY));

    scene.bench.say("k1", "-5", "first").await;
    scene.bench.settled().await;
    scene.bench.say("k2", "-5", "second").await;
    scene.bench.settled().await;

    let chats: Vec<String> = scene.api.seen().into_iter().map(|seen| seen.chat).collect();
    assert_eq!(chats, [FAMILY.to_string(), FAMILY.to_string()]);
    assert_eq!(
        scene.api.calls("sendMessage").len(),
        3,
        "the old number is tried once"
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_message_whose_answer_is_lost_is_said_again_once_and_says_so() {
    let scene = Scene::start().await;
    scene.api.fault("sendMessage", Fault::Lose);

    scene.bench.say("k", "7", "**perhaps** said").await;
    scene.seen(1).await;
    scene.bench.settled().await;

    let texts: Vec<String> = scene.api.seen().into_iter().map(|seen| seen.text).collect();
    assert_eq!(texts, ["perhaps said", "(resent)\n\nperhaps said"]);
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_server_that_is_away_for_a_moment_is_given_it_later_and_once() {
    let scene = Scene::start().await;
    scene.api.fault("sendMessage", Fault::Gateway(502));

    scene.bench.say("k", "7", "hello").await;
    scene.bench.settled().await;

    let texts: Vec<String> = scene.api.seen().into_iter().map(|seen| seen.text).collect();
    assert_eq!(texts, ["hello"]);
    assert_eq!(
        scene.bench.stores.outbox.counts(key("a")).await.unwrap(),
        Counts::default()
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_message_is_reacted_to_in_its_own_chat() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let react = async |message: &str| {
        let message = message.into();
        scene.adapter.react(&"7".into(), None, &message, "👀").await
    };

    react("7/33").await.unwrap();
    react("8/33").await.unwrap_err();

    let calls = scene.api.calls("setMessageReaction");
    assert_eq!(calls.len(), 1);
    assert_eq!(
        calls[0].body,
        json!({"chat_id": 7, "message_id": 33, "reaction": [{"type": "emoji", "emoji": "👀"}]})
    );
    scene.bench.stop().await;
}
