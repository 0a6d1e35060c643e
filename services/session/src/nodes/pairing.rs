//! Who agreed to what. A node's device is paired before it can connect at all; what it offers waits here until somebody grants it.

use std::time::Duration;

use gatehouse_core::{Caller, Chain, Failure, Kind};
use gatehouse_proto::device::v1::RemoveDeviceRoleRequest;
use gatehouse_proto::node::v1 as proto;
use tokio::time::timeout;

use super::live::REMOVED;
use super::{Error, NodeId, NodeRecord, Nodes, commands};

const ADMIN: &str = "operator.admin";
const PAIRING: &str = "operator.pairing";

/// How long the config service may take to unpair a device: one write to its disk.
const UNPAIR_MAX: Duration = Duration::from_secs(5);

/// Whether a caller may decide about this node: a paired device that is no administrator decides about itself only.
fn may_decide(caller: Option<&Caller>, node: &NodeId) -> Result<(), Error> {
    let Some(caller) = caller else { return Ok(()) }; // an operator's tool on this machine
    let admin = caller.grants().is_some_and(|grants| grants.has(ADMIN));
    match &caller.device_id {
        Some(device) if !admin && device != node.as_str() => Err(Error::OtherDevice),
        Some(_) | None => Ok(()),
    }
}

/// Whether a caller sees what this node waits for: who could decide it.
pub(super) fn sees_request(caller: Option<&Caller>, node: &NodeId) -> bool {
    may_decide(caller, node).is_ok()
        && caller.is_none_or(|caller| {
            caller
                .grants()
                .is_some_and(|grants| grants.has(ADMIN) || grants.has(PAIRING))
        })
}

/// Nobody grants what he does not hold.
fn may_grant(caller: Option<&Caller>, node: &NodeRecord) -> Result<(), Error> {
    let (Some(caller), Some(request)) = (caller, &node.request) else {
        return Ok(());
    };
    let grants = caller.grants();
    let required = commands::approval_scopes(&request.surface);
    let holds = |scope: &&str| {
        grants
            .as_ref()
            .is_some_and(|grants| grants.has(scope) || grants.has(ADMIN))
    };
    match required.iter().find(|scope| !holds(scope)) {
        Some(missing) => Err(Error::MissingScope(missing, required)),
        None => Ok(()),
    }
}

impl Nodes {
    /// Answers a request of a node.
    pub(super) async fn answer(
        &self,
        request: &str,
        granted: bool,
        caller: Option<&Caller>,
    ) -> Result<NodeRecord, Error> {
        let asking = self.0.store.asking(request).await?;
        let asking = asking.ok_or(Error::UnknownRequest)?;
        may_decide(caller, &asking.id)?;
        if granted {
            may_grant(caller, &asking)?;
        }
        // What was looked at above is what is answered: another offer is another request.
        let node = self.0.store.answer(request, granted, self.now()).await?;
        let node = node.ok_or(Error::UnknownRequest)?;
        let decision = if granted {
            proto::Decision::Approved
        } else {
            proto::Decision::Rejected
        };
        tracing::info!(
            node.id = %node.id,
            request.id = request,
            client.id = caller.map(|caller| caller.client_id.as_str()),
            outcome = if granted { "approved" } else { "rejected" },
            "a request of a node was answered"
        );
        let told = self.tell_resolved(request, &node.id, decision);
        if let Some(line) = self.0.registry.grant(&node.id, node.granted.as_ref()) {
            line.send(told);
        }
        if granted {
            self.send_waiting(&node.id).await?;
        }
        Ok(node)
    }

    /// Takes the role of a node from a device with all that was granted to it, and lets it go.
    pub(super) async fn remove(&self, node: &NodeId, caller: Option<&Caller>) -> Result<(), Error> {
        may_decide(caller, node)?;
        // First: what is forgotten while its device stays paired would connect again. A repeat finishes what was begun.
        let had_role = self.unpair(node).await?;
        if self.forget(node).await? || had_role {
            return Ok(());
        }
        Err(Error::UnknownNode)
    }

    /// Takes the role of a node from a device. False: it had none. The config service does not tell this service in turn.
    async fn unpair(&self, node: &NodeId) -> Result<bool, Error> {
        let request = RemoveDeviceRoleRequest {
            device_id: node.to_string(),
            role: "node".to_owned(),
        };
        let mut devices = self.0.devices.clone();
        let Ok(answer) = timeout(UNPAIR_MAX, devices.remove_device_role(request)).await else {
            tracing::warn!(node.id = %node, "the config service did not unpair a node in time");
            return Err(Error::ConfigAway);
        };
        let failure = match answer {
            Ok(removed) => return Ok(removed.into_inner().removed),
            Err(status) => Failure::from_status(&status),
        };
        tracing::warn!(node.id = %node, error = %Chain(&failure), "the config service did not unpair a node");
        Err(match failure.kind {
            Kind::Unavailable | Kind::Timeout => Error::ConfigAway,
            _ => Error::Told(failure),
        })
    }

    /// Forgets what a node was granted, when its device is paired no longer, and lets it go. False: there is no such node.
    pub(super) async fn forget(&self, node: &NodeId) -> Result<bool, Error> {
        let Some(ended) = self.0.store.forget(node, self.now()).await? else {
            return Ok(false);
        };
        self.tell_settled(&ended);
        tracing::info!(node.id = %node, "a node was removed");
        let told = self.tell_resolved("", node, proto::Decision::Removed);
        if let Some(line) = self.0.registry.grant(node, None) {
            line.send(told);
        }
        self.0.registry.evict(node, REMOVED);
        Ok(true)
    }

    pub(super) async fn rename(
        &self,
        node: &NodeId,
        name: &str,
        caller: Option<&Caller>,
    ) -> Result<NodeRecord, Error> {
        may_decide(caller, node)?;
        let name = name.trim();
        if name.is_empty() {
            return Err(Error::Field("/displayName", "is empty"));
        }
        if name.chars().any(char::is_control) {
            return Err(Error::Field("/displayName", "control characters are not allowed"));
        }
        let renamed = self.0.store.rename(node, name.to_owned()).await?;
        renamed.ok_or(Error::UnknownNode)
    }
}
