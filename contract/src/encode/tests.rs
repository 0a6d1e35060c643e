mod whole;

use std::sync::LazyLock;

use super::*;
use crate::{Map, testing::everything};

static EVERYTHING: LazyLock<Map> = LazyLock::new(everything);

fn encode(message: &str, json: &str) -> Result<Vec<u8>, String> {
    let plan = EVERYTHING.message(&format!("t.v1.{message}")).expect("known");
    plan.encode(json, &mut Refuse).map_err(|error| error.to_string())
}

/// What the gateway answers when it is sent this.
fn echo(message: &str, json: &str) -> String {
    let wire = encode(message, json).expect("taken");
    let plan = EVERYTHING.message(&format!("t.v1.{message}")).expect("known");
    plan.check(&wire)
        .expect("what is taken as JSON is taken on the wire");
    let mut out = Vec::new();
    plan.render(&wire, &mut out).expect("rendered");
    String::from_utf8(out).expect("text")
}

fn refusal(message: &str, json: &str) -> String {
    encode(message, json).expect_err(json)
}

/// A property of `All` with its value comes back as it was sent.
fn same(property: &str) {
    let json = format!("{{{property}}}");
    let back = echo("All", &json);
    let value: serde_json::Value = serde_json::from_str(&back).expect(&back);
    let sent: serde_json::Value = serde_json::from_str(&json).expect(&json);
    for (name, value_sent) in sent.as_object().expect("an object") {
        assert_eq!(value.get(name), Some(value_sent), "{json} became {back}");
    }
}

