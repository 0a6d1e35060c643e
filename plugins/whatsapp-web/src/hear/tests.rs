use gatehouse_proto::common::v1::TextBlock;
use whatsapp_rust::wacore::types::message::MessageSource;

use super::*;

fn jid(text: &str) -> Jid {
    text.parse().expect("an id")
}

fn me() -> Me {
    Me {
        number: Some(jid("15559999:4@s.whatsapp.net")),
        hidden: Some(jid("424242:4@lid")),
    }
}

fn info(chat: &str, sender: &str, other: Option<&str>) -> MessageInfo {
    MessageInfo {
        id: "3EB0AA".to_owned(),
        push_name: "Anna".to_owned(),
        source: MessageSource {
            chat: jid(chat),
            sender: jid(sender),
            sender_alt: other.map(jid),
            is_group: chat.ends_with("@g.us"),
            ..MessageSource::default()
        },
        ..MessageInfo::default()
    }
}

fn hello() -> Vec<Kind> {
    vec![Kind::Text(TextBlock {
        text: "hello".to_owned(),
        notice: false,
    })]
}

#[test]
fn a_chat_of_two_is_the_person_and_is_answered_where_it_was_written() {
    let info = info(
        "15550001@s.whatsapp.net",
        "15550001:3@s.whatsapp.net",
        Some("998877@lid"),
    );

    let said = inbound(&info, &me(), None, hello());

    let chat = said.chat.expect("a chat");
    assert_eq!(
        (chat.kind, &*chat.id),
        (i32::from(ChatKind::Direct), "998877@lid")
    );
    assert!(
        chat.aliases.contains(&"+15550001".to_owned()),
        "{:?}",
        chat.aliases
    );
    assert_eq!(said.reply_to, "15550001@s.whatsapp.net");
    assert_eq!(
        said.message_id,
        "3EB0AA|15550001@s.whatsapp.net|15550001@s.whatsapp.net"
    );
    assert!(said.mentioned);
}

#[test]
fn in_a_group_we_are_meant_by_a_mention_or_an_answer_to_us_alone() {
    let info = info("1203630001@g.us", "998877:3@lid", Some("15550001@s.whatsapp.net"));
    let context = |mentioned: &[&str], answered: Option<&str>| wa::ContextInfo {
        mentioned_jid: mentioned.iter().map(|jid| (*jid).to_owned()).collect(),
        participant: answered.map(str::to_owned),
        ..wa::ContextInfo::default()
    };
    let mentioned =
        |context: Option<wa::ContextInfo>| inbound(&info, &me(), context.as_ref(), hello()).mentioned;

    assert!(!mentioned(None));
    assert!(!mentioned(Some(context(
        &["998877@lid", "424242@s.whatsapp.net"],
        None
    ))));
    assert!(mentioned(Some(context(&["424242@lid"], None))));
    assert!(mentioned(Some(context(&["15559999@s.whatsapp.net"], None))));
    assert!(mentioned(Some(context(&[], Some("424242:9@lid")))));
    let said = inbound(&info, &me(), None, hello());
    assert_eq!(said.chat.expect("a chat").id, "1203630001@g.us");
    assert_eq!(said.sender.expect("a sender").id, "998877@lid");
}

#[test]
fn a_reaction_is_to_us_where_its_sender_does_not_call_the_message_theirs() {
    let direct = info("998877@lid", "998877@lid", None);
    let group = info("1203630001@g.us", "998877@lid", None);
    let key = |from_me: bool, participant: Option<&str>| wa::MessageKey {
        from_me: Some(from_me),
        participant: participant.map(str::to_owned),
        ..wa::MessageKey::default()
    };

    assert!(is_ours(&me(), &direct, &key(false, None)));
    assert!(!is_ours(&me(), &direct, &key(true, None)));
    assert!(is_ours(&me(), &group, &key(false, Some("424242@lid"))));
    assert!(!is_ours(&me(), &group, &key(false, Some("998877@lid"))));
    assert!(!is_ours(&me(), &group, &key(false, None)));
}

#[test]
fn the_end_of_a_reaction_names_what_it_was_and_what_is_remembered_is_bounded() {
    let memory = Memory::default();
    assert_eq!(memory.reaction("a|anna".to_owned(), "👍"), None);
    assert_eq!(memory.reaction("a|anna".to_owned(), "🎉").as_deref(), Some("👍"));
    assert_eq!(memory.reaction("a|anna".to_owned(), "").as_deref(), Some("🎉"));
    assert_eq!(memory.reaction("a|anna".to_owned(), ""), None);

    for number in 0..=QUOTED_MAX {
        memory.said(number.to_string(), &"x".repeat(1_000));
    }
    assert_eq!(memory.beginning("0"), None);
    assert_eq!(memory.beginning("1").map(|text| text.len()), Some(QUOTE_CHARS));
}

#[test]
fn what_other_devices_say_for_us_and_what_nobody_says_to_us_is_passed_over() {
    let mut own = info("998877@lid", "424242@lid", None);
    own.source.is_from_me = true;
    assert!(passed_over(&own).is_some());
    assert!(passed_over(&info("status@broadcast", "998877@lid", None)).is_some());
    assert!(passed_over(&info("1@newsletter", "1@newsletter", None)).is_some());
    assert!(passed_over(&info("998877@lid", "998877@lid", None)).is_none());
}
