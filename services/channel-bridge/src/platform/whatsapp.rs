//! WhatsApp, through the Cloud API: a phone number of a business.
//!
//! Meta calls us: posts are signed, and answered once what they say is committed; what is not, Meta posts again under the same id for a
//! week. A person is known by the id that they have for the business, which stays when they hide their number; the number is another name
//! of theirs. A business may answer within 24 hours; what Meta took and did not deliver comes back later as a report.

mod api;
mod buttons;
mod config;
mod event;
mod hook;
mod inbound;
mod markup;
mod refusal;
mod say;
mod upload;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use serde_json::Value;

use self::{api::Api, config::WhatsappConfig, say::Mouth};
use super::{
    Deps, Platform,
    web::{hook::commit, last::Last, outbound::Outbound},
};
use crate::{
    adapter::{
        Adapter, Capabilities, Ended, FetchError, HttpAnswer, HttpHead, HttpRequest, InboundSink, Limits,
        Link, Rate, Remote, TextLimit, TextShape, TextUnit,
    },
    id::{Address, MessageId},
};

/// What WhatsApp takes in one message is 4096 characters with the markup, which adds to what a reader sees.
const TEXT: TextLimit = TextLimit::new(TextUnit::Chars, 3500, TextShape::Markdown);
/// One message in six seconds to one person ("pair rate"), of which some may be sent at once: Meta lets a number borrow 45.
const CHAT_RATE: Rate = Rate {
    burst: 10,
    per_second: 1.0 / 6.0,
};
/// Every call has a bound of its own; this one only guards against an adapter that forgets a message.
const SEND_TIMEOUT: Duration = Duration::from_secs(120);

#[derive(Debug)]
pub(crate) struct Whatsapp {
    config: WhatsappConfig,
    deps: Deps,
    /// One client for the account's whole life.
    api: OnceLock<Arc<Api>>,
    /// Who speaks: what WhatsApp wants of its pace outlives connections.
    mouth: OnceLock<Mouth>,
    last: Last,
}

impl Whatsapp {
    fn api(&self) -> Result<Arc<Api>, String> {
        if let Some(api) = self.api.get() {
            return Ok(Arc::clone(api));
        }
        let api = Arc::new(Api::new(&self.config)?);
        Ok(Arc::clone(self.api.get_or_init(|| api)))
    }

    fn mouth(&self) -> Result<&Mouth, String> {
        let api = self.api()?;
        let (last, media) = (self.last.clone(), self.deps.media.clone());
        let make = || Mouth::new(api, self.config.link_preview, last, media);
        Ok(self.mouth.get_or_init(make))
    }

    async fn connection(&self, link: Link) -> Result<Ended, Ended> {
        let api = self.api().map_err(Ended::Failed)?;
        api.number().await.map_err(|error| refusal::ended(&error))?;
        tracing::info!(account.id = %self.deps.account, "the number is known to WhatsApp");
        let mouth = self.mouth().map_err(Ended::Failed)?.clone();
        let verdict = mouth.begin();
        let outbound = Outbound::new(mouth, verdict, link.progress.clone(), link.outgoing, link.typing);
        link.progress.connected();
        Ok(outbound.beside(std::future::pending()).await)
    }
}

impl Platform for Whatsapp {
    const NAME: &'static str = "whatsapp";
    const LABEL: &'static str = "WhatsApp";
    type Config = WhatsappConfig;

    fn read(account: &Value) -> Result<WhatsappConfig, String> {
        WhatsappConfig::read(account)
    }

    fn open(config: &WhatsappConfig, deps: Deps) -> Arc<dyn Adapter> {
        Arc::new(Self {
            config: config.clone(),
            deps,
            api: OnceLock::new(),
            mouth: OnceLock::new(),
            last: Last::default(),
        })
    }
}

#[async_trait]
impl Adapter for Whatsapp {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            media: true,
            media_bytes_max: upload::DOCUMENT_BYTES_MAX,
            separate_sends: true,
            typing: true,
            reactions: true,
            choices: buttons::CHOICES_MAX,
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
            liveness: None,
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
        let known = api.number().await;
        Some(known.map(drop).map_err(|error| refusal::ended(&error)))
    }

    async fn fetch(&self, address: &str) -> Result<Remote, FetchError> {
        let api = self.api().map_err(FetchError::Retry)?;
        api.file(address, self.config.media_bytes_max).await
    }

    async fn react(
        &self,
        to: &Address,
        _: Option<&str>,
        message: &MessageId,
        emoji: &str,
    ) -> Result<(), String> {
        self.mouth()?.react(to.as_str(), message, emoji).await
    }

    fn http_head(&self, head: &HttpHead, _: &InboundSink) -> Option<Result<usize, HttpAnswer>> {
        Some(hook::inspect(&self.config, head))
    }

    async fn http(&self, request: HttpRequest, inbound: &InboundSink) -> Option<HttpAnswer> {
        let said = match hook::read(&self.config, &request) {
            Ok(said) => said,
            Err(answer) => return Some(answer),
        };
        inbound.progress().heard();
        if let Ok(api) = self.api() {
            hook::tell(&said.statuses, &api, inbound);
        }
        if let Err(answer) = hook::keep(&said.statuses, inbound).await {
            return Some(answer);
        }
        for message in &said.messages {
            self.last
                .learn(message.reply_to.as_str(), message.message_id.as_str());
        }
        for (chat, remark) in said.remarks {
            inbound.remark(chat.as_str(), &[], remark); // a chat of two
        }
        Some(commit(inbound, said.messages).await)
    }
}

#[cfg(test)]
mod tests;
