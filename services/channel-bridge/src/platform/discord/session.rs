//! The session with the gateway: what it takes to go on where it ended, over connections and over restarts of the process. The place
//! is kept behind the commit of each message, so that Discord says again what was not committed.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use gatehouse_core::Chain;
use serde::{Deserialize, Serialize};
use tokio::time;

use crate::account::AccountState;

/// The name under which it is kept.
const SESSION: &str = "session";
/// Before what could not be kept is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// A session that Discord remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Session {
    pub(super) id: String,
    /// Where it goes on.
    pub(super) url: String,
    /// The last event that was taken care of.
    pub(super) seq: u64,
    /// Whose it is.
    pub(super) bot: String,
}

#[derive(Debug)]
pub(super) struct Sessions {
    now: Mutex<Option<Session>>,
    state: AccountState,
}

impl Sessions {
    pub(super) fn new(state: AccountState) -> Self {
        Self {
            now: Mutex::new(None),
            state,
        }
    }

    /// The session of this bot, if there is one.
    pub(super) async fn read(&self, bot: &str) -> Option<Session> {
        let known = self.lock().clone();
        let known = match known {
            Some(known) => Some(known),
            None => {
                let kept = self.state.get(SESSION).await;
                let kept = kept.inspect_err(|error| {
                    tracing::error!(error = %Chain(error), "the session with Discord cannot be read; a new one begins");
                });
                kept.ok()
                    .flatten()
                    .and_then(|kept| serde_json::from_slice(&kept).ok())
            }
        };
        let known = known.filter(|session: &Session| session.bot == bot && !session.id.is_empty());
        self.lock().clone_from(&known);
        known
    }

    /// The place of the last event.
    pub(super) fn seq(&self) -> Option<u64> {
        self.lock().as_ref().map(|session| session.seq)
    }

    /// A new session.
    pub(super) async fn begin(&self, session: Session) {
        *self.lock() = Some(session);
        self.keep().await;
    }

    /// An event was taken care of that says nothing which could be lost.
    pub(super) fn passed(&self, seq: u64) {
        if let Some(session) = self.lock().as_mut() {
            session.seq = session.seq.max(seq);
        }
    }

    /// The place is on the disk.
    pub(super) async fn keep(&self) {
        let Ok(kept) = serde_json::to_vec(&*self.lock()) else {
            return;
        };
        while let Err(error) = self.state.put(SESSION, kept.clone()).await {
            tracing::error!(error = %Chain(&error), "the place in Discord's events cannot be kept yet");
            time::sleep(RETRY).await;
        }
    }

    /// Discord does not know it any more.
    pub(super) async fn forget(&self) {
        *self.lock() = None;
        self.keep().await;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Session>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
