//! The gateway token: what a person shows to come in. It comes from the document, or from a file that is made at the
//! first start. Nobody gets it from here but the administrator who changes it; the edge gets its digest.

use gatehouse_core::Secret;

use gatehouse_document::{SecretInput, gateway::AuthMode};

use crate::{
    refusal::ConfigError,
    revision::Revision,
    secrets::is_reference,
    store::{Disk, Store},
    strength::weakness,
};

/// Where the token comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The file beside the configuration.
    Kept,
    /// `gateway.auth.token`, written out.
    Written,
    /// `gateway.auth.token`, as a reference.
    Referred,
}

/// Which key of the document holds what a person shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Token,
    Password,
}

pub(crate) fn key(revision: &Revision) -> Key {
    match revision.document().gateway.auth.mode {
        AuthMode::Password => Key::Password,
        AuthMode::Token | AuthMode::TrustedProxy | AuthMode::None => Key::Token,
    }
}

/// Where the token of a revision comes from.
pub(crate) fn origin(revision: &Revision) -> Origin {
    if written(revision).is_none() {
        return Origin::Kept; // also beside a token that is left out
    }
    match revision.written().pointer(match key(revision) {
        Key::Token => "/gateway/auth/token",
        Key::Password => "/gateway/auth/password",
    }) {
        None | Some(serde_json::Value::Null) => Origin::Kept,
        Some(value) if is_reference(value) || value.as_str().is_some_and(|text| text.contains("${")) => {
            Origin::Referred
        }
        Some(_) => Origin::Written,
    }
}

/// The token that a revision sets itself.
pub(crate) fn written(revision: &Revision) -> Option<Secret> {
    let auth = &revision.document().gateway.auth;
    let secret = match key(revision) {
        Key::Token => &auth.token,
        Key::Password => &auth.password,
    };
    match secret {
        Some(SecretInput::Text(token)) => Some(Secret::new(token.clone())),
        _ => None,
    }
}

/// The token of a revision; a new one is made and kept when there is none.
pub(crate) fn of<D: Disk>(revision: &Revision, store: &Store<D>) -> Result<Secret, ConfigError> {
    if let Some(token) = written(revision) {
        return Ok(token);
    }
    let path = store.token_path();
    if let Some(token) = store
        .read_token()
        .map_err(ConfigError::files(format!("read {}", path.display())))?
    {
        // A person may have written it there.
        return match weakness(&token) {
            None => Ok(Secret::new(token)),
            Some(why) => Err(ConfigError::WeakToken { path, why }),
        };
    }
    let token = Secret::generate();
    let failed = ConfigError::files(format!("write {}", path.display()));
    store
        .write_token(token.expose())
        .map_err(|error| failed(error.into()))?;
    Ok(token)
}