#[test]
fn a_list_that_has_to_be_given_may_be_empty_and_may_not_be_missing() {
    let map = crate::testing::map(
        "message M { repeated string a = 1 [(gatehouse.options.v1.field) = { required: true }]; repeated string b = 2; }",
    );
    let plan = map.message("t.v1.M").unwrap();
    let taken = |json: &str| plan.encode(json, &mut Refuse).map_err(|error| error.to_string());

    assert!(taken(r#"{"a":[]}"#).unwrap().is_empty());
    for missing in ["{}", r#"{"b":["x"]}"#] {
        let told = taken(missing).unwrap_err();
        assert!(told.contains("/a") && told.contains("is required"), "{told}");
    }
    let groups = Map::core().method("sessions.groups.put").unwrap();
    assert!(
        groups.request.encode("{}", &mut Refuse).is_err(),
        "it would wipe all of them"
    );
}

#[test]
fn integers_of_every_kind_come_back_as_integers() {
    for name in ["i32", "i64", "s32", "s64", "sf32", "sf64"] {
        for value in [0, 1, -1, i64::from(i32::MAX), i64::from(i32::MIN)] {
            same(&format!("\"{name}\":{value}"));
        }
    }
    for name in ["u32", "u64", "f32", "f64"] {
        for value in [0, 1, u32::MAX] {
            same(&format!("\"{name}\":{value}"));
        }
    }
    for name in ["i64", "s64", "sf64"] {
        same(&format!("\"{name}\":9223372036854775807"));
        same(&format!("\"{name}\":-9223372036854775808"));
    }
    same("\"u64\":18446744073709551615,\"f64\":18446744073709551615");
    same("\"numbers\":[1,-2,9007199254740993]");
}

#[test]
fn a_whole_number_is_one_however_it_is_written() {
    for (written, plain) in [
        ("10.0", "10"),
        ("1e1", "10"),
        ("1.0E+1", "10"),
        ("0.5e1", "5"),
        ("-12.50e1", "-125"),
        ("100e-2", "1"),
        ("-0.0", "0"),
        ("0e5", "0"),
        ("9007199254740993.0", "9007199254740993"),
    ] {
        let text = |number: &str| format!("{{\"i64\":{number}}}");
        let wire = |number: &str| encode("All", &text(number)).expect("an integer");
        assert_eq!(wire(written), wire(plain), "{written}");
    }
}

#[test]
fn what_is_no_integer_is_refused_with_its_place() {
    assert_eq!(
        refusal("All", r#"{"i32":"5"}"#),
        "at /i32: expected an integer, got a string"
    );
    for broken in ["5.5", "1e-1", "0.5", "12.340e1", "1e99999999999999999999"] {
        assert_eq!(
            refusal("All", &format!("{{\"i64\":{broken}}}")),
            format!("at /i64: expected an integer, got {broken}")
        );
    }
    assert!(refusal("All", r#"{"i64":1e30}"#).starts_with("at /i64: must be between"));
    assert_eq!(
        refusal("All", r#"{"i32":2147483648}"#),
        "at /i32: must be between -2147483648 and 2147483647"
    );
    assert_eq!(
        refusal("All", r#"{"u64":-1}"#),
        "at /u64: must be between 0 and 18446744073709551615"
    );
    assert!(
        refusal("All", &format!("{{\"u64\":{}}}", "9".repeat(500))).starts_with("at /u64: must be between 0")
    );
    assert_eq!(
        refusal("All", r#"{"numbers":[1,true]}"#),
        "at /numbers/1: expected an integer, got a boolean"
    );
    assert_eq!(
        refusal("All", r#"{"numbers":[1,null]}"#),
        "at /numbers/1: expected an integer, got null"
    );
    assert_eq!(
        refusal("All", r#"{"i32":}"#),
        "at /i32: not valid JSON: expected a value at byte 7"
    );
}

#[test]
fn other_scalars_come_back_as_they_were() {
    same(
        r#""text":"a \"quoted\" \u00e9 \ud83d\ude00 line\n","bool":true,"words":["", "x"],"float":0.1,"double":-2.5e-9"#,
    );
    assert_eq!(
        echo("All", r#"{"bytes":"-_8"}"#),
        echo("All", r#"{"bytes":"+/8="}"#)
    );
    assert_eq!(refusal("All", r#"{"bytes":"*"}"#), "at /bytes: expected base64");
    assert_eq!(
        refusal("All", r#"{"text":5}"#),
        "at /text: expected a string, got a number"
    );
    assert_eq!(
        refusal("All", r#"{"bool":1}"#),
        "at /bool: expected a boolean, got a number"
    );
    assert_eq!(
        refusal("All", r#"{"bool":truth}"#),
        "at /bool: not valid JSON: expected a value at byte 8"
    );
    assert_eq!(
        refusal("All", r#"{"double":"NaN"}"#),
        "at /double: expected a number, got a string"
    );
    assert_eq!(
        refusal("All", r#"{"double":1e999}"#),
        "at /double: is out of range"
    );
    assert_eq!(refusal("All", r#"{"float":1e39}"#), "at /float: is out of range");
}

#[test]
fn an_enum_is_its_word() {
    same(r#""mode":"read-only","modes":["off","full_open"]"#);
    let refused = "at /mode: expected one of off|read-only|full_open";
    for wrong in [
        "\"MODE_OFF\"",
        "\"Off\"",
        "1",
        "\"unspecified\"",
        "\"unknown-7\"",
        "{}",
    ] {
        assert_eq!(refusal("All", &format!("{{\"mode\":{wrong}}}")), refused);
    }
}

#[test]
fn a_null_is_refused_unless_something_declares_it() {
    assert_eq!(refusal("All", r#"{"i32":null}"#), "at /i32: must not be null");
    assert_eq!(
        refusal("All", r#"{"numbers":null}"#),
        "at /numbers: must not be null"
    );
    assert_eq!(refusal("Patch", r#"{"key":null}"#), "at /key: must not be null");
    assert_eq!(refusal("All", "null"), "at root: expected an object, got null");
    assert_eq!(
        echo("All", r#"{"maybe":null}"#),
        r#"{"numbers":[],"words":[],"maybe":null}"#
    );
    assert_eq!(
        echo("All", r#"{"raw":null}"#),
        r#"{"numbers":[],"words":[],"raw":null,"maybe":null}"#
    );
}

#[test]
fn a_patch_tells_null_from_absent() {
    let json = r#"{"key":"k","label":null,"raw":null,"tags":["a"]}"#;

    assert_eq!(
        echo("Patch", json),
        r#"{"key":"k","tags":["a"],"label":null,"raw":null}"#
    );
    assert_eq!(
        echo("Patch", r#"{"key":"k","label":"x"}"#),
        r#"{"key":"k","label":"x","tags":[]}"#
    );
    assert_eq!(
        refusal("Patch", r#"{"key":"k","nullFields":["label"]}"#),
        "at root: unexpected property 'nullFields'"
    );
}

#[test]
fn required_means_required_and_optional_means_optional() {
    let whole = r#"{"name":"","count":0,"on":false,"body":{},"leaf":{"ratio":0}}"#;
    assert_eq!(echo("Named", whole), whole);
    assert_eq!(refusal("Named", r#"{"name":""}"#), "at /count: is required");
    assert_eq!(
        refusal("All", r#"{"children":[{},{"named":{"name":"x"}}]}"#),
        "at /children/1/named/count: is required"
    );
    assert_eq!(echo("All", "{}"), r#"{"numbers":[],"words":[],"maybe":null}"#);
}

#[test]
fn only_one_member_of_a_oneof_may_be_given() {
    same(r#""left":"x""#);
    same(r#""right":0"#);
    let named = r#"{"name":"","count":0,"on":false,"body":1,"leaf":{"ratio":0}}"#;
    same(&format!("\"named\":{named}"));
    let two = "at root: only one of 'left', 'right', 'named' may be given";
    assert_eq!(refusal("All", r#"{"left":"x","right":1}"#), two);
    assert_eq!(refusal("All", r#"{"left":null}"#), "at /left: must not be null");
}
