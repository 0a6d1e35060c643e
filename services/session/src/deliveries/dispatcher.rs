//! Hands replies to the channel bridge until it has them. The bridge stores each under its key, so handing one over twice
//! changes nothing; here it stays until the bridge said so. Replies of one chat go in order, a few chats at a time.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use gatehouse_core::backoff::Backoff;
use gatehouse_core::client::PeerService;
use gatehouse_core::server::MESSAGE_BYTES_MAX;
use gatehouse_core::trace::{self, Span};
use gatehouse_core::{Chain, Clock, Drain, Failure, Kind};
use gatehouse_proto::channel::v1::EnqueueDeliveryRequest;
use gatehouse_proto::channel::v1::channel_service_client::ChannelServiceClient;
use tokio::sync::Notify;
use tokio::time;

use super::Recall;
use crate::error::Error;
use crate::id::EntryId;
use crate::metrics::Metrics;
use crate::rows::blocks;
use crate::store::{DELIVERY_LATER, Delivery, DeliveryOutcome, EntryExtra, NewEntry, Role};
use crate::turns::Engine;

/// Replies read at a time.
const BATCH: u32 = 64;
/// Chats served at a time: the bridge writes each reply to its disk, and more would only queue there.
const CHATS_AT_ONCE: usize = 8;
/// How long the bridge may take to store one reply.
const PATIENCE: Duration = Duration::from_secs(10);
/// The first pause while the bridge is away; it doubles up to the bound.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// The longest pause while the bridge is away.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How often the store is looked at when other processes have it open: each hands over its own replies, and what one that died
/// left behind nobody tells.
const LEFT_BEHIND_LOOK: Duration = Duration::from_secs(15);

/// The task that hands replies over.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    engine: Engine,
    recall: Recall,
    bridge: ChannelServiceClient<PeerService>,
    replies: Arc<Notify>,
    clock: Clock,
    metrics: Metrics,
}

/// Whether the bridge is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bridge {
    There,
    Away,
}

impl Dispatcher {
    /// Puts it together; nothing runs yet.
    pub(crate) fn new(
        engine: Engine,
        recall: Recall,
        bridge: PeerService,
        replies: Arc<Notify>,
        clock: Clock,
        metrics: Metrics,
    ) -> Self {
        Self {
            engine,
            recall,
            bridge: ChannelServiceClient::new(bridge).max_encoding_message_size(MESSAGE_BYTES_MAX),
            replies,
            clock,
            metrics,
        }
    }

    /// Hands replies over until the drain.
    pub(crate) async fn run(self, drain: Drain) {
        let mut backoff = Backoff::new(PAUSE_FIRST, PAUSE_MAX);
        loop {
            let (pause, hears) = match self.round().await {
                Ok((0, Bridge::There)) => match self.quiet().await {
                    Ok(quiet) => (quiet, true),
                    Err(error) => (Some(unread(&error, &mut backoff)), false),
                },
                Ok((_, Bridge::There)) => {
                    backoff.reset();
                    if drain.is_requested() {
                        return;
                    }
                    continue;
                }
                Ok((_, Bridge::Away)) => (Some(backoff.next()), false),
                Err(error) => (Some(unread(&error, &mut backoff)), false),
            };
            tokio::select! {
                () = drain.requested() => return,
                () = self.replies.notified(), if hears => {}
                () = sleep_for(pause) => {}
            }
        }
    }

    /// How long nothing is to be done unless a turn ends; `None`: as long as none does.
    async fn quiet(&self) -> Result<Option<Duration>, Error> {
        let now = self.clock.now();
        let stores = self.engine.stores();
        let due = stores.deliveries.next_due(now).await?;
        let due = due.map(|due| due.since(now));
        let look = (!stores.sharing.is_exclusive()).then_some(LEFT_BEHIND_LOOK);
        Ok(due.into_iter().chain(look).min())
    }

    /// Hands over what waits. Answers how many were settled.
    async fn round(&self) -> Result<(usize, Bridge), Error> {
        let waiting = self
            .engine
            .stores()
            .deliveries
            .waiting(self.clock.now(), BATCH)
            .await?;
        let mut chats: BTreeMap<(String, String, String), Vec<Delivery>> = BTreeMap::new();
        for delivery in waiting {
            let target = &delivery.target;
            let chat = (
                target.channel.clone(),
                target.account_id.clone(),
                target.to.clone(),
            );
            chats.entry(chat).or_default().push(delivery);
        }
        let mut results =
            stream::iter(chats.into_values().map(|chat| self.chat(chat))).buffer_unordered(CHATS_AT_ONCE);
        let (mut settled, mut bridge) = (0, Bridge::There);
        while let Some(result) = results.next().await {
            let (count, state) = result?;
            settled += count;
            if state == Bridge::Away {
                bridge = Bridge::Away;
            }
        }
        Ok((settled, bridge))
    }

