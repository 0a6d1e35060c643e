//! Messages that change, bots that change, and what is answered.

use super::*;

/// What is heard of a message, and of what it is changed into, one after the other.
async fn changed(first: &Value, changes: &[Value]) -> Vec<Option<InboundMessage>> {
    let (_folder, stores) = stores();
    let moves = Moves::read(AccountState::new(key("a"), stores.accounts.clone()))
        .await
        .unwrap();
    let (me, wordings) = (me(BOT), Wordings::default());
    let ear = Ear {
        me: &me,
        moves: &moves,
        wordings: &wordings,
    };
    let read = |message: &Value| serde_json::from_value::<Message>(message.clone()).unwrap();
    ear.learn(&read(first));
    let hear = |change: &Value| {
        let change = read(change);
        let heard = ear.hear(&change, true);
        ear.learn(&change);
        heard
    };
    changes.iter().map(hear).collect()
}

fn with(message: &Value, more: Value) -> Value {
    let mut message = message.clone();
    message["edit_date"] = json!(1_790_000_030);
    for (key, value) in more.as_object().unwrap() {
        message[key] = value.clone();
    }
    message
}

#[tokio::test]
async fn a_change_that_nobody_sees_is_not_answered_and_those_of_one_second_are_told_apart() {
    let first = direct(7, 3, "what is 2+2?");
    let bold = json!({"entities": [{"type": "bold", "offset": 0, "length": 4}]});
    let heard = changed(
        &first,
        &[
            with(&first, bold.clone()),
            with(&first, json!({"text": "what is 2+3?"})),
            with(&first, json!({"text": "what is 2+4?"})),
            with(
                &first,
                json!({"text": "what is 2+4?", "has_protected_content": true}),
            ),
        ],
    )
    .await;

    let said: Vec<Option<String>> = heard
        .iter()
        .map(|heard| heard.as_ref().map(super::said))
        .collect();
    let wanted = ["(edited) what is 2+3?", "(edited) what is 2+4?"].map(|said| Some(said.to_owned()));
    assert_eq!(said[1..3], wanted);
    assert_eq!((&said[0], &said[3]), (&None, &None));
    let id = |at: usize| heard[at].as_ref().map(|heard| heard.message_id.clone());
    assert_ne!(id(1), id(2));
}

#[tokio::test]
async fn a_picture_that_takes_the_place_of_another_comes_along() {
    let picture = |file: &str| json!({"photo": [{"file_id": format!("{file}-now"), "file_unique_id": file}]});
    let mut first = with(&direct(7, 3, ""), picture("one"));
    first["text"] = Value::Null;
    first["caption"] = json!("look at this");
    let files = |heard: &Option<InboundMessage>| {
        let blocks = heard.as_ref().unwrap().content.blocks().iter();
        blocks.filter(|block| matches!(block, Block::Media(_))).count()
    };

    let heard = changed(
        &first,
        &[
            with(&first, json!({"caption": "look here"})),
            with(&first, picture("two")),
        ],
    )
    .await;

    assert_eq!(heard.iter().map(files).collect::<Vec<_>>(), [0, 1]);
}

#[tokio::test]
async fn bots_count_messages_of_a_private_chat_for_themselves_and_those_of_a_supergroup_together() {
    let (_folder, stores) = stores();
    let moves = Moves::read(AccountState::new(key("a"), stores.accounts.clone()))
        .await
        .unwrap();
    let id = |bot: i64, message: Value| {
        let ear = Ear {
            me: &me(bot),
            moves: &moves,
            wordings: &Wordings::default(),
        };
        let message: Message = serde_json::from_value(message).unwrap();
        ear.hear(&message, false).unwrap().message_id
    };
    let basic = |number| {
        group(
            -5,
            7,
            number,
            "hello",
            json!({"chat": {"id": -5, "type": "group"}}),
        )
    };

    assert_ne!(id(1, direct(7, 3, "hello")), id(2, direct(7, 3, "hello")));
    assert_ne!(id(1, basic(3)), id(2, basic(3)));
    let family = || group(FAMILY, 7, 3, "hello", json!({}));
    assert_eq!(id(1, family()), id(2, family()));
}

#[tokio::test]
async fn what_has_no_words_or_stands_elsewhere_is_quoted_as_well() {
    for (more, quoted) in [
        (
            json!({"reply_to_message": {"message_id": 1, "photo": [{"file_id": "f"}], "chat": {"id": 7}}}),
            "> [image]",
        ),
        (
            json!({"reply_to_message": {"message_id": 1, "chat": {"id": 7}, "caption": "the bill",
                "document": {"file_id": "f", "file_name": "bill.pdf"}}}),
            "> [file: bill.pdf]\n> the bill",
        ),
        (
            json!({"external_reply": {"origin": {"type": "user"}, "message_id": 9}, "quote": {"text": "from elsewhere"}}),
            "> from elsewhere",
        ),
        (
            json!({"external_reply": {"origin": {"type": "user"}, "sticker": {"emoji": "👍"}}}),
            "> [sticker: 👍]",
        ),
    ] {
        let message = heard(group(FAMILY, 7, 3, "what of it then", more)).await.unwrap();
        assert_eq!(said(&message), format!("{quoted}\n\nwhat of it then"));
    }
}
