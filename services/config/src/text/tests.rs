use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;

const TEXT: &str = "// the gateway\n{\n  gateway: {\n    port: 18789, // OpenClaw's\n    bind: 'loopback',\n  },\n  /* who answers */\n  agents: { defaults: { timeoutSeconds: 600 } },\n}\n";

fn after(text: &str, patch: &Value) -> String {
    let edited = merge_text(text, patch).expect("editable");
    let mut expected = parse(text).expect("valid").0;
    merge(&mut expected, patch);
    assert_eq!(parse(&edited).expect("valid").0, expected);
    edited
}

#[test]
fn a_change_leaves_comments_and_everything_else_in_place() {
    let edited = after(TEXT, &json!({"gateway": {"port": 19000}}));

    assert_eq!(edited, TEXT.replace("18789", "19000"));
}

#[test]
fn a_new_key_joins_the_others_and_a_null_takes_its_line_away() {
    let edited = after(
        TEXT,
        &json!({"gateway": {"bind": null, "publicOrigin": "https://x"}, "session": {"dmScope": "main"}}),
    );

    assert!(
        edited.contains("    port: 18789, // OpenClaw's\n    publicOrigin: \"https://x\",\n  },"),
        "{edited}"
    );
    assert!(
        edited.contains("\n  session: {\n    dmScope: \"main\",\n  },\n}\n"),
        "{edited}"
    );
    assert!(edited.contains("/* who answers */"), "{edited}");
}

#[test]
fn one_line_objects_and_missing_commas_are_extended() {
    after("{a: 1}", &json!({"b": 2}));
    after("{a: {}}", &json!({"a": {"b": {"c": [1, {"d": 2}]}}}));
    after("{\n  a: 1\n}", &json!({"b": 2, "c": null}));
    after("{\n  a: 1 // last\n}", &json!({"b": 2}));
    after("{a: 1, b: 2}", &json!({"a": null, "c": 3}));
    after("{a: 1, b: 2}", &json!({"b": null, "c": 3}));
    after("{a: 1}", &json!({"a": 2, "b": 3}));
    after("{}", &json!({"strange key": "x"}));
    after("// nothing yet\n", &json!({"a": 1}));
    after("", &json!({"a": 1}));
}

#[test]
fn what_is_added_looks_as_what_stands_there() {
    let set = |text: &str, patch: Value| after(text, &patch);

    assert_eq!(
        set(
            "{ agents: { defaults: { model: 'a/b' } } }",
            json!({"agents": {"defaults": {"systemPrompt": "x"}}})
        ),
        "{ agents: { defaults: { model: 'a/b', systemPrompt: \"x\" } } }"
    );
    assert_eq!(set("{a: 1}", json!({"b": 2})), "{a: 1, b: 2}");
    assert_eq!(set("{ a: { b: 1 }, }", json!({"c": 2})), "{ a: { b: 1 }, c: 2 }");
    assert_eq!(
        set("{ a: 1,\n  b: 2 }", json!({"c": [3]})),
        "{ a: 1,\n  b: 2, c: [3] }"
    );
    assert_eq!(
        set("{\n\ta: {\n\t\tb: 1\n\t}\n}\n", json!({"a": {"c": {"d": 1}}})),
        "{\n\ta: {\n\t\tb: 1,\n\t\tc: {\n\t\t\td: 1,\n\t\t},\n\t}\n}\n"
    );
    assert_eq!(
        set("{\n    a: 1,\n}\n", json!({"b": {"c": 1}})),
        "{\n    a: 1,\n    b: {\n      c: 1,\n    },\n}\n"
    );
    assert_eq!(
        set("{ /* my notes */ }", json!({"b": 2})),
        "{ /* my notes */ \n  b: 2,\n}"
    );
    assert_eq!(
        set("{\n  // my notes\n}\n", json!({"b": 2})),
        "{\n  // my notes\n  b: 2,\n}\n"
    );
}

#[test]
fn a_mistake_names_its_line() {
    let error = parse("{\n  a: 1\n  b: 2\n}").expect_err("a comma is missing");

    assert_eq!(
        error.to_string(),
        "a comma or a closing brace `}` is missing in line 3, column 3"
    );
    assert_eq!(parse("[1]").expect_err("an array"), TextError::NotAnObject);
}

#[test]
fn a_whole_number_is_one_in_every_form() {
    for form in [
        "131072",
        "131072.0",
        "131072.",
        "1.31072e5",
        "13107200e-2",
        "0x20000",
        "+131072",
        "131072.000",
    ] {
        let (value, _) = parse(&format!("{{ a: [{form}] }}")).expect(form);

        assert_eq!(value, json!({"a": [131_072]}), "{form}");
    }
    let (value, _) = parse("{a: [0.5, 1e300, -2.0, -0.0, 9007199254740993, 1e15]}").expect("valid");
    assert_eq!(
        value,
        json!({"a": [0.5, 1e300, -2, 0, 9_007_199_254_740_993_u64, 1_000_000_000_000_000_i64]})
    );
    let edited = merge_text("{ a: 1 }", &parse("{ b: 1e3 }").expect("valid").0).expect("editable");
    assert_eq!(parse(&edited).expect("valid").0, json!({"a": 1, "b": 1000}));
}

#[test]
fn a_number_that_no_document_can_keep_is_refused_where_it_stands() {
    for number in [
        "1e400",
        "-1e400",
        "Infinity",
        "-Infinity",
        "NaN",
        "+NaN",
        "9.e999",
    ] {
        let error = parse(&format!("{{\n  a: 1, b: [{number}] }}")).expect_err(number);

        let told = error.to_string();
        assert_eq!(
            told,
            "a number that is none, or larger than any can be in line 2, column 13"
        );
    }
    let (value, _) =
        parse("{ Infinity: 1, NaN: 'NaN', a: 18446744073709551616, b: 0xffffffffffffffffff, c: 1e-400 }")
            .expect("valid");
    assert_eq!(
        value,
        json!({"Infinity": 1, "NaN": "NaN", "a": 18_446_744_073_709_551_616_f64, "b": 4_722_366_482_869_645_213_695_f64, "c": 0})
    );
}

#[test]
fn endless_nesting_is_refused_before_it_is_followed() {
    let deep = format!("{{a: {}", "[".repeat(100_000));

    assert!(matches!(parse(&deep), Err(TextError::Syntax { .. })));
}

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z \"'/*\\\\\n,{}\u{2028}é]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec(("[abc]|a b|\"|\\$x", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn object() -> impl Strategy<Value = Value> {
    prop::collection::vec(("[abcd]|e f", tree()), 0..5)
        .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>()))
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(value in object()) {
        prop_assert_eq!(&parse(&render(&value, 0)).expect("own text").0, &value);
        prop_assert_eq!(&parse(&value.to_string()).expect("JSON").0, &value);
    }

    #[test]
    fn an_edit_in_place_equals_the_merge_of_the_values(
        value in object(), patch in object(), compact in any::<bool>()
    ) {
        let text = if compact { value.to_string() } else { render(&value, 0) };
        let mut expected = value;
        merge(&mut expected, &patch);

        let edited = merge_text(&text, &patch).expect("editable in place");

        prop_assert_eq!(&parse(&edited).expect("valid").0, &expected);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[{}\\[\\]:,\"'/*a1\\\\\n ]{0,40}") {
        let _ = parse(&text);
        let _ = merge_text(&text, &json!({"a": {"b": 1}}));
    }
}
