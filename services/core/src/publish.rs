//! Handing events to broadcast: in order, in batches, without ever making the caller wait.
//!
//! Events may be lost, facts may not: whoever publishes has committed what the event tells. When broadcast is away for longer
//! than the queue is long, the oldest guarantee goes, and the next request says that events are lost, so that screens read
//! their state anew.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use gatehouse_proto::broadcast::v1::{
    Event, PublishRequest, Rendition, StateVersion, broadcast_service_client::BroadcastServiceClient,
};
use prost::{Message, Name};
use tokio::sync::mpsc;
use tonic::Code;

use crate::{backoff::Backoff, client::Peer, drain::Drain, server::MESSAGE_BYTES_MAX};

/// Events that may wait: some seconds of a busy house.
const QUEUE_EVENTS: usize = 8192;

/// Bytes that may wait.
const QUEUE_BYTES: usize = 8 * 1024 * 1024;

/// Events in one request. A batch is what gathered while the last request was under way, so waiting costs nothing.
const BATCH_EVENTS: usize = 256;

const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_secs(1);

/// Time to hand over what is left when the process ends.
const FLUSH: Duration = Duration::from_secs(2);

/// An event on its way out.
#[derive(Clone, Debug)]
pub struct Outgoing(Event);

impl Outgoing {
    /// An event for everybody with its access.
    pub fn new<M: Message + Name>(message: &M) -> Self {
        let event = Event {
            r#type: M::full_name(),
            payload: message.encode_to_vec().into(),
            ..Event::default()
        };
        Self(event)
    }

    /// Only for connections that listen to this topic, or to another one that is named.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.0.topics.push(topic.into());
        self
    }

    /// Only for this connection.
    #[must_use]
    pub fn connection(mut self, id: impl Into<String>) -> Self {
        self.0.connection_id = Some(id.into());
        self
    }

    /// One of the two forms of a text delta.
    #[must_use]
    pub fn rendition(mut self, rendition: Rendition) -> Self {
        self.0.rendition = rendition.into();
        self
    }

    /// Events with the same key may be merged behind a slow reader.
    #[must_use]
    pub fn merge_key(mut self, key: impl Into<String>) -> Self {
        self.0.merge_key = Some(key.into());
        self
    }

    /// With the versions that go into the frame.
    #[must_use]
    pub fn state_version(mut self, version: StateVersion) -> Self {
        self.0.state_version = Some(version);
        self
    }

    /// The event as it goes over the wire.
    #[must_use]
    pub fn into_event(self) -> Event {
        self.0
    }
}

/// Where events go. Clones share one queue, and with it one order.
#[derive(Clone, Debug)]
pub struct Publisher {
    queue: mpsc::Sender<Event>,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    bytes: AtomicUsize,
    lost: AtomicBool,
}

impl Publisher {
    /// Starts handing events to this peer.
    #[must_use]
    pub fn spawn(peer: &Peer, drain: &Drain) -> Self {
        let (publisher, queue) = Self::for_tests();
        let client = BroadcastServiceClient::new(peer.service()).max_encoding_message_size(MESSAGE_BYTES_MAX);
        let courier = Courier {
            client,
            id: uuid::Uuid::new_v4().to_string(),
            sequence: 0,
            state: Arc::clone(&publisher.state),
        };
        drain.spawn("publisher", courier.run(queue, drain.clone()));
        publisher
    }

    /// A publisher whose events a test takes itself.
    #[must_use]
    pub fn for_tests() -> (Self, mpsc::Receiver<Event>) {
        let (queue, events) = mpsc::channel(QUEUE_EVENTS);
        (
            Self {
                queue,
                state: Arc::default(),
            },
            events,
        )
    }

    /// Hands an event over. Never waits: a full queue loses it, and screens are told.
    pub fn publish(&self, event: Outgoing) {
        let bytes = event.0.payload.len();
        let room = self.state.bytes.load(Ordering::Relaxed) + bytes <= QUEUE_BYTES;
        if room && self.queue.try_send(event.0).is_ok() {
            self.state.bytes.fetch_add(bytes, Ordering::Relaxed);
        } else if !self.state.lost.swap(true, Ordering::Relaxed) {
            tracing::warn!("events are lost: broadcast does not take them fast enough");
        }
    }
}

struct Courier {
    client: BroadcastServiceClient<crate::client::PeerService>,
    id: String,
    sequence: u64,
    state: Arc<State>,
}

impl Courier {
    async fn run(mut self, mut queue: mpsc::Receiver<Event>, drain: Drain) {
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                count = queue.recv_many(&mut batch, BATCH_EVENTS) => if count == 0 { return },
                () = drain.requested() => break,
            }
            // Broadcast may be away and stay away, at the latest when the whole house ends: then this ends too.
            let patience = async {
                drain.requested().await;
                tokio::time::sleep(FLUSH).await;
            };
            tokio::select! { () = self.hand_over(&mut batch) => (), () = patience => return }
        }
        let flush = async {
            while let Ok(event) = queue.try_recv() {
                batch.push(event);
                if batch.len() == BATCH_EVENTS || queue.is_empty() {
                    self.hand_over(&mut batch).await;
                }
            }
        };
        let _ = tokio::time::timeout(FLUSH, flush).await;
    }

    /// Tries until broadcast has the batch. It knows the sequence, so a repeat after a lost answer adds nothing.
    async fn hand_over(&mut self, batch: &mut Vec<Event>) {
        let bytes: usize = batch.iter().map(|event| event.payload.len()).sum();
        self.sequence += 1;
        let lost = self.state.lost.swap(false, Ordering::Relaxed);
        let request = PublishRequest {
            publisher_id: self.id.clone(),
            sequence: self.sequence,
            events: std::mem::take(batch),
            lost,
        };
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
        while let Err(status) = self.client.publish(request.clone()).await {
            if status.code() == Code::InvalidArgument {
                tracing::error!(message = status.message(), "broadcast refuses a batch of events");
                self.state.lost.store(true, Ordering::Relaxed);
                break;
            }
            tokio::time::sleep(backoff.next()).await;
        }
        self.state.bytes.fetch_sub(
            bytes.min(self.state.bytes.load(Ordering::Relaxed)),
            Ordering::Relaxed,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{address::Address, secret::Secret};

    #[tokio::test(start_paused = true)]
    async fn a_broadcast_that_is_away_does_not_hold_up_the_end() {
        let nowhere = tempfile::tempdir().unwrap();
        let address = Address::Unix(nowhere.path().join("broadcast.sock"));
        let drain = Drain::new();
        let publisher = Publisher::spawn(&Peer::lazy(&address, &Secret::new("x")), &drain);
        publisher.publish(Outgoing::new(&gatehouse_proto::broadcast::v1::TickEvent { ts: 1 }));
        tokio::time::sleep(Duration::from_secs(60)).await;

        assert!(drain.finish(FLUSH + Duration::from_secs(1)).await);
    }
}
