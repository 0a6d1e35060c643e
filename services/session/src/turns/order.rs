//! The order in which things are said about a session. Whoever changes a session and tells of it holds the session's place in
//! the order across the transaction and the telling. So rows are announced in the order of their numbers, and a run never
//! speaks before the message that caused it.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use tokio::sync::{Mutex, MutexGuard};

use crate::key::SessionKey;

/// Sessions share this many locks: enough that two rarely meet, few enough to cost nothing.
const STRIPES: u64 = 64;

/// Striped locks by session. Two must never be held at once: they may be the same one.
#[derive(Debug)]
pub(super) struct Order {
    stripes: Vec<Mutex<()>>,
}

impl Order {
    pub(super) fn new() -> Self {
        Self {
            stripes: (0..STRIPES).map(|_| Mutex::new(())).collect(),
        }
    }

    /// The session's place in the order. Held across a transaction, on purpose: see the module.
    pub(super) async fn of(&self, key: &SessionKey) -> MutexGuard<'_, ()> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(key);
        let stripe = usize::try_from(hash % STRIPES).unwrap_or(0);
        self.stripes
            .get(stripe)
            .expect("the remainder is below the length")
            .lock()
            .await
    }
}
