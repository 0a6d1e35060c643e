//! Signal, through the daemon of signal-cli on the operator's machine.
//!
//! What people say comes as a stream of events. A stream that says nothing at all, not even that it is there, is dead: the daemon sends a
//! sign every few seconds, and without one for a minute the connection is made anew. Events have no place to go on from: what comes while
//! nobody listens is lost, which `docs/signal.md` says.

mod chats;
mod config;
mod event;
mod inbound;
mod refusal;
mod rpc;
mod say;
mod stream;
mod styles;
mod upload;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures::{StreamExt, stream as streams};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use self::{
    chats::Place,
    config::SignalConfig,
    event::{Event, Known, Me},
    rpc::{Rpc, RpcError},
    say::Mouth,
    stream::Lines,
};
use super::{
    Deps, Platform,
    web::{
        nulls,
        outbound::{Outbound, Verdict},
        take::commit,
        wording::Wordings,
    },
};
use crate::{
    adapter::{
        Adapter, Capabilities, Ended, FetchError, InboundSink, Limits, Link, Liveness, Progress, Rate,
        Remote, TextLimit, TextShape, TextUnit,
    },
    id::{Address, MessageId},
};

/// Signal's programs make a file of a text that is longer than 2000 bytes.
const TEXT: TextLimit = TextLimit::new(TextUnit::Bytes, 1900, TextShape::Markdown);
/// As fast as a person.
const CHAT_RATE: Rate = Rate {
    burst: 10,
    per_second: 1.0,
};
/// A method that there is not (JSON-RPC 2.0, section 5.1).
const NO_METHOD: i64 = -32_601;
/// Every call has a bound of its own; this one only guards against an adapter that forgets a message.
const SEND_TIMEOUT: Duration = Duration::from_secs(180);
/// The daemon sends a sign every fifteen seconds.
const LIVENESS: Liveness = Liveness {
    degraded_after: Duration::from_secs(40),
    dead_after: Duration::from_secs(60),
};
/// A file comes whole, from the same machine.
const FILE_WITHIN: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Signal {
    config: SignalConfig,
    deps: Deps,
    /// One client for the account's whole life.
    rpc: OnceLock<Arc<Rpc>>,
    /// Who speaks: what Signal wants of its pace outlives connections.
    mouth: OnceLock<Mouth>,
    /// How the last messages read.
    wordings: Wordings,
}

impl Signal {
    fn rpc(&self) -> Result<Arc<Rpc>, String> {
        if let Some(rpc) = self.rpc.get() {
            return Ok(Arc::clone(rpc));
        }
        let rpc = Arc::new(Rpc::new(&self.config)?);
        Ok(Arc::clone(self.rpc.get_or_init(|| rpc)))
    }

    fn mouth(&self) -> Result<&Mouth, String> {
        let rpc = self.rpc()?;
        let make = || Mouth::new(rpc, self.config.read_receipts, self.deps.media.clone());
        Ok(self.mouth.get_or_init(make))
    }

    async fn connection(&self, link: Link) -> Result<Ended, Ended> {
        let rpc = self.rpc().map_err(Ended::Failed)?;
        let us = Map::from_iter([("recipient".to_owned(), json!([self.config.account]))]);
        let known: Vec<Known> = match rpc.ask("getUserStatus", us).await {
            // A daemon that does not know the question: we are known by our number alone.
            Err(RpcError::Refused(refused)) if refused.code == NO_METHOD => Vec::new(),
            told => told.map_err(|error| refusal::ended(&error))?,
        };
        let me = Me {
            number: self.config.account.clone(),
            uuid: known.into_iter().find_map(|known| known.uuid),
        };
        let events = rpc.events().await.map_err(|error| refusal::ended(&error))?;
        tracing::info!(account.id = %self.deps.account, "signal-cli tells its events");
        let mouth = self.mouth().map_err(Ended::Failed)?;
        let progress = link.progress.clone();
        let outbound = Outbound::new(
            mouth.clone(),
            Verdict::default(),
            progress.clone(),
            link.outgoing,
            link.typing,
        );
        progress.connected();
        Ok(outbound
            .beside(listen(
                events,
                (&me, &self.wordings),
                mouth,
                &link.inbound,
                &progress,
            ))
            .await)
    }
}

