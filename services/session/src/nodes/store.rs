//! What must be remembered of nodes. Every method is one transaction.

use async_trait::async_trait;

use super::{
    Asker, Begun, End, Expired, Facts, HostStats, InvocationRecord, NewInvocation, NodeId, NodeRecord,
    Settled, Surface, Waiting,
};
use crate::error::Error;
use gatehouse_core::Timestamp;

/// Nodes that are remembered: more than anybody has, and a bound for whoever makes devices. What nobody agreed to and is not
/// there makes room.
pub(crate) const NODES_MAX: u32 = 1_000;
/// Invocations that may wait for one node, in each of the two ways.
pub(crate) const WAITING_MAX: u32 = 64;
/// Invocations that are remembered after their end.
pub(crate) const HISTORY_MAX: u32 = 10_000;
/// The largest result that is kept for a repeat of its call.
pub(crate) const KEPT_RESULT_BYTES_MAX: usize = 64 * 1024;

/// What a connection of a node changed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Connected {
    pub(crate) node: NodeRecord,
    /// It asks for something that it had not asked for.
    pub(crate) asks: bool,
}

/// The store of nodes.
#[async_trait]
pub(crate) trait Nodes: Send + Sync + std::fmt::Debug {
    /// A node is there and offers this. What it was not granted becomes its request; one that asks for the same stays.
    /// `None`: there are too many nodes.
    async fn connect(
        &self,
        node: &NodeId,
        facts: Facts,
        declared: Surface,
        now: Timestamp,
    ) -> Result<Option<Connected>, Error>;

    /// A node is gone that came at this time, unless it came again since.
    async fn disconnect(&self, node: &NodeId, connected_at: Timestamp, now: Timestamp) -> Result<(), Error>;

    /// One node.
    async fn node(&self, node: &NodeId) -> Result<Option<NodeRecord>, Error>;

    /// All nodes.
    async fn nodes(&self) -> Result<Vec<NodeRecord>, Error>;

    /// The node that asks for this.
    async fn asking(&self, request: &str) -> Result<Option<NodeRecord>, Error>;

    /// Grants a request, or refuses it. `None`: it waits no longer.
    async fn answer(&self, request: &str, granted: bool, now: Timestamp)
    -> Result<Option<NodeRecord>, Error>;

    /// Gives a node a name. `None`: there is no such node.
    async fn rename(&self, node: &NodeId, name: String) -> Result<Option<NodeRecord>, Error>;

    /// Forgets a node, and ends what it was asked for and what waits for it. `None`: there is no such node.
    async fn forget(&self, node: &NodeId, now: Timestamp) -> Result<Option<Vec<Settled>>, Error>;

    /// A node was heard of.
    async fn seen(&self, node: &NodeId, reason: &str, now: Timestamp) -> Result<(), Error>;

    /// Newer figures of a node's machine.
    async fn keep_stats(&self, node: &NodeId, stats: HostStats) -> Result<(), Error>;

    /// Whether a node agreed to run sessions.
    async fn host_sessions(&self, node: &NodeId, hosts: bool) -> Result<(), Error>;

    /// Remembers an invocation before its node is asked.
    async fn begin(&self, invocation: NewInvocation) -> Result<Begun, Error>;

    /// What is remembered under a key of somebody.
    async fn known(&self, node: &NodeId, asker: &Asker, key: &str)
    -> Result<Option<InvocationRecord>, Error>;

    /// The node is asked now for what waited. False: it waits no longer.
    async fn start(&self, id: &str, now: Timestamp) -> Result<bool, Error>;

    /// What runs waits until its node is in the foreground. False: it runs no longer, or too many wait.
    async fn put_off(&self, id: &str, params: Option<String>, expires_at: Timestamp) -> Result<bool, Error>;

    /// Ends what runs or waits. False: it had ended.
    async fn end(&self, id: &str, end: End, now: Timestamp) -> Result<bool, Error>;

    /// What waits for a node that is there again, or in the foreground, the oldest first.
    async fn waiting(&self, node: &NodeId, foreground: bool, now: Timestamp) -> Result<Vec<Waiting>, Error>;

    /// Ends what waited too long.
    async fn expire(&self, now: Timestamp) -> Result<Expired, Error>;

    /// What ran when the process ended is lost.
    async fn lose(&self, now: Timestamp) -> Result<Vec<Settled>, Error>;

    /// How many run, and how many wait.
    async fn under_way(&self) -> Result<(u64, u64), Error>;

    /// The newest invocations, of one node or of all.
    async fn invocations(&self, node: Option<NodeId>, limit: u32) -> Result<Vec<InvocationRecord>, Error>;

    /// Forgets the results that ended before the first time, and the invocations that ended before the second or are more than
    /// are remembered. At most some thousands in one call; the answer is how many.
    async fn forget_invocations(&self, results_before: Timestamp, before: Timestamp) -> Result<u64, Error>;
}
