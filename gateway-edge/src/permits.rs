//! Bounded permits for those of whom nothing is known yet, shared fairly between peers.
//!
//! Who refuses newcomers while all permits are taken lets whoever came first, and says nothing, shut out everybody. Here the
//! newcomer is let in, and the oldest of those that still wait is evicted: of the same key when that key has its share, else
//! of the key that has the most. Whoever means it is through within milliseconds, and has given its permit back by then.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

/// The permits.
#[derive(Debug)]
pub(crate) struct Permits<K> {
    max: usize,
    state: Mutex<State<K>>,
}

#[derive(Debug)]
struct State<K> {
    /// Permits that are taken.
    count: usize,
    /// Numbers the permits in the order in which they were taken.
    next: u64,
    holders: HashMap<K, Holder>,
    /// The keys that have somebody to evict: how many, and since when the oldest.
    ranking: BTreeSet<(usize, Reverse<u64>, K)>,
}

/// What one key has.
#[derive(Debug, Default)]
struct Holder {
    count: usize,
    /// Those of them that can be evicted.
    waiting: BTreeMap<u64, CancellationToken>,
}

/// One permit; dropping it frees it.
#[derive(Debug)]
pub(crate) struct Permit<K: Clone + Ord + Hash> {
    permits: Arc<Permits<K>>,
    key: K,
    number: u64,
    /// Not to be evicted any more.
    settled: bool,
    evicted: CancellationToken,
}

