//! Runs that are begun again, and several at once.

use super::*;

fn anew(run: &str, seq: i64, text: &str) -> ChatEvent {
    event(run, seq, "delta", json!({"deltaText": text, "replace": true}))
}

#[test]
fn an_answer_that_is_begun_again_and_says_the_same_is_continued_where_it_stopped() {
    for dressed in [true, false] {
        let mut screen = Screen::new(SESSION, look(dressed));
        screen.started("r");

        let mut seen = screen.chat(&delta("r", 1, "one two "));
        seen += &screen.chat(&delta("r", 2, "three "));
        seen += &screen.chat(&anew("r", 1_000_001, "one "));
        for (seq, word) in [(2, "two "), (3, "three "), (4, "four")] {
            seen += &screen.chat(&delta("r", 1_000_000 + seq, word));
        }
        seen += &screen.chat(&event("r", 1_000_005, "final", whole("one two three four")));

        let expected = "one two three four\n";
        assert_eq!(seen.trim_start_matches("assistant: "), expected);
    }
}

#[test]
fn an_answer_that_is_begun_again_and_says_something_else_is_shown_whole_on_a_new_line() {
    let mut screen = screen();
    screen.started("r");

    let mut seen = screen.chat(&delta("r", 1, "one two "));
    seen += &screen.chat(&anew("r", 1_000_001, "uno "));
    seen += &screen.chat(&delta("r", 1_000_002, "due"));
    seen += &screen.chat(&event("r", 1_000_003, "final", whole("uno due")));

    assert_eq!(seen, "assistant: one two \nuno due\n");
}

#[test]
fn a_second_attempt_that_says_less_leaves_no_words_of_the_first_in_the_answer() {
    let mut screen = screen();
    screen.started("r");

    let mut seen = screen.chat(&delta("r", 1, "one two three"));
    seen += &screen.chat(&anew("r", 1_000_001, "one "));
    seen += &screen.chat(&event("r", 1_000_002, "final", whole("one two")));

    assert_eq!(seen, "assistant: one two three\none two\n");
}