    /// The replies of one chat, in order, up to the first that has to wait.
    async fn chat(&self, deliveries: Vec<Delivery>) -> Result<(usize, Bridge), Error> {
        let mut settled = 0;
        for delivery in deliveries {
            let id = delivery.id;
            let outcome = match self.hand_over(&delivery).await {
                Ok(()) => {
                    self.metrics.replies_taken.inc();
                    DeliveryOutcome::Taken {
                        now: self.clock.now(),
                    }
                }
                Err(failure) => match failure.kind {
                    Kind::Unavailable | Kind::Timeout | Kind::Unauthenticated | Kind::Internal => {
                        tracing::warn!(delivery.key = %delivery.key, error = %failure.message, "the bridge cannot take replies");
                        return Ok((settled, Bridge::Away));
                    }
                    Kind::Exhausted => {
                        let not_before = self.clock.now() + DELIVERY_LATER;
                        self.engine
                            .stores()
                            .deliveries
                            .settle(id, DeliveryOutcome::Later { not_before })
                            .await?;
                        return Ok((settled, Bridge::There));
                    }
                    Kind::Invalid
                    | Kind::Forbidden
                    | Kind::NotFound
                    | Kind::Conflict
                    | Kind::Precondition => {
                        tracing::error!(delivery.key = %delivery.key, error = %failure.message, "the bridge refuses a reply");
                        self.metrics.replies_refused.inc();
                        self.say_refused(&delivery, &failure.message).await?;
                        DeliveryOutcome::Refused {
                            error: failure.message,
                            now: self.clock.now(),
                        }
                    }
                },
            };
            let taken = matches!(outcome, DeliveryOutcome::Taken { .. });
            let settled_here = self.engine.stores().deliveries.settle(id, outcome).await?;
            if taken && !settled_here {
                // Taken back while it was on its way.
                self.recall
                    .at_the_bridge(&delivery.session, Some(&delivery.run))
                    .await;
            }
            settled += 1;
        }
        Ok((settled, Bridge::There))
    }

    async fn hand_over(&self, delivery: &Delivery) -> Result<(), Failure> {
        let target = delivery.target.clone();
        let (text, content) = delivery.content.clone().into_parts();
        let request = EnqueueDeliveryRequest {
            delivery_key: delivery.key.clone(),
            run_id: delivery.run.to_string(),
            channel: target.channel,
            account_id: target.account_id,
            to: target.to,
            thread_id: target.thread_id,
            reply_to_id: target.reply_to_id,
            text,
            created_at: delivery.created_at.as_ms(),
            content,
            session_key: Some(delivery.session.to_string()),
        };
        let mut step = Span::of(delivery.trace, trace::Kind::Producer, || {
            format!("publish {}", delivery.target.channel)
        });
        step.set("messaging.system", delivery.target.channel.as_str());
        step.set("messaging.operation.name", "publish");
        step.set("messaging.operation.type", "send");
        step.set("gatehouse.delivery", delivery.key.as_str());
        let mut bridge = self.bridge.clone();
        let answer = trace::within(
            step.context(),
            time::timeout(PATIENCE, bridge.enqueue_delivery(request)),
        )
        .await;
        let failure = match answer {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(status)) => Failure::from_status(&status),
            Err(_) => Failure::new(Kind::Timeout, "no answer in time"),
        };
        step.fail(failure.kind.protocol_code());
        Err(failure)
    }

    /// A reply that can never arrive is said where somebody looks.
    async fn say_refused(&self, delivery: &Delivery, why: &str) -> Result<(), Error> {
        let text = format!("A reply could not be sent to {}: {why}", delivery.target.channel);
        let entry = NewEntry {
            id: EntryId::generate(),
            role: Role::System,
            content: blocks(&text),
            preview: String::new(),
            timestamp: self.clock.now(),
            run: Some(delivery.run.clone()),
            boundary: false,
            in_context: false,
            extra: EntryExtra {
                error_message: Some(text.clone()),
                ..EntryExtra::default()
            },
        };
        self.engine
            .append(delivery.session.clone(), entry)
            .await
            .map(drop)
    }
}

fn unread(error: &Error, backoff: &mut Backoff) -> Duration {
    tracing::error!(error = %Chain(error), "replies could not be read");
    backoff.next()
}

async fn sleep_for(pause: Option<Duration>) {
    match pause {
        Some(pause) => time::sleep(pause).await,
        None => std::future::pending().await,
    }
}
