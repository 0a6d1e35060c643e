//! Webhook: a platform of the operator's own, over signed HTTP in both directions.
//!
//! What people say comes in as a POST through the edge, and is answered 202 once it is committed; what the assistant says goes
//! out as a POST to `callbackUrl`, with the delivery's key for the receiver to recognise a repeat by. Where the operator
//! wants it, `callbackUrl` is also told that somebody is being answered; that takes nothing away from what is said.

mod config;
mod inbound;
mod outbound;
pub(crate) mod signature;
mod throttle;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt, stream::FuturesUnordered};
use gatehouse_core::Clock;
use serde_json::Value;

use self::{
    config::WebhookConfig,
    inbound::Endpoint,
    outbound::{CALLBACK_WITHIN, Callback, TYPING_WITHIN},
    throttle::Throttle,
};
use super::{Deps, Platform};
use crate::adapter::{
    AccountKey, Adapter, Capabilities, Ended, HttpAnswer, HttpHead, HttpRequest, InboundSink, Limits, Link,
    SendError, TextLimit, TextShape, TextUnit,
};
use crate::pace::Answers;

/// The text of one callback: fits every receiver's usual bound of 64 KiB with the envelope.
const TEXT: TextLimit = TextLimit::new(TextUnit::Bytes, 32 * 1024, TextShape::Plain);
/// Callbacks at the same time.
const CONCURRENCY: usize = 8;
/// Typing hints at the same time, beside the callbacks. What is beyond is dropped: it would come too late to be true.
const TYPING_CONCURRENCY: usize = 4;

#[derive(Debug)]
pub(crate) struct Webhook {
    account: AccountKey,
    config: WebhookConfig,
    clock: Clock,
    throttle: Throttle,
}

impl Webhook {
    fn new(account: AccountKey, config: WebhookConfig, clock: Clock) -> Self {
        Self {
            account,
            config,
            clock,
            throttle: Throttle::default(),
        }
    }
}

impl Platform for Webhook {
    const NAME: &'static str = "webhook";
    const LABEL: &'static str = "Webhook";
    const ANSWERS: Answers = Answers::Programs;
    type Config = WebhookConfig;

    fn read(account: &Value) -> Result<WebhookConfig, String> {
        WebhookConfig::read(account)
    }

    fn open(config: &WebhookConfig, deps: Deps) -> Arc<dyn Adapter> {
        Arc::new(Self::new(deps.account, config.clone(), deps.clock))
    }
}

#[async_trait]
impl Adapter for Webhook {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            threads: true,
            typing: self.config.typing,
            idempotent_sends: true,
            ..Capabilities::text_only(TEXT)
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            parts_max: self.config.max_messages,
            account_rate: self.config.rate,
            chat_rate: self.config.rate,
            concurrency: CONCURRENCY,
            send_timeout: Duration::from_secs(60),
            liveness: None,
        }
    }

    async fn run(&self, mut link: Link) -> Ended {
        let callback = |within| Callback::new(&self.account, &self.config, self.clock.clone(), within);
        let shown = if self.config.typing {
            callback(TYPING_WITHIN)
        } else {
            Ok(None)
        };
        let (callback, shown) = match (callback(CALLBACK_WITHIN), shown) {
            (Ok(callback), Ok(shown)) => (callback, shown),
            (Err(reason), _) | (_, Err(reason)) => return Ended::Failed(reason),
        };
        link.progress.connected();
        let mut under_way = FuturesUnordered::new();
        let mut hints = FuturesUnordered::new();
        loop {
            tokio::select! {
                request = link.outgoing.recv(), if under_way.len() < CONCURRENCY => {
                    let Some(mut request) = request else { return Ended::Retry("asked to end".into()) };
                    let (callback, progress) = (&callback, &link.progress);
                    under_way.push(async move {
                        if request.abandoned() {
                            return;
                        }
                        request.begin();
                        let result = match callback {
                            Some(callback) => callback.send(request.part()).await,
                            None => Err(SendError::permanent("callbackUrl is not set")),
                        };
                        if result.is_ok() {
                            progress.heard();
                        }
                        request.answer(result);
                    });
                }
                Some(()) = under_way.next() => {}
                Some(hint) = link.typing.recv() => {
                    if let Some(shown) = shown.as_ref().filter(|_| hints.len() < TYPING_CONCURRENCY) {
                        hints.push(async move { shown.typing(&hint).await });
                    }
                }
                Some(()) = hints.next() => {}
            }
        }
    }

    fn http_head(&self, head: &HttpHead, _: &InboundSink) -> Option<Result<usize, HttpAnswer>> {
        Some(self.endpoint().inspect(head))
    }

    async fn http(&self, request: HttpRequest, inbound: &InboundSink) -> Option<HttpAnswer> {
        Some(self.endpoint().receive(request, inbound).await)
    }
}

impl Webhook {
    fn endpoint(&self) -> Endpoint<'_> {
        Endpoint {
            account: &self.account,
            config: &self.config,
            clock: &self.clock,
            throttle: &self.throttle,
        }
    }
}

#[cfg(test)]
mod tests;
