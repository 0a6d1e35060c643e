//! Who holds a nick, and what becomes of a message to somebody.

use super::*;

#[tokio::test]
async fn a_private_reply_goes_only_to_who_asked() {
    let reply = |line: &str| {
        let mut scene = Scene::begin("anna!~a@home.test");
        assert_eq!(scene.lines(), ["USERHOST anna"]);
        scene.hear(line);
        scene
    };

    assert_eq!(
        reply(":s 302 gate :anna=+~a@home.test").lines()[0],
        "PRIVMSG anna :hi"
    );
    assert!(matches!(
        reply(":s 302 gate :anna=+~a@elsewhere.test").done(),
        Err(SendError::Permanent { .. })
    ));
    assert!(matches!(
        reply(":s 302 gate :").done(),
        Err(SendError::Permanent { .. })
    ));
    assert_eq!(
        reply(":s 302 gate :Anna*=-~a@home.test").lines()[0],
        "PRIVMSG anna :hi"
    );
}

#[tokio::test(start_paused = true)]
async fn a_nick_that_nobody_tells_about_is_asked_for_again_later_and_a_late_reply_is_about_that_nick() {
    let mut scene = Scene::begin("anna!a@b");
    for question in ["WHOIS anna", "WHO anna"] {
        time::advance(Duration::from_secs(20)).await;
        assert_eq!(scene.tick().lines(), [question]);
    }
    time::advance(Duration::from_secs(20)).await;
    assert!(matches!(scene.tick().done(), Err(SendError::Retry { .. })));

    scene.say("bert!b@c");
    for late in [":s 302 gate :", ":s PONG s :x"] {
        scene.hear(late);
        assert!(scene.waits(), "bert is not gone because anna is: {late}");
    }
    assert_eq!(
        scene.hear(":s 302 gate :bert=+b@c").lines()[0],
        "PRIVMSG bert :hi"
    );
}

#[tokio::test(start_paused = true)]
async fn a_private_answer_is_not_lost_where_the_server_cannot_tell_who_holds_a_nick() {
    let mut scene = Scene::begin("#elsewhere");
    scene.session.on(
        &Line::parse(":anna!~a@home.test PRIVMSG gate :hi"),
        Instant::now(),
    );
    let unknown = |scene: &mut Scene| {
        scene.say("anna!~a@home.test");
        for command in ["USERHOST", "WHOIS", "WHO"] {
            scene.hear(&format!(":s 421 gate {command} :Unknown command"));
        }
    };

    unknown(&mut scene);
    assert_eq!(scene.lines()[0], "PRIVMSG anna :hi", "she spoke a moment ago");

    scene
        .session
        .on(&Line::parse(":anna!~a@home.test QUIT :bye"), Instant::now());
    unknown(&mut scene);
    assert!(
        matches!(scene.done(), Err(SendError::Retry { .. })),
        "she was seen to go"
    );
}

#[tokio::test(start_paused = true)]
async fn where_every_earlier_question_was_left_open_a_message_counts_as_said() {
    let mut scene = Scene::begin("#home");
    scene.say("#home");
    time::advance(ANSWER_WITHIN - Duration::from_secs(1)).await;
    assert!(scene.tick().waits());
    time::advance(Duration::from_secs(1)).await;

    assert_eq!(
        scene.tick().done(),
        Ok(Receipt::unconfirmed()),
        "not even a word was heard"
    );
}

#[tokio::test]
async fn a_refusal_in_the_name_of_the_room_is_that_of_a_message_to_a_part_of_it() {
    let mut scene = Scene::begin("+#home");
    assert_eq!(scene.lines()[0], "PRIVMSG +#home :hi");
    scene.hear(":s 482 gate #home :You're not a channel operator");
    assert!(matches!(scene.done(), Err(SendError::Permanent { reason }) if reason.contains("(482)")));
}

#[tokio::test]
async fn the_end_of_a_connection_tells_whether_it_may_have_been_heard() {
    for (to, unknown) in [("#home", true), ("anna!a@b", false)] {
        let mut scene = Scene::begin(to);
        drop(scene.outcome.take());
        let error = scene.answer.await.unwrap().unwrap_err();
        assert_eq!(matches!(error, SendError::Unknown { .. }), unknown, "{to}");
    }
}

#[tokio::test]
async fn a_target_cannot_smuggle_anything() {
    for to in ["", "#a,#b", "a b", ":a", "a\r\nQUIT"] {
        assert!(
            matches!(Scene::begin(to).done(), Err(SendError::Permanent { .. })),
            "{to:?}"
        );
    }
}
