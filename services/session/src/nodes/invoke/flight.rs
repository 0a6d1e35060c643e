//! Who waits for what. A flight begins when a key is used and lands once; then it is forgotten here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gatehouse_core::{Failure, Timestamp};
use tokio::sync::{Notify, oneshot, watch};

use super::super::live::Line;
use super::super::{Asker, End, Error, NodeId, Payload, Trouble};
use super::{Told, new_id};

/// Invocations that are under way at once, with all nodes: each may hold a result of 25 MiB for a moment, and callers' long
/// waits are bounded below this by the edge.
const FLIGHTS_MAX: usize = 1_024;

/// What a node said.
#[derive(Debug)]
pub(in super::super) enum Report {
    /// It was done.
    Done(Payload),
    /// It was not, or nobody can tell.
    Failed(Trouble),
}

/// What those who wait are told.
#[derive(Clone, Debug)]
pub(in super::super) enum Landing {
    /// It waits for its node until this time.
    Queued(Timestamp),
    /// It waits for its node to be in the foreground, as an action.
    PutOff(Trouble),
    /// How it ended, and whether the node had been asked.
    Ended(End, bool),
}

type Landed = Option<Result<Told, Failure>>;

/// What somebody waits for. Dropping it says that it is not waited for any longer.
#[derive(Debug)]
pub(super) struct Flight {
    landed: watch::Receiver<Landed>,
}

impl Flight {
    pub(super) async fn landed(mut self) -> Result<Told, Error> {
        let landed = self.landed.wait_for(Option::is_some).await;
        match landed.map_err(|_| Error::Stopping)?.clone() {
            Some(told) => told.map_err(Error::Told),
            None => Err(Error::Stopping),
        }
    }
}

/// What one asker has one key for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) node: NodeId,
    pub(super) asker: Asker,
    pub(super) key: String,
}

#[derive(Debug)]
struct Entry {
    place: Place,
    fingerprint: Vec<u8>,
    /// Not a receiver: one would count among those who wait.
    tell: Arc<watch::Sender<Landed>>,
    /// The connection that was asked.
    connection: Option<String>,
    report: Option<oneshot::Sender<Report>>,
    /// Who is shown what the node says meanwhile.
    listener: Option<String>,
    /// Pieces that came.
    pieces: i64,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<String, Entry>,
    by_place: HashMap<Place, String>,
}

/// All flights.
#[derive(Debug, Default)]
pub(in super::super) struct Flights {
    state: Arc<Mutex<State>>,
    /// Rings when something waits that did not before.
    pub(in super::super) queued: Notify,
}

/// A node's word for those who wait, and how they are told of it.
#[derive(Debug)]
pub(in super::super) struct Expected {
    report: oneshot::Sender<Report>,
    landed: watch::Receiver<Landed>,
}

impl Expected {
    /// Hands the report over and waits until what came of it is stored. False: it came too late.
    pub(in super::super) async fn deliver(mut self, report: Report) -> bool {
        if self.report.send(report).is_err() {
            return false;
        }
        // Whoever settles it always lands it, or ends with the process.
        let _ = self.landed.wait_for(Option::is_some).await;
        true
    }
}

/// A piece of what a node says, for somebody.
#[derive(Debug)]
pub(in super::super) struct Piece {
    pub(in super::super) connection: String,
    pub(in super::super) key: String,
}

impl Flights {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Joins the flight of a key, or begins one: the ticket is for whoever began it.
    pub(super) fn enter(&self, place: Place, fingerprint: &[u8]) -> Result<(Flight, Option<Ticket>), Error> {
        let mut state = self.lock();
        if let Some(entry) = state.by_place.get(&place).and_then(|id| state.entries.get(id)) {
            if entry.fingerprint != fingerprint {
                return Err(Error::KeyConflict);
            }
            let flight = Flight {
                landed: entry.tell.subscribe(),
            };
            return Ok((flight, None));
        }
        if state.entries.len() >= FLIGHTS_MAX {
            return Err(Error::Busy);
        }
        let (ticket, flight) = self.open(&mut state, new_id(), place, fingerprint.to_vec());
        Ok((flight, Some(ticket)))
    }

