//! The credentials beside the gateway token.

use super::*;

fn row(id: &str, scopes: &[&str]) -> Value {
    json!({"id": id, "digest": hex::encode(&Secret::new(id).digest()), "scopes": scopes})
}

fn ids(configuration: &Configuration) -> Vec<String> {
    let state = configuration.state();
    state.credentials.iter().map(|row| row.id.clone()).collect()
}

#[test]
fn credentials_are_taken_from_their_file_and_revoked_when_they_leave_it() {
    let home = Folder::new(Some("{}"));
    let mut configuration = home.start(&[]).expect("runs");
    let write = |rows: &Value| {
        fs::write(home.0.path().join("config/credentials.json"), rows.to_string()).expect("written")
    };
    assert_eq!(ids(&configuration), ["shared"]);

    write(&json!([row("phone", &["operator.read"]), row("tablet", &[])]));
    configuration.reload().expect("read");
    assert_eq!(ids(&configuration), ["shared", "phone", "tablet"]);
    assert_eq!(
        ids(&home.start(&[]).expect("again")),
        ["shared", "phone", "tablet"]
    );

    write(&json!([row("phone", &["operator.everything"])]));
    configuration.reload().expect("read");
    assert_eq!(
        ids(&configuration),
        ["shared", "phone", "tablet"],
        "a mistake takes nothing"
    );
    assert_eq!(
        ids(&home.start(&[]).expect("again")),
        ["shared"],
        "and gives nothing"
    );

    write(&json!([row("tablet", &[])]));
    configuration.reload().expect("read");
    assert_eq!(ids(&configuration), ["shared", "tablet"]);
    let (token, _) = configuration.rotate_token().expect("ours");
    assert_eq!(
        configuration.state().credentials[0].digest,
        hex::encode(&token.digest())
    );
    assert_eq!(
        ids(&configuration),
        ["shared", "tablet"],
        "a new token revokes nobody else"
    );

    fs::remove_file(home.0.path().join("config/credentials.json")).expect("there");
    configuration.reload().expect("read");
    assert_eq!(ids(&configuration), ["shared"]);
}

#[test]
fn the_scopes_of_the_gateway_token_are_those_of_its_row() {
    let home = Folder::new(Some("{gateway: {auth: {tokenScopes: ['operator.read']}}}"));

    let configuration = home.start(&[]).expect("runs");

    assert_eq!(configuration.state().credentials[0].scopes, ["operator.read"]);
}
