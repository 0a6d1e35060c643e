//! Events as homeservers and programs send them.

use serde_json::{Value, json};

use super::{Meaning, Message, arrival, read};

fn message(content: Value) -> Value {
    json!({"type": "m.room.message", "event_id": "$1", "sender": "@anna:example", "origin_server_ts": 5, "content": content})
}

fn said(content: Value) -> Message {
    match read(&message(content)) {
        Meaning::Said(message) => *message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_is_its_words_its_thread_and_who_is_spoken_to() {
    let said = said(json!({
        "msgtype": "m.text", "body": "Tea?", "m.mentions": {"user_ids": ["@bot:example"]},
        "m.relates_to": {"rel_type": "m.thread", "event_id": "$root", "is_falling_back": true, "m.in_reply_to": {"event_id": "$0"}},
    }));

    assert_eq!((&*said.id, &*said.sender, said.at), ("$1", "@anna:example", 5));
    assert_eq!((&*said.text, said.thread.as_deref()), ("Tea?", Some("$root")));
    assert_eq!(said.mentions, Some(vec!["@bot:example".to_owned()]));
}

#[test]
fn a_reply_is_what_its_sender_wrote_and_a_quotation_stays_one() {
    let reply = json!({"msgtype": "m.text", "body": "> <@bot:example> Tea?\n> hot\n\nyes", "m.relates_to": {"m.in_reply_to": {"event_id": "$0"}}});

    assert_eq!(said(reply).text, "yes");
    assert_eq!(
        said(json!({"msgtype": "m.text", "body": "> no\n\nreply"})).text,
        "> no\n\nreply"
    );
}

#[test]
fn a_change_is_the_new_words_of_the_message_that_it_names() {
    let said = said(json!({
        "msgtype": "m.text", "body": "* Coffee?", "m.new_content": {"msgtype": "m.text", "body": "Coffee?"},
        "m.relates_to": {"rel_type": "m.replace", "event_id": "$0"},
    }));

    assert_eq!((&*said.text, said.changes.as_deref()), ("Coffee?", Some("$0")));
}

#[test]
fn a_file_has_a_name_and_what_was_said_with_it() {
    let bare = said(
        json!({"msgtype": "m.image", "body": "tea.png", "url": "mxc://x/1", "info": {"mimetype": "image/png", "size": 5}}),
    );
    let with =
        said(json!({"msgtype": "m.file", "body": "what is it?", "filename": "tea.pdf", "url": "mxc://x/1"}));

    let file = bare.file.expect("a file");
    assert_eq!(
        (file.name.as_deref(), &*bare.text, file.size),
        (Some("tea.png"), "", Some(5))
    );
    assert_eq!(
        (&*with.text, with.file.and_then(|file| file.name).as_deref()),
        ("what is it?", Some("tea.pdf"))
    );
}

#[test]
fn reactions_and_what_is_taken_back_are_told_in_every_version_of_rooms() {
    let reaction = json!({"type": "m.reaction", "event_id": "$2", "sender": "@a:b", "content": {"m.relates_to": {"rel_type": "m.annotation", "event_id": "$1", "key": "👍"}}});
    let old = json!({"type": "m.room.redaction", "event_id": "$3", "sender": "@a:b", "redacts": "$2", "content": {}});
    let new =
        json!({"type": "m.room.redaction", "event_id": "$3", "sender": "@a:b", "content": {"redacts": "$2"}});

    assert_eq!(
        read(&reaction),
        Meaning::Reacted {
            id: "$2".into(),
            to: "$1".into(),
            key: "👍".into()
        }
    );
    for redaction in [old, new] {
        assert_eq!(
            read(&redaction),
            Meaning::TakenBack {
                event: "$2".into(),
                by: "@a:b".into()
            }
        );
    }
}

#[test]
fn what_is_no_message_is_nothing_whatever_it_looks_like() {
    for event in [
        json!(null),
        json!({"type": "m.room.message", "event_id": "$1", "sender": 5, "content": {}}),
        message(json!({"msgtype": "m.key.verification.request", "body": "verify"})),
        message(json!({"msgtype": "m.text", "body": " "})),
        message(json!({"msgtype": "m.text", "body": {"a": 1}})),
        message(json!({})),
    ] {
        assert_eq!(read(&event), Meaning::Nothing, "{event}");
    }
}

#[test]
fn what_was_said_before_the_account_was_invited_was_not_said_to_it() {
    let member = |membership: &str, before: &str| {
        json!({"type": "m.room.member", "state_key": "@bot:example", "content": {"membership": membership},
            "unsigned": {"prev_content": {"membership": before}}})
    };
    let words = message(json!({"msgtype": "m.text", "body": "x"}));
    let name = member("join", "join");
    let came = [
        words.clone(),
        member("invite", "leave"),
        words.clone(),
        member("join", "invite"),
        words.clone(),
    ];

    assert_eq!(arrival(&came, "@bot:example"), Some(1));
    assert_eq!(arrival(came.get(2..).expect("three"), "@bot:example"), Some(1));
    assert_eq!(arrival(&[words, name], "@bot:example"), None);
}
