//! The clock of one account: when the platform was last heard, and what state that means. The adapter touches it, the
//! supervisor decides by it, `channels.status` shows it.

mod ear;
mod state;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use gatehouse_core::{Clock, Timestamp, report};
use tokio::{
    sync::watch,
    time::{self, Instant},
};

pub(crate) use self::{
    ear::{Ear, Word},
    state::*,
};
use super::{
    asked::Asked,
    login::Login,
    room::{Room, RoomStatus},
};

/// Who was heard so lately is there: asking again would only be noise.
const FRESH: Duration = Duration::from_secs(1);

/// What a notice is about: there is one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    /// The name under which the account is there.
    Name,
    /// Whether the platform knows who it is.
    Login,
    /// Whether what stands between us and the platform reaches it.
    Bouncer,
    /// What the platform took and did not deliver.
    Delivery,
}

/// What a snapshot is made of. Moments of the process: as times of day they would be wrong as soon as somebody sets the clock.
#[derive(Debug, Default)]
struct Moments {
    start: Option<Instant>,
    connected: Option<Instant>,
    inbound: Option<Instant>,
    progress: Option<Instant>,
    outbound: Option<Instant>,
}

#[derive(Debug)]
struct Known {
    state: State,
    last_error: Option<String>,
    last_disconnect: Option<(String, Instant)>,
    reconnect_count: i64,
    last: Moments,
    warning: Option<String>,
    notices: BTreeMap<Topic, String>,
    rooms: Vec<Room>,
}

impl Known {
    /// What is known of one connection means nothing for the next.
    fn forget_connection(&mut self) {
        self.notices.clear();
        self.rooms.clear();
    }
}

/// A handle on the clock. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    clock: Clock,
    // A std lock around a few field writes; it never crosses an await.
    inner: Arc<Mutex<Known>>,
    heard: Arc<watch::Sender<Instant>>,
    state: Arc<watch::Sender<State>>,
    login: Arc<watch::Sender<Option<Login>>>,
    asked: Arc<watch::Sender<Option<Instant>>>,
    /// What the platform itself says of the account.
    pub(crate) known: Asked,
    ear: Option<Ear>,
}

impl Progress {
    /// An account that does not run yet.
    pub(crate) fn new(clock: Clock) -> Self {
        let known = Known {
            state: State::Stopped,
            last_error: None,
            last_disconnect: None,
            reconnect_count: 0,
            last: Moments::default(),
            warning: None,
            notices: BTreeMap::new(),
            rooms: Vec::new(),
        };
        Self {
            clock,
            inner: Arc::new(Mutex::new(known)),
            heard: Arc::new(watch::Sender::new(Instant::now())),
            state: Arc::new(watch::Sender::new(State::Stopped)),
            login: Arc::default(),
            asked: Arc::new(watch::Sender::new(None)),
            known: Asked::default(),
            ear: None,
        }
    }

    /// The same, where somebody else wants to know as well.
    pub(crate) fn heard_by(clock: Clock, ear: Ear) -> Self {
        Self {
            ear: Some(ear),
            ..Self::new(clock)
        }
    }

    fn say(&self, word: impl FnOnce() -> Word) {
        if let Some(ear) = &self.ear {
            ear.tell(word());
        }
    }

    /// The platform was heard: anything at all, also an answer to a ping.
    pub(crate) fn heard(&self) {
        let mut inner = self.lock();
        inner.last.progress = Some(Instant::now());
        let was_silent = inner.state == State::Degraded;
        if was_silent {
            inner.state = State::Connected;
            inner.last_error = None;
        }
        self.touch(inner);
        if was_silent {
            self.tell(State::Connected);
        }
        self.say(|| Word::Heard);
    }

    /// The account is connected: what is to be sent may come now.
    pub(crate) fn connected(&self) {
        let now = Instant::now();
        let mut inner = self.lock();
        if inner.last.connected.is_some() {
            inner.reconnect_count += 1;
        }
        inner.last.connected = Some(now);
        inner.last.progress = Some(now);
        inner.state = State::Connected;
        inner.last_error = None;
        self.login.send_replace(None);
        self.touch(inner);
        self.tell(State::Connected);
        self.say(|| Word::Connected);
    }

    /// Somebody has to link the account, until it is connected or the connection ends.
    pub(crate) fn wants_login(&self, login: Login) {
        self.login.send_replace(Some(login));
    }

    /// How the account is to be linked, as it changes.
    pub(crate) fn logins(&self) -> watch::Receiver<Option<Login>> {
        self.login.subscribe()
    }

