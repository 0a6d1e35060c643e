//! Who asks for something, and what they may decide.

use gatehouse_contract::{Grants, Role};
use gatehouse_core::Caller;
use gatehouse_proto::config::v1::Credential;
use tonic::Request;

use super::error::DeviceError;

const ADMIN: &str = "operator.admin";
/// The gateway's owner, whose is the gateway token, by the name that clients have for it.
pub(super) const OWNER: &str = "gateway-owner";

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Actor {
    pub(super) grants: Grants,
    /// The device behind the call.
    pub(super) device: Option<String>,
    pub(super) user_id: Option<String>,
    /// The credential that was shown, as the table names it.
    pub(super) credential: Option<String>,
    /// What that is good for: a connection asks for no more than it needs, and is no less trusted for it.
    pub(super) bound: Grants,
}

impl Actor {
    /// Who stands behind a request. Without a client it is the operator's own tool on this machine, which may do everything.
    pub(super) fn of<T>(request: &Request<T>) -> Self {
        match Caller::from_request(request) {
            Some(caller) => {
                // A role that does not exist holds nothing.
                let grants = caller.grants().unwrap_or_else(|| Grants::new(Role::Node, []));
                Self {
                    grants,
                    device: caller.device_id,
                    user_id: caller.user_id,
                    credential: caller.credential_id,
                    bound: grants,
                }
            }
            None => Self::unbounded(),
        }
    }

    /// One who may do everything.
    pub(super) fn unbounded() -> Self {
        Self {
            grants: Grants::all(Role::Operator),
            device: None,
            user_id: None,
            credential: None,
            bound: Grants::all(Role::Operator),
        }
    }

    /// The same, with what its credential is good for, if that is in one of these tables.
    pub(super) fn known_by<'a>(mut self, tables: impl IntoIterator<Item = &'a Credential>) -> Self {
        let mut rows = tables.into_iter();
        let found = rows.find(|row| self.credential.as_ref() == Some(&row.id));
        if let Some(role) = found.and_then(|row| Role::parse(&row.role)) {
            let scopes = found.into_iter().flat_map(|row| &row.scopes);
            self.bound = Grants::new(role, scopes.map(String::as_str));
        }
        self
    }

    pub(super) fn is_admin(&self) -> bool {
        self.grants.has(ADMIN)
    }

    /// Whose name it changes: its own, or that of the user whom an administrator means.
    pub(super) fn names(self, meant: Option<String>) -> Result<String, DeviceError> {
        let is_admin = self.is_admin();
        match (meant.or_else(|| self.user_id.clone()), self.user_id) {
            (None, _) => Err(DeviceError::OwnerHasNoName),
            (Some(meant), own) if own.as_ref() == Some(&meant) => Ok(meant),
            (Some(_), _) if !is_admin => Err(DeviceError::NotYourName),
            (Some(meant), _) if meant == OWNER => Err(DeviceError::OwnerHasNoName),
            (Some(meant), _) => Ok(meant),
        }
    }

    /// The one device that it sees and manages. `None`: all of them.
    pub(super) fn confined_to(&self) -> Option<&str> {
        self.device.as_deref().filter(|_| !self.is_admin())
    }

    /// Whether it may decide about a device.
    pub(super) fn manages(&self, device: &str) -> Result<(), DeviceError> {
        match self.confined_to() {
            Some(own) if own != device => Err(DeviceError::NotYours),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether it could do all of this itself: then it may take it from others.
    pub(super) fn outranks(&self, other: &Grants) -> Result<(), DeviceError> {
        match missing(&self.bound, other) {
            Some(scope) => Err(DeviceError::NotHeld(scope)),
            None => Ok(()),
        }
    }

    /// Whether it has all that it would give away.
    pub(super) fn holds(&self, wanted: &Grants) -> Result<(), DeviceError> {
        match missing(&self.grants, wanted) {
            Some(scope) => Err(DeviceError::NotHeld(scope)),
            None => Ok(()),
        }
    }
}

/// The first scope that is wanted and not had. Scopes contain each other as they do when they are used.
pub(super) fn missing(had: &Grants, wanted: &Grants) -> Option<&'static str> {
    wanted
        .scopes()
        .find(|scope| !had.covers(&Grants::new(Role::Operator, [*scope])))
}