#[test]
fn a_run_that_calls_tools_is_read_on_and_ends_with_its_last_row() {
    let mut screen = screen();
    screen.started("r");
    let mut seen = screen.chat(&delta("r", 1, "let me look"));
    seen += &screen.chat(&event("r", 2, "delta", json!({"deltaText": "", "replace": true})));
    let step = json!({"role": "assistant", "stopReason": "toolUse", "__openclaw": {"runId": "r"}, "content": [
        {"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "let me look"},
        {"type": "toolCall", "id": "c", "name": "ls", "arguments": {}}]});
    let history =
        |rows: Value| serde_json::from_value(json!({"sessionKey": SESSION, "messages": rows})).unwrap();

    // Cut off, and it waits for its next attempt.
    seen += &screen.catch_up(&history(json!([step])));
    assert_eq!(screen.end_of("r"), None);
    let end = json!({"role": "assistant", "content": "nothing", "__openclaw": {"runId": "r"}});
    seen += &screen.catch_up(&history(json!([step, end])));

    assert_eq!(seen, "assistant: let me look\nnothing\n");
    assert_eq!(
        screen.rows(&history(json!([step]))),
        "assistant: let me look\n[tool: ls]\n"
    );
}

fn said(text: &str) -> SessionMessage {
    let message =
        json!({"role": "user", "content": text, "senderLabel": "ann", "__openclaw": {"runId": "theirs"}});
    serde_json::from_value(json!({"sessionKey": SESSION, "message": message})).unwrap()
}

#[test]
fn what_others_say_during_an_answer_stands_below_it() {
    let mut screen = screen();
    screen.started("r");
    let mut seen = screen.chat(&delta("r", 1, "one "));
    seen += &screen.message(&said("hi"));
    seen += &screen.chat(&delta("r", 2, "two"));
    seen += &screen.chat(&event("r", 3, "final", whole("one two")));

    assert_eq!(seen, "assistant: one two\nann: hi\n");
}

#[test]
fn a_run_that_ends_while_another_is_printed_is_told_below_that() {
    let mut screen = screen();
    for run in ["a", "b"] {
        screen.started(run);
    }
    let mut seen = screen.chat(&delta("a", 1, "one "));
    seen += &screen.chat(&event("b", 1, "aborted", json!({})));
    seen += &screen.chat(&event("a", 3, "final", whole("one two")));

    assert_eq!(seen, "assistant: one two\nassistant:  [stopped]\n");
}

fn thought(seq: i64, text: &str) -> AgentEvent {
    let event = json!({"runId": "r", "sessionKey": SESSION, "seq": seq, "stream": "thinking", "data": {"delta": text}});
    serde_json::from_value(event).unwrap()
}

#[tokio::test(start_paused = true)]
async fn thoughts_are_a_line_unless_they_are_asked_for() {
    let mut folded = screen();
    folded.started("r");
    let mut seen = folded.agent(&thought(1, "hm, "));
    tokio::time::advance(Duration::from_secs(3)).await;
    assert_eq!(folded.activity().unwrap().doing, Doing::Thinking);
    seen += &folded.chat(&delta("r", 2, "four"));
    assert_eq!(seen, "thought for 3 s (/think show)\nassistant: four");
    assert_eq!(folded.activity().unwrap().doing, Doing::Writing);

    let mut shown = screen();
    shown.look().shows_thoughts = true;
    let mut seen = shown.agent(&thought(1, "hm, ")) + &shown.agent(&thought(2, "2+2\x1b[2J"));
    seen += &shown.chat(&delta("r", 3, "four"));
    assert_eq!(seen, "thinking: hm, 2+2\u{fffd}[2J\nassistant: four");
}

#[tokio::test(start_paused = true)]
async fn tokens_and_time_stand_below_the_answer_when_they_are_asked_for() {
    let mut screen = screen();
    screen.look().is_verbose = true;
    screen.started("r");
    tokio::time::advance(Duration::from_secs(1)).await;
    let mut more = whole("four");
    more["usage"] = json!({"input": 7, "output": 1, "totalTokens": 8});

    let seen = screen.chat(&event("r", 1, "final", more));

    assert_eq!(
        seen,
        "assistant: four\n[1.0 s, first word after 1.0 s, 7 tokens read, 1 written]\n"
    );
}

#[test]
fn a_failure_is_said_once_in_the_history() {
    let row = json!({"role": "assistant", "content": "no model", "errorMessage": "no model", "stopReason": "error"});
    let history = serde_json::from_value(json!({"sessionKey": SESSION, "messages": [row]})).unwrap();

    assert_eq!(screen().rows(&history), "assistant: [no model]\n");
}

#[test]
fn who_waits_is_told_for_what_and_for_how_many() {
    let mut screen = screen();
    assert_eq!(screen.activity(), None);
    screen.started("a");
    screen.started("b");

    let activity = screen.activity().unwrap();

    assert_eq!((activity.doing, activity.waiting), (Doing::Waiting, 1));
    assert_eq!(screen.running(), Some("a"));
}

#[test]
fn an_answer_that_is_cut_off_says_why_now_and_later() {
    let mut screen = screen();
    screen.started("r");
    let mut more = whole("one two");
    more["stopReason"] = json!("length");

    let seen = screen.chat(&event("r", 1, "final", more));

    assert_eq!(
        seen,
        "assistant: one two [cut off: the model may write no more at once]\n"
    );
    assert!(screen.end_of("r").unwrap().is_answer());
    let row = json!({"role": "assistant", "content": "one", "stopReason": "content_filter"});
    let history = serde_json::from_value(json!({"sessionKey": SESSION, "messages": [row]})).unwrap();
    assert_eq!(
        screen.rows(&history),
        "assistant: one [cut off by the provider's filter]\n"
    );
}
