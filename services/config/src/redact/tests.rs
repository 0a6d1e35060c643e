use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::text;

const TEXT: &str = r#"{
  // apiKey: "sk-old-one-that-was-commented-out"
  // the key is in the drawer: top left
  gateway: { auth: { token: 'a-literal-token', mode: "token" } },
  models: { providers: { a: { baseUrl: "https://me:hunter22@host/v1", apiKey: "${KEY}", headers: { "X-A": "Bearer ${KEY}" } },
                         b: { apiKey: { source: "file", path: "/run/secrets/b" } } } },
  channels: { telegram: { botToken: 12345, name: "x" } },
}"#;

#[test]
fn a_text_leaves_without_its_secrets_and_with_its_comments() {
    let (value, found) = text::parse(TEXT).expect("valid");

    let shown = redact_text(TEXT, &found, &value);

    for secret in ["sk-old", "a-literal-token", "hunter22", "12345", "Bearer"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    for kept in [
        "in the drawer",
        "\"${KEY}\"",
        "/run/secrets/b",
        "mode: \"token\"",
        "name: \"x\"",
    ] {
        assert!(shown.contains(kept), "{kept} not in {shown}");
    }
    assert_eq!(text::parse(&shown).expect("still valid").0, redact(&value));
}

#[test]
fn a_key_that_is_given_twice_hides_both_secrets() {
    let twice = "{gateway: {auth: {token: 'first-secret', token: 'second-secret'}}}";
    let (value, found) = text::parse(twice).expect("valid");

    let shown = redact_text(twice, &found, &value);

    assert!(!shown.contains("-secret"), "{shown}");
}

#[test]
fn what_was_read_can_be_written_back() {
    let (value, _) = text::parse(TEXT).expect("valid");
    let mut back = redact(&value);

    restore(&mut back, &value).expect("every secret is known");

    assert_eq!(back, value);
}

#[test]
fn what_a_plugin_is_started_with_is_not_shown_and_comes_back_as_it_was() {
    let current = json!({"plugins": {"entries": {"kitchen": {
        "command": "/opt/kitchen", "args": ["--token", "of-the-kitchen", "--key=of-the-cellar"],
    }}}});

    let shown = redact(&current);

    assert_eq!(
        shown["plugins"]["entries"]["kitchen"]["args"],
        json!([MARKER, MARKER, MARKER])
    );
    assert_eq!(shown["plugins"]["entries"]["kitchen"]["command"], "/opt/kitchen");
    let mut back = shown;
    restore(&mut back, &current).expect("every word is known by its place");
    assert_eq!(back, current);
}

#[test]
fn the_mark_is_refused_where_no_secret_is_kept() {
    let current = json!({"gateway": {"port": 1}});
    let mut patch = json!({"gateway": {"auth": {"token": MARKER}}});

    let issues = restore(&mut patch, &current).expect_err("nothing to restore");

    assert_eq!(
        issues.first().map(|issue| issue.path.as_str()),
        Some("gateway.auth.token")
    );
}

#[test]
fn a_list_element_that_moved_keeps_its_own_secret() {
    let current = json!({"x": [{"id": "a", "token": "aaa"}, {"id": "b", "token": "bbb"}]});
    let mut patch = json!({"x": [{"id": "b", "token": MARKER, "new": 1}, {"id": "a", "token": MARKER}]});

    restore(&mut patch, &current).expect("recognised");

    assert_eq!(
        patch,
        json!({"x": [{"id": "b", "token": "bbb", "new": 1}, {"id": "a", "token": "aaa"}]})
    );
    let mut unknown = json!({"x": [{"token": MARKER, "name": "c"}]});
    assert!(restore(&mut unknown, &current).is_err());
}

#[test]
fn a_service_without_need_gets_no_secret_key_at_all() {
    let mut models =
        json!({"providers": {"a": {"baseUrl": "http://x/v1", "apiKey": "k", "headers": {"X": "y"}}}});

    without_secrets(&mut models, &["models"]);

    assert_eq!(
        models,
        json!({"providers": {"a": {"baseUrl": "http://x/v1", "headers": {}}}})
    );
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[a-z]{1,8}".prop_map(Value::from),
        Just(json!("${NAME}")),
        any::<u16>().prop_map(Value::from)
    ]
}

fn document() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        Just("gateway"),
        Just("auth"),
        Just("token"),
        Just("models"),
        Just("providers"),
        Just("a"),
        Just("apiKey"),
        Just("headers"),
        Just("channels"),
        Just("irc"),
        Just("password"),
        Just("telegram"),
        Just("botToken"),
        Just("id"),
    ];
    let tree = leaf().prop_recursive(5, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..5).prop_map(|members| {
                Value::Object(
                    members
                        .into_iter()
                        .map(|(key, value)| (key.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    });
    tree.prop_filter("an object", Value::is_object)
}

proptest! {
    #[test]
    fn every_document_round_trips_through_its_redaction(value in document()) {
        let mut back = redact(&value);
        restore(&mut back, &value).expect("restorable");
        prop_assert_eq!(&back, &value);

        let written = text::render(&value, 0);
        let (read, found) = text::parse(&written).expect("own text");
        let shown = redact_text(&written, &found, &read);
        prop_assert_eq!(text::parse(&shown).expect("valid").0, redact(&value));
    }
}
