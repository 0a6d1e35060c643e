//! The rooms the assistant wants to be in, and when to try again after being thrown out or turned away.

use std::time::Duration;

use tokio::time::Instant;

use super::text::Case;

/// After a kick, and after a refusal.
const REJOIN_FIRST: Duration = Duration::from_secs(5);
/// However often it was refused. A room that stays closed costs one line in five minutes.
const REJOIN_MAX: Duration = Duration::from_secs(300);

#[derive(Debug)]
struct Room {
    name: String,
    joined: bool,
    tries: u32,
    next: Option<Instant>,
}

#[derive(Debug)]
pub(crate) struct Rooms(Vec<Room>);

impl Rooms {
    /// None entered yet; all are due.
    pub(crate) fn new(names: &[String], now: Instant) -> Self {
        let room = |name: &String| Room {
            name: name.clone(),
            joined: false,
            tries: 0,
            next: Some(now),
        };
        Self(names.iter().map(room).collect())
    }

    /// The rooms to enter now. Each is tried again only after an answer, or after the longest wait without one.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<String> {
        let due = self
            .0
            .iter_mut()
            .filter(|room| !room.joined && room.next.is_some_and(|next| next <= now));
        due.map(|room| {
            room.next = Some(now + REJOIN_MAX);
            room.name.clone()
        })
        .collect()
    }

    /// When the next room is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        let outside = self.0.iter().filter(|room| !room.joined);
        outside.filter_map(|room| room.next).min()
    }

    pub(crate) fn entered(&mut self, case: Case, name: &str) {
        if let Some(room) = self.find(case, name) {
            room.joined = true;
            room.tries = 0;
            room.next = None;
        }
    }

    /// Thrown out, gone or turned away.
    pub(crate) fn left(&mut self, case: Case, name: &str, now: Instant) {
        if let Some(room) = self.find(case, name) {
            room.joined = false;
            room.next = Some(now + (REJOIN_FIRST * 2_u32.saturating_pow(room.tries.min(10))).min(REJOIN_MAX));
            room.tries = room.tries.saturating_add(1);
        }
    }

    /// Whether this is a wanted room that is closed to us right now.
    pub(crate) fn outside(&mut self, case: Case, name: &str) -> bool {
        self.find(case, name).is_some_and(|room| !room.joined)
    }

    fn find(&mut self, case: Case, name: &str) -> Option<&mut Room> {
        self.0.iter_mut().find(|room| case.same(&room.name, name))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{self, Instant};

    use super::{Case, REJOIN_MAX, Rooms};

    #[tokio::test(start_paused = true)]
    async fn after_a_kick_the_room_is_tried_again_less_and_less_often() {
        let mut rooms = Rooms::new(&["#home".into()], Instant::now());
        assert_eq!(rooms.due(Instant::now()), ["#home"]);
        assert!(rooms.due(Instant::now()).is_empty(), "asked once");
        rooms.entered(Case::Ascii, "#HOME");
        assert!(!rooms.outside(Case::Ascii, "#home"));

        rooms.left(Case::Ascii, "#home", Instant::now());
        assert!(rooms.outside(Case::Ascii, "#home"));
        assert!(rooms.due(Instant::now()).is_empty());
        time::advance(Duration::from_secs(5)).await;
        assert_eq!(rooms.due(Instant::now()), ["#home"]);

        rooms.left(Case::Ascii, "#home", Instant::now());
        time::advance(Duration::from_secs(5)).await;
        assert!(rooms.due(Instant::now()).is_empty());
        for _ in 0..40 {
            rooms.left(Case::Ascii, "#home", Instant::now());
        }
        time::advance(REJOIN_MAX).await;
        assert_eq!(rooms.due(Instant::now()), ["#home"]);
    }
}
