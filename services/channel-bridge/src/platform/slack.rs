//! Slack, through an app of the operator's own in one workspace.
//!
//! What people say comes over a socket that we open (Socket Mode) or as signed requests (Events API), and is acknowledged once it is
//! committed: what is not, Slack says again under the same `ts`, which is the key against doubles. Answers go out through the Web
//! API. Tokens are shown to Slack's own hosts only, or to the server that the operator named.

mod api;
mod asked;
mod buttons;
mod chats;
mod config;
mod event;
mod files;
mod hook;
mod inbound;
mod kinds;
mod mrkdwn;
mod people;
mod preview;
mod react;
mod refusal;
mod remark;
mod said;
mod say;
mod shown;
mod socket;
mod streams;
mod upload;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use serde_json::Value;

use self::{
    api::Api,
    asked::Asked,
    config::{Door, SlackConfig},
    event::Me,
    hook::Hook,
    inbound::Ear,
    kinds::Kinds,
    people::People,
    say::Mouth,
    socket::Sockets,
};
use super::{
    Deps, Platform,
    web::{hook::refuse, outbound::Outbound},
};
use crate::{
    account::progress::Topic,
    adapter::{
        Adapter, Capabilities, Ended, FetchError, HttpAnswer, HttpHead, HttpRequest, InboundSink, Limits,
        Link, Liveness, Preview, PreviewError, Previews, Rate, Remote, Shown, TextLimit, TextShape, TextUnit,
    },
    id::{Address, MessageId},
};

/// What Slack recommends for one message, in characters; it cuts at 40,000 (`chat.postMessage`).
const TEXT: TextLimit = TextLimit::new(TextUnit::Chars, 4000, TextShape::Markdown);
/// One message in a second into one channel, with a little more at once (Web API rate limits, "posting messages").
const CHAT_RATE: Rate = Rate {
    burst: 3,
    per_second: 1.0,
};
/// Every call has a bound of its own; this one only guards against an adapter that forgets a message.
const SEND_TIMEOUT: Duration = Duration::from_secs(120);
/// We ask for a sign every twenty seconds, so a Slack that is there is heard at least that often.
const LIVENESS: Liveness = Liveness {
    degraded_after: Duration::from_secs(45),
    dead_after: Duration::from_secs(75),
};
/// Fifty changes in a minute (`chat.update`, tier 3), and a hundred pieces of streams (`chat.appendStream`, tier 4).
const PREVIEWS: Previews = Previews {
    every: Duration::from_millis(1200),
    every_shared: Duration::from_millis(1200),
    vanish: false,
};

#[derive(Debug)]
pub(crate) struct Slack {
    config: SlackConfig,
    deps: Deps,
    /// One client for the account's whole life.
    api: OnceLock<Arc<Api>>,
    /// Who speaks: what Slack wants of its pace outlives connections.
    mouth: OnceLock<Mouth>,
    asked: Asked,
    people: People,
    kinds: Kinds,
    /// Who we are, once Slack has said so. Requests of Slack need it, and may come at any time.
    me: OnceLock<Me>,
}

impl Slack {
    fn api(&self) -> Result<Arc<Api>, String> {
        if let Some(api) = self.api.get() {
            return Ok(Arc::clone(api));
        }
        let api = Arc::new(Api::new(&self.config)?);
        Ok(Arc::clone(self.api.get_or_init(|| api)))
    }

    fn mouth(&self) -> Result<&Mouth, String> {
        let api = self.api()?;
        let make = || Mouth::new(api, &self.config, &self.deps, self.asked.clone());
        Ok(self.mouth.get_or_init(make))
    }

    fn ear<'a>(&'a self, api: &'a Api, me: &'a Me) -> Ear<'a> {
        Ear {
            me,
            api,
            people: &self.people,
            kinds: &self.kinds,
            asked: &self.asked,
            reply_to: self.config.reply_to,
        }
    }

    async fn connection(&self, link: Link) -> Result<Ended, Ended> {
        let api = self.api().map_err(Ended::Failed)?;
        let (me, scopes) = api.who_am_i().await.map_err(|error| refusal::ended(&error))?;
        tracing::info!(account.id = %self.deps.account, sender.id = me.user_id, "the bot is known to Slack");
        link.progress
            .notice(Topic::Login, refusal::scopes_missing(scopes.as_deref()));
        // A token of another app ends the account: whoever changes it has it opened anew.
        let me = self.me.get_or_init(|| me);
        let mouth = self.mouth().map_err(Ended::Failed)?.clone();
        let verdict = mouth.begin();
        let outbound = Outbound::new(mouth, verdict, link.progress.clone(), link.outgoing, link.typing);
        let ended = match &self.config.door {
            Door::Socket => {
                let sockets = Sockets {
                    api: &api,
                    ear: self.ear(&api, me),
                    inbound: &link.inbound,
                    progress: &link.progress,
                    clock: &self.deps.clock,
                };
                outbound.beside(sockets.run()).await
            }
            Door::Http(_) => {
                link.progress.connected();
                outbound.beside(std::future::pending()).await
            }
        };
        Ok(ended)
    }
}

