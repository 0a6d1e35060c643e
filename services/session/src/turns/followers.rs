//! Who is told of a run in detail, beside everybody who hears of it at all: the connections that began it, and those that said
//! something in its session while it was under way. Known in this process alone: after a restart nobody is, and everybody reads what
//! all are told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gatehouse_core::Caller;
use tokio::time::Instant;

use crate::id::RunId;

/// Runs whose followers are known: more than wait and run at any time, unless a client floods the queue.
const RUNS_MAX: usize = 4096;
/// Connections that follow one run: the screens of one person, and some.
const CONNECTIONS_MAX: usize = 16;

/// The capability of a client that takes what tools do in detail.
const TOOL_EVENTS: &str = "tool-events";
/// Clients that are told how far their messages are: the protocol's own screens.
const SCREENS: [&str; 3] = ["openclaw-control-ui", "openclaw-tui", "openclaw-browser-copilot"];

#[derive(Clone, Debug, Default)]
pub(super) struct Followers(Arc<Mutex<HashMap<RunId, Of>>>);

#[derive(Debug)]
struct Of {
    /// Connections that are told what tools do.
    tools: Vec<String>,
    /// The screen that sent the message.
    screen: Option<Screen>,
    since: Instant,
}

/// A screen, and when its message came how far.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Screen {
    pub(super) connection: String,
    pub(super) received: Instant,
    pub(super) answered: Option<Instant>,
    pub(super) begun: Option<Instant>,
}

impl Followers {
    fn runs(&self) -> MutexGuard<'_, HashMap<RunId, Of>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client is about to begin this run. Answers whether it is the first that is known to follow it.
    pub(super) fn begin(&self, run: &RunId, caller: &Caller) -> bool {
        let Some(connection) = connection(caller) else {
            return false;
        };
        let now = Instant::now();
        let is_screen = SCREENS.contains(&caller.client_id.as_str());
        if !is_screen && !takes_tools(caller) {
            return false;
        }
        let mut runs = self.runs();
        let is_first = !runs.contains_key(run);
        if is_first && runs.len() >= RUNS_MAX {
            let oldest = runs
                .iter()
                .min_by_key(|(_, of)| of.since)
                .map(|(run, _)| run.clone());
            oldest.and_then(|oldest| runs.remove(&oldest));
        }
        let of = runs.entry(run.clone()).or_insert_with(|| Of {
            tools: Vec::new(),
            screen: None,
            since: now,
        });
        if is_screen {
            of.screen.get_or_insert_with(|| Screen {
                connection: connection.to_owned(),
                received: now,
                answered: None,
                begun: None,
            });
        }
        of.add(connection, caller);
        is_first
    }

    /// A client said something in the session of this run, which is under way.
    pub(super) fn join(&self, run: &RunId, caller: &Caller) {
        let Some(connection) = connection(caller) else {
            return;
        };
        let mut runs = self.runs();
        if takes_tools(caller) && (runs.contains_key(run) || runs.len() < RUNS_MAX) {
            let of = runs.entry(run.clone()).or_insert_with(|| Of {
                tools: Vec::new(),
                screen: None,
                since: Instant::now(),
            });
            of.add(connection, caller);
        }
    }

    /// What one run asked is answered by another one.
    pub(super) fn merge(&self, from: &RunId, into: &RunId) {
        let mut runs = self.runs();
        let tools = runs.get(from).map(|of| of.tools.clone()).unwrap_or_default();
        if let Some(into) = runs.get_mut(into) {
            tools
                .into_iter()
                .for_each(|connection| into.add_connection(connection));
        }
    }

    /// The connections that are told what tools of this run do.
    pub(super) fn of_tools(&self, run: &RunId) -> Vec<String> {
        self.runs()
            .get(run)
            .map(|of| of.tools.clone())
            .unwrap_or_default()
    }

    /// Notes something about the screen that sent the message, and answers how it stands. `None`: no screen did.
    pub(super) fn screen(&self, run: &RunId, note: impl FnOnce(&mut Screen)) -> Option<Screen> {
        let mut runs = self.runs();
        let screen = runs.get_mut(run)?.screen.as_mut()?;
        note(screen);
        Some(screen.clone())
    }

    /// The run has ended, or was never begun.
    pub(super) fn forget(&self, run: &RunId) {
        self.runs().remove(run);
    }
}

impl Of {
    fn add(&mut self, connection: &str, caller: &Caller) {
        if takes_tools(caller) {
            self.add_connection(connection.to_owned());
        }
    }

    fn add_connection(&mut self, connection: String) {
        if self.tools.len() < CONNECTIONS_MAX && !self.tools.contains(&connection) {
            self.tools.push(connection);
        }
    }
}

/// The connection of a client that hears events: a call by itself has none.
fn connection(caller: &Caller) -> Option<&str> {
    caller.connected_at.map(|_| caller.connection_id.as_str())
}

fn takes_tools(caller: &Caller) -> bool {
    caller.capabilities.iter().any(|word| word == TOOL_EVENTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(connection: &str, client: &str, capabilities: &[&str]) -> Caller {
        Caller {
            connection_id: connection.to_owned(),
            client_id: client.to_owned(),
            capabilities: capabilities.iter().map(|word| (*word).to_owned()).collect(),
            connected_at: Some(1),
            ..Caller::default()
        }
    }

    #[test]
    fn only_connections_that_take_what_tools_do_are_told_of_it_up_to_a_bound() {
        let (followers, run) = (Followers::default(), RunId::new("r"));
        followers.begin(&run, &caller("c1", "cli", &["tool-events"]));
        followers.join(&run, &caller("c2", "cli", &[]));
        let by_http = Caller {
            connected_at: None,
            ..caller("c3", "http", &["tool-events"])
        };
        followers.join(&run, &by_http);
        followers.join(&run, &caller("c1", "cli", &["tool-events"]));
        assert_eq!(followers.of_tools(&run), ["c1"]);

        for n in 0..2 * CONNECTIONS_MAX {
            followers.join(&run, &caller(&format!("more-{n}"), "cli", &["tool-events"]));
        }

        assert_eq!(followers.of_tools(&run).len(), CONNECTIONS_MAX);
        followers.forget(&run);
        assert!(followers.of_tools(&run).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_run_makes_room_and_who_is_merged_is_told_of_the_run_that_answers() {
        let followers = Followers::default();
        let tools = caller("c", "cli", &["tool-events"]);
        for n in 0..=RUNS_MAX {
            followers.begin(&RunId::new(format!("r{n}")), &tools);
            tokio::time::advance(std::time::Duration::from_millis(1)).await;
        }
        assert!(followers.of_tools(&RunId::new("r0")).is_empty());
        assert_eq!(followers.runs().len(), RUNS_MAX);

        let (from, into) = (RunId::new("r1"), RunId::new("r2"));
        followers.join(&from, &caller("d", "cli", &["tool-events"]));
        followers.merge(&from, &into);

        assert_eq!(followers.of_tools(&into), ["c", "d"]);
    }

    #[test]
    fn the_screen_that_sent_a_message_is_its_first() {
        let (followers, run) = (Followers::default(), RunId::new("r"));
        followers.begin(&run, &caller("c1", "openclaw-tui", &[]));
        followers.begin(&run, &caller("c2", "openclaw-control-ui", &[]));

        let screen = followers.screen(&run, |_| {}).unwrap();

        assert_eq!(screen.connection, "c1");
        assert_eq!(followers.screen(&RunId::new("other"), |_| {}), None);
    }
}
