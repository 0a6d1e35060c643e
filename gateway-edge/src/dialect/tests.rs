use serde_json::json;

use super::*;

fn v4() -> Value {
    json!({"minProtocol": 3, "maxProtocol": 4, "client": {"id": "cli", "version": "1", "platform": "linux", "mode": "cli"}})
}

fn with(pointer: &str, value: Value) -> Value {
    let mut params = v4();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    params.pointer_mut(parent).unwrap()[key] = value;
    params
}

#[test]
fn a_wrong_field_is_named_with_its_path() {
    let problem = |params: &Value| match Asked::read(params) {
        Err(Unreadable::Field(problem)) => problem,
        other => panic!("{other:?}"),
    };

    assert_eq!(problem(&json!([])), "at root: expected an object");
    assert_eq!(problem(&json!({"client": {}})), "at /minProtocol: required");
    assert_eq!(
        problem(&with("/client/id", json!(""))),
        "at /client/id: expected 1 to 200 bytes"
    );
    assert_eq!(
        problem(&with("/client/id", json!("a\u{1b}[2J"))),
        "at /client/id: control characters are not allowed"
    );
    assert_eq!(
        problem(&with("/client/mode", json!(null))),
        "at /client/mode: required"
    );
    assert_eq!(
        problem(&with("/role", json!("emperor"))),
        "at /role: expected operator or node"
    );
    assert_eq!(
        problem(&with("/scopes", json!("operator.admin"))),
        "at /scopes: expected at most 64 strings"
    );
    assert_eq!(
        problem(&with("/auth", json!({"token": 5}))),
        "at /auth/token: expected a string"
    );
    assert_eq!(
        problem(&json!({"tokn": "x"})),
        "at root: unexpected property 'tokn'"
    );
    assert_eq!(
        problem(&json!({"stateVersion": 7})),
        "at /stateVersion: expected an object with presence and health, as hello-ok has it"
    );
    assert_eq!(
        problem(&json!({"stateVersion": {"health": "new"}})),
        "at /stateVersion/health: expected an integer"
    );
}

#[test]
fn fields_that_no_schema_has_are_no_reason_to_refuse_a_v4_client() {
    let asked = Asked::read(&with("/modelCatalog", json!({"sessionKey": "main"}))).unwrap();

    assert_eq!((asked.dialect, asked.scopes), (Dialect::V4, Some(Vec::new())));
}

#[test]
fn a_range_without_our_version_is_told_apart() {
    let params = with("/maxProtocol", json!(3));

    assert_eq!(
        Asked::read(&params).unwrap_err(),
        Unreadable::Protocol { min: 3, max: 3 }
    );
}

#[test]
fn the_shared_secret_is_taken_as_token_or_password() {
    for auth in [
        json!({"token": "s"}),
        json!({"password": "s"}),
        json!({"token": "", "password": "s"}),
    ] {
        let asked = Asked::read(&with("/auth", auth)).unwrap();
        assert!(asked.token.or(asked.password).unwrap().matches("s"));
    }
    let asked = Asked::read(&with("/auth", json!({"deviceToken": "d"}))).unwrap();
    assert!(asked.token.is_none() && asked.device_token.unwrap().matches("d"));
}

#[test]
fn a_device_signs_the_first_credential_that_it_sends_and_no_password() {
    let signed = |auth: Value| {
        let asked = Asked::read(&with("/auth", auth)).unwrap();
        asked.signed().map(|secret| secret.expose().to_owned())
    };

    assert_eq!(
        signed(json!({"token": "t", "deviceToken": "d"})).as_deref(),
        Some("t")
    );
    assert_eq!(
        signed(json!({"deviceToken": "d", "bootstrapToken": "b"})).as_deref(),
        Some("d")
    );
    assert_eq!(
        signed(json!({"bootstrapToken": "b", "password": "p"})).as_deref(),
        Some("b")
    );
    assert_eq!(signed(json!({"password": "p"})), None);
}

#[test]
fn who_is_not_known_to_draw_increments_gets_the_whole_text() {
    let rendition = |params: &Value| Asked::read(params).unwrap().rendition;

    assert_eq!(rendition(&v4()), Rendition::Cumulative);
    assert_eq!(
        rendition(&with("/caps", json!(["text-increments"]))),
        Rendition::Increment
    );
    assert_eq!(
        rendition(&with("/client/id", json!("openclaw-control-ui"))),
        Rendition::Increment
    );
    assert_eq!(rendition(&json!({"token": "t"})), Rendition::Increment);
}

#[test]
fn what_a_client_can_take_is_read_from_its_words_and_a_plain_one_takes_everything() {
    let of = |params: Value| Asked::read(&params).unwrap().capabilities;

    let both = of(with(
        "/caps",
        json!(["approvals", "tool-events", "session-scoped-events"]),
    ));
    assert!(both.tool_events && both.own_sessions_only);
    assert_eq!(both.for_services(), ["tool-events"]);
    assert_eq!(of(v4()), Capabilities::default());
    assert_eq!(of(json!({"role": "operator"})), Capabilities::PLAIN);
}
