//! Whole messages: names, maps, bounds, raw JSON and depth.

use super::*;

#[test]
fn names_are_json_names_and_nothing_else() {
    assert_eq!(
        refusal("All", r#"{"by_name":{}}"#),
        "at root: unexpected property 'by_name'"
    );
    assert_eq!(
        refusal("All", r#"{"inner":{"foo":1}}"#),
        "at /inner: unexpected property 'foo'"
    );
    assert_eq!(
        refusal("All", r#"{"i32":1,"i32":2}"#),
        "at root: property 'i32' is given twice"
    );
    assert_eq!(
        refusal("All", r#"{"i32":1,"\u0069\u00332":2}"#),
        "at root: property 'i32' is given twice"
    );
    same(r#""i3\u0032":7"#);
}

#[test]
fn fields_of_the_gateway_are_refused_from_outside() {
    struct Count(Vec<String>);
    impl UnknownFields for Count {
        fn unknown(&mut self, path: &str) -> bool {
            self.0.push(path.to_owned());
            false
        }
    }
    let plan = EVERYTHING.message("t.v1.All").unwrap();
    let mut count = Count(Vec::new());

    for name in ["callerId", "reserved"] {
        let error = plan
            .encode(&format!("{{\"{name}\":\"x\"}}"), &mut count)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("at /{name}: may only be set by the gateway")
        );
    }
    plan.encode(
        r#"{"a/b":1,"children":[{"x":[[{}]]}],"inner":{"y":null}}"#,
        &mut count,
    )
    .unwrap();

    assert_eq!(count.0, ["/a~1b", "/children/0/x", "/inner/y"]);
}

#[test]
fn maps_keep_their_keys_apart() {
    same(
        r#""byName":{"a":{"i32":1,"numbers":[],"words":[],"maybe":null},"":{"numbers":[],"words":[],"maybe":null}}"#,
    );
    same(r#""byNumber":{"-5":"x","7":""},"byFlag":{"true":false,"false":true}"#);
    assert_eq!(
        refusal("All", r#"{"byName":{"a":{},"a":{}}}"#),
        "at /byName: property 'a' is given twice"
    );
    assert_eq!(
        refusal("All", r#"{"byName":{"a/b":{"i32":""}}}"#),
        "at /byName/a~1b/i32: expected an integer, got a string"
    );
    assert_eq!(
        refusal("All", r#"{"byNumber":{"x":""}}"#),
        "at /byNumber/x: expected an integer as key"
    );
    assert_eq!(
        refusal("All", r#"{"byNumber":{"01":""}}"#),
        "at /byNumber/01: expected an integer as key"
    );
    assert_eq!(
        refusal("All", r#"{"byNumber":{"1.0":""}}"#),
        "at /byNumber/1.0: expected an integer as key"
    );
    assert_eq!(
        refusal("All", r#"{"byFlag":{"yes":true}}"#),
        "at /byFlag/yes: expected the key true or false"
    );
    assert_eq!(
        refusal("All", r#"{"byNumber":{"1":"","2":"","3":""}}"#),
        "at /byNumber: must have at most 2 items"
    );
}

#[test]
fn bounds_are_kept() {
    assert_eq!(
        refusal("All", r#"{"bounded":"x"}"#),
        "at /bounded: must be at least 2 bytes long"
    );
    assert_eq!(
        refusal("All", r#"{"bounded":"xxxxx"}"#),
        "at /bounded: must be at most 4 bytes long"
    );
    assert_eq!(
        refusal("All", r#"{"ranged":11}"#),
        "at /ranged: must be between -1 and 10"
    );
    assert_eq!(
        refusal("All", r#"{"ranged":-2}"#),
        "at /ranged: must be between -1 and 10"
    );
    assert_eq!(
        refusal("All", r#"{"share":1.5}"#),
        "at /share: must be between 0 and 1"
    );
    assert_eq!(
        refusal("All", r#"{"words":["","","",""]}"#),
        "at /words: must have at most 3 items"
    );
    same(r#""bounded":"éé","ranged":10,"share":1,"words":["","",""]"#);
}

#[test]
fn raw_json_is_copied_as_it_is() {
    let raw = r#"{ "b": 1.0, "a": 12345678901234567890123, "b":[1 ,2] }"#;
    let json = format!("{{\"raw\": \n {raw} }}");

    assert!(echo("All", &json).contains(raw));
    assert_eq!(
        refusal("All", r#"{"raw":[1,]}"#),
        "at /raw: not valid JSON: expected a value at byte 10"
    );
}

#[test]
fn depth_is_bounded_everywhere() {
    let nested = |open: &str, close: &str, depth: usize| open.repeat(depth) + "{}" + &close.repeat(depth);
    assert!(encode("All", &nested("{\"inner\":", "}", DEPTH_MAX - 1)).is_ok());
    for json in [
        nested("{\"inner\":", "}", DEPTH_MAX),
        nested("{\"inner\":", "}", 100_000),
        nested("{\"children\":[", "]}", 100_000),
        nested("{\"byName\":{\"a\":", "}}", 100_000),
        format!("{{\"raw\":{}", nested("[", "]", 100_000)),
        format!("{{\"raw\":{}", "[".repeat(100_000)),
        format!("{{\"raw\":{}}}", nested("[", "]", DEPTH_MAX - 1)),
    ] {
        let refused = refusal("All", &json);
        assert!(refused.ends_with("nests deeper than 64"));
    }
    let plan = EVERYTHING.message("t.v1.All").unwrap();
    let unknown = format!("{{\"foo\":{}", "[".repeat(100_000));
    assert!(
        plan.encode(&unknown, &mut Ignore)
            .unwrap_err()
            .problem
            .contains("deeper")
    );
}

#[test]
fn what_stands_after_the_value_is_refused() {
    assert_eq!(
        refusal("All", "{} x"),
        "at root: not valid JSON: expected the end at byte 3"
    );
    assert_eq!(
        refusal("All", ""),
        "at root: not valid JSON: expected a value at byte 0"
    );
    assert_eq!(refusal("All", "[]"), "at root: expected an object, got an array");
    assert_eq!(
        refusal("All", r#"{"i32":1,}"#),
        "at root: not valid JSON: expected a string at byte 9"
    );
}
