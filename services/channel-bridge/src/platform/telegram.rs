//! Telegram, through its Bot API: a bot of the operator's own.
//!
//! Messages are asked for (`getUpdates`, a long poll), so nobody has to reach us. What an update said is committed and the place
//! behind it kept before the next question, which is what acknowledges it. The token stands in the path of every request: an
//! address is never shown, and whatever Telegram says is looked through for the token before it is told on.

mod albums;
mod api;
mod chats;
mod config;
mod files;
mod guide;
mod hook;
mod html;
mod inbound;
mod keyboard;
mod outbound;
mod own;
mod pace;
mod poll;
mod preview;
mod say;
mod told;
mod typing;
mod update;
mod upload;
mod whole;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use gatehouse_core::Clock;
use serde_json::Value;
use tokio::sync::OnceCell;

use self::{
    albums::Albums,
    api::{Api, ApiError},
    chats::Moves,
    config::TelegramConfig,
    outbound::Outbound,
    poll::Poll,
    say::Speaker,
    update::User,
};
use super::{Deps, Platform, web::wording::Wordings};
use crate::{
    adapter::{
        Adapter, Capabilities, Ended, FetchError, HttpAnswer, HttpHead, HttpRequest, InboundSink, Limits,
        Link, Liveness, Preview, PreviewError, Previews, Rate, Remote, Shown, TextLimit, TextShape, TextUnit,
    },
    guide::{Guide, Trial},
    id::{Address, MessageId},
    store::StoreError,
};

/// What Telegram takes in one message, in UTF-16 units, its markup not counted (`sendMessage`).
const TEXT: TextLimit = TextLimit::new(TextUnit::Utf16, 4096, TextShape::Markdown);
/// One message in a second into one chat, with a little more at once (Bot API FAQ, "My bot is hitting limits").
const CHAT_RATE: Rate = Rate {
    burst: 3,
    per_second: 1.0,
};
/// Chats that are spoken to at the same time.
const CONCURRENCY: usize = 16;
/// Every call has a bound of its own; this one only guards against an adapter that forgets a message.
const SEND_TIMEOUT: Duration = Duration::from_secs(120);
/// A poll ends after 25 seconds even where nobody says anything, so a Telegram that is there is heard at least that often.
const LIVENESS: Liveness = Liveness {
    degraded_after: Duration::from_secs(45),
    dead_after: Duration::from_secs(75),
};
/// A change in a second into one chat, and a third of the twenty in a minute that a group bears; drafts vanish by themselves.
const PREVIEWS: Previews = Previews {
    every: Duration::from_secs(1),
    every_shared: Duration::from_secs(4),
    vanish: true,
};
/// How long messages that Telegram was being given may take once the connection is over otherwise.
const LAST_WORDS: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Telegram {
    config: TelegramConfig,
    deps: Deps,
    /// One client for the account's whole life.
    api: OnceLock<Arc<Api>>,
    /// Who speaks, from the first connection on: what Telegram wants of its pace outlives connections.
    speaker: OnceCell<Speaker>,
    /// The bot itself, from the first connection on.
    me: OnceCell<User>,
    /// Albums that Telegram is bringing.
    albums: Albums,
    /// How the last messages read.
    wordings: Wordings,
}

impl Telegram {
    fn api(&self) -> Result<Arc<Api>, String> {
        if let Some(api) = self.api.get() {
            return Ok(Arc::clone(api));
        }
        let api = Arc::new(Api::new(&self.config)?);
        Ok(Arc::clone(self.api.get_or_init(|| api)))
    }

    async fn speaker(&self, api: &Arc<Api>) -> Result<&Speaker, StoreError> {
        let make = async || {
            let moves = Arc::new(Moves::read(self.deps.state.clone()).await?);
            Ok(Speaker::new(Arc::clone(api), moves, &self.config, &self.deps))
        };
        self.speaker.get_or_try_init(make).await
    }

    fn clock(&self) -> &Clock {
        &self.deps.clock
    }
}

impl Platform for Telegram {
    const NAME: &'static str = "telegram";
    const LABEL: &'static str = "Telegram";
    type Config = TelegramConfig;

    fn read(account: &Value) -> Result<TelegramConfig, String> {
        TelegramConfig::read(account)
    }

    const GUIDE: Option<&'static Guide> = Some(&guide::GUIDE);

    fn trial(config: TelegramConfig) -> Trial {
        Box::pin(guide::trial(config))
    }

    fn open(config: &TelegramConfig, deps: Deps) -> Arc<dyn Adapter> {
        Arc::new(Self {
            config: config.clone(),
            deps,
            api: OnceLock::new(),
            speaker: OnceCell::new(),
            me: OnceCell::new(),
            albums: Albums::default(),
            wordings: Wordings::default(),
        })
    }
}

