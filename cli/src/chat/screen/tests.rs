mod runs;

use serde_json::{Value, json};

use super::*;
use crate::term::Style;

const SESSION: &str = "agent:main:main";

fn look(is_dressed: bool) -> Look {
    Look {
        style: Style::plain(),
        is_dressed,
        shows_thoughts: false,
        is_verbose: false,
    }
}

fn screen() -> Screen {
    Screen::new(SESSION, look(true))
}

fn event(run: &str, seq: i64, state: &str, more: Value) -> ChatEvent {
    let mut event = json!({"runId": run, "sessionKey": SESSION, "seq": seq, "state": state});
    if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
        event.extend(more);
    }
    serde_json::from_value(event).unwrap()
}

fn delta(run: &str, seq: i64, text: &str) -> ChatEvent {
    event(run, seq, "delta", json!({"deltaText": text}))
}

fn whole(text: &str) -> Value {
    json!({"message": {"role": "assistant", "content": [{"type": "text", "text": text}]}})
}

#[test]
fn an_answer_grows_word_by_word_and_ends_once() {
    let mut screen = screen();
    screen.started("r");

    let mut seen = screen.chat(&delta("r", 1, "You "));
    seen += &screen.chat(&delta("r", 2, "said"));
    seen += &screen.chat(&event("r", 3, "final", whole("You said hi")));
    seen += &screen.chat(&event("r", 3, "final", whole("You said hi")));

    assert_eq!(seen, "assistant: You said hi\n");
    assert_eq!(screen.end_of("r"), Some(&End::Answered));
    assert_eq!(screen.running(), None);
}

#[test]
fn an_answer_that_came_whole_is_printed_whole() {
    let seen = screen().chat(&event("r", 1, "final", whole("hello")));

    assert_eq!(seen, "assistant: hello\n");
}

#[test]
fn other_sessions_are_not_on_this_screen() {
    let mut other = delta("r", 1, "secret");
    other.session_key = "agent:main:other".into();

    assert_eq!(screen().chat(&other), "");
}

#[test]
fn a_pipe_gets_the_answer_and_nothing_else() {
    let mut screen = Screen::new(SESSION, look(false));
    screen.started("r");

    let mut seen = screen.chat(&delta("r", 1, "four"));
    seen += &screen.chat(&event("r", 2, "final", whole("forty-two")));

    assert_eq!(
        seen, "four\nforty-two\n",
        "another text is not glued to the first"
    );
}

#[test]
fn after_a_cut_the_answer_goes_on_where_it_stopped() {
    let mut screen = screen();
    screen.started("r");
    let mut seen = screen.chat(&delta("r", 1, "one "));

    let history = json!({"sessionKey": SESSION, "inFlightRun": {"runId": "r", "text": "one two ", "seq": 2}});
    seen += &screen.catch_up(&serde_json::from_value(history).unwrap());
    seen += &screen.chat(&delta("r", 2, "two "));
    seen += &screen.chat(&delta("r", 3, "three"));

    assert_eq!(seen, "assistant: one two three");
}

#[test]
fn an_answer_that_ended_during_a_cut_is_completed_from_its_row() {
    let mut screen = screen();
    screen.started("r");
    let mut seen = screen.chat(&delta("r", 1, "one "));

    let row = json!({"role": "assistant", "content": "one two", "__openclaw": {"runId": "r"}});
    seen +=
        &screen.catch_up(&serde_json::from_value(json!({"sessionKey": SESSION, "messages": [row]})).unwrap());

    assert_eq!(seen, "assistant: one two\n");
    assert_eq!(screen.end_of("r"), Some(&End::Answered));
}

#[test]
fn who_comes_in_late_sees_what_the_others_see() {
    let history = json!({"sessionKey": SESSION, "inFlightRun": {"runId": "r", "text": "so far", "seq": 9}});

    let mut screen = screen();
    let seen = screen.catch_up(&serde_json::from_value(history).unwrap());

    assert_eq!(seen, "assistant: so far");
    assert_eq!(screen.running(), Some("r"));
}

#[test]
fn a_stopped_and_a_failed_run_say_so() {
    let mut screen = screen();
    for run in ["a", "b"] {
        screen.started(run);
    }

    let stopped = screen.chat(&delta("a", 1, "half")) + &screen.chat(&event("a", 2, "aborted", json!({})));
    let failed = screen.chat(&event("b", 1, "error", json!({"errorMessage": "no model"})));

    assert_eq!(stopped, "assistant: half [stopped]\n");
    assert_eq!(failed, "assistant: [no model]\n");
    assert_eq!(screen.end_of("b"), Some(&End::Failed("no model".into())));
}

#[test]
fn what_others_say_appears_with_their_name_and_my_own_does_not_come_twice() {
    let mut screen = screen();
    screen.started("mine");
    let said = |run: &str| -> SessionMessage {
        let message =
            json!({"role": "user", "content": "hi", "senderLabel": "ann", "__openclaw": {"runId": run}});
        serde_json::from_value(json!({"sessionKey": SESSION, "message": message})).unwrap()
    };

    assert_eq!(screen.message(&said("theirs")), "ann: hi\n");
    assert_eq!(screen.message(&said("mine")), "");
}

#[test]
fn an_answer_cannot_command_the_terminal() {
    let seen = screen().chat(&delta("r", 1, "\x1b[2J"));

    assert!(!seen.contains('\x1b'));
}
