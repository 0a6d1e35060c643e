//! Who listens to what: all connections of this edge, the state that a newcomer is shown, and the stream that feeds both.
//!
//! One task reads the stream of broadcast, renders each event once and hands every connection its whole batch. A newcomer's
//! snapshot is taken and the newcomer entered under one lock, so that it misses no change of state between the two.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use gatehouse_contract::{Access, Grants, Map, Role};
use gatehouse_core::{Timestamp, session_key};
use gatehouse_proto::broadcast::v1::{self as broadcast, HealthEvent, PresenceEvent, StateVersion};
use prost::Message;
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

use crate::{
    backend::offer::Offer,
    connection::Connection,
    dialect::Rendition,
    event::{About, Audience, Event, Extent, merged},
    metrics::Metrics,
    step,
};

mod fan;
#[cfg(test)]
mod tests;

/// How long an answer waits for the events before it. Broadcast has them already, so they come within milliseconds unless it dies.
const REACH: Duration = Duration::from_secs(1);

/// All connections after their handshake.
#[derive(Debug)]
pub(crate) struct Hub {
    offers: watch::Receiver<Arc<Offer>>,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
    /// Rings when a connection came or went.
    pub(crate) changed: Notify,
    /// Rings when a connection came.
    pub(crate) entered: Notify,
    /// The offset of the last event of the stream that every connection was given.
    given: watch::Sender<u64>,
    gap: Event,
}

#[derive(Debug, Default)]
struct State {
    /// In the order in which they came: neighbours in memory and in the kernel are written to one after the other.
    connections: BTreeMap<u64, Arc<Connection>>,
    /// The same as a list, made anew when it is needed after a change.
    list: Option<Arc<[Arc<Connection>]>>,
    snapshot: Snapshot,
}

/// What a newcomer is shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    pub(crate) versions: StateVersion,
    /// JSON: the list of entries. Empty until broadcast has spoken.
    pub(crate) presence: Bytes,
    /// The same without the sessions that may be a user's own, for who may not see what belongs to others.
    pub(crate) presence_shared: Bytes,
    /// JSON: the whole roll-up. Empty until broadcast has spoken.
    pub(crate) health: Bytes,
    pub(crate) health_event: HealthEvent,
}

impl Hub {
    pub(crate) fn new(offers: watch::Receiver<Arc<Offer>>, metrics: Arc<Metrics>) -> Self {
        Self {
            offers,
            metrics,
            state: Mutex::default(),
            changed: Notify::new(),
            entered: Notify::new(),
            given: watch::Sender::default(),
            gap: Event::new("gap", Audience::everybody(Access::Connected), b"{}", None),
        }
    }

    /// Enters a connection after showing it the state as it is now; `show` sends the hello.
    pub(crate) fn enter(&self, connection: &Arc<Connection>, show: impl FnOnce(&Snapshot)) {
        let mut state = self.lock();
        show(&state.snapshot);
        state
            .connections
            .insert(connection.number, Arc::clone(connection));
        state.list = None;
        drop(state);
        self.metrics.connections.inc();
        self.changed.notify_one();
        self.entered.notify_one();
    }

    /// Forgets a connection.
    pub(crate) fn leave(&self, connection: &Connection) {
        let mut state = self.lock();
        let known = state.connections.remove(&connection.number).is_some();
        if known {
            state.list = None;
        }
        drop(state);
        if known {
            self.metrics.connections.dec();
            self.changed.notify_one();
        }
    }

    /// All connections after their handshake, in the order in which they came.
    pub(crate) fn connections(&self) -> Arc<[Arc<Connection>]> {
        self.lock().list()
    }

    /// Sends events to all connections that they are for.
    pub(crate) async fn fan_out(&self, events: Vec<Event>) {
        fan::out(self.connections(), events).await;
    }

    /// Takes in a piece of the stream.
    pub(crate) async fn take(&self, events: Vec<broadcast::Event>) {
        let mut steps: Vec<_> = events.iter().filter_map(step::of_event).collect();
        let (connections, rendered) = self.render_all(events);
        for step in &mut steps {
            step.set("gatehouse.connections", connections.len() as u64);
        }
        if !rendered.is_empty() {
            fan::out(connections, rendered).await;
        }
    }

