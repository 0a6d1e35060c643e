//! The bus: events for everybody who follows them, and signals between the processes of a service.
//!
//! A trait with one implementation, [`Memory`], which is what one machine needs. Broadcast stands in front of it: publishers and
//! edges speak its gRPC contract, whose epochs and offsets are those of the bus, so that another implementation (a server that
//! many broadcast processes share) changes none of them. Whatever it is, it passes the `contract` suite.
//!
//! Events and signals may be lost, facts may not: whoever publishes has stored what the event tells, and whoever waits for a
//! signal looks by itself now and then.

#[cfg(test)]
mod contract;
mod memory;
mod publishers;
mod ring;
mod topics;

use std::fmt::{self, Debug};

use async_trait::async_trait;
use futures::stream::BoxStream;
use gatehouse_proto::broadcast::v1::Event;
use tokio::sync::mpsc;

pub use self::memory::Memory;

/// The bus does not answer. Nothing is known of what was asked.
#[derive(Debug, thiserror::Error)]
#[error("the event bus does not answer")]
pub struct Error(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// A place in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The life of the stream: another one begins when the stream is lost.
    pub epoch: String,
    /// The offset of the last event that is behind; 0 before the first. Offsets grow and never come back within an epoch.
    pub offset: u64,
}

/// What a publisher hands over at once.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Who hands it over: one name for each life of a process.
    pub publisher: String,
    /// Which batch of that publisher this is: growing, from 1.
    pub sequence: u64,
    /// The events, in order. Their offsets are the bus's to give.
    pub events: Vec<Event>,
    /// Events of this publisher were lost before these.
    pub lost: bool,
}

/// A stretch of the stream. Never without an event and without a gap at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The events, in order.
    pub events: Vec<Event>,
    /// Something before the first of them is lost.
    pub gap: bool,
    /// Where it ends.
    pub position: Position,
}

/// The stream from a place on.
pub struct Subscription {
    /// Where it begins.
    pub start: Position,
    /// Something between the place that was asked for and [`Subscription::start`] is lost.
    pub gap: bool,
    /// What follows, as it comes. A reader that does not ask costs nothing but its place: it falls behind, and is told of the gap.
    pub pages: BoxStream<'static, Result<Page, Error>>,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start, gap, pages: _ } = self;
        out.debug_struct("Subscription")
            .field("start", start)
            .field("gap", gap)
            .finish_non_exhaustive()
    }
}

/// What is kept for those who come later, and how much may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Events, the places of lost ones among them.
    pub events: usize,
    /// How many may be: the oldest make room for the newest.
    pub events_max: usize,
    /// What they take of the memory.
    pub bytes: usize,
    /// What they may take.
    pub bytes_max: usize,
}

/// Where events and signals go, and where they come from.
#[async_trait]
pub trait Bus: Debug + Send + Sync {
    /// Adds a batch, whole and in one piece. The answer is where it ends. One that this publisher handed over before adds
    /// nothing, and is answered with a place that is not before its end.
    ///
    /// # Errors
    /// When the bus does not answer. The same batch may be handed over again.
    async fn publish(&self, batch: Batch) -> Result<Position, Error>;

    /// The stream after a place, or what comes from now on. From a place of another epoch, or one that is not kept any more, it
    /// goes on from now and says that there is a gap.
    ///
    /// # Errors
    /// When the bus does not answer.
    async fn subscribe(&self, after: Option<Position>) -> Result<Subscription, Error>;

    /// What is kept in this process. `None`: it is kept elsewhere.
    fn kept(&self) -> Option<Kept>;

    /// Wakes whoever listens to this topic, in all processes. Never waits.
    fn signal(&self, topic: &str);

    /// Listens to a topic, from now on until it is dropped.
    fn listen(&self, topic: &str) -> Listener;
}

/// Somebody who listens to a topic.
#[derive(Debug)]
pub struct Listener(mpsc::Receiver<()>);

impl Listener {
    /// A listener, and what an implementation wakes it with. Signals that nobody has heard yet are one.
    #[must_use]
    pub fn new() -> (mpsc::Sender<()>, Self) {
        let (sender, receiver) = mpsc::channel(1);
        (sender, Self(receiver))
    }

    /// Waits for a signal since the last one that was heard. With a bus that has ended: for ever.
    ///
    /// # Cancel safety
    /// A signal is heard by the next call when this one is dropped.
    pub async fn heard(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending().await
        }
    }
}
