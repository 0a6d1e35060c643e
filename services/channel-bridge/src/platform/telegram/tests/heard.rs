//! What people say, and how the account is while they do.

use super::*;

#[tokio::test]
async fn an_update_is_acknowledged_behind_its_commit_and_asked_for_no_more_after_a_restart() {
    let scene = Scene::start().await;
    *scene.bench.heard.failures.lock().unwrap() = 1;

    scene.api.says(ANNA, "first");
    let before = scene.api.acknowledged();
    assert_eq!(before, 0, "it could not be committed yet");
    scene.hears(1).await;
    until("the acknowledgement", async || {
        (scene.api.unread() == 0).then_some(())
    })
    .await;

    let polls = scene.api.calls("getUpdates").len();

    let scene = scene.again().await;
    let offset = |call: &gatehouse_fakes::telegram::Call| call.body["offset"].as_i64();
    let first = until("a question of the new process", async || {
        scene.api.calls("getUpdates").get(polls).map(offset)
    })
    .await;
    assert_eq!(first, Some(1002), "behind what was read");
    scene.api.says(ANNA, "second");
    assert_eq!(scene.hears(1).await, ["second"]);
    scene.bench.stop().await;
}

#[tokio::test]
async fn an_update_that_is_not_understood_holds_up_no_other() {
    let scene = Scene::start().await;

    scene.api.update("message", json!({"message_id": "no number"}));
    scene.api.update("poll", json!({"id": "1"}));
    scene.api.says(ANNA, "hello there");

    assert_eq!(scene.hears(1).await, ["hello there"]);
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_group_that_moves_is_remembered_over_a_restart() {
    let scene = Scene::start().await;
    let told = json!({"text": null, "migrate_to_chat_id": FAMILY, "chat": {"id": -5, "type": "group"}});
    scene.api.update("message", group(-5, ANNA, 1, "", told));
    scene
        .api
        .update("message", group(FAMILY, ANNA, 1, "hello all", json!({})));
    scene.hears(1).await;

    let scene = scene.again().await;
    scene.is(State::Connected).await;
    scene.bench.say("k", "-5", "the answer").await;

    assert_eq!(scene.seen(1).await[0].chat, FAMILY.to_string());
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_token_that_telegram_does_not_know_ends_the_account_and_is_shown_nowhere() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let token = scene.api.token();

    scene.api.revoke();

    scene.is(State::Failed).await;
    let snapshot = scene.bench.progress.snapshot();
    let error = snapshot.last_error.unwrap();
    assert!(
        error.contains("@BotFather") && error.contains("botToken"),
        "{error}"
    );
    assert!(!error.contains(&token), "{error}");
}

#[tokio::test]
async fn another_reader_is_told_as_such_and_the_account_comes_back_when_it_is_gone() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;

    scene.api.conflict();

    let reason = until("the reason", async || {
        scene.bench.progress.snapshot().last_disconnect
    })
    .await
    .reason;
    assert!(reason.contains("another program reads"), "{reason}");
    scene.is(State::Connected).await;
    scene.api.says(ANNA, "still there");
    scene.hears(1).await;
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_webhook_of_an_earlier_program_is_taken_away() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;

    scene.api.set_webhook();
    scene.api.says(ANNA, "hello there");

    scene.hears(1).await;
    assert_eq!(scene.api.calls("deleteWebhook").len(), 1);
    assert!(
        scene.api.calls("deleteWebhook")[0]
            .body
            .get("drop_pending_updates")
            .is_none()
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_server_that_stumbles_is_asked_again_on_the_same_connection() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;

    scene.api.fault("getUpdates", Fault::Gateway(502));
    scene.api.fault("getUpdates", Fault::Drop);
    scene.api.says(ANNA, "hello there");

    scene.hears(1).await;
    assert_eq!(scene.api.calls("getMe").len(), 1);
    assert_eq!(scene.bench.progress.snapshot().reconnect_count, 0);
    scene.bench.stop().await;
}

#[tokio::test]
async fn where_nothing_can_be_reached_the_account_says_so_without_the_address() {
    let bot = Bot::new().await;
    let token = bot.api.token();
    let scene = Scene::over(bot, json!({"apiRoot": "http://127.0.0.1:1"}));

    scene.is(State::Backoff).await;

    let error = scene.bench.progress.snapshot().last_error.unwrap();
    assert!(error.contains("Telegram cannot be reached"), "{error}");
    assert!(!error.contains(&token) && !error.contains("/bot"), "{error}");
    scene.bench.stop().await;
}

#[tokio::test]
async fn asked_whether_it_is_there_it_asks_telegram() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;

    // Who was heard just now is not asked.
    until("the question", async || {
        assert!(
            scene
                .bench
                .progress
                .answers(std::time::Duration::from_secs(5))
                .await
        );
        (scene.api.calls("getMe").len() >= 2).then_some(())
    })
    .await;
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_bot_is_tried_before_it_is_written_down_and_whoever_it_is_not_is_told_without_the_token() {
    let bot = Bot::new().await;
    bot.api.set_webhook();

    let works = Telegram::trial(Telegram::read(&bot.config()).unwrap())
        .await
        .unwrap();
    assert_eq!(works.name, "@gatebot");
    assert!(
        works.notes[0].contains("/setprivacy") && works.notes[1].contains("webhook"),
        "{works:?}"
    );

    let token = bot.api.token();
    let config = Telegram::read(&bot.config()).unwrap();
    bot.api.revoke();
    let refused = Telegram::trial(config).await.unwrap_err();
    assert!(
        refused.contains("@BotFather") && !refused.contains(&token),
        "{refused}"
    );
}

#[tokio::test]
async fn a_reaction_comes_along_with_what_is_said_next() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let reacted = |kind: &str, chat: i64| {
        let emoji = |emoji: &str| json!({"type": "emoji", "emoji": emoji});
        json!({"chat": {"id": chat, "type": kind}, "message_id": 33, "user": {"id": ANNA, "first_name": "Anna"}, "date": 1,
            "old_reaction": [emoji("👎")], "new_reaction": [emoji("🎉"), {"type": "custom_emoji", "custom_emoji_id": "1"}]})
    };

    scene.api.update("message_reaction", reacted("private", ANNA));
    scene
        .api
        .update("message_reaction", reacted("supergroup", FAMILY));
    scene
        .api
        .update("message", direct(ANNA, 34, "and what is to be done about it?"));

    scene.hears(1).await;
    assert_eq!(
        scene.bench.told(0),
        "[reactions to your messages: 🎉]\nand what is to be done about it?"
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_reaction_in_a_group_comes_along_where_it_is_to_a_message_of_ours() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let topic = format!("{FAMILY}:topic:42");
    scene.bench.say("k", &topic, "what we said").await;
    let ours = scene.seen(1).await[0].id;
    let reacted = |message: i64, emoji: &str| {
        json!({"chat": {"id": FAMILY, "type": "supergroup"}, "message_id": message, "date": 1,
            "user": {"id": ANNA, "first_name": "Anna"}, "old_reaction": [], "new_reaction": [{"type": "emoji", "emoji": emoji}]})
    };

    scene.api.update("message_reaction", reacted(ours, "🎉"));
    scene.api.update("message_reaction", reacted(ours + 1, "👎"));
    let said = json!({"message_thread_id": 42, "is_topic_message": true});
    let question = group(FAMILY, ANNA, 99, "and what is to be done about it?", said);
    scene.api.update("message", question);

    scene.hears(1).await;
    assert_eq!(
        scene.bench.told(0),
        "[reactions to your messages: 🎉]\nand what is to be done about it?"
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn pictures_of_an_album_are_one_message_whoever_speaks_in_between() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let picture = |number: i64, words: Option<&str>| {
        let mut message = direct(ANNA, number, "");
        message["text"] = Value::Null;
        message["media_group_id"] = json!("album");
        message["photo"] = json!([{"file_id": format!("photo-{number}")}]);
        message["caption"] = json!(words);
        message
    };

    scene.api.update("message", picture(101, Some("what are these?")));
    scene
        .api
        .update("message", group(FAMILY, 8, 1, "in between", json!({})));
    scene.api.update("message", picture(102, None));
    scene.api.says(ANNA, "and then");

    assert_eq!(
        scene.hears(3).await,
        ["what are these?", "in between", "and then"]
    );
    let heard = scene.bench.heard.messages.lock().unwrap()[0].clone();
    assert_eq!(heard.content.blocks().len(), 3, "the words and two pictures");
    until("the acknowledgement", async || {
        (scene.api.unread() == 0).then_some(())
    })
    .await;
    scene.bench.stop().await;
}

#[tokio::test]
async fn what_is_changed_without_another_word_is_not_answered_again() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let said = direct(ANNA, 34, "what is to be done about it?");
    let mut changed = said.clone();
    changed["edit_date"] = json!(1_790_000_030);
    let mut mended = changed.clone();
    mended["text"] = json!("what is to be done about this?");

    scene.api.update("message", said);
    for edited in [changed, mended.clone(), mended] {
        scene.api.update("edited_message", edited);
    }
    scene.api.says(ANNA, "thanks");

    assert_eq!(
        scene.hears(3).await,
        [
            "what is to be done about it?",
            "(edited) what is to be done about this?",
            "thanks"
        ]
    );
    scene.bench.stop().await;
}
