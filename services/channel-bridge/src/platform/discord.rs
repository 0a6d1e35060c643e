//! Discord, through a bot of the operator's own.
//!
//! What people say comes over the gateway, in a session whose place is kept behind the commit of each message: after a lost connection or a
//! killed process Discord says again what came behind it. Answers go out over HTTP, each with a nonce by which Discord knows a repeat.
//! A thread is a channel with a parent: rules and bindings of the parent hold in it.

mod api;
mod buttons;
mod channels;
mod chats;
mod commands;
mod config;
mod event;
mod gateway;
mod heard;
mod inbound;
mod markdown;
mod parts;
mod preview;
mod refusal;
mod say;
mod session;
mod told;
mod upload;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use serde_json::Value;

use self::{
    api::{Api, ApiError},
    channels::Channels,
    chats::Place,
    config::DiscordConfig,
    event::{Application, User},
    gateway::Gateway,
    heard::Heard,
    say::Mouth,
    session::Sessions,
};
use super::{
    Deps, Platform,
    web::{outbound::Outbound, wording::Wordings},
};
use crate::{
    account::progress::Topic,
    adapter::{
        Adapter, Capabilities, Ended, FetchError, Limits, Link, Liveness, Preview, PreviewError, Previews,
        Rate, Remote, Shown, TextLimit, TextShape, TextUnit,
    },
    id::{Address, MessageId},
};

/// Discord takes 2000 characters with the markup, which adds to what a reader sees.
const TEXT: TextLimit = TextLimit::new(TextUnit::Chars, 1900, TextShape::Markdown);
/// Five messages in five seconds into one channel.
const CHAT_RATE: Rate = Rate {
    burst: 5,
    per_second: 1.0,
};
/// Every call has a bound of its own; this one only guards against an adapter that forgets a message.
const SEND_TIMEOUT: Duration = Duration::from_secs(120);
/// A heartbeat is answered every 41 seconds.
const LIVENESS: Liveness = Liveness {
    degraded_after: Duration::from_secs(60),
    dead_after: Duration::from_secs(120),
};
/// Five changes in five seconds in one channel, and one of them kept for the answer.
const PREVIEWS: Previews = Previews {
    every: Duration::from_millis(1250),
    every_shared: Duration::from_millis(1250),
    vanish: false,
};

#[derive(Debug)]
pub(crate) struct Discord {
    config: DiscordConfig,
    deps: Deps,
    /// One client for the account's whole life.
    api: OnceLock<Arc<Api>>,
    /// Who speaks: what Discord wants of its pace outlives connections.
    mouth: OnceLock<Mouth>,
    channels: Channels,
    heard: Heard,
    reacted: Heard,
    wordings: Wordings,
    sessions: Sessions,
}

impl Discord {
    fn api(&self) -> Result<Arc<Api>, String> {
        if let Some(api) = self.api.get() {
            return Ok(Arc::clone(api));
        }
        let api = Arc::new(Api::new(&self.config)?);
        Ok(Arc::clone(self.api.get_or_init(|| api)))
    }

    fn mouth(&self) -> Result<&Mouth, String> {
        let api = self.api()?;
        let make = || Mouth::new(api, &self.config, self.deps.media.clone());
        Ok(self.mouth.get_or_init(make))
    }

