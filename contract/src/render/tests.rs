use std::sync::LazyLock;

use gatehouse_proto::{broadcast, session};
use prost::Message as _;

use crate::{
    Map, MessagePlan,
    testing::{everything, map},
    wire::write_varint,
};

static EVERYTHING: LazyLock<Map> = LazyLock::new(everything);

fn all() -> &'static MessagePlan {
    EVERYTHING.message("t.v1.All").expect("known")
}

fn plan_of(message: &str) -> &'static MessagePlan {
    Map::core()
        .message(&format!("gatehouse.{message}"))
        .expect("known")
}

fn render(plan: &MessagePlan, wire: &[u8]) -> Result<String, String> {
    let mut out = Vec::new();
    plan.render(wire, &mut out).map_err(|error| error.to_string())?;
    let text = String::from_utf8(out).expect("text");
    serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
    Ok(text)
}

/// A record of a length-delimited field.
fn record(number: u32, bytes: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    write_varint(u64::from(number) << 3 | 2, &mut wire);
    write_varint(u64::try_from(bytes.len()).expect("short"), &mut wire);
    wire.extend_from_slice(bytes);
    wire
}

#[test]
fn defaults_are_written_where_a_field_is_not_optional() {
    let expected = r#"{"name":"","count":0,"on":false,"body":null,"leaf":{"ratio":0}}"#;

    assert_eq!(
        render(EVERYTHING.message("t.v1.Named").unwrap(), &[]).unwrap(),
        expected
    );
    assert_eq!(
        render(all(), &[]).unwrap(),
        r#"{"numbers":[],"words":[],"maybe":null}"#
    );
}

