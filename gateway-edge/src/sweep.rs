//! Signs of life for all connections from one timer: ticks, pings, and the end of those that give none.
//!
//! Connections have their turn at different seconds, by their number, so that ten thousand of them are not served at once.

use std::{sync::Arc, time::Duration};

use gatehouse_contract::Role;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{connection::Connection, edge::Edge, hub, limits::TICK};

/// How often connections are asked for a sign of life, and when one that gives none is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Patience {
    ask: Duration,
    silence: Duration,
}

/// Three pings (v4).
const PATIENCE: Patience = Patience {
    ask: Duration::from_secs(25),
    silence: Duration::from_secs(75),
};

/// A node that hears nothing for two ticks takes its connection for gone, and by then it is gone here as well: whoever asks for it is
/// told so, and does not wait.
const PATIENCE_WITH_NODES: Patience = Patience {
    ask: Duration::from_secs(20),
    silence: Duration::from_secs(40),
};

/// A connection for which less waits is not worth ending.
const RELIEF_BYTES: usize = 64 * 1024;

const STEP: Duration = Duration::from_secs(1);

/// Serves every connection at its turn, for ever.
pub(crate) async fn run(edge: Arc<Edge>) {
    let mut steps = interval(STEP);
    steps.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let began = Instant::now();
    let mut done = 0;
    loop {
        if edge.hub.connections().is_empty() {
            edge.hub.entered.notified().await;
            done = began.elapsed().as_secs(); // nobody missed what was due in the meantime
        }
        steps.tick().await;
        let now = began.elapsed().as_secs();
        // A second that was missed under load is made up for: a tick too late is better than none.
        while done < now {
            done += 1;
            step(&edge, done);
        }
    }
}

/// Does what is due in one second of this process.
fn step(edge: &Edge, second: u64) {
    let tick = hub::tick(edge.clock.now());
    let mut joined = Vec::new();
    for connection in edge.hub.connections().iter() {
        connection.check_message();
        let Due { ticks, pulse } = due(
            connection.number,
            second,
            patience(connection),
            connection.silent_for(),
        );
        if ticks {
            connection.deliver(std::slice::from_ref(&tick), &mut joined);
        }
        match pulse {
            Pulse::Rest => (),
            Pulse::Ask => connection.ping(),
            Pulse::GiveUp => {
                tracing::info!(connection.id = &*connection.id, "a client did not answer pings");
                // One that has left its answers unread for so long may still read why it is closed.
                match connection.unread() {
                    Some(_) => connection.close_slow(),
                    None => connection.cut(),
                }
            }
        }
    }
}

/// Ends connections that leave answers unread, the one that has read nothing for the longest time first, whenever what waits for
/// all of them together is more than there is memory for.
pub(crate) async fn relieve(edge: Arc<Edge>) {
    let waiting = &edge.budgets.waiting;
    loop {
        waiting.exceeded.notified().await;
        while waiting.is_exceeded() {
            let connections = edge.hub.connections();
            let unread = connections.iter().filter_map(|connection| {
                let (since, bytes) = connection.unread()?;
                (bytes >= RELIEF_BYTES).then_some((since, connection))
            });
            let Some((since, connection)) = unread.min_by_key(|(since, _)| *since) else {
                break; // what is left is small everywhere, and each connection has its own bound
            };
            tracing::warn!(
                connection.id = &*connection.id,
                silent = ?since.elapsed(),
                "unread answers take too much memory: the slowest consumer, which has not read for the longest time, is closed"
            );
            connection.give_way(RELIEF_BYTES);
        }
    }
}

/// What one connection is due.
#[derive(Debug, PartialEq, Eq)]
struct Due {
    ticks: bool,
    pulse: Pulse,
}

#[derive(Debug, PartialEq, Eq)]
enum Pulse {
    Rest,
    Ask,
    GiveUp,
}

/// A large message is a sign of life by itself, and its answer to a ping comes behind it: `Connection::check_message` bounds it.
fn patience(connection: &Connection) -> Patience {
    let role = connection.profile.get().map(|profile| profile.grants.role());
    if role == Some(Role::Node) && !connection.is_receiving() {
        PATIENCE_WITH_NODES
    } else {
        PATIENCE
    }
}

fn due(number: u64, second: u64, patience: Patience, silent_for: Duration) -> Due {
    let Patience { ask, silence } = patience;
    let pulse = match (is_turn(number, second, ask), silent_for >= silence) {
        (true, true) => Pulse::GiveUp,
        (true, false) => Pulse::Ask,
        (false, _) => Pulse::Rest,
    };
    Due {
        ticks: is_turn(number, second, TICK),
        pulse,
    }
}

/// The first connections of a process have their turn last: whoever has only just said hello needs no sign of life.
fn is_turn(number: u64, second: u64, every: Duration) -> bool {
    (number + second).is_multiple_of(every.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connection_has_its_turn_once_in_each_period() {
        for number in 0..100 {
            let turns: Vec<u64> = (1..=300)
                .filter(|second| is_turn(number, *second, PATIENCE.ask))
                .collect();
            assert_eq!(turns.len(), 12);
            assert!(turns.windows(2).all(|pair| pair[1] - pair[0] == 25));
        }
    }

    #[test]
    fn who_gives_no_sign_of_life_is_asked_and_then_given_up() {
        // Connection 7 came in second 7 and never answers: its turns are the seconds 18, 43, 68 and 93.
        let pulses: Vec<(u64, Pulse)> = (8..=93)
            .map(|second| {
                (
                    second,
                    due(7, second, PATIENCE, Duration::from_secs(second - 7)).pulse,
                )
            })
            .filter(|(_, pulse)| *pulse != Pulse::Rest)
            .collect();

        let asked = [18, 43, 68].map(|second| (second, Pulse::Ask));
        assert_eq!(pulses[..3], asked);
        assert_eq!(pulses[3..], [(93, Pulse::GiveUp)]);
    }

    #[test]
    fn a_node_that_is_gone_is_gone_here_within_two_ticks_and_is_asked_before() {
        for number in 0..100 {
            for last_sign in 1_000..1_060 {
                let pulse = |second: u64| {
                    let silent_for = Duration::from_secs(second - last_sign);
                    due(number, second, PATIENCE_WITH_NODES, silent_for).pulse
                };
                let end = (last_sign..)
                    .find(|second| pulse(*second) == Pulse::GiveUp)
                    .unwrap();
                let asked = (last_sign..end)
                    .filter(|second| pulse(*second) == Pulse::Ask)
                    .count();

                assert!(
                    Duration::from_secs(end - last_sign) <= 2 * TICK,
                    "{number}: {last_sign} to {end}"
                );
                assert!(asked >= 2, "{number}: one lost packet is no death");
            }
        }
    }
}
