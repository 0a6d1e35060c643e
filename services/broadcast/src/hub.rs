//! The state of broadcast, behind one short lock, and the wake-up for those who wait on it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use gatehouse_contract::Map;
use gatehouse_core::{Clock, publish::Outgoing};
use gatehouse_proto::broadcast::v1::{
    GetStatusResponse, HealthEvent, Position, PresenceEntry, PresenceEvent, PublishRequest, ServiceHealth,
    StateVersion,
};
use tokio::{sync::watch, time::Instant};

use crate::{
    error::Error,
    health::{self, RollUp, is_ok},
    living::Answers,
    presence::Presence,
    publishers::Publishers,
    ring::{Page, PageMax, Ring},
};

/// Everything that broadcast knows.
#[derive(Debug)]
pub(crate) struct Hub {
    epoch: String,
    began: Instant,
    clock: Clock,
    /// Which events there are; it changes when plugins come and go.
    map: watch::Receiver<Arc<Map>>,
    // Held for a few lines and never across an await: a map look-up or a push.
    state: Mutex<State>,
    head: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    ring: Ring,
    publishers: Publishers,
    presence: Presence,
    health: RollUp,
    version: StateVersion,
    /// How many subscriptions each edge has: a new one may come before the old one has ended.
    edges: BTreeMap<String, usize>,
    /// Connections that brought a report and whose end is waited for.
    connections: BTreeSet<u64>,
}

impl Hub {
    /// A new epoch. Versions begin at the time of day, so that none of an earlier epoch looks current.
    pub(crate) fn new(clock: Clock, map: watch::Receiver<Arc<Map>>) -> Self {
        let now = clock.now_ms();
        let state = State {
            ring: Ring::default(),
            publishers: Publishers::default(),
            presence: Presence::new(now),
            health: RollUp::default(),
            version: StateVersion {
                presence: now,
                health: now,
            },
            edges: BTreeMap::new(),
            connections: BTreeSet::new(),
        };
        let epoch = uuid::Uuid::new_v4().to_string();
        Self {
            epoch,
            began: Instant::now(),
            clock,
            map,
            state: Mutex::new(state),
            head: watch::Sender::new(0),
        }
    }

    /// The map as it is now.
    pub(crate) fn map(&self) -> Arc<Map> {
        Arc::clone(&self.map.borrow())
    }

    pub(crate) fn epoch(&self) -> &str {
        &self.epoch
    }

