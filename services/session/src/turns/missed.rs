//! The ends of runs that were cut off when their process died. They are said when the next process finds them, and a client whose
//! connection died with that process has not come back by then: it is told when it asks for the conversation again, once.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Ended;
use crate::key::SessionKey;
use gatehouse_core::Timestamp;

/// How long an end is told to whoever comes back: clients of v4 wait 30 s at most before they connect again.
const TOLD: Duration = Duration::from_secs(120);
/// Ends that are remembered: more runs than a gateway has at the same time.
const ENDS_MAX: usize = 256;
/// Connections that one end is told to.
const CONNECTIONS_MAX: usize = 1024;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) connection: String,
    /// Since when it is connected.
    pub(crate) since: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Missed {
    ends: Mutex<VecDeque<Missable>>,
}

#[derive(Debug)]
struct Missable {
    ended: Ended,
    told: HashSet<String>,
}

impl Missed {
    /// The end of a run whose process is dead. It was said a moment ago.
    pub(super) fn remember(&self, ended: &Ended) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        if ends.len() >= ENDS_MAX {
            ends.pop_front();
        }
        ends.push_back(Missable {
            ended: ended.clone(),
            told: HashSet::new(),
        });
    }

    /// What this connection missed of a session. Asked again, it answers nothing.
    pub(super) fn take(&self, key: &SessionKey, listener: &Listener, now: Timestamp) -> Vec<Ended> {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.retain(|end| now.since(ended_at(end)) < TOLD);
        let mut missed = Vec::new();
        for end in ends.iter_mut() {
            let missable = end.ended.turn.key == *key && listener.since >= ended_at(end);
            if missable && end.told.len() < CONNECTIONS_MAX && end.told.insert(listener.connection.clone()) {
                missed.push(end.ended.clone());
            }
        }
        missed
    }
}

fn ended_at(end: &Missable) -> Timestamp {
    end.ended.turn.ended_at.unwrap_or_default()
}
