//! What people say, and how the account is while they do.

use super::*;
use crate::adapter::ChatKind;

#[tokio::test]
async fn an_event_is_acknowledged_behind_its_commit_and_said_again_over_the_next_socket_if_it_was_not() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    *scene.bench.heard.failures.lock().unwrap() = 1;

    scene.workspace.says(ANNA, "first");
    assert_eq!(scene.workspace.unread(), 1, "it could not be committed yet");
    scene.workspace.cut();

    assert_eq!(scene.hears(1).await, ["first"]);
    until("the acknowledgement", async || {
        (scene.workspace.unread() == 0).then_some(())
    })
    .await;
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_new_socket_is_opened_before_the_old_one_goes_and_nothing_is_said_twice_or_lost() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;

    scene.workspace.disconnect("refresh_requested");
    until("two sockets", async || {
        (scene.workspace.open() == 2).then_some(())
    })
    .await;
    scene.workspace.says(ANNA, "over the new one");

    assert_eq!(scene.hears(1).await, ["over the new one"]);
    let snapshot = scene.bench.progress.snapshot();
    assert_eq!((snapshot.state, snapshot.reconnect_count), (State::Connected, 0));
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_mention_and_the_message_that_it_stands_in_are_one_and_a_thread_is_answered_where_it_is() {
    let scene = Scene::start().await;
    scene.workspace.name(ANNA, "Anna");
    let root = scene.workspace.ts();
    let ts = scene.workspace.ts();
    let said = channel(
        OFFICE,
        ANNA,
        &ts,
        "<@U0GATE> what is <#C2|news>?",
        json!({"thread_ts": root}),
    );
    let mut mention = said.clone();
    mention["type"] = json!("app_mention");
    mention.as_object_mut().unwrap().remove("channel_type");

    scene.workspace.event(said);
    scene.workspace.event(mention);
    scene
        .workspace
        .event(channel(OFFICE, ANNA, &scene.workspace.ts(), "nobody", json!({})));

    assert_eq!(scene.hears(2).await, ["what is #news?", "nobody"]);
    let heard = scene.bench.heard.messages.lock().unwrap().clone();
    assert_eq!(heard[0].chat_kind, ChatKind::Channel);
    assert_eq!(heard[0].chat_id, OFFICE);
    assert_eq!(heard[0].thread_id.as_deref(), Some(root.as_str()));
    assert_eq!((heard[0].mentioned, heard[1].mentioned), (true, false));
    assert_eq!(heard[0].sender_name.as_deref(), Some("Anna"));
    assert_eq!(heard[0].origin.team_id.as_ref().unwrap(), &"T1");
    assert_eq!(heard[1].thread_id, None);
    scene.bench.stop().await;
}

