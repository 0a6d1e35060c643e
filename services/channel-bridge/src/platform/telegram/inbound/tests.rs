mod changes;

use gatehouse_core::content::{Block, MediaSource};
use gatehouse_fakes::telegram::{BOT, NAME, direct, group};
use serde_json::{Value, json};

use super::{Ear, Moves};
use crate::{
    account::AccountState,
    adapter::{ChatKind, InboundMessage},
    platform::{
        telegram::update::{Message, User},
        web::wording::Wordings,
    },
    testing::{key, stores},
};

const FAMILY: i64 = -100_123;

/// What is heard of a message, by a bot in groups that moved as these say.
async fn heard_after(moves: &[(i64, i64)], message: Value, edited: bool) -> Option<InboundMessage> {
    let (_folder, stores) = stores();
    let known = Moves::read(AccountState::new(key("a"), stores.accounts.clone()))
        .await
        .unwrap();
    for (old, new) in moves {
        known.learn(*old, *new).await.unwrap();
    }
    let me = me(BOT);
    let message: Message = serde_json::from_value(message).unwrap();
    let ear = Ear {
        me: &me,
        moves: &known,
        wordings: &Wordings::default(),
    };
    ear.hear(&message, edited)
}

fn me(id: i64) -> User {
    User {
        id,
        is_bot: true,
        username: Some(NAME.into()),
        ..User::default()
    }
}

async fn heard(message: Value) -> Option<InboundMessage> {
    heard_after(&[], message, false).await
}

fn entity(kind: &str, offset: usize, length: usize) -> Value {
    json!({"entities": [{"type": kind, "offset": offset, "length": length}]})
}

fn said(message: &InboundMessage) -> String {
    message.content.words()
}

#[tokio::test]
async fn what_is_said_in_private_is_meant_and_comes_from_a_number() {
    let message = heard(direct(7, 3, "hello")).await.unwrap();

    assert_eq!(message.chat_kind, ChatKind::Direct);
    assert_eq!(message.message_id, format!("7/3/bot{BOT}").as_str());
    assert_eq!(
        (
            message.sender_id.as_str(),
            message.chat_id.as_str(),
            message.reply_to.as_str()
        ),
        ("7", "7", "7")
    );
    assert_eq!(message.sender_name.as_deref(), Some("Anna"), "never an identity");
    assert!(message.sender_aliases.iter().any(|alias| *alias == "telegram:7"));
    assert!(
        !message
            .sender_aliases
            .iter()
            .any(|alias| alias.as_str().contains("anna"))
    );
    assert!(message.mentioned);
    assert_eq!(said(&message), "hello");
}

#[tokio::test]
async fn in_a_group_a_name_a_command_and_an_answer_mean_us_and_nothing_else_does() {
    let own = json!({"message_id": 1, "from": {"id": BOT}, "chat": {"id": FAMILY, "type": "supergroup"}, "text": "before"});
    let others = json!({"message_id": 1, "from": {"id": 8}, "chat": {"id": FAMILY, "type": "supergroup"}, "text": "before"});
    for (text, more, meant) in [
        ("hello all", json!({}), false),
        ("@gatebot hello", entity("mention", 0, 8), true),
        ("👍 @GateBot hello", entity("mention", 3, 8), true),
        ("@gatebots hello", entity("mention", 0, 9), false),
        ("@gatebot as words", json!({}), false),
        ("/status@gatebot", entity("bot_command", 0, 15), true),
        ("/status@other", entity("bot_command", 0, 13), false),
        ("/status", entity("bot_command", 0, 7), false),
        (
            "dear gate",
            json!({"entities": [{"type": "text_mention", "offset": 5, "length": 4, "user": {"id": BOT}}]}),
            true,
        ),
        ("indeed it is", json!({"reply_to_message": own}), true),
        ("indeed it is", json!({"reply_to_message": others}), false),
        // The topic that the bot opened itself: every message in it answers that.
        (
            "hello all",
            json!({"reply_to_message": own, "message_thread_id": 1, "is_topic_message": true}),
            false,
        ),
    ] {
        let message = heard(group(FAMILY, 7, 3, text, more.clone())).await.unwrap();

        assert_eq!(message.mentioned, meant, "{text} {more}");
    }
}