    /// The events as they are shown, and to whom: newcomers see them in their snapshot.
    fn render_all(&self, events: Vec<broadcast::Event>) -> (Arc<[Arc<Connection>]>, Vec<Event>) {
        let mut rendered = Vec::with_capacity(events.len());
        let map = self.map();
        let mut state = self.lock();
        for event in events {
            remember(&map, &mut state.snapshot, &event);
            match narrowed(&event) {
                Some(shared) => {
                    for (event, extent) in [(event, Extent::Whole), (shared, Extent::Shared)] {
                        let event = self.render(&map, event);
                        rendered.extend(event.map(|event| event.shown(extent)));
                    }
                }
                None => rendered.extend(self.render(&map, event)),
            }
        }
        let list = state.list();
        drop(state);
        self.metrics.events.inc_by(rendered.len() as u64);
        (list, merged(rendered))
    }

    /// All that the stream had up to here has been taken in.
    pub(crate) fn gave(&self, offset: u64) {
        self.given.send_replace(offset);
    }

    /// Waits until connections were given the events up to here: a moment at most, because the stream may be away, or anew.
    pub(crate) async fn reach(&self, offset: u64) {
        let mut given = self.given.subscribe();
        let _late = timeout(REACH, given.wait_for(|given| *given >= offset)).await;
    }

    /// Takes in where the stream stands. Clients are shown states that are newer than what they have.
    pub(crate) async fn stand(&self, position: broadcast::Position) {
        let broadcast::Position {
            offset: _,
            gap: _,
            state_version,
            presence,
            health,
        } = position;
        let versions = state_version.unwrap_or_default();
        let known = self.lock().snapshot.versions;
        let event = |type_: &str, payload: Vec<u8>| broadcast::Event {
            r#type: type_.to_owned(),
            payload: payload.into(),
            state_version: Some(versions),
            ..broadcast::Event::default()
        };
        let unseen = self.lock().snapshot.presence.is_empty();
        let mut events = Vec::new();
        if unseen || known.presence != versions.presence {
            events.push(event(PRESENCE, presence.unwrap_or_default().encode_to_vec()));
        }
        if unseen || known.health != versions.health {
            events.push(event(HEALTH, health.unwrap_or_default().encode_to_vec()));
        }
        self.take(events).await;
    }

    /// Tells every connection that events were lost. A tick follows, so that a hole is seen at once.
    pub(crate) fn announce_gap(&self, now: Timestamp) {
        tracing::warn!("events were lost; clients are told to read their state anew");
        self.metrics.gaps.inc();
        let tick = tick(now);
        let mut joined = Vec::new();
        for connection in self.connections().iter() {
            connection.announce_gap(&self.gap);
            connection.deliver(std::slice::from_ref(&tick), &mut joined);
        }
    }

    /// An event for a node as a node; whoever sent it knows the connection. It takes no number.
    pub(crate) fn directed(&self, r#type: String, payload: Bytes) -> Option<Event> {
        let event = broadcast::Event {
            r#type,
            payload,
            ..broadcast::Event::default()
        };
        self.render(&self.map(), event).map(Event::for_node)
    }

    fn map(&self) -> Arc<Map> {
        Arc::clone(self.offers.borrow().map())
    }