#[tokio::test]
async fn with_threads_for_all_a_question_becomes_the_root_of_its_conversation() {
    let scene = Scene::with(json!({"replyToMode": "all"})).await;
    let ts = scene.workspace.ts();

    scene
        .workspace
        .event(channel(OFFICE, ANNA, &ts, "<@U0GATE> hello there", json!({})));
    scene.workspace.says(ANNA, "in private");

    scene.hears(2).await;
    let heard = scene.bench.heard.messages.lock().unwrap().clone();
    assert_eq!(heard[0].thread_id.as_deref(), Some(ts.as_str()));
    assert_eq!(
        (heard[1].thread_id.as_deref(), heard[1].chat_id.as_str()),
        (None, ANNA)
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn our_own_words_joins_and_previews_are_no_messages_and_a_change_is_one() {
    let scene = Scene::start().await;
    let (ts, edited) = (scene.workspace.ts(), "1790000060.000000");
    let was = channel(OFFICE, ANNA, &ts, "<@U0GATE> one", json!({}));
    let now = channel(
        OFFICE,
        ANNA,
        &ts,
        "<@U0GATE> two",
        json!({"edited": {"user": ANNA, "ts": edited}}),
    );
    let changed = |message: &Value, before: &Value| {
        json!({"type": "message", "subtype": "message_changed", "channel": OFFICE, "channel_type": "channel",
            "ts": "1790000061.000000", "message": message, "previous_message": before})
    };

    scene.workspace.event(channel(
        OFFICE,
        "U0GATE",
        &scene.workspace.ts(),
        "ours",
        json!({}),
    ));
    scene.workspace.event(channel(
        OFFICE,
        ANNA,
        &scene.workspace.ts(),
        "joined",
        json!({"subtype": "channel_join"}),
    ));
    scene.workspace.event(changed(&now, &now));
    scene.workspace.event(json!({"type": "message", "ts": 7}));
    scene
        .workspace
        .event(json!({"type": "reaction_added", "user": ANNA}));
    scene.workspace.event(changed(&now, &was));

    assert_eq!(scene.hears(1).await, ["(edited) two"]);
    until("all of it acknowledged", async || {
        (scene.workspace.unread() == 0).then_some(())
    })
    .await;
    assert_eq!(scene.bench.heard.texts().len(), 1);
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_command_of_slack_is_a_word_to_the_gateway() {
    let scene = Scene::start().await;
    let command = |command: &str, text: &str, trigger: &str| {
        json!({"command": command, "text": text, "user_id": ANNA, "user_name": "anna", "channel_id": OFFICE,
            "team_id": "T1", "trigger_id": trigger})
    };

    scene
        .workspace
        .envelope("slash_commands", command("/gatehouse", "status", "1"));
    scene
        .workspace
        .envelope("slash_commands", command("/stop", "", "2"));

    assert_eq!(scene.hears(2).await, ["/status", "/stop"]);
    assert!(
        scene
            .bench
            .heard
            .messages
            .lock()
            .unwrap()
            .iter()
            .all(|message| message.mentioned)
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_token_that_was_taken_back_ends_the_account_with_the_next_step_and_is_shown_nowhere() {
    for (word, step) in [
        ("token_revoked", "install the app"),
        ("account_inactive", "taken out of the workspace"),
        ("invalid_auth", "OAuth & Permissions"),
    ] {
        let scene = Scene::start().await;
        scene.is(State::Connected).await;
        let (bot, app) = (scene.workspace.bot_token(), scene.workspace.app_token());

        scene.workspace.revoke(word);
        scene.bench.say("k", "COFFICE", "an answer").await;

        let error = scene.failed().await;
        assert!(error.contains(word) && error.contains(step), "{error}");
        assert!(!error.contains(&bot) && !error.contains(&app), "{error}");
    }
}

#[tokio::test]
async fn a_socket_that_slack_refuses_is_told_as_what_it_is() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    scene.workspace.disconnect("link_disabled");
    let error = scene.failed().await;
    assert!(error.contains("Socket Mode is switched off"), "{error}");

    let app = App::new().await;
    let mut config = app.config();
    config["appToken"] = json!("xapp-another");
    let bench = Bench::run(
        &app.stores,
        Clock::system(),
        adapter(&config, &app.stores, Clock::system(), &Arc::default()),
    );
    until("the failure", async || {
        (bench.progress.snapshot().state == State::Failed).then_some(())
    })
    .await;
    let error = bench.progress.snapshot().last_error.unwrap();
    assert!(
        error.contains("appToken") && !error.contains("xapp-another"),
        "{error}"
    );
}

#[tokio::test]
async fn where_nothing_can_be_reached_the_account_says_so_without_the_address() {
    let scene = Scene::with(json!({"apiRoot": "http://127.0.0.1:1/api"})).await;

    scene.is(State::Backoff).await;

    let error = scene.bench.progress.snapshot().last_error.unwrap();
    assert!(
        error.contains("Slack cannot be reached") && !error.contains("/api"),
        "{error}"
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn scopes_that_the_token_lacks_are_a_notice() {
    let app = App::new().await;
    app.workspace.scopes("chat:write");
    let bench = Bench::run(&app.stores, Clock::system(), contract::Platform::adapter(&app));

    until("the notice", async || {
        bench
            .progress
            .snapshot()
            .notices
            .iter()
            .any(|notice| notice.contains("im:history"))
            .then_some(())
    })
    .await;
    bench.stop().await;
}

#[tokio::test]
async fn reactions_to_our_words_and_deleted_messages_come_along_with_what_is_said_next() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let reaction = |kind: &str, name: &str, to: &str| {
        json!({"type": kind, "user": ANNA, "reaction": name, "item_user": to, "event_ts": scene.workspace.ts(),
            "item": {"type": "message", "channel": OFFICE, "ts": "1790000000.000001"}})
    };
    let deleted = |who: &str| {
        json!({"type": "message", "subtype": "message_deleted", "channel": OFFICE, "channel_type": "channel",
            "previous_message": {"type": "message", "user": who, "text": "gone", "ts": "1790000000.000002"}})
    };

    for event in [
        reaction("reaction_added", "tada", "U0GATE"),
        reaction("reaction_added", "eyes", "U0GATE"),
        reaction("reaction_removed", "eyes", "U0GATE"),
        reaction("reaction_added", "thumbsdown", "UBERT"),
        deleted(ANNA),
        deleted("U0GATE"),
    ] {
        scene.workspace.event(event);
    }
    for text in [
        "<@U0GATE> and what is to be done about it?",
        "<@U0GATE> and what is to be done after that?",
    ] {
        scene
            .workspace
            .event(channel(OFFICE, ANNA, &scene.workspace.ts(), text, json!({})));
    }

    scene.hears(2).await;
    assert_eq!(
        scene.bench.told(0),
        "[reactions to your messages: :tada:]\n[a message here was deleted]\nand what is to be done about it?"
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_group_of_people_is_one_place_for_messages_mentions_commands_and_buttons() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    scene.workspace.group("GASKED");
    let mention = |channel: &str, ts: &str| json!({"type": "app_mention", "channel": channel, "user": ANNA, "text": "<@U0GATE> hello there", "ts": ts});
    let command = |channel: &str, name: &str| {
        json!({"command": "/stop", "text": "", "user_id": ANNA, "user_name": "anna", "channel_id": channel,
            "channel_name": name, "team_id": "T1", "trigger_id": format!("t{channel}")})
    };
    let said = json!({"channel_type": "mpim"});

    scene.workspace.event(mention("GASKED", &scene.workspace.ts()));
    let ts = scene.workspace.ts();
    scene
        .workspace
        .event(channel("CTOLD", ANNA, &ts, "<@U0GATE> hello there", said));
    scene.workspace.event(mention("CTOLD", &scene.workspace.ts()));
    scene.workspace.envelope("slash_commands", command("CTOLD", ""));
    scene
        .workspace
        .envelope("slash_commands", command("GNAMED", "mpdm-anna--bert-1"));
    scene.workspace.event(mention("GNAMED", &scene.workspace.ts()));
    scene.workspace.event(mention(OFFICE, &scene.workspace.ts()));

    scene.hears(7).await;
    let heard = scene.bench.heard.messages.lock().unwrap().clone();
    let kinds: Vec<ChatKind> = heard.iter().map(|message| message.chat_kind).collect();
    let mut wanted = [ChatKind::Group; 7];
    wanted[6] = ChatKind::Channel;
    assert_eq!(kinds, wanted);
    scene.bench.stop().await;
}

#[tokio::test]
async fn what_is_handed_on_what_stands_in_blocks_and_what_has_nulls_in_it_is_heard() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let blocks = json!([{"type": "rich_text", "elements": [{"type": "rich_text_section",
        "elements": [{"type": "text", "text": "only in blocks"}]}]}]);
    let said = |text: Value, more: Value| {
        let ts = scene.workspace.ts();
        let mut said = channel(OFFICE, ANNA, &ts, "", more);
        said["text"] = text;
        scene.workspace.event(said);
    };

    said(json!(""), json!({"blocks": blocks}));
    let share = json!({"is_share": true, "text": "their words", "author_name": "Bert", "channel_id": "C9",
        "files": [{"url_private": "https://files.slack.com/f", "name": "a.txt"}]});
    said(json!("what is this?"), json!({"attachments": [share]}));
    let file = json!({"url_private": "https://files.slack.com/g", "name": null});
    said(
        Value::Null,
        json!({"subtype": "file_share", "files": [file], "blocks": null}),
    );

    assert_eq!(
        scene.hears(3).await,
        [
            "only in blocks",
            "what is this?\n[forwarded, from Bert]\n> their words",
            ""
        ]
    );
    let heard = scene.bench.heard.messages.lock().unwrap().clone();
    assert_eq!(
        (heard[1].content.blocks().len(), heard[2].content.blocks().len()),
        (2, 1)
    );
    scene.bench.stop().await;
}