impl<K: Clone + Ord + Hash> Permits<K> {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        let state = State {
            count: 0,
            next: 0,
            holders: HashMap::new(),
            ranking: BTreeSet::new(),
        };
        Arc::new(Self {
            max,
            state: Mutex::new(state),
        })
    }

    /// A permit for this key, of which it may have `share`. `None` when nobody can be evicted for it.
    pub(crate) fn enter(self: &Arc<Self>, key: K, share: usize) -> Option<Permit<K>> {
        let mut state = self.lock();
        let mine = state.holders.get(&key).map_or(0, |holder| holder.count);
        let evicted = if mine >= share {
            Some(state.evict_from(&key)?)
        } else if state.count >= self.max {
            let largest = state.largest()?;
            Some(state.evict_from(&largest)?)
        } else {
            None
        };
        let (number, token) = (state.next, CancellationToken::new());
        state.next += 1;
        state.count += 1;
        state.change(&key, |holder| {
            holder.count += 1;
            holder.waiting.insert(number, token.clone());
        });
        drop(state);
        // Whoever it was is woken without the lock: it will want it.
        evicted.inspect(CancellationToken::cancel);
        Some(Permit {
            permits: Arc::clone(self),
            key,
            number,
            settled: false,
            evicted: token,
        })
    }

    /// Evicts the oldest of the key that has the most. False: there is nobody to evict.
    pub(crate) fn evict_one(&self) -> bool {
        let mut state = self.lock();
        let evicted = state.largest().and_then(|key| state.evict_from(&key));
        drop(state);
        evicted.inspect(CancellationToken::cancel).is_some()
    }

    /// Permits that are taken.
    pub(crate) fn count(&self) -> usize {
        self.lock().count
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Ord + Hash> State<K> {
    /// The key that has the most permits that can be freed; among equals the one whose oldest came first.
    fn largest(&self) -> Option<K> {
        self.ranking.last().map(|(_, _, key)| key.clone())
    }

    fn evict_from(&mut self, key: &K) -> Option<CancellationToken> {
        let oldest = *self.holders.get(key)?.waiting.first_key_value()?.0;
        self.count -= 1;
        self.change(key, |holder| {
            holder.count -= 1;
            holder.waiting.remove(&oldest)
        })
    }

    /// Changes what a key has, and its rank with it.
    fn change<T>(&mut self, key: &K, change: impl FnOnce(&mut Holder) -> T) -> T {
        let holder = self.holders.entry(key.clone()).or_default();
        if let Some(rank) = holder.rank(key) {
            self.ranking.remove(&rank);
        }
        let changed = change(holder);
        if let Some(rank) = holder.rank(key) {
            self.ranking.insert(rank);
        }
        if holder.count == 0 {
            self.holders.remove(key);
        }
        changed
    }

    fn is_waiting(&self, key: &K, number: u64) -> bool {
        let holder = self.holders.get(key);
        holder.is_some_and(|holder| holder.waiting.contains_key(&number))
    }
}

impl Holder {
    fn rank<K: Clone>(&self, key: &K) -> Option<(usize, Reverse<u64>, K)> {
        let (oldest, _) = self.waiting.first_key_value()?;
        Some((self.waiting.len(), Reverse(*oldest), key.clone()))
    }
}

impl<K: Clone + Ord + Hash> Permit<K> {
    /// Cancelled when somebody else needs the permit; whoever holds it must end then.
    pub(crate) fn evicted(&self) -> CancellationToken {
        self.evicted.clone()
    }

    /// Keeps the permit whoever comes, because work has begun that must not be lost. False: it is lost already.
    pub(crate) fn settle(&mut self) -> bool {
        let mut state = self.permits.lock();
        if !self.settled && state.is_waiting(&self.key, self.number) {
            self.settled = true;
            state.change(&self.key, |holder| holder.waiting.remove(&self.number));
        }
        self.settled
    }

    /// Ends what [`Self::settle`] began: the work is done.
    pub(crate) fn wait_again(&mut self) {
        if std::mem::take(&mut self.settled) {
            let mut state = self.permits.lock();
            let token = self.evicted.clone();
            state.change(&self.key, |holder| holder.waiting.insert(self.number, token));
        }
    }
}

impl<K: Clone + Ord + Hash> Drop for Permit<K> {
    fn drop(&mut self) {
        let mut state = self.permits.lock();
        // One that was evicted has no permit any more.
        if self.settled || state.is_waiting(&self.key, self.number) {
            state.count -= 1;
            state.change(&self.key, |holder| {
                holder.count -= 1;
                holder.waiting.remove(&self.number);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_evicted(permit: &Permit<u8>) -> bool {
        permit.evicted.is_cancelled()
    }

    #[test]
    fn who_has_its_share_pays_for_its_own_newcomers() {
        let permits = Permits::new(10);
        let other = permits.enter(1, 5).unwrap();
        let mine: Vec<_> = (0..5).map(|_| permits.enter(2, 5).unwrap()).collect();

        let sixth = permits.enter(2, 5).unwrap();

        assert_eq!(
            mine.iter().map(is_evicted).collect::<Vec<_>>(),
            [true, false, false, false, false]
        );
        assert!(!is_evicted(&other) && !is_evicted(&sixth));
        assert_eq!(permits.count(), 6);
    }

    #[test]
    fn when_all_places_are_taken_the_largest_pays_and_nobody_is_shut_out() {
        let permits = Permits::new(6);
        let small = permits.enter(1, 6).unwrap();
        let large: Vec<_> = (0..5).map(|_| permits.enter(2, 6).unwrap()).collect();

        let newcomers: Vec<_> = (3..6).map(|key| permits.enter(key, 6).unwrap()).collect();

        assert_eq!(large.iter().filter(|permit| is_evicted(permit)).count(), 3);
        assert!(is_evicted(&large[0]), "the oldest first");
        assert!(!is_evicted(&small) && !newcomers.iter().any(is_evicted));
        assert_eq!(permits.count(), 6);
    }

    #[test]
    fn among_equals_the_oldest_goes() {
        let permits = Permits::new(3);
        let held: Vec<_> = [9, 1, 5].map(|key| permits.enter(key, 1).unwrap()).into();

        let _newcomer = permits.enter(7, 1).unwrap();

        assert_eq!(
            held.iter().map(is_evicted).collect::<Vec<_>>(),
            [true, false, false]
        );
    }

    #[test]
    fn what_has_settled_is_kept_and_a_newcomer_is_refused_when_all_have() {
        let permits = Permits::new(2);
        let mut first = permits.enter(1, 2).unwrap();
        let mut second = permits.enter(1, 2).unwrap();
        assert!(first.settle());

        let third = permits.enter(1, 2).unwrap();
        assert!(is_evicted(&second) && !is_evicted(&first));
        assert!(!second.settle(), "too late");
        drop(third);
        let mut fourth = permits.enter(2, 2).unwrap();
        assert!(fourth.settle());

        assert!(permits.enter(1, 2).is_none() && permits.enter(3, 2).is_none() && !permits.evict_one());
        first.wait_again();
        assert!(permits.enter(3, 2).is_some() && is_evicted(&first));
    }

    #[test]
    fn every_place_is_freed_once() {
        let permits = Permits::new(2);
        let evicted = permits.enter(1, 1).unwrap();
        let kept = permits.enter(1, 1).unwrap();
        drop(evicted);
        assert_eq!(permits.count(), 1);
        drop(kept);

        assert_eq!(permits.count(), 0);
        let state = permits.lock();
        assert!(state.holders.is_empty() && state.ranking.is_empty());
    }
}
