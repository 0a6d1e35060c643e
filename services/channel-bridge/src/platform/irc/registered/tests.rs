mod rooms;

use std::time::Duration;

use gatehouse_core::Clock;
use tokio::time::{self, Instant};

use super::{Event, News, Registered};
use crate::{
    account::{progress::Topic, room},
    adapter::{ChatKind, InboundMessage},
    id::SenderId,
    platform::irc::{config::IrcConfig, line::Line, nick::Nick},
};

fn session(nick: &str) -> Registered {
    let mut config = IrcConfig::for_tests("127.0.0.1", 1);
    config.rooms = vec!["#home".into()];
    Registered::new(
        &config,
        Nick::new("gate"),
        nick.into(),
        None,
        Clock::fixed(7),
        Instant::now(),
    )
}

/// The room as the status shows it.
fn room(session: &mut Registered) -> room::Room {
    session.news().expect("news").rooms.remove(0)
}

fn notice(session: &mut Registered, topic: Topic) -> Option<String> {
    let News { notices, .. } = session.news().expect("news");
    notices.into_iter().find(|(about, _)| *about == topic).unwrap().1
}

fn said(line: &str) -> Option<InboundMessage> {
    match session("gate").on(&Line::parse(line), Instant::now()) {
        Some(Event::Said(message)) => Some(*message),
        _ => None,
    }
}

#[tokio::test]
async fn a_room_and_a_private_message_are_told_apart() {
    let room = said(":Anna!~a@Host.Test PRIVMSG #Home :gate: hi").unwrap();
    assert_eq!(
        (room.chat_kind, room.chat_id.as_str(), room.reply_to.as_str()),
        (ChatKind::Channel, "#home", "#Home")
    );
    assert_eq!(room.sender_id.as_str(), "anna!~a@host.test");
    assert!(room.mentioned);

    let private = said(":Anna!~a@Host.Test PRIVMSG Gate :hi").unwrap();
    assert_eq!(private.chat_kind, ChatKind::Direct);
    assert_eq!(private.chat_id.as_str(), "anna!~a@host.test");
    assert_eq!(
        private.reply_to.as_str(),
        "Anna!~a@Host.Test",
        "the reply is bound to the person, not to the nick"
    );
}

#[tokio::test]
async fn a_logged_in_sender_is_known_by_the_account() {
    let message = said("@account=Anna;msgid=m1 :nick!u@h PRIVMSG #home :hi").unwrap();

    assert_eq!(message.sender_id.as_str(), "account:anna");
    assert_eq!(message.sender_aliases, [SenderId::from("nick!u@h")]);
    assert_eq!(message.message_id.as_str(), "m1");
    assert!(!message.mentioned);
}

#[tokio::test]
async fn notices_ctcp_our_own_words_and_other_peoples_mail_are_not_heard() {
    for line in [
        ":anna!a@h NOTICE gate :hi",
        ":anna!a@h PRIVMSG gate :\u{1}VERSION\u{1}",
        ":gate!g@h PRIVMSG #home :hi",
        ":anna!a@h PRIVMSG bert :hi",
        ":NickServ!s@services.test PRIVMSG gate :This nickname is registered",
        ":*status!znc@znc.in PRIVMSG gate :You are currently disconnected from IRC",
        ":irc.example.test PRIVMSG gate :hi",
        ":anna PRIVMSG gate :hi",
        ":anna!a@h PRIVMSG gate :\u{2}\u{2} ",
    ] {
        assert_eq!(said(line), None, "{line}");
    }
    assert_eq!(
        said(":anna!a@h PRIVMSG gate :\u{1}ACTION waves\u{1}")
            .unwrap()
            .content
            .words(),
        "* anna waves"
    );
}

#[tokio::test]
async fn each_line_without_a_msgid_is_a_message_of_its_own() {
    let line = ":anna!a@h PRIVMSG gate :hi";
    assert_ne!(said(line).unwrap().message_id, said(line).unwrap().message_id);
}

#[tokio::test]
async fn the_servers_case_mapping_keeps_its_rooms_apart() {
    let mut session = session("gate");
    session.on(
        &Line::parse(":s 005 gate CASEMAPPING=ascii :are supported"),
        Instant::now(),
    );

    let Some(Event::Said(message)) = session.on(&Line::parse(":a!b@c PRIVMSG #A[ :gate"), Instant::now())
    else {
        panic!("nothing said")
    };
    assert_eq!(message.chat_id.as_str(), "#a[");
}

#[tokio::test(start_paused = true)]
async fn a_lost_nick_is_regained_by_the_clock_and_at_once_when_it_is_free() {
    let mut session = session("gate_");
    session.rooms.entered(&session.server, "#home");
    assert!(session.tick(Instant::now()).is_empty());
    time::advance(Duration::from_secs(60)).await;
    assert_eq!(session.tick(Instant::now()), ["NICK gate"]);

    let quit = session.on(&Line::parse(":gate!x@y QUIT :netsplit"), Instant::now());
    assert_eq!(quit, Some(Event::Write("NICK gate".into())));
    session.on(&Line::parse(":gate_!g@h NICK gate"), Instant::now());
    time::advance(Duration::from_secs(600)).await;
    assert!(session.tick(Instant::now()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn after_a_kick_the_assistant_comes_back() {
    let mut session = session("gate");
    assert_eq!(session.tick(Instant::now()), ["JOIN #home"]);
    session.on(&Line::parse(":gate!g@h JOIN #home"), Instant::now());

    session.on(&Line::parse(":op!o@h KICK #home gate :out"), Instant::now());

    time::advance(Duration::from_secs(5)).await;
    assert_eq!(session.tick(Instant::now()), ["JOIN #home"]);
}

#[tokio::test]
async fn what_is_said_to_a_part_of_a_room_meets_the_rooms_rule_and_is_answered_there() {
    let mut session = session("gate");
    session.on(
        &Line::parse(":s 005 gate CHANTYPES=# STATUSMSG=~&@%+ :are supported"),
        Instant::now(),
    );

    let Some(Event::Said(message)) = session.on(
        &Line::parse(":anna!a@h PRIVMSG +#Locked :gate: hi"),
        Instant::now(),
    ) else {
        panic!("nothing said")
    };

    assert_eq!(
        (message.chat_kind, message.chat_id.as_str()),
        (ChatKind::Channel, "#locked")
    );
    assert!(message.mentioned && message.chat_aliases.is_empty());
    assert_eq!(message.reply_to.as_str(), "+#Locked");
}

#[tokio::test]
async fn history_is_not_said_and_a_program_is_known_as_one() {
    let mut session = session("gate");
    let mut hear = |line: &str| match session.on(&Line::parse(line), Instant::now()) {
        Some(Event::Said(message)) => Some(message.from_bot),
        _ => None,
    };
    hear(":s BATCH +1 chathistory #home");
    assert_eq!(hear("@batch=1 :anna!a@h PRIVMSG #home :gate: hi"), None);
    assert_eq!(hear(":anna!a@h PRIVMSG #home :gate: hi"), Some(false));
    assert_eq!(hear("@bot :feed!f@h PRIVMSG #home :gate: hi"), Some(true));
    assert_eq!(hear("@draft/bot :feed!f@h PRIVMSG #home :gate: hi"), Some(true));
    assert_eq!(
        hear("@inspircd.org/bot :feed!f@h PRIVMSG #home :gate: hi"),
        Some(true)
    );
    assert_eq!(hear("@+bot :feed!f@h PRIVMSG #home :gate: hi"), Some(false));
}
