//! How fast an account may speak: a bucket for the account, one for each chat, and a pause when the platform asks for it.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use crate::adapter::{Limits, Rate};

/// Chats whose bucket is remembered; full ones are forgotten beyond it, which changes nothing.
const CHATS_MAX: usize = 1024;

/// A token bucket that is paid in advance: what is taken beyond it is waited for.
#[derive(Clone, Debug)]
struct Bucket {
    rate: Rate,
    tokens: f64,
    seen: Instant,
}

impl Bucket {
    fn new(rate: Rate, now: Instant) -> Self {
        Self {
            rate,
            tokens: f64::from(rate.burst),
            seen: now,
        }
    }

    fn refill(&mut self, now: Instant) {
        let grown = now.saturating_duration_since(self.seen).as_secs_f64() * self.rate.per_second;
        self.tokens = (self.tokens + grown).min(f64::from(self.rate.burst));
        self.seen = now;
    }

    fn take(&mut self, now: Instant) -> Duration {
        self.refill(now);
        self.tokens -= 1.0;
        if self.tokens >= 0.0 {
            Duration::ZERO
        } else {
            Duration::from_secs_f64(-self.tokens / self.rate.per_second)
        }
    }

    fn full(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.tokens >= f64::from(self.rate.burst)
    }
}

/// All buckets of one account.
#[derive(Debug)]
pub(crate) struct Buckets {
    chat_rate: Rate,
    account: Bucket,
    chats: HashMap<String, Bucket>,
    paused: Option<Instant>,
}

impl Buckets {
    pub(crate) fn new(limits: &Limits, now: Instant) -> Self {
        Self {
            chat_rate: limits.chat_rate,
            account: Bucket::new(limits.account_rate, now),
            chats: HashMap::new(),
            paused: None,
        }
    }

    /// Takes one token of both. When it may be used.
    pub(crate) fn take(&mut self, chat: &str, now: Instant) -> Instant {
        if self.chats.len() >= CHATS_MAX {
            self.chats.retain(|_, bucket| !bucket.full(now));
        }
        let rate = self.chat_rate;
        let own = self
            .chats
            .entry(chat.to_owned())
            .or_insert_with(|| Bucket::new(rate, now))
            .take(now);
        now + own.max(self.account.take(now))
    }

    /// The platform asked for silence.
    pub(crate) fn pause(&mut self, until: Instant) {
        self.paused = Some(self.paused.map_or(until, |earlier| earlier.max(until)));
    }

    /// Until when to be silent, if it is so now.
    pub(crate) fn paused(&self, now: Instant) -> Option<Instant> {
        self.paused.filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{self, Instant};

    use super::{Bucket, Buckets};
    use crate::adapter::{Limits, Rate};

    fn limits(account: Rate, chat: Rate) -> Limits {
        Limits {
            parts_max: 1,
            account_rate: account,
            chat_rate: chat,
            concurrency: 1,
            send_timeout: Duration::ZERO,
            liveness: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_free_and_the_rest_is_spread() {
        let now = Instant::now();
        let mut bucket = Bucket::new(
            Rate {
                burst: 2,
                per_second: 0.5,
            },
            now,
        );

        let waits: Vec<u64> = (0..4).map(|_| bucket.take(now).as_secs()).collect();

        assert_eq!(waits, [0, 0, 2, 4]);
        time::advance(Duration::from_secs(60)).await;
        assert_eq!(bucket.take(Instant::now()), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn one_loud_chat_leaves_room_for_the_others_within_the_accounts_own_bound() {
        let now = Instant::now();
        let mut buckets = Buckets::new(
            &limits(
                Rate {
                    burst: 10,
                    per_second: 1.0,
                },
                Rate {
                    burst: 1,
                    per_second: 0.1,
                },
            ),
            now,
        );

        assert_eq!(buckets.take("loud", now), now);
        assert_eq!(buckets.take("loud", now), now + Duration::from_secs(10));
        assert_eq!(buckets.take("quiet", now), now);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_only_grows() {
        let now = Instant::now();
        let rate = Rate {
            burst: 1,
            per_second: 1.0,
        };
        let mut buckets = Buckets::new(&limits(rate, rate), now);
        buckets.pause(now + Duration::from_secs(30));
        buckets.pause(now + Duration::from_secs(5));

        assert_eq!(buckets.paused(now), Some(now + Duration::from_secs(30)));
        assert_eq!(buckets.paused(now + Duration::from_secs(30)), None);
    }
}
