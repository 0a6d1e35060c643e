//! Tells broadcast who is connected here: soon after a change, and every few seconds as a sign of life.

use std::{sync::Arc, time::Duration};

use gatehouse_core::{beat, client::Peer};
use gatehouse_proto::broadcast::v1::{
    PresenceEntry, PresenceIdentity, PresenceUser, ReportPresenceRequest,
    broadcast_service_client::BroadcastServiceClient,
};
use tokio::time::{sleep, timeout};

use crate::{auth::User, connection::Connection, edge::Edge};

/// A thousand clients that come back at once are one report, not a thousand.
const DEBOUNCE: Duration = Duration::from_millis(200);

/// A change of presence is written to every connection, so a full gateway reports less often: a thousand connections every
/// second, ten thousand every five.
const DEBOUNCE_EACH: Duration = Duration::from_millis(1);

/// And no less often than this, so that a report never becomes too old.
const DEBOUNCE_MAX: Duration = Duration::from_secs(5);

/// A report that is not taken in this time is given up; the next one is newer anyway.
const PATIENCE: Duration = Duration::from_secs(2);

/// Entries of one report; the contract allows no more.
const ENTRIES_MAX: usize = 20_000;

/// Reports for ever.
pub(crate) async fn report(edge: Arc<Edge>, peer: Peer) {
    let mut client = BroadcastServiceClient::new(peer.service());
    loop {
        let request = ReportPresenceRequest {
            edge_id: edge.id.clone(),
            entries: entries(&edge),
        };
        if let Ok(Err(status)) = timeout(PATIENCE, client.report_presence(request)).await {
            tracing::debug!(code = ?status.code(), "presence was not accepted");
        }
        tokio::select! {
            () = edge.hub.changed.notified() => sleep(debounce(edge.hub.connections().len())).await,
            () = beat::next() => (),
        }
    }
}

fn debounce(connections: usize) -> Duration {
    let each = DEBOUNCE_EACH.saturating_mul(u32::try_from(connections).unwrap_or(u32::MAX));
    (DEBOUNCE + each).min(DEBOUNCE_MAX)
}

/// Takes all connections of this edge off the list.
pub(crate) async fn leave(edge: &Edge, peer: &Peer) {
    let request = ReportPresenceRequest {
        edge_id: edge.id.clone(),
        entries: Vec::new(),
    };
    let _ = timeout(
        PATIENCE,
        BroadcastServiceClient::new(peer.service()).report_presence(request),
    )
    .await;
}

/// Everybody who is here. The connections themselves are not held while the report is on its way: a socket closes when the
/// last holder lets go.
fn entries(edge: &Edge) -> Vec<PresenceEntry> {
    let connections = edge.hub.connections(); // in the order in which they came: the same people are the same report
    connections
        .iter()
        .filter_map(|connection| entry(connection))
        .take(ENTRIES_MAX)
        .collect()
}

fn entry(connection: &Connection) -> Option<PresenceEntry> {
    let profile = connection.profile.get()?;
    let client = &profile.client;
    let owned = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
    let host = owned(&client.display_name).unwrap_or_else(|| client.id.to_string());
    let text = match (client.mode.as_deref(), client.version.as_deref()) {
        (Some(mode), Some(version)) => format!("{host} ({mode}, {version})"),
        (Some(mode), None) => format!("{host} ({mode})"),
        (None, _) => host.clone(),
    };
    Some(PresenceEntry {
        host: Some(host),
        ip: Some(connection.arrival.ip.to_string()),
        version: owned(&client.version),
        platform: owned(&client.platform),
        mode: owned(&client.mode),
        reason: Some("connect".to_owned()),
        instance_id: owned(&client.instance_id),
        device_id: profile.device_id().map(str::to_owned),
        client_id: Some(client.id.to_string()),
        roles: vec![profile.grants.role().as_str().to_owned()],
        scopes: profile.grants.scopes().map(str::to_owned).collect(),
        text: Some(text),
        ts: profile.since.as_ms(),
        connection_id: Some(connection.id.to_string()),
        user: profile.identity.user.as_ref().map(person),
        watched_sessions: connection.watched(),
    })
}

fn person(user: &User) -> PresenceUser {
    PresenceUser {
        id: user.id.to_string(),
        identity: Some(PresenceIdentity {
            r#type: "profile".to_owned(),
            id: user.id.to_string(),
        }),
        name: user.name.as_deref().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_gateway_reports_less_often_but_within_the_interval() {
        assert_eq!(debounce(0), DEBOUNCE);
        assert_eq!(debounce(800), Duration::from_secs(1));
        assert_eq!(debounce(1_000_000), DEBOUNCE_MAX);
    }
}
