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
    Event, PublishRequest, broadcast_service_client::BroadcastServiceClient,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tonic::{Code, Response, metadata::MetadataMap};

pub use self::outgoing::Outgoing;
use crate::{backoff::Backoff, client::Peer, drain::Drain, server::MESSAGE_BYTES_MAX};

mod outgoing;
#[cfg(test)]
mod tests;

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

/// How long an answer waits for the events before it: they are there within milliseconds, or broadcast is away and nobody hears them.
const REACH: Duration = Duration::from_millis(250);

/// Metadata of an answer: the offset of the last event that is to be heard before it.
const AFTER: &str = "gatehouse-after";

/// Says in an answer that what was published before is to be heard first: an edge sends the answer behind it.
pub fn say_after<T>(answer: &mut Response<T>, offset: Option<u64>) {
    if let Some(offset) = offset {
        answer.metadata_mut().insert(AFTER, offset.into());
    }
}

/// The offset of the last event that is to be heard before this answer.
pub fn heard_after(answer: &MetadataMap) -> Option<u64> {
    answer.get(AFTER)?.to_str().ok()?.parse().ok()
}

/// Where events go. Clones share one queue, and with it one order.
#[derive(Clone, Debug)]
pub struct Publisher {
    queue: mpsc::Sender<Item>,
    state: Arc<State>,
    /// Whether somebody hands over what is in the queue.
    is_forwarded: bool,
}

/// What waits in the queue.
#[derive(Debug)]
enum Item {
    Batch(Vec<Event>),
    /// Somebody is told where the stream stands once broadcast has all that came before.
    Mark(oneshot::Sender<u64>),
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
        let (mut publisher, queue) = Self::queue();
        publisher.is_forwarded = true;
        let client =
            BroadcastServiceClient::new(peer.borrow().service()).max_encoding_message_size(MESSAGE_BYTES_MAX);
        let forwarder = Forwarder {
            client,
            id: uuid::Uuid::new_v4().to_string(),
            sequence: 0,
            offset: 0,
            state: Arc::clone(&publisher.state),
        };
        drain.spawn("publisher", forwarder.run(queue, drain.clone()));
        publisher
    }

    /// A publisher, and where its events are taken from.
    fn queue() -> (Self, mpsc::Receiver<Item>) {
        let (sender, queue) = mpsc::channel(QUEUE_BATCHES);
        let publisher = Self {
            queue: sender,
            state: Arc::default(),
            is_forwarded: false,
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
        if room && self.queue.try_send(Item::Batch(batch)).is_ok() {
            return;
        }
        self.state.bytes.fetch_sub(bytes, Ordering::Relaxed);
        if !self.state.lost.swap(true, Ordering::Relaxed) {
            tracing::warn!("events are lost: broadcast does not take them fast enough");
        }
    }

    /// Waits until broadcast has what was published before, and answers where its stream stands then. `None`: it takes too long.
    pub async fn reached(&self) -> Option<u64> {
        if !self.is_forwarded {
            return None;
        }
        let (reached, offset) = oneshot::channel();
        self.queue.try_send(Item::Mark(reached)).ok()?;
        timeout(REACH, offset).await.ok()?.ok()
    }
}

/// What a publisher hands over, for tests to take.
#[derive(Debug)]
pub struct Published {
    queue: mpsc::Receiver<Item>,
    taken: VecDeque<Event>,
}

impl Published {
    /// The next event; `None` when there is no publisher any more.
    pub async fn recv(&mut self) -> Option<Event> {
        while self.taken.is_empty() {
            let item = self.queue.recv().await?;
            self.take(item);
        }
        self.taken.pop_front()
    }

    /// The next event, if there is one.
    pub fn try_recv(&mut self) -> Option<Event> {
        while self.taken.is_empty() {
            let item = self.queue.try_recv().ok()?;
            self.take(item);
        }
        self.taken.pop_front()
    }

    fn take(&mut self, item: Item) {
        match item {
            Item::Batch(events) => self.taken.extend(events),
            Item::Mark(reached) => drop(reached), // nobody counts here
        }
    }
}

struct Forwarder {
    client: BroadcastServiceClient<crate::client::PeerService>,
    id: String,
    sequence: u64,
    /// Where the stream stands behind what was handed over.
    offset: u64,
    state: Arc<State>,
}

impl Forwarder {
    async fn run(mut self, mut queue: mpsc::Receiver<Item>, drain: Drain) {
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
    async fn work(&mut self, queue: &mut mpsc::Receiver<Item>, drain: &Drain) {
        let mut items = Vec::new();
        loop {
            let count = if drain.is_requested() {
                timeout(QUIET, queue.recv_many(&mut items, REQUEST_BATCHES))
                    .await
                    .unwrap_or_default()
            } else {
                tokio::select! {
                    count = queue.recv_many(&mut items, REQUEST_BATCHES) => count,
                    () = drain.requested() => continue,
                }
            };
            if count == 0 {
                return;
            }
            let (mut events, mut marks) = (Vec::new(), Vec::new());
            for item in items.drain(..) {
                match item {
                    Item::Batch(batch) => events.extend(batch),
                    Item::Mark(reached) => marks.push(reached),
                }
            }
            if !events.is_empty() {
                self.hand_over(events).await;
            }
            // Those before the last events of the request are told a place behind their own: they wait for a little more.
            for reached in marks {
                let _gone = reached.send(self.offset);
            }
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
        loop {
            match self.client.publish(request.clone()).await {
                Ok(answer) => {
                    self.offset = answer.into_inner().offset;
                    break;
                }
                Err(status) if status.code() == Code::InvalidArgument => {
                    tracing::error!(error = status.message(), "broadcast refuses a batch of events");
                    self.state.lost.store(true, Ordering::Relaxed);
                    break;
                }
                Err(_) => tokio::time::sleep(backoff.next()).await,
            }
        }
        self.state.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

fn bytes(events: &[Event]) -> usize {
    events.iter().map(|event| event.payload.len()).sum()
}
