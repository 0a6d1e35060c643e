//! Which devices are connected: broadcast knows, and is asked when somebody lists them.

use std::{collections::HashSet, time::Duration};

use gatehouse_core::client::{Peer, PeerService};
use gatehouse_proto::broadcast::v1::{
    GetPresenceRequest, PresenceEntry, broadcast_service_client::BroadcastServiceClient,
};
use tokio::time::timeout;

/// How long a list waits for it: broadcast answers from its memory, or is away.
const PATIENCE: Duration = Duration::from_secs(1);

/// The way to who knows.
#[derive(Clone, Debug)]
pub(crate) struct Presence(BroadcastServiceClient<PeerService>);

impl Presence {
    pub(crate) fn new(broadcast: &Peer) -> Self {
        Self(BroadcastServiceClient::new(broadcast.service()))
    }

    /// The devices that are connected. `None`: nobody knows at the moment.
    pub(super) async fn devices(&self) -> Option<HashSet<String>> {
        let mut client = self.0.clone();
        let asked = timeout(PATIENCE, client.get_presence(GetPresenceRequest {})).await;
        match asked {
            Ok(Ok(answer)) => Some(devices(answer.into_inner().presence)),
            Ok(Err(status)) => {
                tracing::debug!(code = ?status.code(), "presence is not told");
                None
            }
            Err(_) => None,
        }
    }
}

fn devices(presence: Vec<PresenceEntry>) -> HashSet<String> {
    presence.into_iter().filter_map(|entry| entry.device_id).collect()
}
