//! What people say.

use futures::TryStreamExt;
use gatehouse_core::content::{Block, MediaSource};

use super::*;
use crate::adapter::{ChatKind, FetchError};

#[tokio::test]
async fn a_thread_hangs_under_its_channel_and_a_message_says_server_and_roles() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    scene.discord.thread("600", OFFICE);
    let roles = json!({"member": {"nick": "Anna", "roles": ["r1", "r2"]}});

    scene.discord.event(
        "MESSAGE_CREATE",
        channel(
            "600",
            ANNA,
            &scene.discord.number(),
            "<@4242>, what is up?",
            roles,
        ),
    );
    scene.discord.event(
        "MESSAGE_CREATE",
        channel(OFFICE, ANNA, &scene.discord.number(), "nobody", json!({})),
    );
    scene.discord.says(ANNA, "in private");

    assert_eq!(scene.hears(3).await, ["what is up?", "nobody", "in private"]);
    let heard = scene.bench.heard.messages.lock().unwrap().clone();
    let (thread, room, private) = (&heard[0], &heard[1], &heard[2]);
    assert_eq!(
        (thread.chat_kind, thread.chat_id.as_str()),
        (ChatKind::Channel, "600")
    );
    assert_eq!(thread.origin.parent.as_ref().unwrap().id, OFFICE);
    assert_eq!(thread.origin.guild_id.as_ref().unwrap(), &"9000");
    assert_eq!(thread.origin.roles.len(), 2);
    assert!(thread.chat_aliases.iter().any(|alias| alias == &OFFICE));
    assert!(thread.chat_aliases.iter().any(|alias| alias == &"guild:9000"));
    assert_eq!(thread.sender_name.as_deref(), Some("Anna"));
    assert_eq!(
        (thread.mentioned, room.mentioned, private.mentioned),
        (true, false, true)
    );
    assert_eq!(room.origin.parent, None, "what it stands under is a heading");
    assert_eq!(
        (private.chat_kind, private.chat_id.as_str()),
        (ChatKind::Direct, ANNA)
    );
    assert_eq!(private.reply_to.as_str(), "17");
    scene.bench.stop().await;
}

#[tokio::test]
async fn our_own_words_joins_and_previews_are_no_messages_and_a_change_is_one() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let id = scene.discord.number();
    let said = |id: &str, text: &str, more: Value| channel(OFFICE, ANNA, id, text, more);
    let edited = json!({"edited_timestamp": "2026-11-28T10:00:05+00:00"});

    scene.discord.event(
        "MESSAGE_CREATE",
        channel(OFFICE, "4242", &scene.discord.number(), "ours", json!({})),
    );
    scene.discord.event(
        "MESSAGE_CREATE",
        said(&scene.discord.number(), "", json!({"type": 7})),
    );
    scene.discord.event("MESSAGE_CREATE", json!({"id": 7}));
    scene
        .discord
        .event("MESSAGE_UPDATE", said(&id, "with a preview", json!({})));
    scene.discord.event(
        "MESSAGE_UPDATE",
        json!({"id": id, "channel_id": OFFICE, "guild_id": "9000"}),
    );
    scene.discord.event(
        "MESSAGE_UPDATE",
        said("175928847299117063", "of long ago", edited.clone()),
    );
    scene.discord.event(
        "MESSAGE_UPDATE",
        said(&id, "<@4242> mended words", edited.clone()),
    );
    scene
        .discord
        .event("MESSAGE_UPDATE", said(&id, "<@4242> mended words", edited));
    scene.discord.says(ANNA, "the last one");

    assert_eq!(scene.hears(2).await, ["(edited) mended words", "the last one"]);
    scene.bench.stop().await;
}