    /// When its task last started.
    pub(crate) fn started(&self) -> Option<Instant> {
        self.lock().last.start
    }

    /// Shows how the wanted rooms are, from now on and until the connection ends.
    pub(crate) fn show_rooms(&self, rooms: Vec<Room>) {
        self.say(|| Word::Rooms(rooms.clone()));
        self.lock().rooms = rooms;
    }

    /// Shows what is not as configured, until it is taken back or the connection ends.
    pub(crate) fn notice(&self, topic: Topic, text: Option<String>) {
        self.say(|| Word::Notice(topic, text.clone()));
        let mut inner = self.lock();
        match text {
            Some(text) => drop(inner.notices.insert(topic, text)),
            None => drop(inner.notices.remove(&topic)),
        }
    }

    /// Changes when somebody wants to know whether the platform is there: the adapter then asks it for a word. Never more
    /// often than once a second, because a platform throws out who floods it.
    pub(crate) fn questions(&self) -> watch::Receiver<Option<Instant>> {
        self.asked.subscribe()
    }

    /// Has the platform asked whether it is there. True when it is heard within this time, or was just before.
    pub(crate) async fn answers(&self, within: Duration) -> bool {
        let mut heard = self.heard.subscribe();
        if heard.borrow_and_update().elapsed() < FRESH {
            return true;
        }
        self.ask();
        matches!(time::timeout(within, heard.changed()).await, Ok(Ok(())))
    }

    /// Has the platform asked, and waits for nobody. A question that was asked just before and is still open is this one as well.
    pub(crate) fn ask(&self) {
        self.asked.send_if_modified(|last| {
            let due = last.is_none_or(|at| at.elapsed() >= FRESH);
            if due {
                *last = Some(Instant::now());
            }
            due
        });
    }

    /// What is known.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let now = self.clock.now();
        let inner = self.lock();
        let at = |moment: Option<Instant>| Some(now - moment?.elapsed());
        Snapshot {
            state: inner.state,
            last_error: inner.last_error.clone(),
            last_disconnect: inner.last_disconnect.as_ref().and_then(|(reason, moment)| {
                Some(Disconnect {
                    reason: reason.clone(),
                    at: at(Some(*moment))?,
                })
            }),
            last_start_at: at(inner.last.start),
            last_connected_at: at(inner.last.connected),
            last_inbound_at: at(inner.last.inbound),
            last_progress_at: at(inner.last.progress),
            last_outbound_at: at(inner.last.outbound),
            reconnect_count: inner.reconnect_count,
            warning: inner.warning.clone(),
            notices: inner.notices.values().cloned().collect(),
            rooms: inner.rooms.iter().map(|room| room.status(now)).collect(),
            login: self.login.borrow().clone(),
        }
    }

    /// The state as it changes.
    pub(crate) fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Shows a warning from now on. True: nothing was shown before.
    pub(crate) fn warn(&self, warning: String) -> bool {
        self.say(|| Word::Warning(warning.clone()));
        self.lock().warning.replace(warning).is_none()
    }

    pub(crate) fn received(&self) {
        self.lock().last.inbound = Some(Instant::now());
    }

    pub(crate) fn sent(&self) {
        self.lock().last.outbound = Some(Instant::now());
    }

    pub(crate) fn last_heard(&self) -> Instant {
        *self.heard.borrow()
    }

    pub(crate) fn starting(&self) {
        let mut inner = self.lock();
        inner.last.start = Some(Instant::now());
        inner.state = State::Starting;
        inner.forget_connection();
        self.login.send_replace(None);
        self.touch(inner);
        self.tell(State::Starting);
    }

    pub(crate) fn enter(&self, state: State, error: Option<String>) {
        let mut inner = self.lock();
        inner.state = state;
        match state {
            State::Backoff | State::Failed => {
                inner.forget_connection();
                inner.last_disconnect = error.clone().map(|reason| (reason, Instant::now()));
            }
            State::Stopped | State::Standby => {
                inner.forget_connection();
                inner.last_error = None;
            }
            State::Starting | State::Connected | State::Degraded => {}
        }
        if error.is_some() {
            inner.last_error = error;
        }
        if !state.has_connection() {
            self.login.send_replace(None);
        }
        drop(inner);
        self.tell(state);
    }

    /// Within the lock: whoever is woken by it sees what was written before.
    fn touch(&self, inner: MutexGuard<'_, Known>) {
        self.heard.send_replace(Instant::now());
        drop(inner);
    }

    fn tell(&self, state: State) {
        let changed = self
            .state
            .send_if_modified(|old| std::mem::replace(old, state) != state);
        if changed {
            report::look();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
