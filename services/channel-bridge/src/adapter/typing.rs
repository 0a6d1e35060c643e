//! That somebody is being answered, for platforms that can show it. Nothing depends on it: a hint is dropped wherever it
//! would have to wait, because one that comes late is worse than none.

use tokio::sync::{mpsc, watch};

use crate::id::Address;

/// Hints that wait for one connection. An adapter takes them out at once; beyond this many it is busy, and losing a hint
/// is harmless: the answer comes all the same.
pub(crate) const TYPING_MAX: usize = 32;

/// Somebody is being answered in this place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Typing {
    pub(crate) to: Address,
    pub(crate) thread_id: Option<String>,
}

/// Where the hints for one account go. Clones share it. It outlives connections: between them hints go nowhere.
#[derive(Clone, Debug)]
pub(crate) struct Hints(watch::Sender<Option<mpsc::Sender<Typing>>>);

impl Default for Hints {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Hints {
    /// Passes a hint to the connection there is, if it has room. Never waits and never fails.
    pub(crate) fn hint(&self, typing: Typing) {
        let sent = self
            .0
            .borrow()
            .as_ref()
            .is_some_and(|connection| connection.try_send(typing).is_ok());
        if !sent {
            tracing::debug!("a typing hint was dropped");
        }
    }

    /// From here on hints go to this connection.
    pub(crate) fn open(&self, connection: mpsc::Sender<Typing>) {
        self.0.send_replace(Some(connection));
    }

    /// From here on hints go nowhere.
    pub(crate) fn close(&self) {
        self.0.send_replace(None);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::{Hints, TYPING_MAX, Typing};

    fn to(person: &str) -> Typing {
        Typing {
            to: person.into(),
            thread_id: None,
        }
    }

    #[test]
    fn a_hint_that_finds_no_room_or_no_connection_is_dropped() {
        let (hints, (connection, mut taken)) = (Hints::default(), mpsc::channel(TYPING_MAX));

        hints.hint(to("nobody"));
        hints.open(connection);
        for _ in 0..TYPING_MAX * 2 {
            hints.hint(to("anna"));
        }
        hints.close();
        hints.hint(to("nobody"));

        let mut got = Vec::new();
        while let Ok(hint) = taken.try_recv() {
            got.push(hint);
        }
        assert_eq!(got, vec![to("anna"); TYPING_MAX]);
    }

    #[test]
    fn a_hint_for_a_connection_that_died_is_dropped() {
        let (hints, (connection, taken)) = (Hints::default(), mpsc::channel(TYPING_MAX));
        hints.open(connection);

        drop(taken);

        hints.hint(to("anna"));
    }
}
