//! What the session service remembers, split by noun: each noun's folder says in a trait what its store must do. Every method
//! is one transaction: what it answers is durable, and nothing it did halfway is ever seen. The traits never speak of SQL;
//! another implementation passes the same `contract` suite, and is named in [`open`] and nowhere else.

#[cfg(test)]
pub(crate) mod contract;
pub(crate) mod sqlite;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use gatehouse_core::Timestamp;
use gatehouse_core::attach::Attach;
use gatehouse_core::bus::Bus;

pub use self::sqlite::SCHEMA;
use self::sqlite::SqliteStore;
pub(crate) use crate::deliveries::*;
use crate::error::Error;
pub(crate) use crate::media::{MediaId, MediaRow, MediaRows};
pub(crate) use crate::nodes::NodeStore;
pub(crate) use crate::schedules::Schedules;
pub(crate) use crate::sessions::*;
pub(crate) use crate::tasks::{ListedTurn, Place, TaskFilter, TaskPage, Tasks};
pub(crate) use crate::transcripts::*;
pub(crate) use crate::turns::{Turns, model::*};
pub(crate) use crate::usage::{Cell, Counts, Metered, ModelOf, SessionCells, Usage, UsageQuery};

/// What keeps the other stores from growing for ever.
#[async_trait]
pub(crate) trait Upkeep: Send + Sync + std::fmt::Debug {
    /// Forgets keys against doubles, of messages, requests and hooks, ended turns and settled deliveries from before a time. At
    /// most some thousands in one call; the answer is how many.
    async fn prune(&self, before: Timestamp) -> Result<u64, Error>;

    /// What waits and runs.
    async fn depths(&self) -> Result<Depths, Error>;
}

/// How much of each thing a store holds that is not done with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Depths {
    pub(crate) turns_waiting: i64,
    pub(crate) turns_running: i64,
    /// When the oldest turn that waits was taken.
    pub(crate) oldest_turn: Option<Timestamp>,
    /// Replies that the bridge has not taken.
    pub(crate) replies_waiting: i64,
    /// When the oldest of them was written.
    pub(crate) oldest_reply: Option<Timestamp>,
}

/// Who else may have a store open.
#[derive(Clone, Debug)]
pub(crate) enum Sharing {
    /// Nobody while this process has it: every other owner of a lease is dead, and nothing happens that it does not hear of.
    Exclusive,
    /// Other processes, which tell each other over this bus what they do: an owner is dead when its lease has ended.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "SQLite's has one owner; tests share one")
    )]
    Shared(Arc<dyn Bus>),
}

impl Sharing {
    pub(crate) const fn is_exclusive(&self) -> bool {
        matches!(self, Self::Exclusive)
    }
}

/// The stores of all nouns. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Stores {
    pub(crate) sessions: Arc<dyn Sessions>,
    pub(crate) groups: Arc<dyn Groups>,
    pub(crate) transcripts: Arc<dyn Transcripts>,
    pub(crate) turns: Arc<dyn Turns>,
    pub(crate) deliveries: Arc<dyn Deliveries>,
    pub(crate) media: Arc<dyn MediaRows>,
    pub(crate) nodes: Arc<dyn NodeStore>,
    pub(crate) tasks: Arc<dyn Tasks>,
    pub(crate) usage: Arc<dyn Usage>,
    pub(crate) schedules: Arc<dyn Schedules>,
    pub(crate) upkeep: Arc<dyn Upkeep>,
    /// Who else has them open.
    pub(crate) sharing: Sharing,
}

impl Stores {
    /// One implementation of them all.
    pub(crate) fn of<S>(store: Arc<S>, sharing: Sharing) -> Self
    where
        S: Sessions
            + Groups
            + Transcripts
            + Turns
            + Deliveries
            + MediaRows
            + NodeStore
            + Tasks
            + Usage
            + Schedules
            + Upkeep
            + 'static,
    {
        Self {
            sessions: Arc::clone(&store) as _,
            groups: Arc::clone(&store) as _,
            transcripts: Arc::clone(&store) as _,
            turns: Arc::clone(&store) as _,
            deliveries: Arc::clone(&store) as _,
            media: Arc::clone(&store) as _,
            nodes: Arc::clone(&store) as _,
            tasks: Arc::clone(&store) as _,
            usage: Arc::clone(&store) as _,
            schedules: Arc::clone(&store) as _,
            upkeep: store,
            sharing,
        }
    }
}

/// The stores of a process, and what they do for it beside keeping things.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) stores: Stores,
    pub(crate) attach: Box<dyn Attach>,
}

/// Opens the store of this process: the only place that names an implementation.
///
/// # Errors
/// When it cannot be used or another process has it open.
pub(crate) fn open(path: &Path) -> Result<Opened, Error> {
    let store = SqliteStore::open(path)?;
    let attach = Box::new(store.database().clone());
    let stores = Stores::of(Arc::new(store), Sharing::Exclusive);
    Ok(Opened { stores, attach })
}
