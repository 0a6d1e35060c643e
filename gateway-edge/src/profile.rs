//! What is known about the owner of a connection.

use std::{net::IpAddr, sync::Arc};

use gatehouse_contract::{Access, Grants, Role};
use gatehouse_core::{Secret, Timestamp};

use crate::{
    admission::{Reach, Rejection},
    auth::Identity,
    device::Device,
    dialect::{Capabilities, Client, Dialect, Rendition, node::Surface},
    limits,
};

/// What is known after the handshake.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) grants: Grants,
    pub(crate) dialect: Dialect,
    pub(crate) rendition: Rendition,
    pub(crate) capabilities: Capabilities,
    pub(crate) client: Client,
    /// The device whose key the client has shown to hold.
    pub(crate) device: Option<Device>,
    /// What it offers, if it is a node.
    pub(crate) surface: Option<Box<Surface>>,
    /// Of a device that is paired: the generation of its row. When that is another, the connection ends.
    pub(crate) pairing: Option<i64>,
    /// What opened the connection: when it is no longer good, the connection ends.
    pub(crate) identity: Arc<Identity>,
    /// When it came.
    pub(crate) since: Timestamp,
}

impl Profile {
    /// The device behind the connection: one that has shown its key, or that the credential names.
    pub(crate) fn device_id(&self) -> Option<&str> {
        let proven = self.device.as_ref().map(|device| &*device.id);
        proven.or(self.identity.device.as_deref())
    }

    /// Whether it may see what belongs to this named user: its own, or all as the gateway's owner or an administrator.
    pub(crate) fn may_see_of(&self, user: &str) -> bool {
        let own = self.identity.user_id().is_none_or(|own| own == user);
        own || Access::Admin.allows(&self.grants)
    }

    /// Whether it may see what belongs to any user: the gateway's owner, or an administrator.
    pub(crate) fn sees_all(&self) -> bool {
        self.identity.user_id().is_none() || Access::Admin.allows(&self.grants)
    }

    /// Whether it may hear of this device, which has or asks for these scopes: as the list of devices of the config service decides it. Who
    /// comes by a device of its own, and is no administrator, manages that alone. Whoever else may decide about others hears of those that
    /// can do no more than what it came with is good for.
    pub(crate) fn may_hear_of(&self, device: &str, scopes: &Grants) -> bool {
        if let Some(own) = self.device_id()
            && !Access::Admin.allows(&self.grants)
        {
            return own == device;
        }
        let bound = if self.identity.is_shown() {
            &self.identity.bound
        } else {
            &self.grants
        };
        bound.covers(scopes)
    }

    /// What of its credential the connection lives by. A node that the gateway token vouched for lives by its being good at all.
    pub(crate) fn needs(&self) -> Grants {
        match (self.grants.role(), self.identity.bound.role()) {
            (Role::Node, Role::Operator) => Grants::new(Role::Operator, []),
            (Role::Operator | Role::Node, _) => self.grants,
        }
    }

    /// The largest message that this caller may send.
    pub(crate) fn payload_max(&self) -> usize {
        limits::payload_max(&self.grants)
    }
}

/// How a request came to be a connection.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// The client's address, as far as the edge trusts it.
    pub(crate) ip: IpAddr,
    /// How many may stand behind that address.
    pub(crate) reach: Reach,
    /// Whether a browser page stands behind it.
    pub(crate) browser: bool,
    /// Whether it came by TLS: then its socket here is one of our own.
    pub(crate) secure: bool,
    /// The token of the upgrade request.
    pub(crate) bearer: Option<Secret>,
    /// Who a trusted proxy says it is.
    pub(crate) user: Option<Box<str>>,
    pub(crate) challenge: Challenge,
    /// Why it will not get further than to hear so.
    pub(crate) rejection: Option<Rejection>,
}

/// When a connection is sent its challenge. Clients of v4 say nothing before they have it; the plain handshake has none, and its
/// clients may take the first frame for the answer to their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Challenge {
    AtOnce,
    /// When the client has been silent for a while: so it waits for one.
    WhenSilent,
    /// The client has shown its token already.
    Never,
}
