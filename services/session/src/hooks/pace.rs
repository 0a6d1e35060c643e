//! How many events one token, or one key that signs, may bring in a minute.

use gatehouse_core::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Events in a minute. Each is a turn of a model, and no model of a household answers ten in a second.
const EVENTS_MAX: u32 = 600;
const MINUTE_MS: i64 = 60_000;

/// What came within this minute, by what was shown: the token, or a mapping of the configuration.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<HashMap<String, Window>>);

#[derive(Clone, Copy, Debug)]
struct Window {
    begun: Timestamp,
    count: u32,
}

impl Pace {
    /// Counts so many. The error is how many seconds to wait.
    pub(super) fn take(&self, who: &str, events: usize, now: Timestamp) -> Result<(), u32> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The clock may be set back, and names go with the configuration.
        let is_open = |window: &Window| (0..MINUTE_MS).contains(&now.ms_since(window.begun));
        windows.retain(|_, window| is_open(window));
        let window = windows
            .entry(who.to_owned())
            .or_insert(Window { begun: now, count: 0 });
        let events = u32::try_from(events).unwrap_or(u32::MAX);
        let count = window.count.saturating_add(events);
        if count > EVENTS_MAX {
            let left = (MINUTE_MS - now.ms_since(window.begun)).max(1_000) / 1_000;
            return Err(u32::try_from(left).unwrap_or(60));
        }
        window.count = count;
        Ok(())
    }

    /// What was counted was a repeat: whoever overheard a request and sends it again takes nobody's place.
    pub(super) fn give_back(&self, who: &str, events: usize) {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = windows.get_mut(who) {
            let events = u32::try_from(events).unwrap_or(u32::MAX);
            window.count = window.count.saturating_sub(events);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_has_a_minute_of_its_own() {
        let pace = Pace::default();
        let at = Timestamp::from_ms;
        let all = usize::try_from(EVENTS_MAX).unwrap();

        assert_eq!(pace.take("a", all - 1, at(0)), Ok(()));
        assert_eq!(pace.take("a", 2, at(30_000)), Err(30));
        assert_eq!(pace.take("a", 1, at(30_000)), Ok(()));
        assert_eq!(pace.take("b", 1, at(30_000)), Ok(()));
        assert_eq!(pace.take("a", 1, at(MINUTE_MS)), Ok(()));
        assert_eq!(
            pace.take("a", 1, at(-MINUTE_MS)),
            Ok(()),
            "the clock was set back"
        );
    }
}
