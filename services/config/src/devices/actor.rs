//! Who asks for something, and what they may decide.

use gatehouse_contract::{Grants, Role};
use gatehouse_core::Caller;
use tonic::Request;

use super::error::DeviceError;

const ADMIN: &str = "operator.admin";

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Actor {
    pub(super) grants: Grants,
    /// The device behind the call.
    pub(super) device: Option<String>,
    pub(super) user_id: Option<String>,
}

impl Actor {
    /// Who stands behind a request. Without a client it is the operator's own tool on this machine, which may do everything.
    pub(super) fn of<T>(request: &Request<T>) -> Self {
        match Caller::from_request(request) {
            Some(caller) => Self {
                // A role that does not exist holds nothing.
                grants: caller.grants().unwrap_or_else(|| Grants::new(Role::Node, [])),
                device: caller.device_id,
                user_id: caller.user_id,
            },
            None => Self {
                grants: Grants::all(Role::Operator),
                device: None,
                user_id: None,
            },
        }
    }

    pub(super) fn is_admin(&self) -> bool {
        self.grants.has(ADMIN)
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
