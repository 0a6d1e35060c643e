//! The client behind a call that the edge forwards.
//!
//! It travels as one binary metadata value. The server takes it from the edge alone; a call without it comes from the process
//! whose credential it shows ([`identity`]).

use gatehouse_contract::{Grants, Identity, Role};
use gatehouse_proto::common::v1 as wire;
use prost::Message;
use tonic::{
    Request,
    metadata::{BinaryMetadataValue, MetadataMap},
};

use crate::error::{Failure, Kind};

/// The metadata key.
pub const CALLER_KEY: &str = "gatehouse-caller-bin";

/// Which process made a call. `None` when it did not come through our server.
#[must_use]
pub fn identity<T>(request: &Request<T>) -> Option<Identity> {
    request.extensions().get().copied()
}

/// The process that makes a call, when what the call says about it is true.
///
/// # Errors
/// When it names another one.
pub fn names_itself<T>(request: &Request<T>, named: &str) -> Result<Identity, Failure> {
    match identity(request) {
        Some(identity) if identity.name() == named => Ok(identity),
        identity => {
            let identity = identity.map_or("nobody", Identity::name);
            let refusal = format!("{identity} may not speak for {named:?}");
            Err(Failure::new(Kind::Forbidden, refusal).reason("CALLER_NOT_ALLOWED"))
        }
    }
}

/// Who stands behind a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// `operator` or `node`.
    pub role: String,
    /// Granted scopes.
    pub scopes: Vec<String>,
    /// The edge's id of the connection.
    pub connection_id: String,
    /// What the client calls itself. A label, never a reason to allow something.
    pub client_id: String,
    /// The device whose key the client has shown to hold, or that the credential is bound to. Always there for a node.
    pub device_id: Option<String>,
    /// What kind of program the client says it is. A label.
    pub client_mode: Option<String>,
    /// The operating system that the client says it runs on. A label.
    pub platform: Option<String>,
    /// The named user whose credential was shown. `None`: the gateway's owner.
    pub user_id: Option<String>,
    /// What that user is called, for people.
    pub user_name: Option<String>,
    /// The credential that was shown, by its name. `None` where the edge does not tell.
    pub credential_id: Option<String>,
    /// What the client says it can take, of what a service asks for. A label.
    pub capabilities: Vec<String>,
    /// Since when the connection is there, milliseconds since 1970. `None` for a call without one.
    pub connected_at: Option<i64>,
}

impl Caller {
    /// Who stands behind a request; `None` when it comes from a process itself.
    #[must_use]
    pub fn from_request<T>(request: &Request<T>) -> Option<Self> {
        Self::from_metadata(request.metadata())
    }

    /// The same, from the metadata alone.
    #[must_use]
    pub fn from_metadata(metadata: &MetadataMap) -> Option<Self> {
        let bytes = metadata.get_bin(CALLER_KEY)?.to_bytes().ok()?;
        let wire::Caller {
            role,
            scopes,
            connection_id,
            client_id,
            device_id,
            connected_at,
            traceparent: _, // of earlier edges; the call's own metadata say it
            client_mode,
            platform,
            user_id,
            user_name,
            credential_id,
            capabilities,
        } = wire::Caller::decode(bytes).ok()?;
        Some(Self {
            role,
            scopes,
            connection_id,
            client_id,
            device_id,
            client_mode,
            platform,
            user_id,
            user_name,
            credential_id,
            capabilities,
            connected_at,
        })
    }

    /// What it was granted; `None` for a role that does not exist.
    #[must_use]
    pub fn grants(&self) -> Option<Grants> {
        let scopes = self.scopes.iter().map(String::as_str);
        Role::parse(&self.role).map(|role| Grants::new(role, scopes))
    }

    /// Puts the caller into the metadata of a call.
    pub fn attach(&self, metadata: &mut MetadataMap) {
        let caller = wire::Caller {
            role: self.role.clone(),
            scopes: self.scopes.clone(),
            connection_id: self.connection_id.clone(),
            client_id: self.client_id.clone(),
            device_id: self.device_id.clone(),
            connected_at: self.connected_at,
            traceparent: None,
            client_mode: self.client_mode.clone(),
            platform: self.platform.clone(),
            user_id: self.user_id.clone(),
            user_name: self.user_name.clone(),
            credential_id: self.credential_id.clone(),
            capabilities: self.capabilities.clone(),
        };
        metadata.insert_bin(
            CALLER_KEY,
            BinaryMetadataValue::from_bytes(&caller.encode_to_vec()),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_arrives_as_it_was_sent() {
        let caller = Caller {
            role: "operator".into(),
            scopes: vec!["operator.read".into()],
            capabilities: vec!["tool-events".into()],
            ..Caller::default()
        };
        let mut request = Request::new(());
        assert_eq!(Caller::from_request(&request), None);

        caller.attach(request.metadata_mut());

        assert_eq!(Caller::from_request(&request), Some(caller));
    }
}
