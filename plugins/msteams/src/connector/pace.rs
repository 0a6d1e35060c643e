//! How fast a bot may write. Teams counts in windows, for each conversation and for the app as a whole; who writes faster is refused, and
//! refused for longer if it goes on. So it is counted here first.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// What one conversation takes from one bot: so many in so long (learn.microsoft.com, "Optimize your bot with rate limiting").
const CONVERSATION: [(usize, Duration); 4] = [
    (7, Duration::from_secs(1)),
    (8, Duration::from_secs(2)),
    (60, Duration::from_secs(30)),
    (1_800, Duration::from_secs(3_600)),
];
/// What one tenant takes from one app in a second. Older pages say 30.
const APP: (usize, Duration) = (30, Duration::from_secs(1));
/// Conversations that are counted. Beyond this many, those that have been silent longest are forgotten: their windows are over or wide.
const CONVERSATIONS_MAX: usize = 10_000;

#[derive(Debug, Default)]
struct Counted {
    app: VecDeque<Instant>,
    conversations: HashMap<String, VecDeque<Instant>>,
}

/// Counts what is written.
#[derive(Debug, Default)]
pub struct Pace(Mutex<Counted>);

impl Pace {
    /// Takes a place for one call. Otherwise says how long there is none.
    ///
    /// # Errors
    /// When a window is full: the time until it is not.
    pub fn take(&self, conversation: &str) -> Result<(), Duration> {
        let now = Instant::now();
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut wait = full(&counted.app, &[APP], now);
        if let Some(calls) = counted.conversations.get(conversation) {
            wait = wait.max(full(calls, &CONVERSATION, now));
        }
        if !wait.is_zero() {
            return Err(wait);
        }
        if counted.conversations.len() >= CONVERSATIONS_MAX
            && !counted.conversations.contains_key(conversation)
        {
            forget(&mut counted.conversations, now);
        }
        count(&mut counted.app, APP, now);
        let longest = CONVERSATION[CONVERSATION.len() - 1];
        count(
            counted.conversations.entry(conversation.to_owned()).or_default(),
            longest,
            now,
        );
        Ok(())
    }
}

/// How long until each of these windows has a place.
fn full(calls: &VecDeque<Instant>, windows: &[(usize, Duration)], now: Instant) -> Duration {
    let waits = windows.iter().filter_map(|(most, within)| {
        // The call that has to leave the window for one more to enter.
        let oldest = calls.len().checked_sub(*most).and_then(|at| calls.get(at))?;
        Some((*oldest + *within).saturating_duration_since(now))
    });
    waits.max().unwrap_or_default()
}

fn count(calls: &mut VecDeque<Instant>, (most, within): (usize, Duration), now: Instant) {
    while calls
        .front()
        .is_some_and(|at| calls.len() >= most || now - *at > within)
    {
        calls.pop_front();
    }
    calls.push_back(now);
}

/// Takes out what is silent: first by its windows, then whatever is the oldest.
fn forget(conversations: &mut HashMap<String, VecDeque<Instant>>, now: Instant) {
    let longest = CONVERSATION[CONVERSATION.len() - 1].1;
    conversations.retain(|_, calls| calls.back().is_some_and(|at| now - *at <= longest));
    while conversations.len() >= CONVERSATIONS_MAX {
        let Some(oldest) = conversations
            .iter()
            .min_by_key(|(_, calls)| calls.back().copied())
            .map(|(id, _)| id.clone())
        else {
            break;
        };
        conversations.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time;

    use super::Pace;

    #[tokio::test(start_paused = true)]
    async fn a_conversation_takes_seven_in_a_second_and_eight_in_two() {
        let pace = Pace::default();
        for _ in 0..7 {
            pace.take("a").expect("there is room");
        }

        assert_eq!(pace.take("a"), Err(Duration::from_secs(1)));
        assert!(pace.take("b").is_ok(), "another one has room");
        time::advance(Duration::from_secs(1)).await;
        assert!(pace.take("a").is_ok());
        assert_eq!(
            pace.take("a"),
            Err(Duration::from_secs(1)),
            "the ninth of two seconds"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_minute_takes_sixty() {
        let pace = Pace::default();
        for _ in 0..60 {
            pace.take("a").expect("there is room");
            time::advance(Duration::from_millis(300)).await;
        }

        assert_eq!(pace.take("a"), Err(Duration::from_secs(12)));
    }

    #[tokio::test(start_paused = true)]
    async fn all_conversations_together_keep_to_the_pace_of_the_app() {
        let pace = Pace::default();
        for number in 0..30 {
            pace.take(&number.to_string()).expect("there is room");
        }

        assert!(pace.take("another").is_err());
        time::advance(Duration::from_secs(1)).await;
        assert!(pace.take("another").is_ok());
    }
}
