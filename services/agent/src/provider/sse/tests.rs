use proptest::prelude::*;

use super::*;

fn read(chunks: &[&[u8]]) -> (Vec<Event>, String) {
    let (mut parser, mut events) = (Parser::default(), Vec::new());
    for chunk in chunks {
        parser.push(chunk, &mut events).unwrap();
    }
    parser.finish(&mut events);
    (events, parser.stray().to_owned())
}

/// The data of each event.
fn parse(chunks: &[&[u8]]) -> Vec<String> {
    read(chunks).0.into_iter().map(|event| event.data).collect()
}

#[test]
fn lines_comments_and_joined_data_are_read() {
    let stream =
        b": hello\r\ndata: one\r\ndata: two\r\n\r\nevent: x\nid: 1\ndata:three\n\ndata: unfinished\n";

    assert_eq!(parse(&[stream]), ["one\ntwo", "three", "unfinished"]);
    assert_eq!(read(&[stream]).0[1].name, "x");
}

#[test]
fn what_stands_in_the_place_of_events_is_read_as_what_it_is() {
    for (body, data) in [
        ("\u{feff}data: {\"a\":1}\n\n", &["{\"a\":1}"][..]),
        ("\u{feff}{\"a\":1}", &["{\"a\":1}"]),
        (
            "\u{feff}data: {\"a\":1}\n\n\u{feff}\u{feff}data: {\"b\":2}\n\n",
            &["{\"a\":1}", "{\"b\":2}"],
        ),
        (
            "{\"a\":1}\n{\"b\":\"}\\\"{\"}\n\n{\"c\":[{}]}",
            &["{\"a\":1}", "{\"b\":\"}\\\"{\"}", "{\"c\":[{}]}"],
        ),
        ("{\"a\":1}{\"b\":2}", &["{\"a\":1}", "{\"b\":2}"]),
        ("[{\"a\":1}\n,\n{\"b\":2}]\n", &["{\"a\":1}", "{\"b\":2}"]),
        ("[\n{\"a\":1},\n{\"b\":2}\n]", &["{\"a\":1}", "{\"b\":2}"]),
        (
            "{\n  \"a\": \"x: y\",\n\n  \"data\": 1\n}\n",
            &["{\n  \"a\": \"x: y\",\n\n  \"data\": 1\n}"],
        ),
        (
            "data: {\"a\":1}\ndata: {\"b\":2}\ndata: [DONE]",
            &["{\"a\":1}", "{\"b\":2}", "[DONE]"],
        ),
        ("data: {\n\"a\":1\n}\n\n", &["{\n\"a\":1\n}"]),
        ("{\"a\":1}\n[DONE]\n", &["{\"a\":1}", "[DONE]"]),
        ("error: {\"code\":1}\n\n", &["{\"code\":1}"]),
        ("{broken\ndata: {\"a\":1}\n\n", &["{\"a\":1}"]),
        ("[INFO] starting\ndata: {\"a\":1}\n\n", &["{\"a\":1}"]),
    ] {
        assert_eq!(parse(&[body.as_bytes()]), data, "{body}");
    }
    let (events, stray) = read(&[b"<html>\n<title>Log in</title>\n"]);
    assert!(events.is_empty() && stray.contains("<title>Log in</title>"));
}

#[test]
fn a_line_that_is_whole_need_not_end_when_nothing_follows() {
    let settled = |body: &str| {
        let (mut parser, mut events) = (Parser::default(), Vec::new());
        parser.push(body.as_bytes(), &mut events).unwrap();
        assert!(events.is_empty(), "{body}");
        parser.settle(&mut events);
        events.len()
    };
    for whole in [
        "data: {\"a\":1}",
        "data: [DONE]",
        "[DONE]",
        "{\"a\":1}",
        "{\n\"a\":1\n}",
    ] {
        assert_eq!(settled(whole), 1, "{whole}");
    }
    for part in ["data: {\"a\":", "{\"a\":", "data", "ping", ""] {
        assert_eq!(settled(part), 0, "{part}");
    }
}

#[test]
fn the_closing_mark_has_many_spellings() {
    for mark in ["[DONE]", " [done] ", "\"[DONE]\"", "DONE", "[ DONE ]"] {
        assert!(is_done(mark), "{mark}");
    }
    assert!(!is_done("{\"done\":true}") && !is_done(""));
}

#[test]
fn an_endless_event_is_refused() {
    let mut parser = Parser::default();

    assert_eq!(
        parser.push(&vec![b'x'; EVENT_BYTES_MAX + 1], &mut Vec::new()),
        Err(TooLong)
    );
}

proptest! {
    #[test]
    fn where_the_network_cuts_makes_no_difference(texts in prop::collection::vec("[^\r\n]{0,12}", 0..8), cuts in prop::collection::vec(0_usize..300, 0..10), crlf: bool) {
        let end = if crlf { "\r\n" } else { "\n" };
        let stream: String = texts.iter().map(|text| format!("data: {text}{end}{end}")).collect();
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < stream.len()).collect();
        cuts.sort_unstable();
        let (mut chunks, mut start) = (Vec::new(), 0);
        for cut in cuts.into_iter().chain([stream.len()]) {
            chunks.push(&stream.as_bytes()[start..cut]);
            start = cut;
        }

        prop_assert_eq!(parse(&chunks), texts);
    }
}
