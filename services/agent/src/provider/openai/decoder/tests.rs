mod marks;
mod odd;

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;

use super::*;

/// One event for each document, in the form of a stream.
fn events(documents: &[&str]) -> String {
    documents
        .iter()
        .map(|document| format!("data: {document}\n\n"))
        .collect()
}

fn delta(text: &str) -> String {
    serde_json::json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]})
        .to_string()
}

const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

/// What was said, and the end.
fn read(body: &str) -> (String, End) {
    let (mut decoder, mut out) = (Decoder::default(), Vec::new());
    decoder.push(body.as_bytes(), &mut out).unwrap();
    let end = decoder.finish(&mut out);
    let said = out.into_iter().map(|piece| match piece {
        Piece::Text(text) => text,
        Piece::Thinking(_) | Piece::WasThinking | Piece::Call(_) => String::new(),
    });
    (said.collect(), end)
}

#[track_caller]
fn is_whole(body: &str) {
    let (said, end) = read(body);
    assert_eq!(said, "Hello there", "{body}");
    assert!(
        end.error.is_none() && (end.is_done || end.stop_reason.is_some()),
        "{body}: {end:?}"
    );
}

#[test]
fn a_whole_answer_is_whole_however_its_stream_ends() {
    let (hello, there, whole) = (&*delta("Hello"), &*delta(" there"), &*delta("Hello there"));
    is_whole(&events(&[hello, there, STOP, "[DONE]"]));
    is_whole(&events(&[hello, there, STOP]));
    is_whole(&events(&[whole, "[DONE]"]));
    is_whole(&events(&[whole, "[done]"]));
    is_whole(&format!("{}data: [DONE]", events(&[whole])));
    is_whole(&format!("{}data:[DONE]\n", events(&[whole])));
    is_whole(&format!("{}[DONE]\n", events(&[whole])));
    is_whole(&format!("{}data: {STOP}", events(&[whole])));
    is_whole(&format!("data: {hello}\ndata: {there}\ndata: {STOP}\n"));
    is_whole(&format!("{}data: {{\"choi", events(&[whole, STOP])));
    is_whole(&events(&[whole, STOP, r#"{"error":{"message":"too late"}}"#]));
}

#[test]
fn one_odd_event_does_not_end_an_answer() {
    let (hello, there) = (&*delta("Hello"), &*delta(" there"));
    for odd in [
        "ping",
        "",
        "null",
        "[]",
        "{}",
        "3",
        "\"x\"",
        "{\"type\":\"ping\"}",
        "{\"choices\":[]}",
        "{\"choices\":null}",
        "{\"choices\":[null]}",
        "{\"choices\":[{}]}",
        "{\"choices\":[{\"delta\":null,\"finish_reason\":null}]}",
        "{\"choices\":[{\"delta\":{\"content\":[]}}]}",
        "{\"choices\":[{\"delta\":{\"content\":null,\"role\":7}}],\"usage\":{\"prompt_tokens\":1.5}}",
        "{\"choices\":[{\"delta\":{\"content\":\"\"},\"logprobs\":{\"content\":[NaN]}}]}",
        "{\"id\":\"x\",\"prompt_filter_results\":[{\"prompt_index\":0}],\"choices\":[]}",
        "{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"another answer\"}}]}",
        "{\"status\":\"queued\",\"message\":\"two are before you\"}",
        "{broken",
    ] {
        is_whole(&events(&[hello, odd, there, STOP, "[DONE]"]));
        is_whole(&events(&[odd, hello, there, STOP, "[DONE]"]));
    }
    is_whole(&format!(
        "\u{feff}{}event: ping\ndata: ping\n\n: OPENROUTER PROCESSING\n\n{}",
        events(&[hello]),
        events(&[there, STOP])
    ));
    is_whole(&events(&[hello, there, STOP]).replace("\n\n", "\r\n\r\n"));
}

#[test]
fn halves_of_characters_and_raw_control_characters_are_read() {
    let split = events(&[
        r#"{"choices":[{"delta":{"content":"Hi \ud83d"}}]}"#,
        r#"{"choices":[{"delta":{"content":"\ude42 there"}}]}"#,
        STOP,
    ]);
    assert_eq!(read(&split).0, "Hi 🙂 there");
    let lonely = events(&[r#"{"choices":[{"delta":{"content":"Hi \ud83d"}}]}"#, STOP]);
    assert_eq!(read(&lonely).0, "Hi \u{fffd}");
    let raw = "data: {\"choices\":[{\"delta\":{\"content\":\"a\tb\"}}]}\n\n";
    assert_eq!(read(raw).0, "a\tb");
}

#[test]
fn servers_that_do_not_stream_are_read_as_what_they_send() {
    let document = r#"{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"Hello there"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#;
    is_whole(document);
    is_whole(&format!("\u{feff}\n{document}\n"));
    is_whole(
        &serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(document).unwrap()).unwrap(),
    );
    is_whole(&format!("data: {document}\n\n"));
    is_whole(
        "{\"message\":{\"content\":\"Hello\"},\"done\":false}\n{\"message\":{\"content\":\" there\"},\"done\":true,\"done_reason\":\"stop\"}\n",
    );
    is_whole("{\"response\":\"Hello\",\"done\":false}\n{\"response\":\" there\",\"done\":true}\n");
    is_whole(&format!("{}\n{}\n{STOP}\n", delta("Hello"), delta(" there")));
    is_whole(&format!("[{}\n,{}\n,{STOP}]", delta("Hello"), delta(" there")));
    is_whole(r#"{"choices":[{"text":"Hello there","finish_reason":"stop"}]}"#);
    is_whole(&events(&[
        r#"{"choices":[{"text":"Hello"}]}"#,
        r#"{"choices":[{"text":" there","finish_reason":"stop"}]}"#,
    ]));
    // `message` for `delta`, with increments and with the whole text each time.
    let message = |text: &str| serde_json::json!({"choices": [{"message": {"content": text}}]}).to_string();
    is_whole(&events(&[&message("Hello"), &message(" there"), STOP]));
    is_whole(&events(&[&message("Hello th"), &message("Hello there"), STOP]));
    // The whole message again at the end of the increments.
    let again = r#"{"choices":[{"delta":{"content":""},"message":{"content":"Hello there"},"finish_reason":"stop"}]}"#;
    is_whole(&events(&[&delta("Hello"), &delta(" there"), again]));
    is_whole(&events(&[&delta("Hello"), &delta(" there"), document]));
}

#[test]
fn a_compressed_body_is_read() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder
        .write_all(events(&[&delta("Hello there"), STOP]).as_bytes())
        .unwrap();
    let (_, said, _) = trial::read(encoder.finish().unwrap().chunks(5));
    assert_eq!(said, "Hello there");
}

#[test]
fn an_error_in_a_stream_is_an_error_under_any_name() {
    for body in [
        events(&[r#"{"error":{"code":429,"message":"slow down"}}"#]),
        events(&[
            &delta("Hel"),
            r#"{"choices":[{"delta":{"content":""},"finish_reason":"error"}],"error":{"message":"slow down"}}"#,
        ]),
        "event: error\ndata: slow down\n\n".to_owned(),
        "event: error\ndata: {\"message\":\"slow down\"}\n\n".to_owned(),
        "error: {\"message\":\"slow down\"}\n\n".to_owned(),
        r#"{"error":"slow down"}"#.to_owned(),
        r#"{"object":"error","message":"slow down"}"#.to_owned(),
        r#"{"detail":"slow down"}"#.to_owned(),
    ] {
        let end = read(&body).1;
        assert_eq!(
            end.error.or(end.instead).map(|said| said.words).as_deref(),
            Some("slow down"),
            "{body}"
        );
    }
}

#[test]
fn a_body_that_is_no_answer_keeps_its_beginning() {
    let (said, end) = read("<html><title>Log in</title></html>");
    assert!(said.is_empty() && end.chunks == 0 && end.stray.contains("Log in"));
    assert!(read("{\"choices\":[{\"message\":{\"content\":\"hal").1.is_cut);
}

#[test]
fn usage_is_taken_from_wherever_it_stands() {
    let last = r#"{"choices":[],"usage":{"prompt_tokens":3.0,"completion_tokens":"2"}}"#;
    let end = read(&events(&[&delta("Hi"), STOP, last, "[DONE]"])).1;
    assert_eq!(end.usage.unwrap().total_tokens, 5);
}

fn document() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z <>/`\n]{0,8}".prop_map(|text| delta(&text)),
        prop::sample::select(vec!["<think>", "</think>", "\n", "```"]).prop_map(delta),
        prop::sample::select(vec![
            r#"{"choices":[{"delta":{"content":"\ud83d"}}]}"#,
            r#"{"choices":[{"delta":{"content":"\ude42"}}]}"#,
            r#"{"choices":[{"delta":{"reasoning":"hm"}}]}"#,
            r#"{"choices":[{"message":{"content":"whole message"}}]}"#,
            r#"{"message":{"content":"x"},"done":false}"#,
            r#"{"error":{"message":"no"}}"#,
            "ping",
            "{",
            "[DONE]",
            STOP,
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn any_split_of_the_bytes_into_chunks_gives_the_same_answer(
        documents in prop::collection::vec(document(), 0..8),
        prefix in prop::sample::select(vec!["data: ", "data:", "", "event: x\ndata: "]),
        end in prop::sample::select(vec!["\n\n", "\r\n\r\n", "\n", ""]),
        mark: bool,
        packed: bool,
        cuts in prop::collection::vec(0_usize..600, 0..12),
    ) {
        let mut body: String = documents.iter().map(|document| format!("{prefix}{document}{end}")).collect();
        if mark {
            body.insert(0, '\u{feff}');
        }
        let mut bytes = body.into_bytes();
        if packed {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&bytes).unwrap();
            bytes = encoder.finish().unwrap();
        }
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < bytes.len()).collect();
        cuts.sort_unstable();
        let (mut chunks, mut start) = (Vec::new(), 0);
        for cut in cuts.into_iter().chain([bytes.len()]) {
            chunks.push(&bytes[start..cut]);
            start = cut;
        }

        prop_assert_eq!(trial::read(chunks), trial::read([&*bytes]));
    }

    #[test]
    fn no_bytes_are_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = trial::read([&*bytes]);
    }
}

#[test]
fn events_that_cannot_be_read_are_counted_unless_nothing_can_be_missing() {
    let hello = &*delta("Hello");
    let there = &*delta(" there");
    let count = |body: &str| {
        let (said, end) = read(body);
        assert_eq!(said, "Hello there", "{body}");
        end.passed_over
    };
    assert_eq!(count(&events(&[hello, there, STOP, "[DONE]"])), 0);
    assert_eq!(
        count(&events(&[hello, "not json", "{\"choices\": [{", there, STOP])),
        2
    );
    let ping = format!(
        "{}event: ping\ndata: pong\n\n: a comment\n\ndata:\n\n{}",
        events(&[hello]),
        events(&[there, STOP])
    );
    assert_eq!(
        count(&ping),
        0,
        "a kind of its own, a comment, and nothing at all"
    );
    assert_eq!(
        count(&events(&[hello, there, STOP, "{\"usage\": "])),
        0,
        "behind the end"
    );
}