#[async_trait]
impl Adapter for Telegram {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            media: true,
            media_bytes_max: upload::UPLOAD_BYTES_MAX,
            reactions: true,
            threads: true,
            separate_sends: true,
            typing: true,
            previews: Some(PREVIEWS),
            choices: keyboard::BUTTONS_MAX,
            ..Capabilities::text_only(TEXT)
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            parts_max: self.config.max_messages,
            account_rate: self.config.rate,
            chat_rate: CHAT_RATE,
            concurrency: CONCURRENCY,
            send_timeout: SEND_TIMEOUT,
            // One that brings messages is silent while nobody says anything.
            liveness: self.config.hook.is_none().then_some(LIVENESS),
        }
    }

    async fn ask(&self) -> Option<Result<(), Ended>> {
        let api = match self.api() {
            Ok(api) => api,
            Err(reason) => return Some(Err(Ended::Retry(reason))),
        };
        let known = api.ask::<Value>("getMe").await;
        Some(known.map(drop).map_err(|error| ended(&error)))
    }

    async fn fetch(&self, address: &str) -> Result<Remote, FetchError> {
        let api = self.api().map_err(FetchError::Retry)?;
        files::fetch(&api, address, self.config.media_bytes_max).await
    }

    async fn preview(&self, preview: &Preview) -> Result<Shown, PreviewError> {
        match self.speaker.get() {
            Some(speaker) => speaker.preview(preview).await,
            None => Err(not_connected()),
        }
    }

    async fn withdraw(&self, to: &Address, thread_id: Option<&str>, shown: &str) -> Result<(), PreviewError> {
        match self.speaker.get() {
            Some(speaker) => speaker.withdraw(to, thread_id, shown).await,
            None => Err(not_connected()),
        }
    }

    async fn react(
        &self,
        to: &Address,
        thread_id: Option<&str>,
        message: &MessageId,
        emoji: &str,
    ) -> Result<(), String> {
        match self.speaker.get() {
            Some(speaker) => speaker.react(to, thread_id, message, emoji).await,
            None => Err("not connected".into()),
        }
    }

    fn http_head(&self, head: &HttpHead, _: &InboundSink) -> Option<Result<usize, HttpAnswer>> {
        let hook = self.config.hook.as_ref()?;
        Some(hook.inspect(head))
    }

    async fn http(&self, request: HttpRequest, inbound: &InboundSink) -> Option<HttpAnswer> {
        let hook = self.config.hook.as_ref()?;
        if let Err(refusal) = hook.inspect(&request.head) {
            return Some(refusal);
        }
        Some(match (self.me.get(), self.speaker.get()) {
            (Some(me), Some(speaker)) => {
                let kept = (&self.albums, &self.wordings);
                hook::take(&request, me, speaker, kept, self.clock(), inbound).await
            }
            _ => hook::answer(503, "not connected yet"),
        })
    }

    async fn run(&self, link: Link) -> Ended {
        match self.connection(link).await {
            Ok(ended) | Err(ended) => ended,
        }
    }
}

impl Telegram {
    async fn connection(&self, link: Link) -> Result<Ended, Ended> {
        let api = self.api().map_err(Ended::Failed)?;
        let me: User = api.ask("getMe").await.map_err(|error| ended(&error))?;
        let _ = self.me.set(me.clone()); // the same bot as before
        let speaker = self.speaker(&api).await;
        let speaker = speaker.map_err(|error| Ended::Retry(error.to_string()))?.clone();
        tracing::info!(account.id = %self.deps.account, sender.id = me.id, "the bot is known to Telegram");
        let poll = Poll {
            api: &api,
            me: &me,
            moves: speaker.moves(),
            own: &speaker.own,
            wordings: &self.wordings,
            state: &self.deps.state,
            clock: self.clock(),
            inbound: &link.inbound,
            progress: &link.progress,
        };
        let mut outbound = Outbound::new(speaker.clone(), link.progress.clone(), link.outgoing, link.typing);
        let reading = async {
            match &self.config.hook {
                Some(hook) => hook.run(&api, &link.progress).await,
                None => {
                    link.progress.connected();
                    poll.run().await
                }
            }
        };
        let ended = tokio::select! {
            ended = reading => ended,
            ended = outbound.run() => return Ok(ended),
        };
        // What Telegram was being given is waited for: cut off, nobody would know whether it was taken.
        let _ = tokio::time::timeout(LAST_WORDS, outbound.finish()).await;
        Ok(ended)
    }
}

fn not_connected() -> PreviewError {
    PreviewError::Busy {
        after: Duration::from_secs(2),
        reason: "not connected".to_owned(),
    }
}

/// What a refusal means for the connection.
fn ended(error: &ApiError) -> Ended {
    match error {
        ApiError::Refused(refused) => match refused.code {
            401 | 404 => Ended::Failed(format!(
                "Telegram does not know this bot ({refused}): get its token from @BotFather (/token) and set botToken"
            )),
            409 => Ended::Retry(format!(
                "another program reads the messages of this bot ({refused}): stop it, or give Gatehouse a bot of its own"
            )),
            _ => Ended::Retry(format!("Telegram refused: {refused}")),
        },
        ApiError::Unreachable(reason) | ApiError::Broken(reason) => Ended::Retry(reason.clone()),
    }
}

#[cfg(test)]
mod tests;