    /// Adds a publisher's events. Unknown families are refused whole: they would reach nobody.
    pub(crate) fn publish(&self, request: PublishRequest) -> Result<u64, Error> {
        let PublishRequest {
            publisher_id,
            sequence,
            events,
            lost,
        } = request;
        let map = self.map();
        if let Some(unknown) = events.iter().find(|event| map.event(&event.r#type).is_none()) {
            return Err(Error::UnknownEvent(unknown.r#type.clone()));
        }
        let mut state = self.lock();
        if let Some(offset) = state.publishers.repeated(&publisher_id, sequence) {
            return Ok(offset);
        }
        if lost {
            state.ring.push_gap();
        }
        for event in events {
            state.ring.push(event);
        }
        let head = state.ring.head();
        state.publishers.remember(publisher_id, sequence, head);
        drop(state);
        self.head.send_replace(head);
        Ok(head)
    }

    /// Where a subscription begins, and the states as they are there.
    pub(crate) fn begin(&self, epoch: Option<&str>, offset: Option<u64>) -> Position {
        self.expire(); // before answering, whichever task comes first
        let state = self.lock();
        let known = offset.filter(|offset| epoch == Some(&self.epoch) && state.ring.holds(*offset));
        Position {
            offset: known.unwrap_or_else(|| state.ring.head()),
            gap: known.is_none() && epoch.is_some(),
            state_version: Some(state.version),
            presence: Some(PresenceEvent {
                presence: state.presence.shown(),
            }),
            health: Some(state.health.event(self.clock.now_ms())),
        }
    }

    /// The events after an offset.
    pub(crate) fn page(&self, after: u64, max: PageMax) -> Page {
        self.lock().ring.page(after, max)
    }

    /// Tells when the newest offset changes.
    pub(crate) fn watch_head(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    pub(crate) fn report_presence(&self, edge: String, entries: Vec<PresenceEntry>) -> Result<(), Error> {
        let mut state = self.lock();
        if state.presence.report(edge, entries).ok_or(Error::Full("edges"))? {
            self.presence_changed(state);
        }
        Ok(())
    }

    pub(crate) fn report_health(
        &self,
        health: ServiceHealth,
        leaving: bool,
        connection: Option<u64>,
    ) -> Result<(), Error> {
        self.expire(); // a successor that speaks makes silent ones forgotten
        let mut state = self.lock();
        if state
            .health
            .report(health, leaving, connection)
            .ok_or(Error::Full("processes"))?
        {
            self.health_changed(state);
        }
        Ok(())
    }

    /// Whether the end of this connection is to be waited for by whoever asks: once for each.
    pub(crate) fn is_new(&self, connection: u64) -> bool {
        self.lock().connections.insert(connection)
    }

    /// Whoever reported by this connection is gone.
    pub(crate) fn connection_ended(&self, connection: u64) {
        let mut state = self.lock();
        state.connections.remove(&connection);
        if state.health.connection_ended(connection) {
            self.health_changed(state);
        }
    }

    /// Forgets and marks what fell silent.
    pub(crate) fn expire(&self) {
        let mut state = self.lock();
        if state.presence.expire() {
            self.presence_changed(state);
            state = self.lock();
        }
        if state.health.expire() {
            self.health_changed(state);
        }
    }

    /// When somebody falls silent next, if nobody says anything. Who is not known yet is not due before a whole lease is over.
    pub(crate) fn due(&self) -> Instant {
        let state = self.lock();
        let due = state.presence.due().into_iter().chain(state.health.due());
        due.fold(Instant::now() + health::LEASE, Instant::min)
    }

    /// Says how everybody is although nothing changed: clients take it as a sign of life.
    pub(crate) fn repeat_health(&self) {
        let mut state = self.lock();
        let event = Outgoing::new(&state.health.event(self.clock.now_ms())).state_version(state.version);
        self.push(&mut state, event);
    }

    pub(crate) fn presence(&self) -> Vec<PresenceEntry> {
        self.expire(); // before answering, whichever task comes first
        self.lock().presence.entries()
    }

    /// How everybody is, as they answer now.
    pub(crate) fn health(&self, answers: &Answers) -> HealthEvent {
        self.expire();
        let services = self.lock().health.living(answers);
        RollUp::event_of(services, self.clock.now_ms())
    }

    /// An edge subscribes.
    pub(crate) fn edge_came(&self, edge: &str) {
        *self.lock().edges.entry(edge.to_owned()).or_default() += 1;
    }

    /// An edge's subscription ended: with its last one it is gone, and so are its connections. Should it live, it subscribes anew
    /// and says so.
    pub(crate) fn edge_left(&self, edge: &str) {
        let mut state = self.lock();
        let others = state.edges.remove(edge).unwrap_or_default().saturating_sub(1);
        if others > 0 {
            state.edges.insert(edge.to_owned(), others);
            return;
        }
        if state.presence.forget(edge) {
            self.presence_changed(state);
            state = self.lock();
        }
        if state.health.forget(edge) {
            self.health_changed(state);
        }
    }

    pub(crate) fn status(&self, answers: &Answers) -> GetStatusResponse {
        let services = self.health(answers).services;
        let config_hash = services
            .iter()
            .find(|service| service.service == "config")
            .or(services.first());
        GetStatusResponse {
            ok: is_ok(&services),
            version: env!("CARGO_PKG_VERSION").into(),
            uptime_ms: i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX),
            connections: i64::try_from(self.lock().presence.connections()).unwrap_or(i64::MAX),
            config_hash: config_hash.and_then(|service| service.config_hash.clone()),
            services,
        }
    }

    fn presence_changed(&self, mut state: MutexGuard<'_, State>) {
        state.version.presence += 1;
        let event = PresenceEvent {
            presence: state.presence.shown(),
        };
        let event = Outgoing::new(&event).state_version(state.version);
        self.push(&mut state, event);
    }

    fn health_changed(&self, mut state: MutexGuard<'_, State>) {
        state.version.health += 1;
        let event = Outgoing::new(&state.health.event(self.clock.now_ms())).state_version(state.version);
        self.push(&mut state, event);
    }

    fn push(&self, state: &mut MutexGuard<'_, State>, event: Outgoing) {
        let head = state.ring.push(event.into_event());
        self.head.send_replace(head);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
