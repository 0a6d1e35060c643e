//! How a process is, as one value that everybody who must know it watches: the gRPC health service and the health report.

use tokio::sync::watch;

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

/// The health of this process. Clones share it.
#[derive(Clone, Debug)]
pub struct Health(watch::Sender<State>);

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Health {
    /// A process that starts.
    #[must_use]
    pub fn new() -> Self {
        Self(watch::Sender::new(State::Starting))
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
        self.0.send_if_modified(|current| {
            let changed = *current != state && *current != State::Stopping;
            if changed {
                tracing::info!(?state, "health changed");
                *current = state;
            }
            changed
        });
    }

    /// How it is.
    #[must_use]
    pub fn current(&self) -> State {
        self.0.borrow().clone()
    }

    /// Hears of changes; the current state counts as seen.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<State> {
        self.0.subscribe()
    }
}
