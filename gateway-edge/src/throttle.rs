//! Slows down whoever guesses the token: failed logins are counted by peer, and too many lock the peer out.
//!
//! Programs on this machine are exempt, because a person's own scripts would lock them out of their own gateway. A browser is
//! not: any page that the person opens can dial loopback, so a request with an `Origin` counts wherever it comes from.
//!
//! A peer behind which many stand is locked out for wrong tokens only. One of them must not shut out the others, and what a
//! lock-out defends, a token that can be guessed, the configuration does not take.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use gatehouse_core::net::PeerKey;
use tokio::time::Instant;

use crate::admission::{Client, Reach};

/// Peers remembered at once: at 80 bytes each somewhat over a megabyte.
const PEERS_MAX: usize = 16_384;

/// How many go when there is no room, so that not every failure after it looks through all of them.
const ROOM: usize = PEERS_MAX / 16;

/// How many failures are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) attempts_max: u32,
    pub(crate) window: Duration,
    pub(crate) lockout: Duration,
    pub(crate) exempt_loopback: bool,
}

impl Default for Limits {
    /// OpenClaw's defaults, so that a copied configuration means the same here.
    fn default() -> Self {
        Self {
            attempts_max: 10,
            window: Duration::from_secs(60),
            lockout: Duration::from_secs(300),
            exempt_loopback: true,
        }
    }
}

/// Who tries to log in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Login {
    pub(crate) client: Client,
    /// Whether a browser page stands behind it.
    pub(crate) browser: bool,
}

/// A lock-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lockout {
    /// How long it lasts from now on.
    pub(crate) wait: Duration,
    /// Whether even the right token is refused.
    pub(crate) complete: bool,
}

/// Counts failed logins.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    records: Mutex<Records>,
}

#[derive(Debug, Default)]
struct Records {
    by_peer: HashMap<PeerKey, Record>,
    /// Until then there is no room to be made: all are locked out.
    full_until: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Record {
    failures: u32,
    since: Instant,
    locked_until: Option<Instant>,
}

impl Record {
    fn is_over(&self, now: Instant, limits: &Limits) -> bool {
        match self.locked_until {
            Some(until) => now >= until,
            None => now.duration_since(self.since) >= limits.window,
        }
    }
}

impl Throttle {
    /// Whether this login is locked out.
    pub(crate) fn lockout(&self, login: Login, limits: &Limits) -> Option<Lockout> {
        let key = counted(login, limits)?;
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let until = records.by_peer.get(&key)?.locked_until?;
        let wait = until.checked_duration_since(Instant::now())?;
        let complete = login.client.reach == Reach::Own;
        (!wait.is_zero()).then_some(Lockout { wait, complete })
    }

    /// Remembers that a token was wrong.
    pub(crate) fn failed(&self, login: Login, limits: &Limits) {
        let Some(key) = counted(login, limits) else {
            return;
        };
        let now = Instant::now();
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if !records.by_peer.contains_key(&key) && !records.has_room(now, limits) {
            return;
        }
        let fresh = Record {
            failures: 0,
            since: now,
            locked_until: None,
        };
        let record = records.by_peer.entry(key).or_insert(fresh);
        if record.is_over(now, limits) {
            *record = fresh;
        }
        record.failures = record.failures.saturating_add(1);
        // What is tried during a lock-out does not prolong it.
        if record.failures >= limits.attempts_max && record.locked_until.is_none() {
            record.locked_until = Some(now + limits.lockout);
        }
    }

    /// Forgets the failures of a client that has shown the right token. That one of many has it says nothing of the others.
    pub(crate) fn succeeded(&self, login: Login, limits: &Limits) {
        if let Some(key) = counted(login, limits)
            && login.client.reach == Reach::Own
        {
            let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
            records.by_peer.remove(&key);
        }
    }
}

impl Records {
    /// Makes room for one more, if need be: what is over goes first, then the oldest failures. Who is locked out stays, or a
    /// guesser would buy itself out with failures of other addresses.
    fn has_room(&mut self, now: Instant, limits: &Limits) -> bool {
        if self.by_peer.len() < PEERS_MAX {
            return true;
        }
        if self.full_until.is_some_and(|until| now < until) {
            return false;
        }
        self.by_peer.retain(|_, record| !record.is_over(now, limits));
        let mut free: Vec<Instant> = self
            .by_peer
            .values()
            .filter(|record| record.locked_until.is_none())
            .map(|record| record.since)
            .collect();
        if self.by_peer.len() + ROOM > PEERS_MAX && !free.is_empty() {
            let last = ROOM.min(free.len()) - 1;
            let (_, newest_to_go, _) = free.select_nth_unstable(last);
            let newest_to_go = *newest_to_go;
            self.by_peer
                .retain(|_, record| record.locked_until.is_some() || record.since > newest_to_go);
        }
        self.full_until = None;
        if self.by_peer.len() >= PEERS_MAX {
            self.full_until = self
                .by_peer
                .values()
                .filter_map(|record| record.locked_until)
                .min();
        }
        self.by_peer.len() < PEERS_MAX
    }
}

/// The key under which a login is counted, if it is.
fn counted(login: Login, limits: &Limits) -> Option<PeerKey> {
    let exempt = login.client.reach == Reach::Local && limits.exempt_loopback && !login.browser;
    (!exempt).then(|| login.client.key())
}

#[cfg(test)]
mod tests;