#[tokio::test]
async fn our_name_in_front_is_no_part_of_what_is_said() {
    for (text, more, wanted) in [
        ("/stop@gatebot", entity("bot_command", 0, 13), "/stop"),
        (
            "/new@gatebot about cats",
            entity("bot_command", 0, 12),
            "/new about cats",
        ),
        (
            "/new@other about cats",
            entity("bot_command", 0, 10),
            "/new@other about cats",
        ),
        ("@gatebot: what is it", entity("mention", 0, 8), "what is it"),
        ("@gatebot", entity("mention", 0, 8), "@gatebot"),
        ("@anna what is it", entity("mention", 0, 5), "@anna what is it"),
    ] {
        let message = heard(group(FAMILY, 7, 3, text, more)).await.unwrap();

        assert_eq!(said(&message), wanted, "{text}");
    }
}

#[tokio::test]
async fn a_topic_is_a_place_of_its_own_in_its_group() {
    let topic = json!({"message_thread_id": 42, "is_topic_message": true});
    let thread = json!({"message_thread_id": 42});

    let message = heard(group(FAMILY, 7, 3, "hello", topic)).await.unwrap();
    let reply = heard(group(FAMILY, 7, 3, "hello", thread)).await.unwrap();

    assert_eq!(message.chat_id.as_str(), "-100123:topic:42");
    assert_eq!(message.reply_to.as_str(), "-100123:topic:42");
    assert_eq!(message.origin.parent.unwrap().id.as_str(), "-100123");
    assert!(
        message
            .chat_aliases
            .iter()
            .any(|alias| alias.as_str() == "-100123"),
        "the group's rules hold"
    );
    assert_eq!(
        reply.chat_id.as_str(),
        "-100123",
        "a thread of replies is not a topic"
    );
}

#[tokio::test]
async fn a_group_that_moved_keeps_its_conversation_and_is_answered_where_it_is() {
    let message = heard_after(&[(-5, FAMILY)], group(FAMILY, 7, 3, "hello", json!({})), false)
        .await
        .unwrap();

    assert_eq!(message.chat_id.as_str(), "-5");
    assert_eq!(message.reply_to.as_str(), "-100123");
    assert!(
        message
            .chat_aliases
            .iter()
            .any(|alias| alias.as_str() == "-100123")
    );
    assert_eq!(
        message.origin.parent.unwrap().id.as_str(),
        "-100123",
        "bindings for the new number hold"
    );
}

#[tokio::test]
async fn a_hidden_administrator_is_known_by_the_group_and_not_by_the_number_that_all_of_them_share() {
    let more = json!({"from": {"id": 1_087_968_824, "is_bot": true}, "sender_chat": {"id": FAMILY, "type": "supergroup"}});

    let message = heard(group(FAMILY, 7, 3, "hello", more)).await.unwrap();

    assert_eq!(message.sender_id.as_str(), "-100123");
    assert!(!message.from_bot);
}

#[tokio::test]
async fn what_nobody_said_to_us_now_is_none() {
    for more in [
        json!({"from": {"id": BOT, "is_bot": true}}),
        json!({"is_automatic_forward": true}),
        json!({"text": null, "new_chat_members": [{"id": 9}]}),
        json!({"chat": {"id": FAMILY, "type": "channel"}}),
        json!({"chat": {"id": FAMILY, "type": "of a newer version"}}),
    ] {
        assert!(
            heard(group(FAMILY, 7, 3, "hello", more.clone())).await.is_none(),
            "{more}"
        );
    }
    let bot = heard(group(
        FAMILY,
        7,
        3,
        "hello",
        json!({"from": {"id": 9, "is_bot": true}}),
    ))
    .await
    .unwrap();
    assert!(bot.from_bot);
}

#[tokio::test]
async fn a_change_of_words_is_said_anew_and_an_old_one_is_not() {
    let edited = |at: i64| {
        group(
            FAMILY,
            7,
            3,
            "in other words",
            json!({"edit_date": 1_790_000_000 + at}),
        )
    };

    let message = heard_after(&[], edited(60), true).await.unwrap();
    let id = message.message_id.as_str();
    assert!(id.starts_with("-100123/3/1790000060-"), "{id}");
    assert_eq!(said(&message), "(edited) in other words");
    assert!(heard_after(&[], edited(601), true).await.is_none());
    let moving = json!({"text": null, "location": {"latitude": 1.0, "longitude": 2.0, "live_period": 60}, "edit_date": 1_790_000_001});
    assert!(
        heard_after(&[], group(FAMILY, 7, 3, "", moving), true)
            .await
            .is_none()
    );
}

