//! Revisions of the configuration, as the config service pushes them.

use gatehouse_contract::{Grants, Role};
use gatehouse_proto::config::v1::{Credential, WatchConfigResponse};

/// A revision of the configuration.
pub(crate) fn revision(config: &str, token: &str) -> WatchConfigResponse {
    with_credentials(config, vec![credential("shared", token, &scopes_of(config))])
}

/// A revision with these credentials and no others.
pub(crate) fn with_credentials(config: &str, credentials: Vec<Credential>) -> WatchConfigResponse {
    WatchConfigResponse {
        hash: format!("{config}{credentials:?}"),
        config: config.to_owned(),
        token_digest: String::new(),
        credentials,
        devices: Vec::new(),
        left_out: Vec::new(),
    }
}

/// A row of the table.
pub(crate) fn credential(id: &str, token: &str, scopes: &[&str]) -> Credential {
    let digest = gatehouse_core::Secret::new(token).digest();
    Credential {
        id: id.to_owned(),
        digest: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        role: "operator".to_owned(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        ..Credential::default()
    }
}

/// What the gateway token is good for, as the config service would say it.
fn scopes_of(config: &str) -> Vec<&'static str> {
    let config: serde_json::Value = serde_json::from_str(config).unwrap();
    let named = config.pointer("/gateway/auth/tokenScopes").cloned();
    let all = Grants::all(Role::Operator).scopes();
    all.filter(|scope| {
        named
            .as_ref()
            .is_none_or(|named| named.to_string().contains(scope))
    })
    .collect()
}