    fn render(&self, map: &Map, event: broadcast::Event) -> Option<Event> {
        let broadcast::Event {
            r#type,
            payload,
            topics,
            connection_id,
            rendition,
            merge_key,
            state_version,
            user_id,
            except_connection_ids,
            session_topic,
            device_id,
            device_scopes,
            offset: _,
            traceparent: _,
        } = event;
        let Some(kind) = map.event(&r#type) else {
            tracing::debug!(event.kind = r#type, "an event that no contract knows was dropped");
            self.metrics.events_unknown.inc();
            return None;
        };
        let payload = if r#type == PRESENCE {
            shown_presence(&payload).into()
        } else {
            payload
        };
        let mut json = Vec::with_capacity(payload.len() * 2 + 64);
        let rendered = match kind.plan.render(&payload, &mut json) {
            Ok(rendered) => rendered,
            Err(error) => {
                tracing::error!(event.name = kind.name, error = %error, "an event cannot be rendered");
                return None;
            }
        };
        let audience = Audience {
            access: kind.access,
            topics,
            connection: connection_id,
            except: except_connection_ids,
            session_topic: session_topic.map(Into::into),
            rendition: Rendition::of(rendition),
            user: user_id.map(Into::into),
            about: device_id.map(|device| About {
                device: device.into(),
                scopes: Grants::new(Role::Operator, device_scopes.iter().map(String::as_str)),
            }),
            extent: None,
        };
        let is_state = r#type == PRESENCE || r#type == HEALTH;
        let versions = state_version.filter(|_| is_state);
        let event = Event::new(&kind.name, audience, &json, versions.as_ref());
        Some(match (merge_key, rendered.append) {
            (Some(key), Some(text)) => event.merged_by(&key, Some(text)),
            // A reader that is behind needs the newest state, not all that came before it.
            _ if is_state => event.merged_by(&kind.name, None),
            _ => event,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn list(&mut self) -> Arc<[Arc<Connection>]> {
        let connections = &self.connections;
        Arc::clone(
            self.list
                .get_or_insert_with(|| connections.values().map(Arc::clone).collect()),
        )
    }
}

/// Keeps what newcomers are shown.
fn remember(map: &Map, snapshot: &mut Snapshot, event: &broadcast::Event) {
    if let Some(versions) = event.state_version {
        snapshot.versions = versions;
    }
    match event.r#type.as_str() {
        PRESENCE => {
            let list = |wire: &[u8]| {
                let whole = payload(map, PRESENCE, &shown_presence(wire));
                field(&whole, "presence").unwrap_or_else(|| Bytes::from_static(b"[]"))
            };
            snapshot.presence = list(&event.payload);
            snapshot.presence_shared = match narrowed(event) {
                Some(shared) => list(&shared.payload),
                None => snapshot.presence.clone(),
            };
        }
        HEALTH => {
            snapshot.health = payload(map, HEALTH, &event.payload).into();
            snapshot.health_event = HealthEvent::decode(&*event.payload).unwrap_or_default();
        }
        _ => (),
    }
}

fn payload(map: &Map, message: &str, wire: &[u8]) -> Vec<u8> {
    let mut json = Vec::new();
    let kind = map.event(message);
    if kind.is_none_or(|kind| kind.plan.render(wire, &mut json).is_err()) {
        json = b"{}".to_vec();
    }
    json
}

/// The messages that the edge itself must understand: newcomers are shown them.
const PRESENCE: &str = "gatehouse.broadcast.v1.PresenceEvent";
const HEALTH: &str = "gatehouse.broadcast.v1.HealthEvent";

/// Presence as clients see it. Ids of connections and clients stay inside: the published schema of an entry has neither.
/// Method `system-presence` shows them to operators.
fn shown_presence(wire: &[u8]) -> Vec<u8> {
    let mut event = PresenceEvent::decode(wire).unwrap_or_default();
    for entry in &mut event.presence {
        (entry.connection_id, entry.client_id) = (None, None);
    }
    event.encode_to_vec()
}

/// A presence without the sessions that may be a user's own: which of them somebody looks at is told to those who may see what belongs to
/// others. `None`: there are none, or it is another event.
fn narrowed(event: &broadcast::Event) -> Option<broadcast::Event> {
    if event.r#type != PRESENCE {
        return None;
    }
    let mut presence = PresenceEvent::decode(&*event.payload).unwrap_or_default();
    let mut is_whole = true;
    for entry in &mut presence.presence {
        let count = entry.watched_sessions.len();
        entry.watched_sessions.retain(|key| session_key::is_shared(key));
        is_whole &= entry.watched_sessions.len() == count;
    }
    (!is_whole).then(|| broadcast::Event {
        payload: presence.encode_to_vec().into(),
        ..event.clone()
    })
}

/// The JSON text of one field of an object.
pub(crate) fn field(json: &[u8], name: &str) -> Option<Bytes> {
    let object: HashMap<&str, &serde_json::value::RawValue> = serde_json::from_slice(json).ok()?;
    object
        .get(name)
        .map(|value| Bytes::copy_from_slice(value.get().as_bytes()))
}

/// A sign of life.
pub(crate) fn tick(now: Timestamp) -> Event {
    let payload = format!(r#"{{"ts":{now}}}"#);
    Event::new(
        "tick",
        Audience::everybody(Access::Connected),
        payload.as_bytes(),
        None,
    )
}

/// The edge is about to end.
pub(crate) fn shutdown(reason: &str) -> Event {
    let payload = serde_json::json!({"reason": reason}).to_string();
    Event::new(
        "shutdown",
        Audience::everybody(Access::Connected),
        payload.as_bytes(),
        None,
    )
}
