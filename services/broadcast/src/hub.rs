//! What broadcast knows beside the events themselves, behind one short lock: who is connected and how every process is. What
//! changes is published on the bus like any other event.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use gatehouse_contract::Map;
use gatehouse_core::{
    Chain, Clock,
    bus::{self, Batch, Bus},
    publish::Outgoing,
};
use gatehouse_proto::broadcast::v1::{
    Event, GetStatusResponse, HealthEvent, Position, PresenceEntry, PresenceEvent, PublishRequest,
    ServiceHealth, StateVersion,
};
use tokio::{
    sync::{self, Notify, watch},
    time::Instant,
};

use crate::{
    error::Error,
    health::{self, RollUp, is_ok},
    living::Answers,
    presence::Presence,
    system::History,
};

/// Everything that broadcast knows.
#[derive(Debug)]
pub(crate) struct Hub {
    bus: Arc<dyn Bus>,
    /// What became of processes.
    history: Arc<History>,
    began: Instant,
    clock: Clock,
    /// Which events there are; it changes when plugins come and go.
    map: watch::Receiver<Arc<Map>>,
    // Held for a few lines and never across an await.
    state: Mutex<State>,
    /// Held while a change is published, so that versions go out in their order.
    announced: sync::Mutex<Announced>,
    /// Something is to be announced by whoever calls [`Hub::announce`] next.
    untold: Notify,
    /// Rings when the first of the connections came.
    watched: Notify,
}

/// The hub as a publisher.
#[derive(Debug)]
struct Announced {
    publisher: String,
    sequence: u64,
}

#[derive(Debug)]
struct State {
    presence: Presence,
    health: RollUp,
    version: StateVersion,
    /// What is to be announced.
    due: Due,
    /// How many subscriptions each edge has: a new one may come before the old one has ended.
    edges: BTreeMap<String, usize>,
    /// Connections that brought a report and whose end is waited for.
    connections: BTreeSet<u64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Due {
    presence: bool,
    health: bool,
}

impl Hub {
    /// Versions begin at the time of day, so that none of an earlier life looks current.
    pub(crate) fn new(bus: Arc<dyn Bus>, clock: Clock, map: watch::Receiver<Arc<Map>>) -> Self {
        let now = clock.now_ms();
        let state = State {
            presence: Presence::new(now),
            health: RollUp::default(),
            version: StateVersion {
                presence: now,
                health: now,
            },
            due: Due::default(),
            edges: BTreeMap::new(),
            connections: BTreeSet::new(),
        };
        Self {
            bus,
            history: Arc::default(),
            began: Instant::now(),
            clock,
            map,
            state: Mutex::new(state),
            announced: sync::Mutex::new(Announced {
                publisher: format!("broadcast/{}", uuid::Uuid::new_v4()),
                sequence: 0,
            }),
            untold: Notify::new(),
            watched: Notify::new(),
        }
    }

    /// The map as it is now.
    pub(crate) fn map(&self) -> Arc<Map> {
        Arc::clone(&self.map.borrow())
    }

    /// Adds a publisher's events. Unknown families are refused whole: they would reach nobody.
    pub(crate) async fn publish(&self, request: PublishRequest) -> Result<u64, Error> {
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
        let batch = Batch {
            publisher: publisher_id,
            sequence,
            events,
            lost,
        };
        Ok(self.bus.publish(batch).await?.offset)
    }

    /// Adds an event of a plugin, which was held against its contract.
    pub(crate) async fn publish_of_plugin(&self, event: Event) -> Result<(), Error> {
        // In the name of broadcast: a plugin has no sequence of its own that a repeat could be known by.
        let mut announced = self.announced.lock().await;
        announced.sequence += 1;
        let batch = Batch {
            publisher: announced.publisher.clone(),
            sequence: announced.sequence,
            events: vec![event],
            lost: false,
        };
        self.bus.publish(batch).await?;
        Ok(())
    }

