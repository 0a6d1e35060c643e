//! Handing events to broadcast: in order, in batches, without ever making the caller wait.
//!
//! Events may be lost, facts may not: whoever publishes has committed what the event tells. When broadcast is away for longer
//! than the queue is long, the oldest guarantee goes, and the next request says that events are lost, so that clients read
//! their state anew.

use std::{
    borrow::Borrow,
    collections::VecDeque,
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
use tokio::{sync::mpsc, time::timeout};
use tonic::Code;

use crate::{backoff::Backoff, client::Peer, drain::Drain, server::MESSAGE_BYTES_MAX};

/// Batches that may wait, of one or two events nearly always: some seconds of a busy gateway.
const QUEUE_BATCHES: usize = 8192;

/// Bytes that may wait.
const QUEUE_BYTES: usize = 8 * 1024 * 1024;

/// Batches in one request: what gathered while the last request was under way, so waiting costs nothing. Of two events each they
/// are half of what a request may hold.
const REQUEST_BATCHES: usize = 256;

const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_secs(1);

/// Time to hand over what is left when the process ends.
const FLUSH: Duration = Duration::from_secs(2);

/// When nothing came for this long after the end was asked for, nothing more will.
const QUIET: Duration = Duration::from_millis(250);

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

    /// Not for these connections, which are told the same by another event.
    #[must_use]
    pub fn except(mut self, connections: Vec<String>) -> Self {
        self.0.except_connection_ids = connections;
        self
    }

    /// Of the connections that asked for the events of their own sessions only, just for those that listen to this topic.
    #[must_use]
    pub fn session_topic(mut self, topic: impl Into<String>) -> Self {
        self.0.session_topic = Some(topic.into());
        self
    }

    /// Of the named users only for this one, and for those who may see what belongs to others.
    #[must_use]
    pub fn user(mut self, id: impl Into<String>) -> Self {
        self.0.user_id = Some(id.into());
        self
    }

    /// About this device, which has or asks for these scopes: for those to whom the list of devices shows it.
    #[must_use]
    pub fn about_device<'s>(
        mut self,
        id: impl Into<String>,
        scopes: impl IntoIterator<Item = &'s str>,
    ) -> Self {
        self.0.device_id = Some(id.into());
        self.0.device_scopes = scopes.into_iter().map(str::to_owned).collect();
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
    queue: mpsc::Sender<Vec<Event>>,
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
    pub fn spawn(peer: impl Borrow<Peer>, drain: &Drain) -> Self {
        let (publisher, queue) = Self::queue();
        let client =
            BroadcastServiceClient::new(peer.borrow().service()).max_encoding_message_size(MESSAGE_BYTES_MAX);
        let forwarder = Forwarder {
            client,
            id: uuid::Uuid::new_v4().to_string(),
            sequence: 0,
            state: Arc::clone(&publisher.state),
        };
        drain.spawn("publisher", forwarder.run(queue, drain.clone()));
        publisher
    }

    /// A publisher, and where its events are taken from.
    fn queue() -> (Self, mpsc::Receiver<Vec<Event>>) {
        let (sender, queue) = mpsc::channel(QUEUE_BATCHES);
        let publisher = Self {
            queue: sender,
            state: Arc::default(),
        };
        (publisher, queue)
    }

    /// A publisher whose events a test takes itself.
    #[must_use]
    pub fn for_tests() -> (Self, Published) {
        let (publisher, queue) = Self::queue();
        let published = Published {
            queue,
            taken: VecDeque::new(),
        };
        (publisher, published)
    }

    /// Says with the next request that events are lost: for a process whose last life may have ended between storing
    /// something and saying it.
    pub fn say_lost(&self) {
        self.state.lost.store(true, Ordering::Relaxed);
    }

    /// Hands an event over. Never waits: a full queue loses it, and clients are told.
    pub fn publish(&self, event: Outgoing) {
        self.publish_together([event]);
    }

    /// Hands over events that say the same thing in different words. They travel together, so that a client is written to
    /// once; told one by one, the first is often on its way before the second is there.
    pub fn publish_together(&self, events: impl IntoIterator<Item = Outgoing>) {
        let batch: Vec<Event> = events.into_iter().map(Outgoing::into_event).collect();
        let bytes = bytes(&batch);
        // Reserved before it is sent: the forwarder may have it, and give the room back, before this line ends.
        let room = self.state.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= QUEUE_BYTES;
        if room && self.queue.try_send(batch).is_ok() {
            return;
        }
        self.state.bytes.fetch_sub(bytes, Ordering::Relaxed);
        if !self.state.lost.swap(true, Ordering::Relaxed) {
            tracing::warn!("events are lost: broadcast does not take them fast enough");
        }
    }
}

