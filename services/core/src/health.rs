//! How a process is, as one value that everybody who must know it watches: the gRPC health service and the health report.

use std::time::Duration;

use tokio::{sync::watch, time::timeout};

/// What a process says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It cannot serve yet.
    Starting,
    /// It serves.
    Serving,
    /// It serves in part, and says why.
    Degraded(String),
    /// It cannot serve, and says why.
    NotServing(String),
    /// It was asked to end and finishes what is under way. Nothing follows.
    Stopping,
}

/// The name under which the gRPC health service says whether a process was asked to end: `SERVING` from then on, unknown before.
/// The overall status does not tell that from a fault.
pub const STOPPING: &str = "gatehouse.stopping";

impl State {
    /// Whether callers should be sent here.
    #[must_use]
    pub const fn serves(&self) -> bool {
        match self {
            Self::Serving | Self::Degraded(_) => true,
            Self::Starting | Self::NotServing(_) | Self::Stopping => false,
        }
    }
}

/// How long a start may take before the log says what is missing: the others start at the same time, and some seconds are usual.
const START_QUIET: Duration = Duration::from_secs(5);

/// One line about a state.
fn told(state: &State) {
    match state {
        State::Starting => tracing::warn!("not serving yet: no configuration has come"),
        State::Serving => tracing::info!("serving again"),
        State::Degraded(reason) => tracing::warn!(reason, "serving in part"),
        State::NotServing(reason) => tracing::warn!(reason, "not serving"),
        State::Stopping => tracing::debug!("stopping"),
    }
}

/// The health of this process. Clones share it.
#[derive(Clone, Debug)]
pub struct Health {
    state: watch::Sender<State>,
    /// Somebody asks how it is.
    asked: watch::Sender<()>,
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Health {
    /// A process that starts.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: watch::Sender::new(State::Starting),
            asked: watch::Sender::new(()),
        }
    }

    /// It serves.
    pub fn serving(&self) {
        self.set(State::Serving);
    }

    /// It cannot serve.
    pub fn not_serving(&self, reason: impl Into<String>) {
        self.set(State::NotServing(reason.into()));
    }

    /// It was asked to end. Whatever is found out afterwards changes nothing about that.
    pub fn stopping(&self) {
        self.set(State::Stopping);
    }

    /// Says how it is. Watchers hear of it only when it changed.
    pub fn set(&self, state: State) {
        self.state.send_if_modified(|current| {
            let changed = *current != state && *current != State::Stopping;
            if changed {
                tracing::debug!(?state, "health changed");
                *current = state;
            }
            changed
        });
    }

    /// Writes into the log what an operator wants to know of it, until it was asked to end. What passes while it starts is no news:
    /// only a start that does not come to an end is.
    pub(crate) async fn log(self, supervised: bool) {
        let mut states = self.watch();
        let settled = |state: &State| matches!(state, State::Serving | State::Stopping);
        let started = timeout(START_QUIET, states.wait_for(settled)).await;
        let started = started.map(|state| state.is_ok_and(|state| *state == State::Serving));
        match started {
            // The supervisor says when all of them serve.
            Ok(serves) if serves && !supervised => tracing::info!("serving"),
            Ok(_) => {}
            Err(_) => told(&states.borrow_and_update().clone()),
        }
        while states.changed().await.is_ok() {
            let state = states.borrow_and_update().clone();
            told(&state);
        }
    }

    /// Somebody asks how it is.
    pub(crate) fn ask(&self) {
        self.asked.send_replace(());
    }

    /// Hears when somebody asks: what costs something is found out for those who want to know.
    pub(crate) fn questions(&self) -> watch::Receiver<()> {
        self.asked.subscribe()
    }

    /// How it is.
    #[must_use]
    pub fn current(&self) -> State {
        self.state.borrow().clone()
    }

    /// Hears of changes; the current state counts as seen.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }
}
