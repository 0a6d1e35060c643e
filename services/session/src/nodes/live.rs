//! Who is there: one attachment for each node, which is one connection of it to an edge.
//!
//! The edge holds a stream for as long as the connection lasts. When either side of it ends, both know: there is no lease that
//! could be wrong for a while. A newer connection takes the place of an older one, because a telephone that changed its network
//! is there again before its old socket is known to be dead.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatehouse_core::{Chain, Timestamp};
use gatehouse_proto::node::v1 as proto;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::commands::{NotAllowed, Rules};
use super::store::NODES_MAX;
use super::{Error, Facts, NodeId, Nodes, Surface};

/// Events that may wait for a node's connection: it reads them as they come, and what is under way with one node is bounded by
/// its callers' places.
const OUTBOX: usize = 64;

/// Bytes of what a node is sent that may wait for its connection; one request is at most 25 MiB.
const OUTBOX_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A node may speak before its attachment has come here, which takes a millisecond.
const ATTACH_PATIENCE: Duration = Duration::from_secs(2);

/// What goes to the edge.
pub(super) type Frame = Result<proto::AttachNodeResponse, Status>;

/// A node that is there.
#[derive(Debug)]
struct Live {
    number: u64,
    connection: String,
    connected_at: Timestamp,
    facts: Facts,
    declared: Surface,
    granted: Option<Surface>,
    outbox: mpsc::Sender<Frame>,
    /// Cancelled when this attachment is over.
    gone: CancellationToken,
    skills: Vec<proto::NodeSkill>,
    tools: Vec<proto::PluginTool>,
    /// When it was touched, and when it said so.
    active: Option<(Timestamp, Timestamp)>,
}

/// What others see of a node that is there.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) connected_at: Timestamp,
    pub(super) facts: Facts,
    /// What it may be asked for, before the rules.
    pub(super) effective: Surface,
    pub(super) tools: Vec<proto::PluginTool>,
    pub(super) active: Option<(Timestamp, Timestamp)>,
}

/// A way to one attachment.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) connection: String,
    pub(super) gone: CancellationToken,
    outbox: mpsc::Sender<Frame>,
}

impl Line {
    /// Hands something over. False: too much waits, or the node is gone.
    pub(super) fn send(&self, frame: proto::AttachNodeResponse) -> bool {
        let waiting = self.outbox.max_capacity() - self.outbox.capacity();
        if waiting > 0 && frame.payload.len() > OUTBOX_BYTES_MAX / OUTBOX {
            // A large one goes into an empty outbox, so that the bound holds without counting.
            return false;
        }
        self.outbox.try_send(Ok(frame)).is_ok()
    }
}

/// One connection of a node, as its edge tells of it.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) node: NodeId,
    pub(super) connection: String,
    pub(super) facts: Facts,
    pub(super) declared: Surface,
}

/// All nodes that are there.
#[derive(Debug, Default)]
pub(super) struct Registry {
    state: Mutex<State>,
    /// Rings when a node came.
    came: Notify,
}

#[derive(Debug, Default)]
struct State {
    nodes: HashMap<NodeId, Live>,
    attached: u64,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are there.
    pub(super) fn count(&self) -> usize {
        self.lock().nodes.len()
    }

    /// What is seen of a node that is there.
    pub(super) fn see(&self, node: &NodeId) -> Option<Seen> {
        let state = self.lock();
        state.nodes.get(node).map(|live| Seen {
            connected_at: live.connected_at,
            facts: live.facts.clone(),
            effective: live.effective(),
            tools: live.tools.clone(),
            active: live.active,
        })
    }

    /// The skills of the nodes that are there, by node and name.
    pub(super) fn skills(&self) -> Vec<(NodeId, proto::NodeSkill)> {
        let state = self.lock();
        let all = state.nodes.iter();
        let mut skills: Vec<_> = all
            .flat_map(|(node, live)| live.skills.iter().map(|skill| (node.clone(), skill.clone())))
            .collect();
        drop(state);
        skills.sort_by(|(node, skill), (other, its)| {
            (node.as_str(), &skill.name).cmp(&(other.as_str(), &its.name))
        });
        skills
    }

    /// The way to a node, if it may be asked for this. `None`: it is not there.
    pub(super) fn line_for(
        &self,
        node: &NodeId,
        rules: &Rules,
        command: &str,
    ) -> Option<Result<Line, (NotAllowed, Option<String>)>> {
        let state = self.lock();
        let live = state.nodes.get(node)?;
        let judged = rules.judge(&live.facts, &live.declared, live.granted.as_ref(), command);
        Some(match judged {
            Ok(()) => Ok(live.line()),
            Err(why) => Err((why, live.facts.platform.clone())),
        })
    }

    /// Whether this is the connection of a node. Waits a moment for one that is on its way here.
    pub(super) async fn is_attached(&self, node: &NodeId, connection: &str) -> Result<(), Error> {
        let attached = || {
            let state = self.lock();
            state
                .nodes
                .get(node)
                .is_some_and(|live| live.connection == connection)
        };
        let comes = async {
            loop {
                let rings = self.came.notified();
                tokio::pin!(rings);
                rings.as_mut().enable();
                if attached() {
                    return;
                }
                rings.await;
            }
        };
        timeout(ATTACH_PATIENCE, comes)
            .await
            .map_err(|_| Error::NotAttached)
    }

