use super::*;

#[test]
fn a_refusal_a_silence_and_a_failure_end_differently() {
    assert_eq!(Exit::of_protocol("FORBIDDEN").code(), 77);
    assert_eq!(Exit::of_protocol("UNAVAILABLE").code(), 69);
    assert_eq!(Exit::of_protocol("INVALID_REQUEST").code(), 1);
}

#[test]
fn a_full_queue_is_no_silence() {
    assert_eq!(Exit::of_refusal("UNAVAILABLE", "queue-full").code(), 75);
    assert_eq!(Exit::of_refusal("UNAVAILABLE", "GATEWAY_BUSY").code(), 75);
    assert_eq!(Exit::of_refusal("UNAVAILABLE", "SERVICE_AWAY").code(), 69);
    assert_eq!(Exit::of_refusal("FORBIDDEN", "queue-full").code(), 77);
}

#[test]
fn what_another_process_of_ours_said_is_read_as_it_was() {
    let failed = Failed::of_lines(Exit::Configuration, "two mistakes\na\nb").next("mend them");
    let failed = failed.about("CONFIG_INVALID", Some("/gateway".to_owned()));

    let read = Failed::from_json(&failed.json()).unwrap();

    assert_eq!(read.json(), failed.json());
    assert!(Failed::from_json("gatehouse: two mistakes").is_none());
}

#[test]
fn every_exit_code_is_documented_and_every_documented_one_exists() {
    let manual = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");
    let manual = std::fs::read_to_string(manual).unwrap();
    let chapter = manual.split_once("## Exit codes").unwrap().1;
    let chapter = chapter.split("\n## ").next().unwrap();
    let rows = chapter
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(' ').next());
    let documented: std::collections::BTreeSet<u8> = rows.filter_map(|code| code.parse().ok()).collect();
    let help = <crate::args::Cli as clap::CommandFactory>::command();

    let mut ours: std::collections::BTreeSet<u8> = Exit::ALL.into_iter().map(Exit::code).collect();
    ours.insert(0);

    assert_eq!(documented, ours);
    let help = help.get_after_help().unwrap().to_string();
    let listed = help
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next()?.parse().ok());
    assert_eq!(listed.collect::<std::collections::BTreeSet<u8>>(), ours, "{help}");
}

#[test]
fn the_next_step_stands_on_its_own_line() {
    let failed = Failed::new(Exit::Unavailable, "no gateway answers").next("start one with `gatehouse up`");

    assert_eq!(
        failed.to_string(),
        "no gateway answers\nstart one with `gatehouse up`"
    );
}

#[test]
fn a_line_break_from_outside_begins_no_line() {
    let failed = Failed::of_lines(Exit::Configuration, "two mistakes:\n  a: wrong\n  b: wrong")
        .next("mend gate\nhouse: all is well");

    let text = failed.text(Style::plain());

    assert_eq!(
        text,
        "gatehouse: two mistakes:\n    a: wrong\n    b: wrong\n  mend gate\\nhouse: all is well\n"
    );
    let failed = Failed::new(Exit::Failed, "no key x\ngatehouse: all is well\x1b[2J");
    assert_eq!(failed.text(Style::plain()).lines().count(), 1);
    assert!(!failed.to_string().contains(['\n', '\x1b']), "{failed}");
}

#[test]
fn a_program_gets_one_line_with_the_code() {
    let failed = Failed::of_lines(Exit::Refused, "not allowed\nat a").next("ask");

    assert_eq!(
        failed.json(),
        "{\"error\":{\"exit\":77,\"code\":\"REFUSED\",\"message\":\"not allowed\",\"details\":[\"at a\"],\"next\":\"ask\"}}\n"
    );
    assert_eq!(Failed::new(Exit::OutputClosed, "nobody reads").json(), "");
}