impl Platform for Slack {
    const NAME: &'static str = "slack";
    const LABEL: &'static str = "Slack";
    type Config = SlackConfig;

    fn read(account: &Value) -> Result<SlackConfig, String> {
        SlackConfig::read(account)
    }

    fn open(config: &SlackConfig, deps: Deps) -> Arc<dyn Adapter> {
        Arc::new(Self {
            config: config.clone(),
            deps,
            api: OnceLock::new(),
            mouth: OnceLock::new(),
            asked: Asked::default(),
            people: People::default(),
            kinds: Kinds::default(),
            me: OnceLock::new(),
        })
    }
}

#[async_trait]
impl Adapter for Slack {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            media: true,
            media_bytes_max: upload::UPLOAD_BYTES_MAX,
            threads: true,
            separate_sends: true,
            typing: true,
            reactions: true,
            previews: Some(PREVIEWS),
            choices: buttons::BUTTONS_MAX,
            ..Capabilities::text_only(TEXT)
        }
    }

    fn limits(&self) -> Limits {
        let liveness = match self.config.door {
            Door::Socket => Some(LIVENESS),
            Door::Http(_) => None,
        };
        Limits {
            parts_max: self.config.max_messages,
            account_rate: self.config.rate,
            chat_rate: CHAT_RATE,
            concurrency: say::CONCURRENCY,
            send_timeout: SEND_TIMEOUT,
            liveness,
        }
    }

    async fn run(&self, link: Link) -> Ended {
        match self.connection(link).await {
            Ok(ended) | Err(ended) => ended,
        }
    }

    async fn ask(&self) -> Option<Result<(), Ended>> {
        let api = match self.api() {
            Ok(api) => api,
            Err(reason) => return Some(Err(Ended::Retry(reason))),
        };
        let known = api.who_am_i().await;
        Some(known.map(drop).map_err(|error| refusal::ended(&error)))
    }

    async fn fetch(&self, address: &str) -> Result<Remote, FetchError> {
        let api = self.api().map_err(FetchError::Retry)?;
        files::fetch(&api, address, self.config.media_bytes_max).await
    }

    async fn preview(&self, preview: &Preview) -> Result<Shown, PreviewError> {
        self.mouth().map_err(PreviewError::Never)?.preview(preview).await
    }

    async fn withdraw(&self, _: &Address, _: Option<&str>, shown: &str) -> Result<(), PreviewError> {
        self.mouth().map_err(PreviewError::Never)?.withdraw(shown).await
    }

    async fn react(
        &self,
        to: &Address,
        _: Option<&str>,
        message: &MessageId,
        emoji: &str,
    ) -> Result<(), String> {
        self.mouth()?.react(to, message, emoji).await
    }

    fn http_head(&self, head: &HttpHead, _: &InboundSink) -> Option<Result<usize, HttpAnswer>> {
        let Door::Http(secret) = &self.config.door else {
            return None;
        };
        Some(Hook::new(secret, &self.deps.clock).inspect(head))
    }

    async fn http(&self, request: HttpRequest, inbound: &InboundSink) -> Option<HttpAnswer> {
        let Door::Http(secret) = &self.config.door else {
            return None;
        };
        let hook = Hook::new(secret, &self.deps.clock);
        let said = match hook.read(&request) {
            Ok(said) => said,
            Err(answer) => return Some(answer),
        };
        let (Ok(api), Some(me)) = (self.api(), self.me.get()) else {
            let words = "the account is not connected yet; try again";
            return Some(refuse(503, "STARTING", words));
        };
        Some(hook::take(said, self.ear(&api, me), inbound).await)
    }
}

#[cfg(test)]
mod tests;
