use serde_json::{Value, json};

use super::{Incoming, Message, PlaceKind, understand};
use crate::activity::Activity;

fn activity(change: &Value) -> Activity {
    let mut whole = json!({
        "type": "message", "id": "1700000000001", "channelId": "msteams", "timestamp": "2026-11-28T10:00:00.000Z",
        "serviceUrl": "https://smba.trafficmanager.net/emea/",
        "from": {"id": "29:anna", "name": "Anna", "aadObjectId": "3f1c"},
        "recipient": {"id": "28:bot", "name": "Gatehouse"},
        "conversation": {"id": "a:1", "conversationType": "personal", "tenantId": "t-1"},
        "text": "hello"
    });
    let (Value::Object(whole_map), Value::Object(changes)) = (&mut whole, change) else {
        panic!("objects");
    };
    for (key, value) in changes {
        whole_map.insert(key.clone(), value.clone());
    }
    serde_json::from_value(whole).expect("an activity")
}

fn said(change: &Value) -> Message {
    match understand(&activity(change)) {
        Ok(Incoming::Said(message)) => *message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_said_in_a_chat_of_two_is_said_to_the_bot() {
    let message = said(&json!({}));

    assert_eq!(
        (&*message.text, message.mentioned, message.place.kind),
        ("hello", true, PlaceKind::Personal)
    );
    assert_eq!(
        (&*message.sender.id, message.sender.alias.as_deref()),
        ("3f1c", Some("29:anna")),
        "the id of the organisation is the one that stays"
    );
}

#[test]
fn a_message_in_a_channel_belongs_to_its_thread_or_begins_one() {
    let channel = |id: &str| {
        json!({
            "conversation": {"id": id, "conversationType": "channel", "tenantId": "t-1"},
            "channelData": {"team": {"id": "19:team@thread.tacv2", "aadGroupId": "g-1"}, "tenant": {"id": "t-1"}},
        })
    };

    let below = said(&channel("19:c@thread.tacv2;messageid=1690000000000")).place;
    let above = said(&channel("19:c@thread.tacv2")).place;

    assert_eq!(
        (&*below.conversation, below.thread.as_deref()),
        ("19:c@thread.tacv2", Some("1690000000000"))
    );
    assert_eq!(above.thread.as_deref(), Some("1700000000001"));
    assert_eq!(
        (below.team.as_deref(), below.team_group.as_deref()),
        (Some("19:team@thread.tacv2"), Some("g-1"))
    );
}

#[test]
fn the_bots_own_mention_is_left_out_and_those_of_others_stay_as_names() {
    let group = json!({
        "conversation": {"id": "19:g@thread.v2", "conversationType": "groupChat"},
        "text": "<at>Gatehouse</at>&nbsp;ask <at>Bert B</at> <at id=\"7\">twice</at>, <atom> and all",
        "entities": [
            {"type": "mention", "mentioned": {"id": "28:bot", "name": "Gatehouse"}, "text": "<at>Gatehouse</at>"},
            {"type": "mention", "mentioned": {"id": "29:bert", "name": "Bert B"}, "text": "<at>Bert B</at>"},
            {"type": "clientInfo", "locale": "en"},
        ],
    });

    let message = said(&group);

    assert!(message.mentioned);
    assert_eq!(message.text, "ask @Bert B @twice, <atom> and all");
}

#[test]
fn a_name_like_the_bots_is_no_mention_of_it() {
    let message = said(&json!({
        "conversation": {"id": "19:g@thread.v2", "conversationType": "groupChat"},
        "text": "<at>Gatehouse</at> hello",
        "entities": [{"type": "mention", "mentioned": {"id": "29:mallory", "name": "Gatehouse"}, "text": "<at>Gatehouse</at>"}],
    }));

    assert!(!message.mentioned);
    assert_eq!(message.text, "@Gatehouse hello");
}

#[test]
fn files_and_quotes_are_found_and_copies_of_the_text_are_not_files() {
    let message = said(&json!({
        "attachments": [
            {"contentType": "application/vnd.microsoft.teams.file.download.info", "name": "plan.pdf",
             "content": {"downloadUrl": "https://contoso.sharepoint.com/x", "uniqueId": "1", "fileType": "pdf"}},
            {"contentType": "image/*", "contentUrl": "https://smba.trafficmanager.net/emea/v3/attachments/1/views/original"},
            {"contentType": "application/vnd.microsoft.card.adaptive", "content": {}},
            {"contentType": "text/html", "content":
                "<blockquote itemscope itemtype=\"http://schema.skype.com/Reply\" itemid=\"1690000000009\"><p>x</p></blockquote>"},
        ],
    }));

    let files: Vec<_> = message
        .files
        .iter()
        .map(|file| (file.name.as_deref(), file.mime_type.as_deref()))
        .collect();
    assert_eq!(files, [(Some("plan.pdf"), None), (None, None)]);
    assert_eq!(message.quotes.as_deref(), Some("1690000000009"));
}

#[test]
fn what_happens_beside_messages_is_told_apart() {
    let meaning = |change| understand(&activity(&change)).expect("it is one of Teams");

    let reacted = meaning(json!({
        "type": "messageReaction", "replyToId": "1690000000000", "reactionsAdded": [{"type": "like"}], "text": null,
    }));
    let joined = meaning(json!({"type": "conversationUpdate", "membersAdded": [{"id": "28:bot"}]}));
    let another = meaning(json!({"type": "conversationUpdate", "membersAdded": [{"id": "29:bert"}]}));
    let left = meaning(json!({"type": "installationUpdate", "action": "remove"}));
    let edited = meaning(json!({"type": "messageUpdate", "channelData": {"eventType": "editMessage"}}));
    let pressed = meaning(
        json!({"type": "invoke", "name": "adaptiveCard/action", "value": {"action": {"verb": "go"}}}),
    );

    assert!(matches!(reacted, Incoming::Reacted(reaction) if reaction.added == ["like"]));
    assert!(matches!(joined, Incoming::Joined(_)));
    assert!(matches!(another, Incoming::Nothing(_)));
    assert!(matches!(left, Incoming::Left(_)));
    assert!(matches!(edited, Incoming::Edited(_)));
    assert!(matches!(pressed, Incoming::Invoked(invoke) if invoke.name == "adaptiveCard/action"));
}

#[test]
fn what_has_no_sender_no_place_or_another_channel_is_refused() {
    for broken in [
        json!({"from": {"id": ""}}),
        json!({"id": null}),
        json!({"conversation": {"id": ""}}),
        json!({"conversation": {"id": "x".repeat(513)}}),
        json!({"conversation": {"id": "a", "conversationType": "village"}}),
        json!({"channelId": "webchat"}),
    ] {
        assert!(understand(&activity(&broken)).is_err(), "{broken}");
    }
}