    /// The stream from a place on, and the states as they are there or newer.
    pub(crate) async fn subscribe(
        &self,
        epoch: Option<String>,
        offset: Option<u64>,
    ) -> Result<(Position, bus::Subscription), Error> {
        self.expire().await; // before answering, whichever task comes first
        let after = epoch.map(|epoch| bus::Position {
            epoch,
            offset: offset.unwrap_or(u64::MAX), // an epoch alone is no place: it is a gap
        });
        let subscription = self.bus.subscribe(after).await?;
        let state = self.lock(); // after the stream's place: a state that is older than it would stay
        let position = Position {
            offset: subscription.start.offset,
            gap: subscription.gap,
            state_version: Some(state.version),
            presence: Some(PresenceEvent {
                presence: state.presence.shown(),
            }),
            health: Some(state.health.event(self.clock.now_ms())),
        };
        Ok((position, subscription))
    }

    pub(crate) async fn report_presence(
        &self,
        edge: String,
        entries: Vec<PresenceEntry>,
    ) -> Result<(), Error> {
        {
            let mut state = self.lock();
            let before = state.presence.connections();
            if state.presence.report(edge, entries).ok_or(Error::Full("edges"))? {
                state.presence_changed();
            }
            if before == 0 && state.presence.connections() > 0 {
                self.watched.notify_one();
            }
        }
        self.announce().await;
        Ok(())
    }

    pub(crate) async fn report_health(
        &self,
        health: ServiceHealth,
        leaving: bool,
        connection: Option<u64>,
    ) -> Result<(), Error> {
        {
            let mut state = self.lock();
            state.expire(); // a successor that speaks makes silent ones forgotten
            let reported = state.health.report(health, leaving, connection);
            if reported.ok_or(Error::Full("processes"))? {
                state.health_changed();
            }
        }
        self.announce().await;
        Ok(())
    }

    /// What the bus keeps here for edges that come back.
    pub(crate) fn kept(&self) -> Option<bus::Kept> {
        self.bus.kept()
    }

    /// Whether the end of this connection is to be waited for by whoever asks: once for each.
    pub(crate) fn is_new(&self, connection: u64) -> bool {
        self.lock().connections.insert(connection)
    }

    /// Whoever reported by this connection is gone.
    pub(crate) async fn connection_ended(&self, connection: u64) {
        {
            let mut state = self.lock();
            state.connections.remove(&connection);
            if state.health.connection_ended(connection) {
                state.health_changed();
            }
        }
        self.announce().await;
    }

    /// Whether somebody is there to be told.
    pub(crate) fn is_watched(&self) -> bool {
        self.lock().presence.connections() > 0
    }

    /// Waits until somebody is there to be told, or may be.
    pub(crate) async fn watched(&self) {
        self.watched.notified().await;
    }

    /// Takes in which services answer now.
    pub(crate) async fn answered(&self, answers: &Answers) {
        {
            let mut state = self.lock();
            if state.health.answered(answers) {
                state.health_changed();
            }
        }
        self.announce().await;
    }

    /// Forgets and marks what fell silent.
    pub(crate) async fn expire(&self) {
        self.lock().expire();
        self.announce().await;
    }

    /// When somebody falls silent next, if nobody says anything. Who is not known yet is not due before a whole lease is over.
    pub(crate) fn due(&self) -> Instant {
        let state = self.lock();
        let due = state.presence.due().into_iter().chain(state.health.due());
        due.fold(Instant::now() + health::LEASE, Instant::min)
    }

    /// Says how everybody is although nothing changed: clients take it as a sign of life.
    pub(crate) async fn repeat_health(&self) {
        self.lock().due.health = true;
        self.announce().await;
    }

    pub(crate) async fn presence(&self) -> Vec<PresenceEntry> {
        self.expire().await; // before answering, whichever task comes first
        self.lock().presence.entries()
    }

