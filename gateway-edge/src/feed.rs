//! The stream of broadcast, followed across every loss of it.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use gatehouse_core::{Timestamp, backoff::Backoff, client::Peer, server::MESSAGE_BYTES_MAX};
use gatehouse_proto::broadcast::v1::{
    SubscribeRequest, SubscribeResponse, broadcast_service_client::BroadcastServiceClient,
};
use tokio::sync::watch;

use crate::{edge::Edge, hub::Hub};

const RECONNECT_FIRST: Duration = Duration::from_millis(20);
const RECONNECT_MAX: Duration = Duration::from_secs(2);

/// Pieces of the stream taken in together. A burst costs each connection one write, not one for each piece.
const PIECES_MAX: usize = 64;

/// Where this edge is in the stream.
#[derive(Debug, Default)]
struct Cursor {
    epoch: Option<String>,
    offset: u64,
}

/// Follows the stream for ever. `fed` says whether it flows.
pub(crate) async fn follow(edge: Arc<Edge>, peer: Peer, fed: watch::Sender<bool>) {
    let mut client = BroadcastServiceClient::new(peer.service()).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let mut backoff = Backoff::new(RECONNECT_FIRST, RECONNECT_MAX);
    let mut cursor = Cursor::default();
    loop {
        let request = SubscribeRequest {
            edge_id: edge.id.clone(),
            offset: cursor.epoch.is_some().then_some(cursor.offset),
            epoch: cursor.epoch.clone(),
        };
        match client.subscribe(request).await {
            Ok(stream) => {
                // With the last subscription, broadcast forgot who is connected here.
                edge.hub.changed.notify_one();
                edge.plugins.tell_again();
                let mut stream = stream.into_inner();
                while let Ok(Some(first)) = stream.message().await {
                    backoff.reset();
                    fed.send_replace(true);
                    let mut pieces = vec![first];
                    while pieces.len() < PIECES_MAX
                        && let Some(Ok(Some(piece))) = stream.message().now_or_never()
                    {
                        pieces.push(piece);
                    }
                    take(&edge.hub, &mut cursor, pieces, edge.clock.now()).await;
                }
                tracing::warn!("the event stream ended; subscribing again");
            }
            Err(status) => tracing::debug!(code = ?status.code(), "broadcast is unavailable"),
        }
        fed.send_replace(false);
        tokio::time::sleep(backoff.next()).await;
    }
}

/// Takes in pieces in their order: what came before a hole, then the hole, then what came after it.
async fn take(hub: &Hub, cursor: &mut Cursor, pieces: Vec<SubscribeResponse>, now: Timestamp) {
    let mut batch = Vec::new();
    for SubscribeResponse {
        epoch,
        position,
        events,
        gap,
    } in pieces
    {
        let other_life = cursor.epoch.as_ref().is_some_and(|known| *known != epoch);
        let lost = gap || other_life || position.as_ref().is_some_and(|position| position.gap);
        // Who came before the first subscription, because broadcast was away, may have missed anything. Nobody was kept
        // waiting for it: without broadcast there are no events, but requests are answered.
        let missed = cursor.epoch.is_none() && !hub.connections().is_empty();
        if missed || (lost && cursor.epoch.is_some()) {
            hub.take(std::mem::take(&mut batch)).await;
            hub.announce_gap(now);
        }
        cursor.epoch = Some(epoch);
        if let Some(position) = position {
            hub.take(std::mem::take(&mut batch)).await;
            cursor.offset = position.offset;
            hub.stand(position).await;
        }
        if let Some(last) = events.last() {
            cursor.offset = last.offset;
        }
        batch.extend(events);
    }
    hub.take(batch).await;
    hub.gave(cursor.offset);
}