    async fn connection(&self, link: Link) -> Result<Ended, Ended> {
        let api = self.api().map_err(Ended::Failed)?;
        let me: User = api
            .get(&["users", "@me"])
            .await
            .map_err(|error| refusal::ended(&error))?;
        let application = match api.get::<Application>(&["applications", "@me"]).await {
            // What stands in for Discord may not tell: then only what names the bot is asked for.
            Err(ApiError::Refused(refused)) if matches!(refused.status, 403 | 404) => Application {
                id: me.id.clone(),
                ..Application::default()
            },
            told => told.map_err(|error| refusal::ended(&error))?,
        };
        tracing::info!(account.id = %self.deps.account, sender.id = me.id, "the bot is known to Discord");
        let reads_content = application.reads_content();
        let mouth = self.mouth().map_err(Ended::Failed)?.clone();
        let verdict = mouth.begin();
        let outbound = Outbound::new(mouth, verdict, link.progress.clone(), link.outgoing, link.typing);
        link.progress.notice(
            Topic::Login,
            (!reads_content).then(|| refusal::NO_CONTENT.to_owned()),
        );
        let gateway = Gateway {
            api: &api,
            token: &self.config.token,
            me: &me.id,
            reads_content,
            sessions: &self.sessions,
            channels: &self.channels,
            heard: &self.heard,
            reacted: &self.reacted,
            wordings: &self.wordings,
            inbound: &link.inbound,
            progress: &link.progress,
            clock: &self.deps.clock,
        };
        // Beside what is heard, and no longer than that: a Discord that is slow to list commands keeps no connection.
        let offering = async {
            if self.config.offers_commands {
                commands::offer(&api, &application.id).await;
            }
            std::future::pending::<Ended>().await
        };
        let heard = async {
            tokio::select! {
                ended = gateway.run() => ended,
                ended = offering => ended,
            }
        };
        Ok(Box::pin(outbound.beside(heard)).await)
    }
}

impl Platform for Discord {
    const NAME: &'static str = "discord";
    const LABEL: &'static str = "Discord";
    type Config = DiscordConfig;

    fn read(account: &Value) -> Result<DiscordConfig, String> {
        DiscordConfig::read(account)
    }

    fn open(config: &DiscordConfig, deps: Deps) -> Arc<dyn Adapter> {
        Arc::new(Self {
            config: config.clone(),
            api: OnceLock::new(),
            mouth: OnceLock::new(),
            channels: Channels::default(),
            heard: Heard::default(),
            reacted: Heard::default(),
            wordings: Wordings::default(),
            sessions: Sessions::new(deps.state.clone()),
            deps,
        })
    }
}

#[async_trait]
impl Adapter for Discord {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            media: true,
            media_bytes_max: upload::UPLOAD_BYTES_MAX,
            threads: true,
            typing: true,
            reactions: true,
            idempotent_sends: true,
            previews: Some(PREVIEWS),
            choices: buttons::BUTTONS_MAX,
            ..Capabilities::text_only(TEXT)
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            parts_max: self.config.max_messages,
            account_rate: self.config.rate,
            chat_rate: CHAT_RATE,
            concurrency: say::CONCURRENCY,
            send_timeout: SEND_TIMEOUT,
            liveness: Some(LIVENESS),
        }
    }

    async fn run(&self, link: Link) -> Ended {
        match Box::pin(self.connection(link)).await {
            Ok(ended) | Err(ended) => ended,
        }
    }

    async fn ask(&self) -> Option<Result<(), Ended>> {
        let api = match self.api() {
            Ok(api) => api,
            Err(reason) => return Some(Err(Ended::Retry(reason))),
        };
        let known = api.get::<Value>(&["users", "@me"]).await;
        Some(known.map(drop).map_err(|error| refusal::ended(&error)))
    }

    async fn fetch(&self, address: &str) -> Result<Remote, FetchError> {
        let api = self.api().map_err(FetchError::Retry)?;
        let address = address
            .strip_prefix(inbound::FILE)
            .ok_or_else(|| FetchError::Never("it is not a file of Discord".into()))?;
        api.file(address, self.config.media_bytes_max).await
    }

    async fn preview(&self, preview: &Preview) -> Result<Shown, PreviewError> {
        self.mouth().map_err(PreviewError::Never)?.preview(preview).await
    }

    async fn withdraw(&self, to: &Address, thread_id: Option<&str>, shown: &str) -> Result<(), PreviewError> {
        let place = Place::read(to.as_str(), thread_id).map_err(PreviewError::Never)?;
        let mouth = self.mouth().map_err(PreviewError::Never)?;
        Ok(mouth.withdraw(&place, shown).await?)
    }

    async fn react(
        &self,
        to: &Address,
        thread_id: Option<&str>,
        message: &MessageId,
        emoji: &str,
    ) -> Result<(), String> {
        let place = Place::read(to.as_str(), thread_id)?;
        self.mouth()?.react(&place, message, emoji).await
    }
}

#[cfg(test)]
mod tests;