#[tokio::test]
async fn an_answer_to_us_is_meant_for_us_and_quotes_what_it_answers() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let answered = json!({"type": 19, "referenced_message": {"id": "1", "channel_id": OFFICE, "content": "shall I?",
        "author": {"id": "4242", "username": "gatebot", "bot": true}}});

    scene.discord.event(
        "MESSAGE_CREATE",
        channel(OFFICE, ANNA, &scene.discord.number(), "yes, please do", answered),
    );
    let bot = json!({"author": {"id": "8", "username": "other", "bot": true}});
    scene.discord.event(
        "MESSAGE_CREATE",
        channel(OFFICE, "8", &scene.discord.number(), "beep", bot),
    );

    assert_eq!(scene.hears(2).await, ["> shall I?\n\nyes, please do", "beep"]);
    let heard = scene.bench.heard.messages.lock().unwrap().clone();
    assert_eq!((heard[0].mentioned, heard[0].from_bot), (true, false));
    assert_eq!((heard[1].mentioned, heard[1].from_bot), (false, true));
    scene.bench.stop().await;
}

#[tokio::test]
async fn files_are_fetched_from_where_discord_keeps_them_without_the_token() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let address = scene.discord.keep("f1", bytes.clone());
    let mut said = direct(ANNA, &scene.discord.number(), "");
    said["attachments"] =
        json!([{"filename": "../cat.png", "content_type": "image/png", "size": bytes.len(), "url": address}]);

    scene.discord.event("MESSAGE_CREATE", said);

    scene.hears(1).await;
    let heard = scene.bench.heard.messages.lock().unwrap()[0].clone();
    let Some(Block::Media(media)) = heard.content.blocks().first() else {
        unreachable!("a file")
    };
    assert_eq!(media.name.as_deref(), Some("cat.png"));
    let MediaSource::Url(address) = &media.source else {
        unreachable!("it is at Discord")
    };
    let config = json!({"token": scene.discord.token(), "apiRoot": scene.discord.root(), "mediaMaxMb": 1});
    let adapter = adapter(&config, &scene.stores, &scene.files);
    let remote = adapter.fetch(address).await.unwrap();
    let parts: Vec<bytes::Bytes> = remote.bytes.try_collect().await.unwrap();
    assert_eq!(parts.concat(), bytes);

    let large = scene.discord.keep("large", vec![7; 1_000_001]);
    for address in [
        format!("discord-file:{large}"),
        "discord-file:https://example.org/x".into(),
        large,
    ] {
        let error = match adapter.fetch(&address).await {
            Ok(_) => unreachable!("{address} is not for us"),
            Err(error) => error,
        };
        assert!(matches!(error, FetchError::Never(_)), "{address}: {error}");
    }
    scene.bench.stop().await;
}