#[test]
fn a_field_that_stands_for_the_whole_message_is_all_that_is_written() {
    let map = map(
        "message M { string a = 1; optional W w = 2 [(gatehouse.options.v1.field) = { whole: true }]; }
         message W { string kind = 1; repeated int32 n = 2; }",
    );
    let plan = map.message("t.v1.M").unwrap();

    assert_eq!(render(plan, &record(1, b"x")).unwrap(), r#"{"a":"x"}"#);
    let whole = [record(1, b"x"), record(2, &record(1, b"k"))].concat();
    assert_eq!(render(plan, &whole).unwrap(), r#"{"kind":"k","n":[]}"#);
    assert_eq!(render(plan, &record(2, &[])).unwrap(), r#"{"kind":"","n":[]}"#);
}

#[test]
fn the_last_value_wins_and_parts_of_a_message_are_joined() {
    let twice = [0x08, 1, 0x08, 2].to_vec();
    assert_eq!(
        render(all(), &twice).unwrap(),
        r#"{"i32":2,"numbers":[],"words":[],"maybe":null}"#
    );

    let parts = [record(17, &[0x08, 1]), vec![0x08, 9], record(17, &[0x10, 2])].concat();
    let joined = r#""inner":{"i32":1,"i64":2,"#;
    assert!(
        render(all(), &parts).unwrap().contains(joined),
        "{}",
        render(all(), &parts).unwrap()
    );

    let oneof = [record(26, b"x"), vec![0xd8, 0x01, 0x05]].concat();
    assert!(
        render(all(), &oneof)
            .unwrap()
            .ends_with(r#""maybe":null,"right":5}"#)
    );
    let other = [vec![0xd8, 0x01, 0x05], record(26, b"x")].concat();
    assert!(
        render(all(), &other)
            .unwrap()
            .ends_with(r#""maybe":null,"left":"x"}"#)
    );
}

#[test]
fn repeated_numbers_are_read_packed_and_one_by_one() {
    let packed = record(18, &[1, 2]);
    let single = vec![0x90, 0x01, 3];

    let json = render(all(), &[packed, vec![0x08, 1], single].concat()).unwrap();

    assert_eq!(json, r#"{"i32":1,"numbers":[1,2,3],"words":[],"maybe":null}"#);
}

#[test]
fn unknown_fields_of_a_newer_peer_are_skipped() {
    let wire = [
        record(4000, b"\xff"),
        vec![0x08, 1],
        vec![0x83, 0x7d, 0x08, 1, 0x84, 0x7d],
    ]
    .concat();

    assert_eq!(
        render(all(), &wire).unwrap(),
        r#"{"i32":1,"numbers":[],"words":[],"maybe":null}"#
    );
}

#[test]
fn unknown_enum_values_have_a_word_of_their_own() {
    assert!(
        render(all(), &[0x80, 0x01, 0x07])
            .unwrap()
            .contains(r#""mode":"unknown-7""#)
    );
    assert!(
        render(all(), &[0x80, 0x01, 0x00])
            .unwrap()
            .contains(r#""mode":"unspecified""#)
    );
}

#[test]
fn a_number_that_is_none_is_null() {
    let wire = [vec![0x61], f64::NAN.to_le_bytes().to_vec()].concat();

    assert!(render(all(), &wire).unwrap().contains(r#""double":null"#));
}

#[test]
fn a_map_is_written_once_for_each_key_in_their_order() {
    let entry = |key: &[u8], i32: u8| record(21, &[record(1, key), record(2, &[0x08, i32])].concat());
    let wire = [entry(b"b", 1), entry(b"a", 2), entry(b"b", 3)].concat();

    let json = render(all(), &wire).unwrap();

    let tail = r#""numbers":[],"words":[],"maybe":null}"#;
    assert!(
        json.contains(&format!(
            r#""byName":{{"a":{{"i32":2,{tail},"b":{{"i32":3,{tail}}}"#
        )),
        "{json}"
    );
}

#[test]
fn broken_bytes_are_refused_with_their_place_and_the_buffer_stays() {
    let mut out = b"before".to_vec();

    let error = all().render(&record(17, &[0x08]), &mut out).unwrap_err();

    assert_eq!(
        error.to_string(),
        "at /inner: malformed: the bytes end in the middle of a value"
    );
    assert_eq!(out, b"before");
    assert_eq!(
        render(all(), &record(14, b"\xff")).unwrap_err(),
        "at /text: malformed: a string is not UTF-8"
    );
    assert_eq!(
        render(all(), &record(1, b"x")).unwrap_err(),
        "at root: malformed: a value has another type than its field"
    );
    assert_eq!(
        render(all(), &record(24, b"1},\"x\":{")).unwrap_err(),
        "at /raw: not valid JSON: expected the end at byte 1"
    );
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| (0..depth).fold(Vec::new(), |inner, _| record(17, &inner));

    assert!(render(all(), &nested(crate::DEPTH_MAX - 1)).is_ok());
    assert!(
        render(all(), &nested(crate::DEPTH_MAX))
            .unwrap_err()
            .ends_with("nests deeper than 64")
    );
    assert!(
        all()
            .check(&nested(3_000))
            .unwrap_err()
            .problem
            .ends_with("nests deeper than 64")
    );
}

#[test]
fn the_growing_string_is_found_in_the_text() {
    let event = session::v1::ChatEvent {
        run_id: "r".to_owned(),
        state: session::v1::chat_event::State::Delta.into(),
        delta_text: Some("a \"b\"\n".to_owned()),
        message: Some(r#"{"role":"assistant"}"#.to_owned()),
        ..Default::default()
    };
    let mut out = b"[".to_vec();

    let rendered = plan_of("session.v1.ChatEvent")
        .render(&event.encode_to_vec(), &mut out)
        .unwrap();

    let content = out.get(rendered.append.expect("a delta")).unwrap();
    assert_eq!(content, br#"a \"b\"\n"#);
    let text = String::from_utf8(out).unwrap();
    let expected = r#"[{"runId":"r","sessionKey":"","seq":0,"state":"delta","deltaText":"a \"b\"\n","message":{"role":"assistant"}}"#;
    assert_eq!(text, expected);
    let unset = plan_of("session.v1.ChatEvent")
        .render(&[], &mut Vec::new())
        .unwrap();
    assert_eq!(unset.append, None);
}

#[test]
fn a_json_value_grows_when_it_is_an_object_of_one_string() {
    let growing = |data: &str| {
        let event = session::v1::AgentEvent {
            data: data.to_owned(),
            ..Default::default()
        };
        let mut out = b"[".to_vec();
        let rendered = plan_of("session.v1.AgentEvent")
            .render(&event.encode_to_vec(), &mut out)
            .unwrap();
        rendered
            .append
            .map(|range| String::from_utf8(out.get(range).unwrap().to_vec()).unwrap())
    };

    assert_eq!(
        growing(r#"{"delta":"a \"b\"\n"}"#).as_deref(),
        Some(r#"a \"b\"\n"#)
    );
    assert_eq!(growing(r#" { "delta" : "" } "#).as_deref(), Some(""));
    for other in [
        r#"{"delta":"a","text":"b"}"#,
        r#"{"delta":1}"#,
        "{}",
        r#""delta""#,
        r#"["delta"]"#,
    ] {
        assert_eq!(growing(other), None, "{other}");
    }
}

#[test]
fn the_growing_string_of_an_inner_message_does_not_count() {
    let wire = record(17, &record(14, b"inner"));

    assert_eq!(all().render(&wire, &mut Vec::new()).unwrap().append, None);
}

#[test]
fn messages_of_the_gateway_read_as_their_clients_expect() {
    let defaults = plan_of("session.v1.SessionDefaults");
    assert_eq!(
        render(defaults, &[]).unwrap(),
        r#"{"modelProvider":null,"model":null,"contextTokens":null}"#
    );
    let describe = plan_of("session.v1.DescribeSessionResponse");
    assert_eq!(render(describe, &[]).unwrap(), r#"{"session":null}"#);
    let row = session::v1::TranscriptMessage {
        role: "user".to_owned(),
        content: "\"hi\"".to_owned(),
        meta: Some(session::v1::TranscriptMeta {
            id: "m".to_owned(),
            seq: 1,
            ..Default::default()
        }),
        ..Default::default()
    };
    assert_eq!(
        render(plan_of("session.v1.TranscriptMessage"), &row.encode_to_vec()).unwrap(),
        r#"{"role":"user","content":"hi","timestamp":0,"__openclaw":{"id":"m","seq":1}}"#
    );
    let health = broadcast::v1::ServiceHealth {
        state: broadcast::v1::service_health::State::NotServing.into(),
        ..Default::default()
    };
    let json = render(plan_of("broadcast.v1.ServiceHealth"), &health.encode_to_vec()).unwrap();
    assert!(json.contains(r#""state":"not_serving""#), "{json}");
}

#[test]
fn a_string_is_found_by_its_json_name() {
    let done = session::v1::SubscribeMessagesResponse {
        subscribed: true,
        key: "agent:main:main".to_owned(),
        ..session::v1::SubscribeMessagesResponse::default()
    };
    let wire = done.encode_to_vec();
    let plan = plan_of("session.v1.SubscribeMessagesResponse");

    assert_eq!(plan.strings(&wire, "key"), ["agent:main:main"]);
    assert!(plan.strings(&wire, "subscribed").is_empty());
    assert!(plan.strings(&[0x12], "key").is_empty());
    assert!(plan.strings(&[], "key").is_empty());
}
