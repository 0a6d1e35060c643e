//! What servers send that nobody would think of.

use super::*;

#[test]
fn an_event_whose_name_says_that_nothing_follows_ends_an_answer() {
    let whole = events(&[&delta("Hello there")]);
    for end in [
        "event: done\ndata: {}\n\n",
        "event: done\ndata:\n\n",
        "event: done\n\n",
        "event: End\ndata: bye\n\n",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        "event: complete\ndata: {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n",
    ] {
        is_whole(&format!("{whole}{end}"));
    }
    let (said, end) = read(&format!("event: message\n\nevent: ping\ndata: {{}}\n\n{whole}"));
    assert_eq!((said.as_str(), end.is_done), ("Hello there", false));
}

#[test]
fn marks_that_are_there_twice_or_in_large_letters_are_marks() {
    let (hello, there) = (delta("Hello"), delta(" there"));
    is_whole(&format!(
        "data: data: {hello}\n\ndata: data: {there}\n\ndata: data: [DONE]\n\n"
    ));
    is_whole(&format!("DATA: {hello}\n\nData: {there}\n\nDATA: [DONE]\n\n"));
}

#[test]
fn an_answer_is_found_inside_of_what_a_gateway_puts_around_it() {
    let choices = r#"{"choices":[{"message":{"content":"Hello there"},"finish_reason":"stop"}]}"#;
    for wrapper in ["data", "result", "output", "response"] {
        is_whole(&format!(r#"{{"code":0,"{wrapper}":{choices}}}"#));
    }
    let (said, end) = read(r#"{"success":true,"errors":[],"result":{"response":"Hello there"}}"#);
    assert_eq!((said.as_str(), end.chunks), ("Hello there", 1));
    is_whole(
        r#"{"type":"message","role":"assistant","content":[{"type":"text","text":"Hello there"}],"stop_reason":"end_turn"}"#,
    );
    is_whole(&events(&[
        r#"{"choices":[{"delta":{"content":[{"type":"text","text":{"value":"Hello there"}}]}}]}"#,
        STOP,
    ]));
}

#[test]
fn what_is_no_answer_keeps_its_first_document() {
    let (said, end) = read(r#"{"candidates":[{"content":{"parts":[{"text":"Hello"}]}}]}"#);

    assert!(said.is_empty() && end.chunks == 0);
    assert!(end.foreign.contains("candidates"), "{}", end.foreign);
}

#[test]
fn an_error_beside_the_one_answer_is_told() {
    let body = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"error","error":{"code":502,"message":"upstream is idle"}}]}"#;

    let end = read(&events(&[&delta("Hel"), body])).1;

    assert_eq!(end.error.unwrap().words, "upstream is idle");
}

#[test]
fn what_cannot_be_seen_is_no_answer() {
    for blank in ["\\u200b\\u200b", "\\ufeff", "\\u00ad \\n\\u2060"] {
        let end = read(&events(&[
            &delta("").replace("\"\"", &format!("\"{blank}\"")),
            STOP,
        ]))
        .1;

        assert!(!end.has_text, "{blank}");
    }
    assert!(read(&events(&[&delta("\u{200b}a"), STOP])).1.has_text);
}
