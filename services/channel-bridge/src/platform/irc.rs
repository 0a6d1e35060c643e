//! IRC: rooms and private messages, over plain TCP or TLS.
//!
//! A sender is known by the services account where the server tells it (`account:<name>`, capability account-tag), else by
//! `nick!user@host`. A nick alone is nobody: it is free the moment its holder leaves. Of crate `irc` this adapter uses the
//! grammar; its client queues without bound, ends at a byte that is not UTF-8, and brings a second TLS provider.
//!
//! Typing is not shown: the protocol has no word for it, and IRCv3's client tag `+typing` reaches few clients.

mod bouncer;
mod client;
mod config;
mod connect;
mod holder;
mod isupport;
pub(crate) mod line;
mod nick;
mod pace;
mod people;
mod playback;
mod questions;
mod register;
mod registered;
mod rooms;
mod said;
mod say;
mod text;
pub(crate) mod wire;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use gatehouse_core::Clock;
use serde_json::Value;

use self::config::IrcConfig;
use super::{Deps, Platform};
use crate::{
    adapter::{Adapter, Capabilities, Ended, Limits, Link, Liveness, TextLimit, TextShape, TextUnit},
    pace::Answers,
};

/// Lines of one answer, unless the operator says otherwise: nobody reads more in a room at once, and at one line in two seconds
/// it takes half a minute. "More" says the next ones.
const LINES_MAX: u32 = 20;
/// Chats that are spoken to in turn. Each has one line under way, so that a long answer in one takes its share and no more.
const CONCURRENCY: usize = 32;
/// With a ping every 30 s, a server that is there is heard at least that often.
const LIVENESS: Liveness = Liveness {
    degraded_after: Duration::from_secs(60),
    dead_after: Duration::from_secs(90),
};

/// Longer than any message may wait for its receipt: 90 seconds of silence end the connection, and a server that is heard
/// has 40 seconds more. It only guards against an adapter that forgets a message.
const SEND_TIMEOUT: Duration = Duration::from_secs(300);

/// A line holds the prefix that servers put in front of it, the command and the target besides the text.
const TEXT: TextLimit = TextLimit {
    address_counts: true,
    ..TextLimit::new(
        TextUnit::Bytes,
        isupport::LINE_BYTES - text::PREFIX_BYTES - "PRIVMSG  :\r\n".len(),
        TextShape::Line,
    )
};

#[derive(Debug)]
pub(crate) struct Irc {
    config: IrcConfig,
    clock: Clock,
}

impl Irc {
    fn new(config: IrcConfig, clock: Clock) -> Self {
        Self { config, clock }
    }
}

impl Platform for Irc {
    const NAME: &'static str = "irc";
    const LABEL: &'static str = "IRC";
    const ANSWERS: Answers = Answers::Anybody;
    type Config = IrcConfig;

    fn read(account: &Value) -> Result<IrcConfig, String> {
        IrcConfig::read(account)
    }

    fn open(config: &IrcConfig, deps: Deps) -> Arc<dyn Adapter> {
        Arc::new(Self::new(config.clone(), deps.clock))
    }
}

#[async_trait]
impl Adapter for Irc {
    fn capabilities(&self) -> Capabilities {
        Capabilities::text_only(TEXT)
    }

    fn limits(&self) -> Limits {
        Limits {
            parts_max: self.config.max_lines,
            account_rate: self.config.rate,
            chat_rate: self.config.rate,
            concurrency: CONCURRENCY,
            send_timeout: SEND_TIMEOUT,
            liveness: Some(LIVENESS),
        }
    }

    async fn run(&self, link: Link) -> Ended {
        client::run(&self.config, &self.clock, link).await
    }
}

#[cfg(test)]
mod tests;
