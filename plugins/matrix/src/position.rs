//! Where the account stopped reading: what the gateway remembers for it. It moves once everything before it is committed, so that whoever dies
//! in between reads the same again, and the gateway knows messages that it has.

use serde::{Deserialize, Serialize};

/// Messages without a key that are waited for. Beyond this the oldest is given up: the gateway's room for a position is 64 KiB.
const WAITING_MAX: usize = 100;
/// How long a key is waited for, in milliseconds: a day.
const WAIT_MS: i64 = 24 * 60 * 60 * 1_000;

/// A place in what the server tells this user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Whose it is.
    user: String,
    /// The server's name of it. Unset: nothing was read yet.
    token: Option<String>,
    /// Messages that came and could not be decrypted so far.
    #[serde(default)]
    waiting: Vec<Waiting>,
}

/// A message whose key has not come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Where it was said.
    pub room: String,
    /// Its event.
    pub event: String,
    /// When it was said, milliseconds since 1970.
    pub at: i64,
}

impl Position {
    /// What was remembered for this user. Another user's is none.
    #[must_use]
    pub fn read(state: &[u8], user: &str) -> Self {
        let read: Self = serde_json::from_slice(state).unwrap_or_default();
        if read.user == user {
            return read;
        }
        Self {
            user: user.to_owned(),
            ..Self::default()
        }
    }

    /// What is to be remembered.
    #[must_use]
    pub fn written(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The server's name of it.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Everything before this is committed.
    pub fn move_to(&mut self, token: &str) {
        self.token = Some(token.to_owned());
    }

    /// A message came that cannot be decrypted yet.
    pub fn wait_for(&mut self, waiting: Waiting) {
        if self.waiting.iter().any(|known| known.event == waiting.event) {
            return;
        }
        self.waiting.push(waiting);
        if self.waiting.len() > WAITING_MAX {
            self.waiting.remove(0);
        }
    }

    /// Those that are waited for, without those that have waited for too long.
    pub fn waiting(&mut self, now: i64) -> Vec<Waiting> {
        self.waiting
            .retain(|waiting| now.saturating_sub(waiting.at) < WAIT_MS);
        self.waiting.clone()
    }

    /// It is not waited for any more.
    pub fn came(&mut self, event: &str) {
        self.waiting.retain(|waiting| waiting.event != event);
    }
}

#[cfg(test)]
mod tests {
    use super::{Position, WAIT_MS, WAITING_MAX, Waiting};

    fn waiting(number: usize) -> Waiting {
        Waiting {
            room: "!room:example".into(),
            event: format!("$event{number}"),
            at: 1_000,
        }
    }

    #[test]
    fn a_position_outlives_the_process_and_is_nobody_elses() {
        let mut position = Position::read(b"", "@bot:example");
        assert_eq!(position.token(), None);
        position.move_to("s1");
        position.wait_for(waiting(1));

        let read = Position::read(&position.written(), "@bot:example");

        assert_eq!(read, position);
        assert_eq!(
            Position::read(&position.written(), "@other:example").token(),
            None
        );
        assert_eq!(Position::read(b"nonsense", "@bot:example").token(), None);
    }

    #[test]
    fn keys_are_waited_for_within_bounds() {
        let mut position = Position::read(b"", "@bot:example");
        for number in 0..=WAITING_MAX {
            position.wait_for(waiting(number));
            position.wait_for(waiting(number));
        }
        let now = position.waiting(2_000);
        assert_eq!((now.len(), &*now[0].event), (WAITING_MAX, "$event1"));
        assert!(position.written().len() < 64 * 1_024);

        position.came("$event1");
        assert_eq!(position.waiting(2_000)[0].event, "$event2");
        assert_eq!(position.waiting(1_000 + WAIT_MS), Vec::new());
    }
}
