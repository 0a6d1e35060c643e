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

#[test]
fn a_place_for_an_error_with_nothing_in_it_is_no_error() {
    for error in [
        "0",
        "\"\"",
        "\"0\"",
        "[]",
        "[null]",
        r#"{"message":"","type":"","param":null,"code":null}"#,
        r#"{"code":0,"message":"ok"}"#,
        r#"{"code":"0","message":"Success"}"#,
    ] {
        let with = |document: &str| document.replacen('{', &format!("{{\"error\":{error},"), 1);
        let (hello, there) = (with(&delta("Hello")), with(&delta(" there")));
        is_whole(&events(&[&hello, &there, &with(STOP), "[DONE]"]));
    }
    // Beside words of the answer it is none either, unless the answer ends there.
    let beside = delta(" there").replacen('{', r#"{"error":{"message":"a warning"},"#, 1);
    is_whole(&events(&[&delta("Hello"), &beside, STOP]));
    let fault =
        r#"{"error":{"message":"slow down"},"choices":[{"delta":{"content":"x"},"finish_reason":"error"}]}"#;
    assert_eq!(read(&events(&[fault])).1.error.unwrap().words, "slow down");
    assert!(read(r#"{"error":true,"message":"slow down"}"#).1.error.is_some());
}

#[test]
fn an_error_is_seen_in_a_list_under_another_name_and_behind_a_reason_without_a_word() {
    for body in [
        r#"data: [{"error":{"code":503,"message":"slow down"}}]"#.to_owned() + "\n\n",
        r#"data: {"status":"error","message":"slow down"}"#.to_owned() + "\n\n",
        "event: exception\ndata: {\"message\":\"slow down\"}\n\n".to_owned(),
        events(&[STOP, r#"{"error":{"code":429,"message":"slow down"}}"#]),
    ] {
        let end = read(&body).1;
        assert_eq!(
            end.error.map(|said| said.words).as_deref(),
            Some("slow down"),
            "{body}"
        );
    }
}

#[test]
fn what_stands_behind_the_last_word_is_kept_apart_from_what_stood_before_it() {
    let (hello, there) = (&*delta("Hello"), &*delta(" there"));
    for (body, tail) in [
        (
            format!("{}Internal Server Error", events(&[hello, there])),
            "Internal Server Error",
        ),
        (
            events(&[hello, there, "Error: a worker died"]),
            "Error: a worker died",
        ),
        (events(&[hello, "Error: a worker died", there]), ""),
        (format!("{}oh\n{}", events(&[hello]), events(&[there])), ""),
    ] {
        let (said, end) = read(&body);
        assert_eq!(
            (said.as_str(), end.tail.as_str()),
            ("Hello there", tail),
            "{body}"
        );
    }
    let news = r#"{"status":"queued","message":"two are before you"}"#;
    assert!(read(&events(&[hello, news, there])).1.instead.is_none());
    assert!(read(&events(&[hello, there, news])).1.instead.is_some());
}

#[test]
fn a_reason_beside_words_is_no_end_until_nothing_follows() {
    let stops = |text: &str| delta(text).replace("\"finish_reason\":null", "\"finish_reason\":\"stop\"");
    let follows = |documents: &[&str]| {
        let (mut decoder, mut out) = (Decoder::default(), Vec::new());
        decoder.push(events(documents).as_bytes(), &mut out).unwrap();
        (decoder.follows(), decoder.goes_on())
    };
    let (hello, one, two) = (&*delta("Hello"), &*stops("one"), &*stops("two"));
    let thought = r#"{"choices":[{"delta":{"reasoning":"hm"},"finish_reason":"stop"}]}"#;
    let document = r#"{"choices":[{"message":{"content":"Hello there"},"finish_reason":"stop"}]}"#;
    let again = &*document.replace("Hello there", "Hello");
    let cases: [(&[&str], (Follows, bool)); 11] = [
        (&[hello], (Follows::Rest, false)),
        (&[hello, STOP], (Follows::Cost, false)),
        (&[document], (Follows::Cost, false)),
        (&[hello, again], (Follows::Cost, false)),
        (&[one], (Follows::Perhaps, false)),
        (&[hello, one], (Follows::Perhaps, false)),
        (&[thought], (Follows::Perhaps, false)),
        (&[STOP], (Follows::Perhaps, false)),
        (&[one, two], (Follows::Rest, true)),
        (&[one, two, STOP], (Follows::Rest, true)),
        (&[hello, STOP, hello], (Follows::Rest, true)),
    ];
    for (documents, expected) in cases {
        assert_eq!(follows(documents), expected, "{documents:?}");
    }
}

#[test]
fn a_cost_of_nothing_hides_no_real_one() {
    let nothing = r#"{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0}}"#;
    let cost = r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
    for documents in [[nothing, cost], [cost, nothing]] {
        let hello = delta("Hi");
        let body = events(&[&hello, STOP, documents[0], documents[1]]);
        assert_eq!(read(&body).1.usage.unwrap().total_tokens, 5);
    }
    let (mut decoder, mut out) = (Decoder::default(), Vec::new());
    decoder
        .push(events(&[STOP, nothing]).as_bytes(), &mut out)
        .unwrap();
    assert!(!decoder.has_usage(), "the real one is waited for");
}

#[test]
fn a_refusal_behind_words_is_one_of_them() {
    let refusal = r#"{"choices":[{"delta":{"refusal":"I will not."}}]}"#;
    assert_eq!(
        read(&events(&[&delta("Well, "), refusal, STOP])).0,
        "Well, I will not."
    );
    let (said, end) = read(&events(&[refusal, STOP]));
    assert_eq!((said.as_str(), end.refusal.as_str()), ("", "I will not."));
}
