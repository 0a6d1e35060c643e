//! Slows down who guesses signatures: by peer, so that a guesser cannot lock the platform out.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use gatehouse_core::net::PeerKey;
use tokio::time::Instant;

/// Wrong signatures of one peer in [`WINDOW`]. A platform whose clock or secret is wrong finds out within ten.
const WRONG_MAX: u32 = 10;
/// How long they count.
const WINDOW: Duration = Duration::from_secs(60);
/// Peers that are remembered; beyond it new ones are not counted until one is forgotten.
const PEERS_MAX: usize = 1024;

/// The peers that were wrong of late.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    wrong: Mutex<HashMap<String, (Instant, u32)>>,
}

impl Throttle {
    /// Whether this peer has to wait, and for how long.
    pub(crate) fn wait(&self, peer: &str, now: Instant) -> Option<Duration> {
        let wrong = self.lock();
        let (since, count) = wrong.get(&key(peer))?;
        let left = (*since + WINDOW).checked_duration_since(now)?;
        (*count >= WRONG_MAX && !left.is_zero()).then_some(left)
    }

    /// This peer was wrong once more.
    pub(crate) fn count(&self, peer: &str, now: Instant) {
        let key = key(peer);
        let mut wrong = self.lock();
        if wrong.len() >= PEERS_MAX {
            wrong.retain(|_, (since, _)| *since + WINDOW > now);
        }
        if wrong.len() >= PEERS_MAX && !wrong.contains_key(&key) {
            // So many addresses at once are one guesser: the map stays bounded, and a signature cannot be guessed in time
            // anyway.
            return;
        }
        let entry = wrong.entry(key).or_insert((now, 0));
        if entry.0 + WINDOW <= now {
            *entry = (now, 0);
        }
        entry.1 = entry.1.saturating_add(1);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Instant, u32)>> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One peer is one key however its address is written.
fn key(peer: &str) -> String {
    peer.parse()
        .map_or_else(|_| peer.to_owned(), |ip| PeerKey::of(ip).to_string())
}

#[cfg(test)]
mod tests {
    use tokio::time::{self, Instant};

    use super::{PEERS_MAX, Throttle, WINDOW, WRONG_MAX};

    #[tokio::test(start_paused = true)]
    async fn ten_wrong_signatures_cost_a_minute_and_only_their_peer() {
        let throttle = Throttle::default();
        for _ in 0..WRONG_MAX {
            assert!(throttle.wait("guesser", Instant::now()).is_none());
            throttle.count("guesser", Instant::now());
        }

        assert!(throttle.wait("guesser", Instant::now()).is_some());
        assert!(throttle.wait("platform", Instant::now()).is_none());
        time::advance(WINDOW).await;
        assert!(throttle.wait("guesser", Instant::now()).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_guesser_with_a_network_of_its_own_is_one_guesser() {
        let throttle = Throttle::default();
        for n in 0..WRONG_MAX {
            throttle.count(&format!("2001:db8::{n:x}"), Instant::now());
        }

        assert!(throttle.wait("2001:db8::ffff", Instant::now()).is_some());
        assert!(throttle.wait("2001:db8:0:1::1", Instant::now()).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn the_memory_of_peers_is_bounded() {
        let throttle = Throttle::default();
        for peer in 0..PEERS_MAX * 3 {
            throttle.count(&peer.to_string(), Instant::now());
        }
        assert!(throttle.lock().len() <= PEERS_MAX);
    }
}
