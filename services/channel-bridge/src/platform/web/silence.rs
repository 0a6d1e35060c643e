//! How long chats are to be left alone, where a platform says so for one of them at a time.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

#[derive(Debug, Default)]
pub(in crate::platform) struct Silence(HashMap<String, Instant>);

impl Silence {
    /// How long this chat is to be left alone.
    pub(in crate::platform) fn wait(&self, chat: &str, now: Instant) -> Option<Duration> {
        let until = self.0.get(chat)?;
        Some(until.saturating_duration_since(now)).filter(|wait| !wait.is_zero())
    }

    /// The platform wants silence. True: in more chats than this one, so it means the account as a whole.
    pub(in crate::platform) fn keep(&mut self, chat: &str, until: Instant, now: Instant) -> bool {
        self.0.retain(|_, until| *until > now);
        self.0.insert(chat.to_owned(), until);
        self.0.len() > 1
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{self, Instant};

    use super::Silence;

    #[tokio::test(start_paused = true)]
    async fn silence_in_one_chat_is_of_that_chat_and_in_two_of_the_account() {
        let (mut silence, now) = (Silence::default(), Instant::now());
        let until = now + Duration::from_secs(5);

        assert!(!silence.keep("a", until, now));
        assert_eq!(silence.wait("a", now), Some(Duration::from_secs(5)));
        assert_eq!(silence.wait("b", now), None);
        assert!(silence.keep("b", until, now));

        time::advance(Duration::from_secs(5)).await;
        let now = Instant::now();
        assert!(!silence.keep("c", now + Duration::from_secs(5), now));
        assert_eq!(silence.wait("a", now), None);
    }
}
