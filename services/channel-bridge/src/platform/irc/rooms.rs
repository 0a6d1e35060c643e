//! The rooms the assistant wants to be in: which it is in, which the server keeps it out of and in which words, and when to try again.

use std::time::Duration;

use tokio::time::Instant;

use super::{config::Wanted, isupport::Isupport, nick::Refusal};
use crate::account::room;

/// After a kick, and after a refusal.
const REJOIN_FIRST: Duration = Duration::from_secs(5);
/// However often it was refused. A room that stays closed costs one line in five minutes.
const REJOIN_MAX: Duration = Duration::from_secs(300);
/// A server that took a JOIN has answered by then; until it does the status says so.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// To be asked for.
    Wanted,
    Asked(Instant),
    Joined,
    Refused(Refusal),
    /// Thrown out or gone, with the reason.
    Left(String),
}

#[derive(Debug)]
struct Room {
    wanted: Wanted,
    state: State,
    /// What the server has against what we say there, while we are in.
    mute: Option<Refusal>,
    tries: u32,
    next: Option<Instant>,
}

#[derive(Debug)]
pub(crate) struct Rooms(Vec<Room>);

impl Rooms {
    /// None entered yet; all are due.
    pub(crate) fn new(wanted: &[Wanted], now: Instant) -> Self {
        let room = |wanted: &Wanted| Room {
            wanted: wanted.clone(),
            state: State::Wanted,
            mute: None,
            tries: 0,
            next: Some(now),
        };
        Self(wanted.iter().map(room).collect())
    }

    /// The rooms to enter now. Each is tried again only after an answer, or after the longest wait without one.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Wanted> {
        let due = self
            .0
            .iter_mut()
            .filter(|room| room.state != State::Joined && room.next.is_some_and(|next| next <= now));
        due.map(|room| {
            // What the server said before stays shown until it says something else.
            if !matches!(room.state, State::Refused(_)) {
                room.state = State::Asked(now);
            }
            room.next = Some(now + REJOIN_MAX);
            room.wanted.clone()
        })
        .collect()
    }

    /// When the next room is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        let outside = self.0.iter().filter(|room| room.state != State::Joined);
        outside.filter_map(|room| room.next).min()
    }

    pub(crate) fn entered(&mut self, server: &Isupport, name: &str) {
        for room in self.named(server, name) {
            room.state = State::Joined;
            room.mute = None;
            room.tries = 0;
            room.next = None;
        }
    }

    /// Thrown out, or gone.
    pub(crate) fn left(&mut self, server: &Isupport, name: &str, reason: &str, now: Instant) {
        for room in self.named(server, name) {
            room.state = State::Left(reason.to_owned());
            room.again(now);
        }
    }

    /// Turned away. Whether this is news: the same words as before are none.
    pub(crate) fn refused(&mut self, server: &Isupport, name: &str, refusal: &Refusal, now: Instant) -> bool {
        let mut news = false;
        for room in self
            .named(server, name)
            .filter(|room| room.state != State::Joined)
        {
            room.again(now);
            if is_final(refusal.code) {
                room.next = None;
            }
            let state = State::Refused(refusal.clone());
            news |= room.state != state;
            room.state = state;
        }
        news
    }

    /// We are in, and the server did not take what we said (`Some`), or did. Whether this is news.
    pub(crate) fn heard_there(&mut self, server: &Isupport, name: &str, mute: Option<Refusal>) -> bool {
        let mut news = false;
        for room in self
            .named(server, name)
            .filter(|room| room.state == State::Joined)
        {
            news |= room.mute != mute;
            room.mute.clone_from(&mute);
        }
        news
    }

    /// The server takes no JOIN just now.
    pub(crate) fn slow_down(&mut self, refusal: &Refusal, now: Instant) {
        for room in self
            .0
            .iter_mut()
            .filter(|room| matches!(room.state, State::Asked(_)))
        {
            room.again(now);
            room.state = State::Refused(refusal.clone());
        }
    }

    /// Somebody in the room lets us in: it is due at once.
    pub(crate) fn invited(&mut self, server: &Isupport, name: &str, now: Instant) {
        for room in self
            .named(server, name)
            .filter(|room| room.state != State::Joined)
        {
            room.next = Some(now);
        }
    }

    /// Why this wanted room is closed to us right now. `None`: we are in, or it is none of them.
    pub(crate) fn outside(&self, server: &Isupport, name: &str) -> Option<String> {
        let room = self
            .0
            .iter()
            .find(|room| server.is_same_room(&room.wanted.name, name))?;
        match &room.state {
            State::Joined => None,
            State::Wanted | State::Asked(_) => Some("not in the room yet".to_owned()),
            State::Refused(refusal) => Some(format!("not in the room: {}", refusal.told())),
            State::Left(reason) => Some(format!("not in the room any more: {reason}")),
        }
    }

    /// The configured name of a room that the server names.
    pub(crate) fn configured(&self, server: &Isupport, name: &str) -> Option<&str> {
        let room = self
            .0
            .iter()
            .find(|room| server.is_same_room(&room.wanted.name, name))?;
        Some(&room.wanted.name)
    }

    /// For the status.
    pub(crate) fn shown(&self, nick: &str) -> Vec<room::Room> {
        self.0.iter().map(|room| room.shown(nick)).collect()
    }

    /// Marks the rooms that the server was asked for and said nothing about. Whether there is one.
    pub(crate) fn notice_silence(&mut self, now: Instant) -> bool {
        let mut news = false;
        for room in &mut self.0 {
            if matches!(room.state, State::Asked(at) if now >= at + ANSWER_WITHIN) {
                room.state = State::Refused(Refusal::silence());
                news = true;
            }
        }
        news
    }

    /// When [`Self::notice_silence`] has something to mark.
    pub(crate) fn silent_at(&self) -> Option<Instant> {
        let asked = self.0.iter().filter_map(|room| match room.state {
            State::Asked(at) => Some(at + ANSWER_WITHIN),
            State::Wanted | State::Joined | State::Refused(_) | State::Left(_) => None,
        });
        asked.min()
    }

    /// The wanted rooms that the server calls so: somebody may have written one twice.
    fn named<'a>(&'a mut self, server: &'a Isupport, name: &'a str) -> impl Iterator<Item = &'a mut Room> {
        self.0
            .iter_mut()
            .filter(move |room| server.is_same_room(&room.wanted.name, name))
    }
}

