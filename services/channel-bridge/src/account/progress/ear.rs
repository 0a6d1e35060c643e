//! Whoever is told what an adapter says of its connection: where the adapter is a process of its own, the bridge wants to know as well.

use std::{fmt, sync::Arc};

use super::{Room, Topic};

/// One thing that an adapter says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Heard,
    Connected,
    Rooms(Vec<Room>),
    Notice(Topic, Option<String>),
    Warning(String),
}

/// Listens to what is said. Clones share it.
#[derive(Clone)]
pub(crate) struct Ear(Arc<dyn Fn(Word) + Send + Sync>);

impl Ear {
    /// Calls this for each word, and within the adapter's own step: it must not wait.
    pub(crate) fn new(listen: impl Fn(Word) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listen))
    }

    pub(super) fn tell(&self, word: Word) {
        (self.0)(word);
    }
}

impl fmt::Debug for Ear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ear")
    }
}
