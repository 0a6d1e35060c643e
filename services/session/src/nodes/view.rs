//! Nodes as operators see them.

use std::collections::BTreeSet;

use gatehouse_core::Timestamp;
use gatehouse_proto::node::v1 as proto;

use super::live::Seen;
use super::{HostStats, InvocationRecord, NodeRecord, Nodes, State, Surface, commands};
use crate::media::Links;

fn list(set: &BTreeSet<String>) -> Vec<String> {
    set.iter().cloned().collect()
}

fn permissions(surface: &Surface) -> Option<String> {
    if surface.permissions.is_empty() {
        return None;
    }
    serde_json::to_string(&surface.permissions).ok()
}

pub(super) fn stats(stats: &HostStats) -> proto::HostStats {
    let HostStats {
        cpu_count,
        load_average,
        memory_total_bytes,
        memory_free_bytes,
        disk_total_bytes,
        disk_available_bytes,
        updated_at,
    } = stats.clone();
    proto::HostStats {
        cpu_count,
        load_average,
        memory_total_bytes,
        memory_free_bytes,
        disk_total_bytes,
        disk_available_bytes,
        updated_at_ms: updated_at.as_ms(),
    }
}

impl Nodes {
    /// One node; what it asks for is shown to who may grant it.
    pub(super) fn view(&self, node: &NodeRecord, shows_requests: bool) -> Result<proto::Node, super::Error> {
        let live = self.0.registry.see(&node.id);
        let rules = self.rules()?;
        Ok(view(node, live.as_ref(), &rules, shows_requests))
    }
}

fn view(
    node: &NodeRecord,
    live: Option<&Seen>,
    rules: &commands::Rules,
    shows_requests: bool,
) -> proto::Node {
    let facts = live.map_or(&node.facts, |live| &live.facts).clone();
    // A node that is away is shown with what it has.
    let surface = match live {
        Some(live) => live.effective.clone(),
        None => node.granted.clone().unwrap_or_default(),
    };
    let surface = rules.cut(&facts, surface);
    let request = node.request.as_ref();
    let shown = request.filter(|_| shows_requests);
    let state = match (request, &node.granted) {
        (Some(_), Some(_)) => proto::ApprovalState::PendingReapproval,
        (Some(_), None) => proto::ApprovalState::PendingApproval,
        (None, Some(_)) => proto::ApprovalState::Approved,
        (None, None) => proto::ApprovalState::Unapproved,
    };
    proto::Node {
        node_id: node.id.to_string(),
        display_name: node.display_name().map(str::to_owned),
        platform: facts.platform,
        version: facts.version,
        core_version: facts.core_version,
        ui_version: facts.ui_version,
        client_id: facts.client_id,
        client_mode: facts.client_mode,
        device_family: facts.device_family,
        model_identifier: facts.model_identifier,
        remote_ip: facts.remote_ip,
        caps: list(&surface.caps),
        commands: list(&surface.commands),
        session_host: node.session_host,
        host_stats: node.stats.as_ref().map(stats),
        node_plugin_tools: live.map(|live| live.tools.clone()).unwrap_or_default(),
        path_env: live.and(facts.path_env),
        permissions: permissions(&surface),
        approval_state: state.into(),
        pending_request_id: shown.map(|request| request.id.clone()),
        pending_declared_caps: shown
            .map(|request| list(&request.surface.caps))
            .unwrap_or_default(),
        pending_declared_commands: shown
            .map(|request| list(&request.surface.commands))
            .unwrap_or_default(),
        pending_declared_permissions: shown.and_then(|request| permissions(&request.surface)),
        connected_at_ms: live.map(|live| live.connected_at).map(Timestamp::as_ms),
        last_connected_at_ms: Some(node.connected_at.as_ms()),
        last_disconnected_at_ms: node
            .disconnected_at
            .filter(|_| live.is_none())
            .map(Timestamp::as_ms),
        last_active_at_ms: live
            .and_then(|live| live.active)
            .map(|(at, _)| at)
            .map(Timestamp::as_ms),
        presence_updated_at_ms: live
            .and_then(|live| live.active)
            .map(|(_, said)| said)
            .map(Timestamp::as_ms),
        last_seen_at_ms: Some(node.seen_at.as_ms()),
        last_seen_reason: Some(node.seen_reason.clone()),
        approved_at_ms: node.approved_at.map(Timestamp::as_ms),
        paired: true, // only a paired device gets here, and one that is unpaired is forgotten
        connected: live.is_some(),
        active: None,
        ts: None,
    }
}

