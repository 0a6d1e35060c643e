//! Places for calls on behalf of clients, shared so that none of them can take what others need.
//!
//! Whoever holds little is always let in while there is a place; whoever holds much is let in only as long as what it holds
//! stays under a fixed fraction of what is free (the dynamic thresholds of Choudhury and Hahne, 1998, for shared buffers). So
//! one connection alone gets a quarter, a hundred greedy ones ten each, and there is always a place for the next.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A connection may hold a third of what is free for it: alone that is a quarter of all.
const CONNECTION_FRACTION: usize = 3;

/// A principal (what a client is known by: a device, or the shared token) may hold three times what is free: alone that is
/// three quarters of all, over however many connections.
const PRINCIPAL_FACTOR: usize = 3;

/// The places of one kind.
#[derive(Debug)]
pub(super) struct Budget {
    total: usize,
    held: Mutex<Held>,
}

/// Bounded by the places: whoever holds none is forgotten.
#[derive(Debug, Default)]
struct Held {
    places: usize,
    principals: HashMap<Arc<str>, Principal>,
}

#[derive(Debug, Default)]
struct Principal {
    places: usize,
    connections: HashMap<Arc<str>, usize>,
}

/// Whom a call is counted for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Payer {
    pub(super) principal: Arc<str>,
    pub(super) connection: Arc<str>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// All are taken.
    All { total: usize },
    /// The principal's connections hold its share together.
    Principal { places: usize },
    /// The connection holds its share.
    Connection { places: usize },
}

/// A place. Dropping it frees it.
#[derive(Debug)]
pub(super) struct Place {
    budget: Arc<Budget>,
    payer: Payer,
}

impl Budget {
    pub(super) fn new(total: usize) -> Arc<Self> {
        Arc::new(Self {
            total,
            held: Mutex::default(),
        })
    }

    /// A place for one more call.
    pub(super) fn take(self: &Arc<Self>, payer: Payer) -> Result<Place, Full> {
        let mut held = self.held();
        let (of_principal, of_connection) = held.of(&payer);
        let free = self.total.saturating_sub(held.places);
        if free == 0 {
            return Err(Full::All { total: self.total });
        }
        let free = free.min((PRINCIPAL_FACTOR * free).saturating_sub(of_principal));
        if free == 0 {
            return Err(Full::Principal { places: of_principal });
        }
        if of_connection > 0 && of_connection >= free / CONNECTION_FRACTION {
            return Err(Full::Connection {
                places: of_connection,
            });
        }
        held.places += 1;
        let principal = held.principals.entry(Arc::clone(&payer.principal)).or_default();
        principal.places += 1;
        let connection = principal.connections.entry(Arc::clone(&payer.connection));
        *connection.or_default() += 1;
        drop(held);
        Ok(Place {
            budget: Arc::clone(self),
            payer,
        })
    }

    /// How many places are taken, of how many.
    pub(super) fn taken(&self) -> (usize, usize) {
        (self.held().places, self.total)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// What the principal and the connection hold.
    fn of(&self, payer: &Payer) -> (usize, usize) {
        let principal = self.principals.get(&payer.principal);
        principal.map_or((0, 0), |principal| {
            let connection = principal.connections.get(&payer.connection);
            (principal.places, connection.copied().unwrap_or(0))
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.budget.held();
        held.places -= 1;
        let Some(principal) = held.principals.get_mut(&self.payer.principal) else {
            return;
        };
        principal.places -= 1;
        if let Some(places) = principal.connections.get_mut(&self.payer.connection) {
            *places -= 1;
            if *places == 0 {
                principal.connections.remove(&self.payer.connection);
            }
        }
        if principal.places == 0 {
            held.principals.remove(&self.payer.principal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOTAL: usize = 1024;

    fn payer(principal: &str, connection: usize) -> Payer {
        Payer {
            principal: principal.into(),
            connection: connection.to_string().into(),
        }
    }

    /// Everything that these connections can get, each taking as often as it is let in.
    fn greedy(budget: &Arc<Budget>, principal: &str, connections: usize) -> Vec<Place> {
        let mut places = Vec::new();
        let mut refused = vec![false; connections];
        while refused.contains(&false) {
            for (connection, refused) in refused.iter_mut().enumerate() {
                match budget.take(payer(principal, connection)) {
                    Ok(place) => places.push(place),
                    Err(_) => *refused = true,
                }
            }
        }
        places
    }

    #[test]
    fn one_connection_gets_a_quarter_and_is_told_so() {
        let budget = Budget::new(TOTAL);

        let places = greedy(&budget, "token", 1);

        assert_eq!(places.len(), TOTAL / 4);
        let refused = budget.take(payer("token", 0)).unwrap_err();
        assert_eq!(refused, Full::Connection { places: TOTAL / 4 });
        budget.take(payer("token", 1)).unwrap();
    }

    #[test]
    fn greedy_connections_leave_places_for_the_next_however_many_they_are() {
        for connections in [2, 16, 64, 256] {
            let budget = Budget::new(TOTAL);

            let _places = greedy(&budget, "token", connections);

            let quiet = greedy(&budget, "token", connections + 1);
            assert!(!quiet.is_empty(), "{connections} connections took everything");
        }
    }

    #[test]
    fn one_credential_cannot_take_what_another_needs_over_any_number_of_connections() {
        let budget = Budget::new(TOTAL);

        let taken = greedy(&budget, "token", 4 * TOTAL);

        assert_eq!(taken.len(), TOTAL * 3 / 4);
        let refused = budget.take(payer("token", 5 * TOTAL)).unwrap_err();
        assert!(matches!(refused, Full::Principal { .. }), "{refused:?}");
        assert!(greedy(&budget, "device", 1).len() >= TOTAL / 16);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_and_nobody_is_remembered() {
        let budget = Budget::new(8);
        for _ in 0..100 {
            drop(greedy(&budget, "token", 50));
        }

        assert_eq!(budget.held().places, 0);
        assert!(budget.held().principals.is_empty());
    }
}
