//! Bounds on sockets: all together, and those that have not shown a token.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use gatehouse_core::net::PeerKey;
use tokio_util::sync::CancellationToken;

use crate::{admission::Reach, permits};

/// Bounds on sockets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Sockets that have not shown a token, all together.
    pub(crate) unauthenticated_max: usize,
    /// The same, of one peer. A peer behind which many stand may have half of all, and never more.
    pub(crate) unauthenticated_of_one_max: usize,
    /// Sockets of all kinds. Broadcast takes the presence of 20,000 connections from one edge.
    pub(crate) sockets_max: usize,
}

impl Default for Bounds {
    /// 1,000 clients that come back at once after a restart must pass; 10,000 that never say who they are must not.
    fn default() -> Self {
        Self {
            unauthenticated_max: 4096,
            unauthenticated_of_one_max: 128,
            sockets_max: 20_000,
        }
    }
}

/// Counts sockets.
#[derive(Debug)]
pub(crate) struct Counter {
    bounds: Bounds,
    unauthenticated: Arc<permits::Permits<PeerKey>>,
    authenticated: AtomicUsize,
}

/// A permit for one socket; dropping it frees the permit.
#[derive(Debug)]
pub(crate) struct Permit {
    counter: Arc<Counter>,
    /// Until the owner has shown a token.
    unauthenticated: Option<permits::Permit<PeerKey>>,
}

impl Counter {
    pub(crate) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            bounds,
            unauthenticated: permits::Permits::new(bounds.unauthenticated_max),
            authenticated: AtomicUsize::new(0),
        })
    }

    /// A permit for a socket of this peer, whose owner is not known yet. The oldest that still says nothing makes room for it if
    /// need be; `None` when there is nobody to do so.
    pub(crate) fn enter(self: &Arc<Self>, peer: PeerKey, reach: Reach) -> Option<Permit> {
        let half = self.bounds.unauthenticated_max.div_ceil(2);
        let share = match reach {
            Reach::Own => self.bounds.unauthenticated_of_one_max.min(half),
            Reach::Local | Reach::Shared => half,
        };
        // Only what is open counts: an evicted socket is gone in a moment, and never more than one goes for each that comes.
        if self.sockets() >= self.bounds.sockets_max && !self.unauthenticated.evict_one() {
            return None;
        }
        Some(Permit {
            counter: Arc::clone(self),
            unauthenticated: Some(self.unauthenticated.enter(peer, share)?),
        })
    }

    /// All sockets.
    pub(crate) fn sockets(&self) -> usize {
        self.authenticated.load(Relaxed) + self.unauthenticated.count()
    }
}

impl Permit {
    /// Cancelled when a newcomer needs the permit: the socket must end then.
    pub(crate) fn evicted(&self) -> CancellationToken {
        match &self.unauthenticated {
            Some(permit) => permit.evicted(),
            None => CancellationToken::new(),
        }
    }

    /// Keeps the permit whoever comes: a request with work behind it is under way. False: it is lost already.
    pub(crate) fn settle(&mut self) -> bool {
        self.unauthenticated.as_mut().is_none_or(permits::Permit::settle)
    }

    /// The work is done.
    pub(crate) fn wait_again(&mut self) {
        if let Some(permit) = &mut self.unauthenticated {
            permit.wait_again();
        }
    }

    /// The owner has shown a token: only the bound on all sockets counts from here on.
    pub(crate) fn known(&mut self) {
        if self.unauthenticated.take().is_some() {
            self.counter.authenticated.fetch_add(1, Relaxed);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.unauthenticated.is_none() {
            self.counter.authenticated.fetch_sub(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Bounds = Bounds {
        unauthenticated_max: 8,
        unauthenticated_of_one_max: 2,
        sockets_max: 10,
    };

    fn enter(counter: &Arc<Counter>, ip: &str, reach: Reach) -> Option<Permit> {
        counter.enter(PeerKey::of(ip.parse().unwrap()), reach)
    }

    fn evicted(permits: &[Permit]) -> usize {
        permits
            .iter()
            .filter(|permit| permit.evicted().is_cancelled())
            .count()
    }

    #[test]
    fn one_peer_has_its_share_however_its_address_is_written_and_never_refuses_itself() {
        let counter = Counter::new(SMALL);
        let written = ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"];
        let permits = written.map(|ip| enter(&counter, ip, Reach::Own).unwrap());
        assert_eq!((evicted(&permits), counter.sockets()), (1, 2));

        let network = ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4"];
        let permits = network.map(|ip| enter(&counter, ip, Reach::Own).unwrap());
        assert_eq!(evicted(&permits), 2);
    }

    #[test]
    fn a_peer_that_many_share_has_half_of_the_places_and_never_all() {
        let counter = Counter::new(SMALL);
        let silent: Vec<_> = (0..20)
            .map(|_| enter(&counter, "127.0.0.1", Reach::Local).unwrap())
            .collect();
        assert_eq!((evicted(&silent), counter.sockets()), (16, 4));
        let bridge: Vec<_> = (0..20)
            .map(|_| enter(&counter, "172.17.0.1", Reach::Shared).unwrap())
            .collect();
        assert_eq!((evicted(&bridge), counter.sockets()), (16, 8));

        let client = enter(&counter, "192.0.2.1", Reach::Own).unwrap();

        assert!(!client.evicted().is_cancelled());
        assert_eq!(counter.sockets(), 8);
    }

    #[test]
    fn who_has_shown_a_token_is_not_evicted_and_counts_among_all() {
        let counter = Counter::new(SMALL);
        let mut known: Vec<_> = (0..9)
            .map(|_| {
                let mut permit = enter(&counter, "127.0.0.1", Reach::Local).unwrap();
                permit.known();
                permit
            })
            .collect();
        let silent = enter(&counter, "192.0.2.1", Reach::Own).unwrap();
        assert_eq!(counter.sockets(), 10);

        let mut newcomer = enter(&counter, "192.0.2.2", Reach::Own).unwrap();
        assert!(silent.evicted().is_cancelled());
        newcomer.known();
        assert!(
            enter(&counter, "192.0.2.3", Reach::Own).is_none(),
            "all are known"
        );

        assert_eq!(evicted(&known), 0);
        known.pop();
        assert!(enter(&counter, "192.0.2.3", Reach::Own).is_some());
        drop((newcomer, silent));
        assert_eq!(counter.sockets(), 8);
    }
}
