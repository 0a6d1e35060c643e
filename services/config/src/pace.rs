//! How often clients may change the document. Each change is written durably and keeps the text before it, of which there are only so
//! many: a client that runs wild would push out every text that somebody may want back.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use gatehouse_core::Caller;
use tokio::time::Instant;

use crate::error::Error;

/// Changes of one client in [`WINDOW`]: what OpenClaw allows, and more than a person clicks.
const CHANGES_MAX: usize = 30;

/// The time in which they are counted.
const WINDOW: Duration = Duration::from_secs(60);

/// Clients that are counted apart. Beyond it, whoever has been quiet the longest is forgotten.
const CLIENTS_MAX: usize = 256;

/// Who changes: a paired device; everybody else who comes through the edge is one client, because nothing tells them apart that
/// they do not choose themselves.
type Client = Option<String>;

/// Counts changes.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<HashMap<Client, VecDeque<Instant>>>);

impl Pace {
    /// Counts one change of a client. A call without one comes from a process of the gateway or its owner's tool.
    pub(crate) fn count(&self, caller: Option<&Caller>, method: &'static str) -> Result<(), Error> {
        let Some(caller) = caller else {
            return Ok(());
        };
        let now = Instant::now();
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = clients.entry(caller.device_id.clone()).or_default();
        while changes.front().is_some_and(|oldest| now - *oldest >= WINDOW) {
            changes.pop_front();
        }
        if let (Some(oldest), true) = (changes.front(), changes.len() >= CHANGES_MAX) {
            let wait = WINDOW - (now - *oldest);
            return Err(Error::TooOften { method, wait });
        }
        changes.push_back(now);
        if clients.len() > CLIENTS_MAX {
            let quiet = clients.iter().min_by_key(|(_, changes)| changes.back().copied());
            let quiet = quiet.map(|(client, _)| client.clone());
            quiet.and_then(|client| clients.remove(&client));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn of(device: &str) -> Caller {
        Caller {
            device_id: Some(device.to_owned()),
            ..Caller::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_changes_too_often_is_told_when_it_may_again_and_holds_up_nobody_else() {
        let pace = Pace::default();
        for _ in 0..CHANGES_MAX {
            pace.count(Some(&of("a")), "config.set")
                .expect("within the bound");
            advance(Duration::from_secs(1)).await;
        }

        let refused = pace.count(Some(&of("a")), "config.set").expect_err("too often");

        assert_eq!(
            refused.to_string(),
            "rate limit exceeded for config.set; retry after 30s"
        );
        pace.count(Some(&of("b")), "config.set").expect("another client");
        pace.count(None, "config.set").expect("the owner's tool");
        advance(Duration::from_secs(30)).await;
        pace.count(Some(&of("a")), "config.set")
            .expect("the first is forgotten");
        pace.count(Some(&of("a")), "config.set")
            .expect_err("the second is not");
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_clients_are_remembered() {
        let pace = Pace::default();
        for number in 0..2 * CLIENTS_MAX {
            pace.count(Some(&of(&number.to_string())), "config.set")
                .expect("the first");
            advance(Duration::from_millis(1)).await;
        }

        assert_eq!(pace.0.lock().expect("whole").len(), CLIENTS_MAX);
    }
}