    /// How everybody is, as they answer now.
    pub(crate) async fn health(&self, answers: &Answers) -> HealthEvent {
        self.expire().await;
        let services = self.lock().health.living(answers);
        RollUp::event_of(services, self.clock.now_ms())
    }

    /// An edge subscribes.
    pub(crate) fn edge_came(&self, edge: &str) {
        *self.lock().edges.entry(edge.to_owned()).or_default() += 1;
    }

    /// An edge's subscription ended: with its last one it is gone, and so are its connections. Should it live, it subscribes anew
    /// and says so. True: it is gone.
    pub(crate) fn edge_left(&self, edge: &str) -> bool {
        let mut state = self.lock();
        let others = state.edges.remove(edge).unwrap_or_default().saturating_sub(1);
        if others > 0 {
            state.edges.insert(edge.to_owned(), others);
            return false;
        }
        if state.presence.forget(edge) {
            state.presence_changed();
        }
        if state.health.forget(edge) {
            state.health_changed();
        }
        self.untold.notify_one();
        true
    }

    /// The state of the gateway as far as services say it, and the health that it is read from.
    pub(crate) async fn status(&self, answers: &Answers) -> (GetStatusResponse, HealthEvent) {
        let health = self.health(answers).await;
        let services = health.services.clone();
        let config_hash = services
            .iter()
            .find(|service| service.service == "config")
            .or(services.first());
        let status = GetStatusResponse {
            ok: is_ok(&services),
            version: env!("CARGO_PKG_VERSION").into(),
            uptime_ms: i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX),
            connections: i64::try_from(self.lock().presence.connections()).unwrap_or(i64::MAX),
            config_hash: config_hash.and_then(|service| service.config_hash.clone()),
            services,
            ..GetStatusResponse::default()
        };
        (status, health)
    }

    /// Waits until something is to be announced that nobody announces who could wait for it.
    pub(crate) async fn untold(&self) {
        self.untold.notified().await;
    }

    /// Publishes what changed. Changes that come while the last ones are under way go out together, as they are then. False when
    /// the bus does not answer: the states are announced again later.
    pub(crate) async fn announce(&self) -> bool {
        let mut announced = self.announced.lock().await;
        let (due, events) = self.take_due();
        if events.is_empty() {
            return true;
        }
        announced.sequence += 1;
        let batch = Batch {
            publisher: announced.publisher.clone(),
            sequence: announced.sequence,
            events,
            lost: false,
        };
        let Err(error) = self.bus.publish(batch).await else {
            return true;
        };
        tracing::warn!(error = %Chain(&error), "a change of presence or health could not be announced");
        let mut state = self.lock();
        state.due.presence |= due.presence;
        state.due.health |= due.health;
        false
    }

    fn take_due(&self) -> (Due, Vec<Event>) {
        let mut state = self.lock();
        let due = std::mem::take(&mut state.due);
        let presence = || {
            Outgoing::new(&PresenceEvent {
                presence: state.presence.shown(),
            })
        };
        let health = || {
            let event = state.health.event(self.clock.now_ms());
            self.history.see(&event.services, event.ts);
            Outgoing::new(&event)
        };
        let outgoing = [due.presence.then(presence), due.health.then(health)];
        let events = outgoing.into_iter().flatten();
        let events = events.map(|event| event.state_version(state.version).into_event());
        (due, events.collect())
    }

    /// What became of processes.
    pub(crate) fn history(&self) -> Arc<History> {
        Arc::clone(&self.history)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn presence_changed(&mut self) {
        self.version.presence += 1;
        self.due.presence = true;
    }

    fn health_changed(&mut self) {
        self.version.health += 1;
        self.due.health = true;
    }

    fn expire(&mut self) {
        if self.presence.expire() {
            self.presence_changed();
        }
        if self.health.expire() {
            self.health_changed();
        }
    }
}

#[cfg(test)]
mod tests;
