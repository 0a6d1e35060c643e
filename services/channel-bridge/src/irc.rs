//! IRC: rooms and private messages, over plain TCP or TLS.
//!
//! A sender is known by the services account where the server tells it (`account:<name>`, capability account-tag), else by
//! `nick!user@host`. A nick alone is nobody: it is free the moment its holder leaves. Of crate `irc` this adapter uses the
//! grammar; its client queues without bound, ends at a byte that is not UTF-8, and brings a second TLS provider.
//!
//! Typing is not shown: the protocol has no word for it, and IRCv3's client tag `+typing` reaches few clients. Hints are
//! taken out and dropped.

mod client;
pub mod config;
mod line;
mod questions;
mod register;
mod rooms;
mod say;
mod session;
mod text;
mod wire;

use std::time::Duration;

use async_trait::async_trait;
use gatehouse_core::Clock;

pub use config::IrcConfig;

use crate::adapter::{Adapter, Ended, Limits, Link, Liveness};

/// Lines of one reply. Nobody reads more in a room, and at one line in two seconds it takes over a minute.
const PARTS_MAX: usize = 40;
/// With a ping every 30 s, a server that is there is heard at least that often.
const LIVENESS: Liveness = Liveness {
    degraded_after: Duration::from_secs(60),
    dead_after: Duration::from_secs(90),
};

/// Longer than any message may wait for its receipt: 90 seconds of silence end the connection, and a server that is heard
/// has 40 seconds more. It only guards against an adapter that forgets a message.
const SEND_TIMEOUT: Duration = Duration::from_secs(300);

/// One IRC account.
#[derive(Debug)]
pub struct Irc {
    config: IrcConfig,
    clock: Clock,
}

impl Irc {
    /// The account with this configuration.
    pub fn new(config: IrcConfig, clock: Clock) -> Self {
        Self { config, clock }
    }
}

#[async_trait]
impl Adapter for Irc {
    fn limits(&self) -> Limits {
        Limits {
            parts_max: PARTS_MAX,
            account_rate: self.config.rate,
            chat_rate: self.config.rate,
            concurrency: 4,
            idempotent: false,
            send_timeout: SEND_TIMEOUT,
            liveness: Some(LIVENESS),
        }
    }

    fn split(&self, to: &str, text: &str, reserve: usize) -> Vec<String> {
        text::split(to, text, reserve)
    }

    async fn run(&self, link: Link) -> Ended {
        client::run(&self.config, &self.clock, link).await
    }
}

#[cfg(test)]
mod tests;