/// What a publisher hands over, for tests to take.
#[derive(Debug)]
pub struct Published {
    queue: mpsc::Receiver<Vec<Event>>,
    taken: VecDeque<Event>,
}

impl Published {
    /// The next event; `None` when there is no publisher any more.
    pub async fn recv(&mut self) -> Option<Event> {
        while self.taken.is_empty() {
            self.taken.extend(self.queue.recv().await?);
        }
        self.taken.pop_front()
    }

    /// The next event, if there is one.
    pub fn try_recv(&mut self) -> Option<Event> {
        while self.taken.is_empty() {
            self.taken.extend(self.queue.try_recv().ok()?);
        }
        self.taken.pop_front()
    }
}

struct Forwarder {
    client: BroadcastServiceClient<crate::client::PeerService>,
    id: String,
    sequence: u64,
    state: Arc<State>,
}

impl Forwarder {
    async fn run(mut self, mut queue: mpsc::Receiver<Vec<Event>>, drain: Drain) {
        // Broadcast may end with us: what it does not take within the flush is given up.
        let limit = async {
            drain.requested().await;
            tokio::time::sleep(FLUSH).await;
        };
        tokio::select! {
            () = self.work(&mut queue, &drain) => {}
            () = limit => tracing::warn!(batches = queue.len(), "events are lost: broadcast did not take them before the end"),
        }
    }

    /// Hands over what comes. Tasks still say their last words after the end was asked for, so it ends with the first quiet.
    async fn work(&mut self, queue: &mut mpsc::Receiver<Vec<Event>>, drain: &Drain) {
        let mut batches = Vec::new();
        loop {
            let count = if drain.is_requested() {
                timeout(QUIET, queue.recv_many(&mut batches, REQUEST_BATCHES))
                    .await
                    .unwrap_or_default()
            } else {
                tokio::select! {
                    count = queue.recv_many(&mut batches, REQUEST_BATCHES) => count,
                    () = drain.requested() => continue,
                }
            };
            if count == 0 {
                return;
            }
            self.hand_over(batches.drain(..).flatten().collect()).await;
        }
    }

    /// Tries until broadcast has the batch. It knows the sequence, so a repeat after a lost answer adds nothing.
    async fn hand_over(&mut self, events: Vec<Event>) {
        let bytes = bytes(&events);
        self.sequence += 1;
        let lost = self.state.lost.swap(false, Ordering::Relaxed);
        let request = PublishRequest {
            publisher_id: self.id.clone(),
            sequence: self.sequence,
            events,
            lost,
        };
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
        while let Err(status) = self.client.publish(request.clone()).await {
            if status.code() == Code::InvalidArgument {
                tracing::error!(error = status.message(), "broadcast refuses a batch of events");
                self.state.lost.store(true, Ordering::Relaxed);
                break;
            }
            tokio::time::sleep(backoff.next()).await;
        }
        self.state.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

fn bytes(events: &[Event]) -> usize {
    events.iter().map(|event| event.payload.len()).sum()
}

#[cfg(test)]
mod tests;