#[tokio::test]
async fn reactions_to_our_words_come_along_with_what_is_said_next() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let reaction = |who: &str, author: &str, emoji: Value| json!({"user_id": who, "channel_id": OFFICE, "message_id": "1", "message_author_id": author, "emoji": emoji});
    let (tada, eyes) = (
        json!({"id": null, "name": "🎉"}),
        json!({"id": "9", "name": "our_eyes"}),
    );

    let mut elsewhere = reaction(ANNA, "8", json!({"id": "9", "name": "our_eyes"}));
    elsewhere["message_id"] = json!("2");
    for (kind, data) in [
        ("MESSAGE_REACTION_ADD", reaction(ANNA, "4242", tada.clone())),
        ("MESSAGE_REACTION_ADD", reaction(ANNA, "4242", eyes)),
        ("MESSAGE_REACTION_REMOVE", reaction(ANNA, "4242", tada)),
        ("MESSAGE_REACTION_ADD", reaction(ANNA, "8", json!({"name": "👎"}))),
        (
            "MESSAGE_REACTION_ADD",
            reaction("4242", "4242", json!({"name": "👀"})),
        ),
        // From a message of somebody else.
        ("MESSAGE_REACTION_REMOVE", elsewhere),
    ] {
        scene.discord.event(kind, data);
    }
    let question = "<@4242> and what is to be done about it?";
    let question = channel(OFFICE, ANNA, &scene.discord.number(), question, json!({}));
    scene.discord.event("MESSAGE_CREATE", question);

    scene.hears(1).await;
    assert_eq!(
        scene.bench.told(0),
        "[reactions to your messages: :our_eyes:]\nand what is to be done about it?"
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn that_somebody_took_a_message_back_comes_along_and_that_we_did_does_not() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let (one, two) = (
        scene.discord.says(ANNA, "the first"),
        scene.discord.says(ANNA, "the second"),
    );
    scene.hears(2).await;

    let gone = |id: &str| json!({"id": id, "channel_id": format!("1{ANNA}")});
    scene.discord.event("MESSAGE_DELETE", gone(&one));
    scene.discord.event("MESSAGE_DELETE", gone(&one));
    scene.discord.event("MESSAGE_DELETE", gone("1234"));
    let both = json!({"ids": [two, "1235"], "channel_id": format!("1{ANNA}")});
    scene.discord.event("MESSAGE_DELETE_BULK", both);
    scene.discord.says(ANNA, "and what is to be done about it?");

    scene.hears(3).await;
    assert_eq!(
        scene.bench.told(2),
        "[2 messages here were deleted]\nand what is to be done about it?"
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_short_answer_is_quoted_and_a_change_of_no_words_asks_nothing() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let id = scene.discord.number();
    let answered = |content: &str, files: Value| {
        json!({"type": 19, "referenced_message": {"id": "1", "channel_id": OFFICE, "content": content,
            "attachments": files, "author": {"id": "4242", "username": "gatebot", "bot": true}}})
    };
    let said = |id: &str, text: &str, more: Value| channel(OFFICE, ANNA, id, text, more);
    let mut pinned = said(&id, "warum?", answered("shall I?", json!([])));
    pinned["edited_timestamp"] = json!("2026-11-28T10:00:05+00:00");
    pinned["pinned"] = json!(true);

    let first = said(&id, "warum?", answered("shall I?", json!([])));
    scene.discord.event("MESSAGE_CREATE", first);
    scene.discord.event("MESSAGE_UPDATE", pinned.clone());
    let mut mended = pinned;
    mended["content"] = json!("wozu?");
    scene.discord.event("MESSAGE_UPDATE", mended);
    let stop = said(&scene.discord.number(), "stop", answered("shall I?", json!([])));
    scene.discord.event("MESSAGE_CREATE", stop);
    let picture =
        json!([{"filename": "cat.png", "content_type": "image/png", "url": "https://cdn.example/cat.png"}]);
    let cat = said(&scene.discord.number(), "what is it?", answered("", picture));
    scene.discord.event("MESSAGE_CREATE", cat);

    assert_eq!(
        scene.hears(4).await,
        [
            "> shall I?\n\nwarum?",
            "> shall I?\n\n(edited) wozu?",
            "stop",
            "> [image: cat.png]\n\nwhat is it?"
        ]
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn what_is_handed_on_and_what_is_asked_of_all_is_heard_also_with_nulls_in_it() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let file = json!({"filename": "a.txt", "content_type": null, "url": "https://cdn.example/a.txt"});
    let mut forward = direct(ANNA, &scene.discord.number(), "");
    forward["message_reference"] = json!({"type": 1, "message_id": "1", "channel_id": "3"});
    forward["message_snapshots"] =
        json!([{"message": {"type": 0, "content": "the text of somebody", "attachments": [file]}}]);
    let mut poll = direct(ANNA, &scene.discord.number(), "");
    poll["poll"] =
        json!({"question": {"text": "tea?"}, "answers": [{"answer_id": 1, "poll_media": {"text": "yes"}}]});
    let mut odd = direct(ANNA, &scene.discord.number(), "nulls in it");
    for field in ["mentions", "attachments", "sticker_items", "poll"] {
        odd[field] = Value::Null;
    }

    for event in [forward, poll, odd] {
        scene.discord.event("MESSAGE_CREATE", event);
    }

    assert_eq!(
        scene.hears(3).await,
        [
            "[forwarded]\n> [file: a.txt]\n> the text of somebody",
            "[poll: tea? yes]",
            "nulls in it"
        ]
    );
    let heard = scene.bench.heard.messages.lock().unwrap()[0].clone();
    assert_eq!(heard.content.blocks().len(), 2, "the file comes along");
    scene.bench.stop().await;
}