/// Takes events in until there are no more.
async fn listen(
    mut events: reqwest::Response,
    (me, wordings): (&Me, &Wordings),
    mouth: &Mouth,
    inbound: &InboundSink,
    progress: &Progress,
) -> Ended {
    let mut lines = Lines::default();
    loop {
        let bytes = match events.chunk().await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ended::Retry("signal-cli ended its events".into()),
            // Its words may hold the address.
            Err(_) => return Ended::Retry("signal-cli broke off in its events".into()),
        };
        for event in lines.take(&bytes, progress) {
            let event = serde_json::from_str(&event).and_then(|event: Value| nulls::read::<Event>(&event));
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    tracing::warn!(%error, "an event of signal-cli is not understood and left out");
                    continue;
                }
            };
            // A daemon may have several accounts.
            if event
                .account
                .as_ref()
                .is_some_and(|account| *account != me.number)
            {
                continue;
            }
            if let Some((chat, remark)) = inbound::remark(&event.envelope, me) {
                let ids = [&event.envelope.source_uuid, &event.envelope.source_number];
                let by: Vec<&str> = ids.into_iter().flatten().map(String::as_str).collect();
                inbound.remark(&chat, &by, remark);
            }
            if let Some(said) = inbound::hear(&event.envelope, me, wordings) {
                mouth.heard(&said);
                commit(inbound, said).await;
                inbound::learn(&event.envelope, wordings);
            }
        }
    }
}

impl Platform for Signal {
    const NAME: &'static str = "signal";
    const LABEL: &'static str = "Signal";
    type Config = SignalConfig;

    fn read(account: &Value) -> Result<SignalConfig, String> {
        SignalConfig::read(account)
    }

    fn open(config: &SignalConfig, deps: Deps) -> Arc<dyn Adapter> {
        Arc::new(Self {
            config: config.clone(),
            deps,
            rpc: OnceLock::new(),
            mouth: OnceLock::new(),
            wordings: Wordings::default(),
        })
    }
}

#[async_trait]
impl Adapter for Signal {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            media: true,
            media_bytes_max: upload::UPLOAD_BYTES_MAX,
            separate_sends: true,
            typing: true,
            reactions: true,
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
        match self.connection(link).await {
            Ok(ended) | Err(ended) => ended,
        }
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

    async fn fetch(&self, address: &str) -> Result<Remote, FetchError> {
        #[derive(Deserialize)]
        struct File {
            data: String,
        }
        let never = || FetchError::Never("it is not a file of Signal".into());
        let found = address
            .strip_prefix(inbound::FILE)
            .and_then(|file| file.split_once('?'));
        let (id, chat) = found.ok_or_else(never)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if id.starts_with('.') || !id.chars().all(plain) {
            return Err(never());
        }
        let mut wanted = Place::read(chat).map_err(|_| never())?.parameters();
        wanted.insert("id".to_owned(), json!(id));
        let rpc = self.rpc().map_err(FetchError::Retry)?;
        let bytes_max = self.config.media_bytes_max;
        // In Base64, with what stands around it.
        let answer_max = usize::try_from(bytes_max / 3 * 4 + 64 * 1024).unwrap_or(usize::MAX);
        let File { data } = rpc
            .call("getAttachment", wanted, FILE_WITHIN, answer_max)
            .await
            .map_err(|error| match error {
                RpcError::Refused(refused) => {
                    FetchError::Never(format!("signal-cli refused the file: {refused}"))
                }
                RpcError::Web(error) => FetchError::Retry(error.to_string()),
            })?;
        let bytes = BASE64_STANDARD.decode(data.as_bytes());
        let bytes = bytes.map_err(|_| FetchError::Never("signal-cli gave no file".into()))?;
        if bytes.len() as u64 > bytes_max {
            let words = format!("it is larger than {} MB", bytes_max / 1_000_000);
            return Err(FetchError::Never(words));
        }
        Ok(Remote {
            declared: None,
            bytes_max,
            bytes: streams::iter([Ok(Bytes::from(bytes))]).boxed(),
        })
    }
}

#[cfg(test)]
mod tests;