#[tokio::test]
async fn what_is_answered_is_quoted_unless_it_is_a_word_to_the_gateway() {
    let answered = json!({"reply_to_message": {"message_id": 1, "text": "first\nsecond", "chat": {"id": 7}}});
    let mut chosen = answered.clone();
    chosen["quote"] = json!({"text": "second"});

    let whole = heard(group(FAMILY, 7, 3, "what of it then", answered.clone()))
        .await
        .unwrap();
    let part = heard(group(FAMILY, 7, 3, "what of it then", chosen))
        .await
        .unwrap();
    let stop = heard(group(FAMILY, 7, 3, "stop", answered.clone()))
        .await
        .unwrap();
    let one = heard(group(FAMILY, 7, 3, "Why?", answered.clone()))
        .await
        .unwrap();
    let command = heard(group(FAMILY, 7, 3, "/new about cats", answered))
        .await
        .unwrap();

    assert_eq!(said(&whole), "> first\n> second\n\nwhat of it then");
    assert_eq!(said(&part), "> second\n\nwhat of it then");
    assert_eq!(
        said(&one),
        "> first\n> second\n\nWhy?",
        "one word is no word to the gateway"
    );
    assert_eq!(
        (said(&stop), said(&command)),
        ("stop".to_owned(), "/new about cats".to_owned())
    );
}

#[tokio::test]
async fn what_is_no_text_is_said_in_words() {
    for (more, wanted) in [
        (
            json!({"location": {"latitude": 48.1, "longitude": 11.5}}),
            "[location: 48.100000, 11.500000]",
        ),
        (
            json!({"contact": {"phone_number": "+491", "first_name": "Bert", "last_name": "B"}}),
            "[contact: Bert B, +491]",
        ),
        (json!({"sticker": {"emoji": "👍"}}), "[sticker: 👍]"),
        (
            json!({"poll": {"question": "tea?", "options": [{"text": "yes"}, {"text": "no"}]}}),
            "[poll: tea? yes / no]",
        ),
        (
            json!({"checklist": {"title": "trip", "tasks": [{"id": 1, "text": "pack"}]}}),
            "[list: trip]\n- pack",
        ),
        (json!({"dice": {"emoji": "🎲", "value": 4}}), "[🎲: 4]"),
    ] {
        let mut message = direct(7, 3, "");
        message["text"] = Value::Null;
        message
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());

        assert_eq!(said(&heard(message).await.unwrap()), wanted);
    }
}

#[tokio::test]
async fn a_file_is_named_behind_the_words_by_an_address_and_without_a_path() {
    for (more, words, address, kind, name) in [
        (
            json!({"photo": [{"file_id": "small"}, {"file_id": "large"}], "caption": "look at this"}),
            "look at this",
            "large",
            "image/jpeg",
            None,
        ),
        (json!({"voice": {"file_id": "v"}}), "", "v", "audio/ogg", None),
        (
            json!({"document": {"file_id": "d", "file_name": "../../etc/pass\nwd", "mime_type": "text/plain"}}),
            "",
            "d",
            "text/plain",
            Some("passwd"),
        ),
        (
            json!({"animation": {"file_id": "a"}, "document": {"file_id": "a"}, "text": null}),
            "",
            "a",
            "",
            None,
        ),
    ] {
        let mut message = direct(7, 3, "");
        message["text"] = Value::Null;
        message
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());

        let heard = heard(message).await.unwrap();

        assert_eq!(said(&heard), words);
        let Some(Block::Media(media)) = heard.content.blocks().last() else {
            panic!("{more}")
        };
        assert_eq!(media.source, MediaSource::Url(format!("telegram-file:{address}")));
        assert_eq!(media.mime_type.as_deref().unwrap_or_default(), kind);
        assert_eq!(media.name.as_deref(), name);
    }
}
