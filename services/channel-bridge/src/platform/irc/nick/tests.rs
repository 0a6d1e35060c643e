use super::Nick;
use crate::platform::irc::line::Line;

/// What is asked for after each refusal.
fn asked(nick: &mut Nick, replies: &[&str]) -> Vec<String> {
    let one = |reply: &&str| {
        let line = Line::parse(&reply.replace("$", nick.asked()));
        nick.refused(line.numeric().unwrap(), &line)
            .map_or_else(|end| end, str::to_owned)
    };
    replies.iter().map(one).collect()
}

#[test]
fn a_nick_that_is_too_long_is_shortened_to_what_the_server_says() {
    let mut nick = Nick::new("my-gatehouse");
    let tried = asked(
        &mut nick,
        &[
            ":s 432 * $ :Nickname too long, max. 9 characters",
            ":s 433 * $ :Nickname already in use",
        ],
    );

    assert_eq!(tried, ["my-gateho", "my-gateh_"], "also with something behind it");
    assert_eq!(nick.goal(), "my-gateho");
    let notice = nick.notice("my-gateh_").unwrap();
    assert!(
        notice.contains("in use (433)") && notice.contains("takes 9 characters"),
        "{notice}"
    );
}

#[test]
fn without_a_number_nine_characters_are_tried_then_plain_ones_then_others() {
    let mut nick = Nick::new("größter-helfer");
    let tried = asked(&mut nick, &[":s 432 * $ :Erroneous nickname"; 4]);

    assert_eq!(tried, ["größter", "grter-hel", "grter-he_", "grter-h__"]);
    assert_eq!(
        asked(
            &mut Nick::new("gate"),
            &[":s 432 * $ :Erroneous Nickname: Reserved"]
        ),
        ["gate_"]
    );
    assert_eq!(
        asked(&mut Nick::new("9bot"), &[":s 432 * $ :Erroneous nickname"]),
        ["bot"]
    );
}

#[test]
fn a_server_that_cuts_in_silence_is_noticed_by_the_name_that_it_refuses() {
    let mut nick = Nick::new("my-gatehouse-bot");
    let tried = asked(&mut nick, &[":s 433 * my-gatehouse :Nickname is already in use"]);

    assert_eq!(tried, ["my-gatehous_"]);
}

#[test]
fn the_search_ends_with_the_servers_words_and_the_next_step() {
    let end = asked(
        &mut Nick::new("gate"),
        &[":s 433 * $ :Nickname is already in use"; 11],
    )
    .pop()
    .unwrap();

    assert!(
        end.contains("already in use (433)") && end.contains("channels.irc.nick"),
        "{end}"
    );
}

#[test]
fn a_limit_that_the_server_states_holds_for_the_wanted_nick() {
    let mut nick = Nick::new("my-gatehouse");
    nick.learn_stated(30);
    assert_eq!(nick.goal(), "my-gatehouse");
    nick.learn_stated(9);
    assert_eq!(nick.goal(), "my-gateho");
    assert!(nick.notice("my-gateho").unwrap().contains("takes 9 characters"));
    asked(&mut nick, &[":s 432 * $ :Erroneous Nickname"]);
    nick.learn_stated(10);
    assert_eq!(nick.goal(), "my-gatehou", "nine was a guess");
    assert_eq!(Nick::new("gate").notice("gate"), None);
}
