//! How fast one chat may be spoken to: what Telegram asks for, and what groups bear.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use super::chats::Chat;

/// Messages into one group within a minute (Bot API FAQ). Topics of a group count together.
const GROUP_MESSAGES: usize = 20;
const GROUP_WITHIN: Duration = Duration::from_secs(60);
/// Those of them that previews of answers may take: the rest is for the answers.
const GROUP_PREVIEWS: usize = 12;
/// Chats that are remembered; those that bear everything again are forgotten first.
const CHATS_MAX: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Until when Telegram wants silence in a chat.
    silent: HashMap<Chat, Instant>,
    /// When a group was last spoken to.
    said: HashMap<Chat, VecDeque<Instant>>,
}

impl Pace {
    /// How long this chat is to be left alone.
    pub(super) fn wait(&self, chat: &Chat, now: Instant) -> Option<Duration> {
        self.until(chat, GROUP_MESSAGES, now)
    }

    /// The same for what is only shown.
    pub(super) fn preview_wait(&self, chat: &Chat, now: Instant) -> Option<Duration> {
        self.until(chat, GROUP_PREVIEWS, now)
    }

    fn until(&self, chat: &Chat, messages_max: usize, now: Instant) -> Option<Duration> {
        let asked = self.silent.get(chat).copied();
        let said = self.said.get(chat);
        // The one that leaves the minute first of the last so many.
        let full = said.and_then(|said| said.get(said.len().checked_sub(messages_max)?));
        let full = full.map(|first| *first + GROUP_WITHIN);
        let until = asked.into_iter().chain(full).max()?;
        Some(until.saturating_duration_since(now)).filter(|wait| !wait.is_zero())
    }

    /// Something is said there now.
    pub(super) fn said(&mut self, chat: &Chat, now: Instant) {
        if !chat.is_shared() {
            return;
        }
        if self.said.len() >= CHATS_MAX {
            let lately =
                |said: &VecDeque<Instant>| said.back().is_some_and(|last| *last + GROUP_WITHIN > now);
            self.said.retain(|_, said| lately(said));
        }
        let said = self.said.entry(chat.clone()).or_default();
        said.push_back(now);
        while said.len() > GROUP_MESSAGES {
            said.pop_front();
        }
    }

    /// Telegram wants silence. True: in more chats than this one, so it means the bot as a whole.
    pub(super) fn silence(&mut self, chat: &Chat, until: Instant, now: Instant) -> bool {
        self.silent.retain(|_, until| *until > now);
        self.silent.insert(chat.clone(), until);
        self.silent.len() > 1
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{self, Instant};

    use super::{Chat, GROUP_MESSAGES, GROUP_PREVIEWS, GROUP_WITHIN, Pace};

    #[tokio::test(start_paused = true)]
    async fn a_group_bears_twenty_a_minute_and_a_person_is_left_to_the_bucket() {
        let (mut pace, group, person) = (Pace::default(), Chat::Id(-1), Chat::Id(1));
        for _ in 0..GROUP_MESSAGES {
            assert_eq!(pace.wait(&group, Instant::now()), None);
            pace.said(&group, Instant::now());
            pace.said(&person, Instant::now());
        }

        assert_eq!(pace.wait(&group, Instant::now()), Some(Duration::from_secs(60)));
        assert_eq!(pace.wait(&person, Instant::now()), None);
        time::advance(Duration::from_secs(60)).await;
        assert_eq!(pace.wait(&group, Instant::now()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn previews_leave_room_for_the_answer() {
        let (mut pace, group) = (Pace::default(), Chat::Id(-1));
        for _ in 0..GROUP_PREVIEWS {
            assert_eq!(pace.preview_wait(&group, Instant::now()), None);
            pace.said(&group, Instant::now());
        }

        assert_eq!(pace.preview_wait(&group, Instant::now()), Some(GROUP_WITHIN));
        assert_eq!(pace.wait(&group, Instant::now()), None);
        time::advance(GROUP_WITHIN).await;
        assert_eq!(pace.preview_wait(&group, Instant::now()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_in_one_chat_is_of_that_chat_and_in_two_of_the_bot() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        let until = now + Duration::from_secs(5);

        assert!(!pace.silence(&Chat::Id(1), until, now));
        assert_eq!(pace.wait(&Chat::Id(1), now), Some(Duration::from_secs(5)));
        assert_eq!(pace.wait(&Chat::Id(2), now), None);
        assert!(pace.silence(&Chat::Id(2), until, now));

        time::advance(Duration::from_secs(5)).await;
        let now = Instant::now();
        assert!(!pace.silence(&Chat::Id(3), now + Duration::from_secs(5), now));
    }
}
