//! Rooms that let us in or not, and what the server says of our name.

use super::*;

#[tokio::test(start_paused = true)]
async fn joining_waits_for_the_end_of_the_greeting_but_not_for_ever() {
    let mut session = session("gate");
    session.greet(&IrcConfig::for_tests("127.0.0.1", 1), Instant::now());
    assert!(session.tick(Instant::now()).is_empty());
    session.on(&Line::parse(":s 376 gate :End of MOTD"), Instant::now());
    assert_eq!(session.tick(Instant::now()), ["JOIN #home"]);

    let mut silent = self::session("gate");
    silent.greet(&IrcConfig::for_tests("127.0.0.1", 1), Instant::now());
    time::sleep_until(silent.due().unwrap()).await;
    assert_eq!(silent.tick(Instant::now()), ["JOIN #home"]);
}

#[tokio::test(start_paused = true)]
async fn a_room_that_does_not_let_us_in_is_shown_with_the_servers_words() {
    for (reply, reason) in [
        (
            ":s 474 gate #Home :Cannot join channel (+b)",
            "Cannot join channel (+b) (474)",
        ),
        (
            ":s 470 gate #home ##home :Forwarding to another channel",
            "Forwarding to another channel (470)",
        ),
        (":s 599 gate #home :No bots", "No bots (599)"),
        (
            ":s 437 gate #home :Nick/channel is temporarily unavailable",
            "unavailable (437)",
        ),
        (
            ":s 263 gate JOIN :Please wait a while",
            "Please wait a while (263)",
        ),
        (
            "FAIL JOIN ACCOUNT_REQUIRED #home :Log in first",
            "Log in first (ACCOUNT_REQUIRED)",
        ),
    ] {
        let mut session = session("gate");
        session.tick(Instant::now());

        session.on(&Line::parse(reply), Instant::now());

        let shown = room(&mut session);
        assert_eq!(shown.state, room::RoomState::Refused, "{reply}");
        assert!(shown.reason.unwrap().contains(reason), "{reply}");
        assert!(shown.retry.is_some(), "{reply}");
    }
}

#[tokio::test]
async fn a_room_that_does_not_take_what_we_say_is_shown_until_it_does() {
    let mut session = session("gate");
    session.tick(Instant::now());
    session.on(&Line::parse(":gate!g@h JOIN #home"), Instant::now());

    session.on(
        &Line::parse(":s 404 gate #home :Cannot send to channel (+m)"),
        Instant::now(),
    );

    let shown = room(&mut session);
    assert_eq!(
        (shown.state, shown.reason.as_deref()),
        (room::RoomState::Joined, Some("Cannot send to channel (+m) (404)"))
    );
    assert!(shown.next_step.unwrap().contains("let gate speak"));
    session.took("+#Home");
    assert_eq!(room(&mut session).reason, None);
}

#[tokio::test]
async fn an_invitation_opens_a_wanted_room_and_no_other() {
    let mut session = session("gate");
    session.tick(Instant::now());
    session.on(&Line::parse(":s 473 gate #home :Invite only"), Instant::now());
    assert!(session.tick(Instant::now()).is_empty());

    session.on(&Line::parse(":op!o@h INVITE gate #elsewhere"), Instant::now());
    assert!(session.tick(Instant::now()).is_empty());
    session.on(&Line::parse(":op!o@h INVITE gate #home"), Instant::now());

    assert_eq!(session.tick(Instant::now()), ["JOIN #home"]);
}

#[tokio::test(start_paused = true)]
async fn a_nick_that_the_server_takes_shorter_is_told_and_not_asked_for_again_and_again() {
    let mut config = IrcConfig::for_tests("127.0.0.1", 1);
    config.nick = "my-gatehouse".into();
    let mut session = Registered::new(
        &config,
        Nick::new("my-gatehouse"),
        "my-gateho".into(),
        None,
        Clock::fixed(7),
        Instant::now(),
    );
    session.on(
        &Line::parse(":s 005 my-gateho NICKLEN=9 :are supported"),
        Instant::now(),
    );

    time::advance(Duration::from_secs(600)).await;

    assert!(session.tick(Instant::now()).is_empty());
    let notice = notice(&mut session, Topic::Name).unwrap();
    assert!(
        notice.contains("\"my-gateho\", not \"my-gatehouse\"") && notice.contains("9 characters"),
        "{notice}"
    );
    let Some(Event::Said(message)) = session.on(
        &Line::parse(":a!b@c PRIVMSG #home :my-gateho: hi"),
        Instant::now(),
    ) else {
        panic!("nothing said")
    };
    assert!(message.mentioned, "under the nick that it really has");
}

#[tokio::test]
async fn a_refused_login_is_told_in_the_services_words() {
    let mut config = IrcConfig::for_tests("127.0.0.1", 1);
    config.nickserv = Some(crate::platform::irc::config::NickServ {
        service: "NickServ".into(),
        password: gatehouse_core::Secret::new("sesame"),
    });
    let mut session = Registered::new(
        &config,
        Nick::new("gate"),
        "gate".into(),
        None,
        Clock::fixed(7),
        Instant::now(),
    );
    assert_eq!(
        session.greet(&config, Instant::now()),
        ["PRIVMSG NickServ :IDENTIFY sesame"]
    );

    session.on(&Line::parse(":anna!a@h NOTICE gate :wrong"), Instant::now());
    assert_eq!(notice(&mut session, Topic::Login), None);
    session.on(
        &Line::parse(":NickServ!s@h NOTICE gate :\u{2}Invalid\u{2} password for gate."),
        Instant::now(),
    );

    assert!(
        notice(&mut session, Topic::Login)
            .unwrap()
            .contains("Invalid password for gate.")
    );
}