/// A node with its request, or with what it has.
fn pairing(node: &NodeRecord, surface: &Surface) -> proto::NodePairing {
    let facts = node.facts.clone();
    proto::NodePairing {
        request_id: None,
        node_id: node.id.to_string(),
        client_id: facts.client_id,
        client_mode: facts.client_mode,
        display_name: node.display_name().map(str::to_owned),
        platform: facts.platform,
        version: facts.version,
        core_version: facts.core_version,
        ui_version: facts.ui_version,
        device_family: facts.device_family,
        model_identifier: facts.model_identifier,
        remote_ip: facts.remote_ip,
        caps: list(&surface.caps),
        commands: list(&surface.commands),
        permissions: permissions(surface),
        required_approve_scopes: Vec::new(),
        ts: None,
        created_at_ms: None,
        approved_at_ms: None,
        last_host_stats: None,
        last_seen_at_ms: None,
        last_seen_reason: None,
    }
}

pub(super) fn asking(node: &NodeRecord) -> Option<proto::NodePairing> {
    let request = node.request.as_ref()?;
    let scopes = commands::approval_scopes(&request.surface);
    Some(proto::NodePairing {
        request_id: Some(request.id.clone()),
        required_approve_scopes: scopes.into_iter().map(str::to_owned).collect(),
        ts: Some(request.asked_at.as_ms()),
        ..pairing(node, &request.surface)
    })
}

pub(super) fn granted(node: &NodeRecord) -> Option<proto::NodePairing> {
    let surface = node.granted.as_ref()?;
    Some(proto::NodePairing {
        created_at_ms: node.created_at.map(Timestamp::as_ms),
        approved_at_ms: node.approved_at.map(Timestamp::as_ms),
        last_host_stats: node.stats.as_ref().map(stats),
        last_seen_at_ms: Some(node.seen_at.as_ms()),
        last_seen_reason: Some(node.seen_reason.clone()),
        ..pairing(node, surface)
    })
}

/// One invocation. What is the asker's alone, its key, what the node said and links to its media, is left out without `links`.
pub(super) fn invocation(record: InvocationRecord, links: Option<&Links>) -> proto::Invocation {
    let is_own = links.is_some();
    let state = match record.state {
        State::Queued => proto::InvocationState::Queued,
        State::Running => proto::InvocationState::Running,
        State::Ok => proto::InvocationState::Ok,
        State::Error => proto::InvocationState::Error,
        State::Timeout => proto::InvocationState::Timeout,
        State::Cancelled => proto::InvocationState::Cancelled,
        State::Lost => proto::InvocationState::Lost,
    };
    proto::Invocation {
        id: record.id,
        node_id: record.node.to_string(),
        command: record.command,
        idempotency_key: if is_own { record.key } else { String::new() },
        client_id: record.asker.client,
        device_id: record.asker.device,
        state: state.into(),
        created_at_ms: record.created_at.as_ms(),
        started_at_ms: record.started_at.map(Timestamp::as_ms),
        ended_at_ms: record.ended_at.map(Timestamp::as_ms),
        expires_at_ms: record.expires_at.map(Timestamp::as_ms),
        error_code: record.trouble.as_ref().map(|trouble| trouble.code.clone()),
        error_message: record.trouble.filter(|_| is_own).map(|trouble| trouble.message),
        media: links.map_or_else(Vec::new, |links| {
            let media = record.media.into_iter();
            media
                .map(|medium| proto::InvocationMedium {
                    url: links.to(&medium.id),
                    id: medium.id.to_string(),
                    mime_type: medium.mime_type,
                    size_bytes: medium.bytes,
                })
                .collect()
        }),
    }
}