    /// Begins the flight of something that waited. `None`: it is under way.
    pub(super) fn resume(&self, id: &str, place: Place, fingerprint: Vec<u8>) -> Option<Ticket> {
        let mut state = self.lock();
        if state.by_place.contains_key(&place) {
            return None;
        }
        let (ticket, _) = self.open(&mut state, id.to_owned(), place, fingerprint);
        Some(ticket)
    }

    fn open(&self, state: &mut State, id: String, place: Place, fingerprint: Vec<u8>) -> (Ticket, Flight) {
        let (tell, landed) = watch::channel(None);
        let tell = Arc::new(tell);
        state.by_place.insert(place.clone(), id.clone());
        state.entries.insert(
            id.clone(),
            Entry {
                place,
                fingerprint,
                tell: Arc::clone(&tell),
                connection: None,
                report: None,
                listener: None,
                pieces: 0,
            },
        );
        let ticket = Ticket {
            id,
            state: Arc::clone(&self.state),
            tell,
        };
        (ticket, Flight { landed })
    }

    /// How many wait for an invocation.
    #[cfg(test)]
    pub(in super::super) fn waiters(&self, id: &str) -> usize {
        let state = self.lock();
        state
            .entries
            .get(id)
            .map_or(0, |entry| entry.tell.receiver_count())
    }

    /// What a connection of a node may report. `None`: nobody waits for it, or somebody else was asked.
    pub(in super::super) fn expect(&self, id: &str, node: &NodeId, connection: &str) -> Option<Expected> {
        let mut state = self.lock();
        let entry = state
            .entries
            .get_mut(id)
            .filter(|entry| entry.is_asked(node, connection))?;
        Some(Expected {
            report: entry.report.take()?,
            landed: entry.tell.subscribe(),
        })
    }

    /// Takes a piece in, in its order.
    pub(in super::super) fn piece(
        &self,
        id: &str,
        node: &NodeId,
        connection: &str,
        seq: i64,
    ) -> Option<Piece> {
        let mut state = self.lock();
        let entry = state
            .entries
            .get_mut(id)
            .filter(|entry| entry.is_asked(node, connection) && entry.pieces == seq)?;
        entry.pieces += 1;
        Some(Piece {
            connection: entry.listener.clone()?,
            key: entry.place.key.clone(),
        })
    }
}

impl Entry {
    fn is_asked(&self, node: &NodeId, connection: &str) -> bool {
        self.place.node == *node && self.connection.as_deref() == Some(connection) && self.report.is_some()
    }
}

/// The right to say how a flight ends. Dropping it unsaid ends the flight without a word.
#[derive(Debug)]
pub(super) struct Ticket {
    id: String,
    state: Arc<Mutex<State>>,
    tell: Arc<watch::Sender<Landed>>,
}

impl Ticket {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The node is about to be asked: what it will say.
    pub(super) fn fly(&self, line: &Line, listener: Option<String>) -> oneshot::Receiver<Report> {
        let (report, reported) = oneshot::channel();
        let mut state = lock(&self.state);
        if let Some(entry) = state.entries.get_mut(&self.id) {
            entry.connection = Some(line.connection.clone());
            entry.report = Some(report);
            entry.listener = listener;
        }
        reported
    }

    /// Waits until nobody waits.
    pub(super) async fn abandoned(&self) {
        self.tell.closed().await;
    }

    /// Tells everybody how it ended, and forgets the flight.
    pub(super) fn land(self, landing: Result<Landing, Failure>) {
        let id = self.id.clone();
        self.tell(landing.map(|landing| Told { id, landing }));
    }

    /// Tells everybody, of this invocation or of one that was begun before, and forgets the flight.
    pub(super) fn tell(self, told: Result<Told, Failure>) {
        self.tell.send_replace(Some(told));
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        if let Some(entry) = state.entries.remove(&self.id) {
            state.by_place.remove(&entry.place);
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
