use gatehouse_core::Secret;

use super::{Register, Step};
use crate::platform::irc::{
    config::{IrcConfig, Sasl},
    line::Line,
};

fn config(sasl: bool) -> IrcConfig {
    let sasl = sasl.then(|| Sasl {
        account: "gate".into(),
        password: Secret::new("pass"),
    });
    IrcConfig {
        nick: "gate".into(),
        sasl,
        ..IrcConfig::for_tests("127.0.0.1", 6667)
    }
}

fn run(config: &IrcConfig, lines: &[&str]) -> Vec<Step> {
    let (mut register, _) = Register::start(config);
    lines
        .iter()
        .map(|line| register.on(config, &Line::parse(line)))
        .collect()
}

fn write(lines: &[&str]) -> Step {
    Step::Write(lines.iter().map(|line| (*line).to_owned()).collect())
}

#[test]
fn a_plain_server_is_entered_without_capabilities() {
    let steps = run(
        &config(false),
        &[":s CAP * LS :multi-prefix", ":s 001 gate :Welcome"],
    );

    assert_eq!(steps, [write(&["CAP END"]), Step::Welcome("gate".into())]);
}

#[test]
fn sasl_plain_is_spoken_before_the_welcome() {
    let steps = run(
        &config(true),
        &[
            ":s CAP * LS * :message-tags account-tag",
            ":s CAP * LS :sasl=PLAIN,EXTERNAL",
            ":s CAP gate ACK :account-tag message-tags sasl",
            "AUTHENTICATE +",
            ":s 903 gate :SASL authentication successful",
            ":s 001 gate :Welcome",
        ],
    );

    assert_eq!(
        steps,
        [
            write(&[]),
            write(&["CAP REQ :account-tag message-tags sasl"]),
            write(&["AUTHENTICATE PLAIN"]),
            write(&["AUTHENTICATE AGdhdGUAcGFzcw=="]),
            write(&["CAP END"]),
            Step::Welcome("gate".into()),
        ]
    );
}

#[test]
fn with_sasl_configured_nobody_enters_without_it() {
    let config = config(true);
    for lines in [
        &[":s CAP * LS :multi-prefix"][..],
        &[":s 421 gate CAP :Unknown command", ":s 001 gate :Welcome"],
        &[":s CAP * LS :sasl", ":s CAP gate NAK :sasl"],
        &[
            ":s CAP * LS :sasl batch",
            ":s CAP gate NAK :batch sasl",
            ":s CAP gate NAK :sasl",
        ],
        &[
            ":s CAP * LS :sasl",
            ":s CAP gate ACK :sasl",
            "AUTHENTICATE +",
            ":s 904 gate :SASL authentication failed",
        ],
    ] {
        assert!(
            matches!(run(&config, lines).last(), Some(Step::End(_))),
            "{lines:?}"
        );
    }
}

#[test]
fn a_capability_that_is_refused_costs_nothing_but_itself() {
    let refused = [
        ":s CAP * LS :sasl batch server-time",
        ":s CAP gate NAK :server-time batch sasl",
        ":s CAP gate ACK :sasl",
    ];
    let steps = run(&config(true), &refused);
    assert_eq!(steps[0], write(&["CAP REQ :server-time batch sasl"]));
    assert_eq!(
        steps[1..],
        [write(&["CAP REQ :sasl"]), write(&["AUTHENTICATE PLAIN"])]
    );

    let steps = run(&config(false), &[":s CAP * LS :batch", ":s CAP gate NAK :batch"]);
    assert_eq!(steps[1], write(&["CAP END"]));
}

#[test]
fn history_is_taken_over_by_nobody_who_could_ask_for_it() {
    let offers = ":s CAP * LS :znc.in/playback znc.in/batch batch server-time draft/chathistory=100";
    let steps = run(&config(false), &[offers]);

    assert_eq!(
        steps,
        [write(&[
            "CAP REQ :server-time batch draft/chathistory znc.in/playback"
        ])]
    );
}

#[test]
fn what_the_server_refuses_us_with_is_told_with_the_next_step() {
    let end = |line: &str| match run(&config(false), &[line]).remove(0) {
        Step::End(reason) => reason,
        other => panic!("{other:?}"),
    };
    assert!(
        end(":s 464 * :Password incorrect")
            .contains("Password incorrect (464); look at channels.irc.password")
    );
    assert!(end(":s 465 * :You are banned").contains("You are banned (465)"));
    assert!(end("ERROR :Closing Link: throttled").contains("throttled"));
}

#[test]
fn a_long_password_goes_in_chunks_of_400() {
    let mut config = config(true);
    config.sasl = Some(Sasl {
        account: "gate".into(),
        password: Secret::new("x".repeat(294)),
    });

    let steps = run(&config, &["AUTHENTICATE +"]);

    let Some(Step::Write(lines)) = steps.first() else {
        panic!("{steps:?}")
    };
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0].len(), "AUTHENTICATE ".len() + 400);
    assert_eq!(lines[1], "AUTHENTICATE +");
}

#[test]
fn a_taken_nick_gets_underscores_then_numbers_then_an_end() {
    let steps = run(&config(false), &[":s 433 * gate :Nickname is already in use"; 11]);

    assert_eq!(steps[0], write(&["NICK gate_"]));
    assert_eq!(steps[2], write(&["NICK gate___"]));
    assert_eq!(steps[3], write(&["NICK gate4"]));
    assert!(matches!(steps[10], Step::End(_)));
}
