//! Webhook: a platform of the operator's own, over signed HTTP in both directions.
//!
//! What people say comes in as a POST through the edge, and is answered 202 once it is committed; what the house says goes
//! out as a POST to `callbackUrl`, with the delivery's key for the receiver to recognise a repeat by. Where the operator
//! wants it, `callbackUrl` is also told that somebody is being answered; that takes nothing away from what is said.

pub mod config;
mod inbound;
mod outbound;
pub mod signature;
mod throttle;

use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, stream::FuturesUnordered};
use gatehouse_core::Clock;

pub use config::WebhookConfig;

use self::{
    inbound::Desk,
    outbound::{CALLBACK_WITHIN, Callback, TYPING_WITHIN},
    throttle::Throttle,
};
use crate::adapter::{
    AccountKey, Adapter, Ended, HttpAnswer, HttpHead, HttpRequest, Inbound, Limits, Link, SendError,
};

/// The longest text of one callback, in bytes: fits every receiver's usual bound of 64 KiB with the envelope.
const PART_BYTES_MAX: usize = 32 * 1024;
/// Parts of one reply: 4 MiB in all, the most that a reply may have.
const PARTS_MAX: usize = 130;
/// Callbacks at the same time.
const CONCURRENCY: usize = 8;
/// Typing hints at the same time, beside the callbacks. What is beyond is dropped: it would come too late to be true.
const TYPING_CONCURRENCY: usize = 4;

/// One webhook account.
#[derive(Debug)]
pub struct Webhook {
    account: AccountKey,
    config: WebhookConfig,
    clock: Clock,
    throttle: Throttle,
}

impl Webhook {
    /// The account with this configuration.
    pub fn new(account: AccountKey, config: WebhookConfig, clock: Clock) -> Self {
        Self {
            account,
            config,
            clock,
            throttle: Throttle::default(),
        }
    }
}

#[async_trait]
impl Adapter for Webhook {
    fn limits(&self) -> Limits {
        Limits {
            parts_max: PARTS_MAX,
            account_rate: self.config.rate,
            chat_rate: self.config.rate,
            concurrency: CONCURRENCY,
            idempotent: true,
            send_timeout: Duration::from_secs(60),
            liveness: None,
        }
    }

    fn split(&self, _to: &str, text: &str, reserve: usize) -> Vec<String> {
        split(text, PART_BYTES_MAX - reserve)
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

    fn http_head(&self, head: &HttpHead, _: &Inbound) -> Option<Result<usize, HttpAnswer>> {
        Some(self.desk().inspect(head))
    }

    async fn http(&self, request: HttpRequest, inbound: &Inbound) -> Option<HttpAnswer> {
        Some(self.desk().receive(request, inbound).await)
    }
}

impl Webhook {
    fn desk(&self) -> Desk<'_> {
        Desk {
            account: &self.account,
            config: &self.config,
            clock: &self.clock,
            throttle: &self.throttle,
        }
    }
}

/// At line breaks, else spaces, else between characters.
fn split(text: &str, room: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while rest.len() > room {
        let mut end = room;
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (head, _) = rest.split_at_checked(end).expect("a boundary within the text");
        let border = head
            .rfind('\n')
            .or_else(|| head.rfind(' '))
            .map(|at| at + 1)
            .filter(|at| *at * 2 >= room);
        let (head, tail) = rest
            .split_at_checked(border.unwrap_or(end))
            .expect("a boundary within the text");
        parts.push(head.to_owned());
        rest = tail;
    }
    if !rest.trim().is_empty() {
        parts.push(rest.to_owned());
    }
    parts
}

#[cfg(test)]
mod tests;