    /// Changes something about one connection of a node. `None`: it is not there any more.
    pub(super) fn with<T>(
        &self,
        node: &NodeId,
        connection: &str,
        change: impl FnOnce(&mut Publications<'_>) -> T,
    ) -> Option<T> {
        let mut state = self.lock();
        let live = state
            .nodes
            .get_mut(node)
            .filter(|live| live.connection == connection)?;
        let effective = live.effective();
        Some(change(&mut Publications {
            facts: &live.facts,
            effective: &effective,
            skills: &mut live.skills,
            tools: &mut live.tools,
            active: &mut live.active,
        }))
    }

    /// Somebody agreed to what a node offers. Its connection, if it is there.
    pub(super) fn grant(&self, node: &NodeId, granted: Option<&Surface>) -> Option<Line> {
        let mut state = self.lock();
        let live = state.nodes.get_mut(node)?;
        live.granted = granted.cloned();
        Some(live.line())
    }

    /// Ends an attachment with a word that the edge acts on.
    pub(super) fn evict(&self, node: &NodeId, why: &'static str) {
        if let Some(live) = self.lock().nodes.remove(node) {
            live.end(why);
        }
    }

    fn enter(&self, node: &NodeId, mut live: Live) -> u64 {
        let mut state = self.lock();
        state.attached += 1;
        live.number = state.attached;
        let number = live.number;
        if let Some(older) = state.nodes.insert(node.clone(), live) {
            older.end(SUPERSEDED);
        }
        drop(state);
        self.came.notify_waiters();
        number
    }

    /// Takes an attachment off. False: another has taken its place.
    fn leave(&self, node: &NodeId, number: u64) -> bool {
        let mut state = self.lock();
        let own = state.nodes.get(node).is_some_and(|live| live.number == number);
        if own {
            state.nodes.remove(node);
        }
        own
    }
}

/// A newer connection of the node has come.
pub(super) const SUPERSEDED: &str = "a newer connection of this node has taken its place";
/// The node was removed.
pub(super) const REMOVED: &str = "this node was removed; pair it again";

impl Live {
    fn effective(&self) -> Surface {
        let granted = self.granted.clone().unwrap_or_default();
        granted.cut_to(&self.declared)
    }

    fn line(&self) -> Line {
        Line {
            connection: self.connection.clone(),
            gone: self.gone.clone(),
            outbox: self.outbox.clone(),
        }
    }

    fn end(self, why: &'static str) {
        // A full outbox loses the word: the stream ends all the same.
        let _ = self.outbox.try_send(Err(Status::aborted(why)));
        self.gone.cancel();
    }
}

/// What a connection of a node may change.
#[derive(Debug)]
pub(super) struct Publications<'a> {
    pub(super) facts: &'a Facts,
    pub(super) effective: &'a Surface,
    pub(super) skills: &'a mut Vec<proto::NodeSkill>,
    pub(super) tools: &'a mut Vec<proto::PluginTool>,
    pub(super) active: &'a mut Option<(Timestamp, Timestamp)>,
}

impl Nodes {
    /// Attaches one connection of a node; what comes out is for its edge. Whatever waited for the node is sent to it.
    pub(super) async fn attach(&self, arrival: Arrival) -> Result<mpsc::Receiver<Frame>, Error> {
        let Arrival {
            node,
            connection,
            facts,
            declared,
        } = arrival;
        let mut recovered = self.0.recovered.subscribe();
        let waits = recovered.wait_for(|recovered| *recovered);
        let is_recovered = timeout(ATTACH_PATIENCE, waits)
            .await
            .is_ok_and(|waited| waited.is_ok());
        if !is_recovered {
            return Err(crate::error::Error::NotReady.into());
        }
        let now = self.now();
        let connected = self
            .0
            .store
            .connect(&node, facts.clone(), declared.clone(), now)
            .await?
            .ok_or(Error::TooManyNodes(NODES_MAX))?;
        let (outbox, frames) = mpsc::channel(OUTBOX);
        // The first place of an empty queue: it is there.
        let _ = outbox.try_send(Ok(proto::AttachNodeResponse::default()));
        let gone = CancellationToken::new();
        let number = self.0.registry.enter(
            &node,
            Live {
                number: 0,
                connection: connection.clone(),
                connected_at: connected.node.connected_at,
                facts,
                declared,
                granted: connected.node.granted.clone(),
                outbox: outbox.clone(),
                gone: gone.clone(),
                skills: Vec::new(),
                tools: Vec::new(),
                active: None,
            },
        );
        tracing::info!(node.id = %node, connection.id = connection, "a node is attached");
        if let (true, Some(request)) = (connected.asks, &connected.node.request) {
            tracing::info!(node.id = %node, request.id = request.id, "a node asks for approval");
            self.tell_requested(&connected.node, request);
        }
        let (nodes, id) = (self.clone(), node.clone());
        self.0.drain.spawn_work("node", async move {
            tokio::select! {
                () = outbox.closed() => {}
                () = gone.cancelled() => {}
                () = nodes.0.drain.requested() => {}
            }
            gone.cancel();
            nodes.detach(&id, number, connected.node.connected_at).await;
        });
        self.send_waiting(&node).await?;
        Ok(frames)
    }

    async fn detach(&self, node: &NodeId, number: u64, connected_at: Timestamp) {
        let last = self.0.registry.leave(node, number);
        tracing::info!(node.id = %node, "a node is detached");
        if last {
            self.tell_presence(node, None);
        }
        let now = self.now();
        if let Err(error) = self.0.store.disconnect(node, connected_at, now).await {
            tracing::warn!(node.id = %node, error = %Chain(&error), "that a node is gone was not stored");
        }
    }
}
