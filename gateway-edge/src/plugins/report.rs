//! Tells broadcast which plugins there are and how they are: `plugins.list` and the plugins' events are there.

use std::{sync::Arc, time::Duration};

use gatehouse_core::{client::Peer, server::MESSAGE_BYTES_MAX};
use gatehouse_proto::{
    broadcast::v1::Component,
    plugin::v1::{
        PluginState, ReportPluginsRequest, ReportedPlugin, plugin_service_client::PluginServiceClient,
    },
};
use tokio::time::{sleep, timeout};

use crate::{edge::Edge, plugin_board::Board};

/// All plugins start together with the gateway: they are one report, not a hundred.
const DEBOUNCE: Duration = Duration::from_millis(20);

/// A report that is not taken in this time is given up, and made again.
const PATIENCE: Duration = Duration::from_secs(5);

/// The pause after a report that was not taken: broadcast is away, and asked for a new one when it is back.
const AGAIN: Duration = Duration::from_secs(1);

/// Reports whenever something changed, for ever. Without plugins nothing is ever said.
pub(crate) async fn report(edge: Arc<Edge>, peer: Peer) {
    let mut client = PluginServiceClient::new(peer.service()).max_encoding_message_size(MESSAGE_BYTES_MAX);
    let mut said_any = false;
    loop {
        edge.plugins.changed.notified().await;
        sleep(DEBOUNCE).await;
        let plugins = reported(&edge.plugins);
        if plugins.is_empty() && !said_any {
            continue;
        }
        let request = ReportPluginsRequest {
            edge_id: edge.id.clone(),
            plugins,
        };
        match timeout(PATIENCE, client.report_plugins(request)).await {
            Ok(Ok(_)) => said_any = true,
            Ok(Err(status)) => {
                tracing::debug!(code = ?status.code(), "the report of plugins was not accepted");
                sleep(AGAIN).await;
                edge.plugins.changed.notify_one();
            }
            Err(_) => edge.plugins.changed.notify_one(),
        }
    }
}

impl Board {
    /// Broadcast has forgotten what it was told.
    pub(crate) fn tell_again(&self) {
        self.changed.notify_one();
    }
}

fn reported(board: &Board) -> Vec<ReportedPlugin> {
    let all = board.summaries().into_iter();
    all.map(|(plugin, joined)| {
        let joined = joined.unwrap_or_default();
        ReportedPlugin {
            plugin: Some(plugin),
            file_descriptor_set: joined.descriptors.to_vec(),
            overrides: joined.overrides,
        }
    })
    .collect()
}

/// Plugins as parts of the edge's health.
pub(crate) fn components(board: &Board) -> Vec<Component> {
    let all = board.summaries().into_iter();
    all.map(|(plugin, _)| Component {
        name: format!("plugin/{}", plugin.id),
        ok: plugin.state() == PluginState::Serving,
        detail: match plugin.state() {
            PluginState::Connecting => Some("is being asked what it offers".to_owned()),
            _ => plugin.detail,
        },
    })
    .collect()
}
