//! What operators and nodes are told.

use gatehouse_core::Timestamp;
use gatehouse_core::publish::Outgoing;
use gatehouse_proto::node::v1 as proto;
use prost::{Message, Name};

use super::{NodeId, NodeRecord, Nodes, PairRequest, commands, view};

/// Something for one connection of a node.
pub(super) fn frame<M: Message + Name>(message: &M) -> proto::AttachNodeResponse {
    proto::AttachNodeResponse {
        r#type: M::full_name(),
        payload: message.encode_to_vec().into(),
    }
}

impl Nodes {
    pub(super) fn tell_requested(&self, node: &NodeRecord, request: &PairRequest) {
        let facts = node.facts.clone();
        let event = proto::NodePairRequestedEvent {
            request_id: request.id.clone(),
            node_id: node.id.to_string(),
            display_name: node.display_name().map(str::to_owned),
            platform: facts.platform,
            version: facts.version,
            client_id: facts.client_id,
            client_mode: facts.client_mode,
            device_family: facts.device_family,
            caps: request.surface.caps.iter().cloned().collect(),
            commands: request.surface.commands.iter().cloned().collect(),
            required_approve_scopes: commands::approval_scopes(&request.surface)
                .into_iter()
                .map(str::to_owned)
                .collect(),
            ts: request.asked_at.as_ms(),
        };
        // A device that is no administrator decides about itself, and hears of itself.
        let about = Outgoing::new(&event).about_device(node.id.as_str(), []);
        self.0.publisher.publish(about);
    }

    /// Tells operators, and answers what the node itself is told.
    pub(super) fn tell_resolved(
        &self,
        request: &str,
        node: &NodeId,
        decision: proto::Decision,
    ) -> proto::AttachNodeResponse {
        let event = proto::NodePairResolvedEvent {
            request_id: request.to_owned(),
            node_id: node.to_string(),
            decision: decision.into(),
            ts: self.now().as_ms(),
        };
        let about = Outgoing::new(&event).about_device(node.as_str(), []);
        self.0.publisher.publish(about);
        frame(&event)
    }

    pub(super) fn tell_presence(&self, node: &NodeId, active: Option<(Timestamp, Timestamp)>) {
        self.0.publisher.publish(Outgoing::new(&proto::NodePresenceEvent {
            node_id: node.to_string(),
            last_active_at_ms: active.map(|(at, _)| at).map(Timestamp::as_ms),
            presence_updated_at_ms: active.map(|(_, said)| said).map(Timestamp::as_ms),
        }));
    }

    pub(super) fn tell_stats(&self, node: &NodeId, stats: &super::HostStats) {
        self.0
            .publisher
            .publish(Outgoing::new(&proto::NodeHostStatsEvent {
                node_id: node.to_string(),
                host_stats: Some(view::stats(stats)),
            }));
    }
}