impl Room {
    fn again(&mut self, now: Instant) {
        self.next = Some(now + (REJOIN_FIRST * 2_u32.saturating_pow(self.tries.min(10))).min(REJOIN_MAX));
        self.tries = self.tries.saturating_add(1);
    }

    fn shown(&self, nick: &str) -> room::Room {
        let (state, reason, next_step) = match &self.state {
            State::Wanted | State::Asked(_) => (room::RoomState::Joining, None, None),
            State::Joined => (
                room::RoomState::Joined,
                self.mute.as_ref().map(Refusal::told),
                self.mute
                    .as_ref()
                    .map(|_| format!("ask an operator of the room to let {nick} speak (+v)")),
            ),
            State::Refused(refusal) => (
                room::RoomState::Refused,
                Some(refusal.told()),
                self.next_step(refusal.code, nick),
            ),
            State::Left(reason) => (room::RoomState::Left, Some(reason.clone()), None),
        };
        room::Room {
            name: self.wanted.name.clone(),
            state,
            reason,
            next_step,
            retry: self.next,
        }
    }
}

impl Room {
    /// What somebody can do about a refusal.
    fn next_step(&self, code: u16, nick: &str) -> Option<String> {
        match (code, &self.wanted.key) {
            (475, None) => Some(format!(
                "it has a key: set it in channels.irc.channelKeys, or ask an operator of the room to /INVITE {nick}"
            )),
            (475, Some(_)) => {
                Some("it has another key than the one in channels.irc.channelKeys: correct that".to_owned())
            }
            _ => next_step(code, nick),
        }
    }
}

/// Replies that stay the same however often one asks: the name is none.
const fn is_final(code: u16) -> bool {
    matches!(code, 476 | 479)
}

/// What somebody can do about a refusal.
fn next_step(code: u16, nick: &str) -> Option<String> {
    Some(match code {
        403 | 476 | 479 => "look at the name in channels.irc.channels".to_owned(),
        405 => "name fewer rooms in channels.irc.channels: the server bounds them".to_owned(),
        470 => "name the room that it leads to in channels.irc.channels".to_owned(),
        471 | 500 => "it is tried again".to_owned(),
        473 => format!("ask somebody who may to /INVITE {nick}"),
        474 => format!("ask an operator of the room to lift the ban on {nick}"),
        477 => "register the nick and set channels.irc.sasl or channels.irc.nickserv".to_owned(),
        489 | 490 => "set channels.irc.tls to true".to_owned(),
        520 => "only operators of the network may enter: leave it out of channels.irc.channels".to_owned(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
