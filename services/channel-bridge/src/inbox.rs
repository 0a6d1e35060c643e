//! What people say, on its way to the session service: committed first, then decided on, then handed on until it is answered.
//!
//! A row is decided on when it is handed on, not when it comes in: after a restart the policy of that moment holds. Each chat
//! is handed on in order; one that the session service cannot take does not hold up the others.

mod again;
mod fetch;
mod full;
mod meet;
mod obey;
mod session;
mod shown;
pub(crate) mod store;
mod word;

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use gatehouse_core::{Chain, Clock, Content, Drain, Failure, ForPeople, Kind, backoff::Backoff, trace};
use tokio::{
    sync::{Notify, Semaphore, watch},
    task::{Id, JoinSet},
    time,
};

use self::{
    fetch::Fetched,
    full::Told,
    obey::Obeyed,
    session::request,
    store::{InboxRow, InboxStore, Settlement},
    word::Word,
};
pub(crate) use self::{
    session::{Parts, Reading, Session, SessionClient, Writing},
    word::is_word,
};
use crate::{
    account::{Entry, View, store::LeaseOwner},
    adapter::{AccountKey, ChatKind, InboundMessage, Receive, ReceiveError, Received, Report, Typing},
    id::{ChatId, DeliveryKey, SenderId},
    metrics::{Direction, Fate, Metrics},
    notice,
    outbox::{Outbox, due::Dues, store::NewDelivery},
    pace::{Met, store::PaceStore},
    pairing::{
        self,
        store::{Asked, PairingStore},
    },
    policy::{DmPolicy, Standing, Verdict},
    preview::{Place, Previews},
    step,
    store::{StoreError, Stores},
};

/// Chats that are handed on at the same time.
const CONCURRENCY: usize = 32;
/// Chats that are looked at in one go.
const HEADS_MAX: u32 = 256;
/// The session service commits within milliseconds; this long means that it is not there.
const DELIVER_WITHIN: Duration = Duration::from_secs(10);
/// The waits between attempts. Short, because the session service is on the same machine and back within seconds.
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// When the store does not answer.
const STORE_RETRY: Duration = Duration::from_secs(1);
/// A message that waited longer is not answered any more; its sender is told.
const AGE_MAX: Duration = Duration::from_secs(24 * 3600);
/// The longest wait that is ever written down: what the session service may ask for.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// The inbox. Clones share it.
#[derive(Clone)]
pub(crate) struct Inbox {
    store: Arc<dyn InboxStore>,
    senders: Arc<dyn PairingStore>,
    paces: Arc<dyn PaceStore>,
    owner: LeaseOwner,
    look_every: Option<Duration>,
    session: Arc<dyn SessionClient>,
    outbox: Outbox,
    previews: Previews,
    view: watch::Receiver<Option<Arc<View>>>,
    clock: Clock,
    metrics: Metrics,
    /// Chats that were told that their conversation is full.
    told: Told,
    /// Turns at fetching what belongs to messages.
    fetches: Arc<Semaphore>,
    wake: Arc<Notify>,
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inbox")
    }
}

#[async_trait]
impl Receive for Inbox {
    async fn receive(&self, account: &AccountKey, message: InboundMessage) -> Result<Received, ReceiveError> {
        // To stop what was said before, it must not wait behind it.
        let urgent = Word::of(&message) == Some(Word::Stop);
        let received = self
            .store
            .receive(account.clone(), message, urgent, self.clock.now())
            .await
            .map_err(|error| match error {
                StoreError::Full(_) => ReceiveError::Full,
                StoreError::Failed(_)
                | StoreError::Row(_)
                | StoreError::NotHeld(_)
                | StoreError::Over
                | StoreError::Conflict { .. } => ReceiveError::Store(error),
            })?;
        self.metrics
            .count(&account.channel, Direction::In, Fate::Accepted);
        match received {
            Received::Stored => self.wake.notify_one(),
            Received::Duplicate => self.metrics.count(&account.channel, Direction::In, Fate::Deduped),
        }
        Ok(received)
    }

    async fn report(
        &self,
        account: &AccountKey,
        receipt: String,
        report: Report,
    ) -> Result<(), ReceiveError> {
        let kept = self.outbox.report(account, receipt, report).await;
        kept.map_err(ReceiveError::Store)
    }
}

impl Inbox {
    /// An inbox on this store.
    pub(crate) fn new(
        stores: &Stores,
        session: Arc<dyn SessionClient>,
        outbox: Outbox,
        previews: Previews,
        view: watch::Receiver<Option<Arc<View>>>,
        clock: Clock,
        metrics: Metrics,
    ) -> Self {
        Self {
            store: Arc::clone(&stores.inbox),
            senders: Arc::clone(&stores.pairing),
            paces: Arc::clone(&stores.pace),
            owner: stores.owner.clone(),
            look_every: stores.leases.look_every(),
            session,
            outbox,
            previews,
            view,
            clock,
            metrics,
            told: Told::default(),
            fetches: Arc::new(Semaphore::new(fetch::FETCHES_MAX)),
            wake: Arc::default(),
        }
    }

    /// Hands messages on until the drain.
    pub(crate) fn spawn(&self, drain: &Drain) {
        let (inbox, end) = (self.clone(), drain.clone());
        drain.spawn("inbox", async move {
            tokio::select! { () = inbox.run() => {}, () = end.requested() => {} }
        });
        let (inbox, end) = (self.clone(), drain.clone());
        drain.spawn("inbox again", async move {
            tokio::select! { () = inbox.offer_again() => {}, () = end.requested() => {} }
        });
    }

    async fn run(mut self) {
        // Without a configuration nothing can be decided: what came in before waits.
        if self.view.wait_for(Option::is_some).await.is_err() {
            return;
        }
        let mut under_way = JoinSet::new();
        let mut chats: HashMap<Id, (AccountKey, ChatId, i64)> = HashMap::new();
        let mut dues = Dues::new(WAIT_MAX);
        loop {
            let mut pause: Option<Duration> = None;
            match self.store.heads(self.owner.clone(), HEADS_MAX).await {
                Ok(heads) => {
                    dues.look(heads.iter().map(|row| (row.seq, row.next_at)), self.clock.now());
                    for row in heads {
                        let busy = |(account, chat, seq): &(AccountKey, ChatId, i64)| {
                            let same_chat = *account == row.account && *chat == row.message.chat_id;
                            *seq == row.seq || (same_chat && !row.urgent)
                        };
                        if chats.values().any(busy) {
                            continue;
                        }
                        if let Some(wait) = dues.wait(row.seq) {
                            pause = Some(pause.map_or(wait, |earlier| earlier.min(wait)));
                            continue;
                        }
                        if under_way.len() >= CONCURRENCY {
                            break;
                        }
                        let place = (row.account.clone(), row.message.chat_id.clone(), row.seq);
                        let inbox = self.clone();
                        chats.insert(
                            under_way.spawn(async move { inbox.handle(row).await }).id(),
                            place,
                        );
                    }
                }
                Err(error) => {
                    tracing::error!(error = %Chain(&error), "the inbox cannot be read");
                    pause = Some(STORE_RETRY);
                }
            }
            let pause = pause.into_iter().chain(self.look_every).min();
            tokio::select! {
                () = self.wake.notified() => {}
                // Accounts that were taken over are told by a new view.
                Ok(()) = self.view.changed() => {}
                Some(ended) = under_way.join_next_with_id() => {
                    let id = match &ended { Ok((id, ())) => *id, Err(error) => error.id() };
                    let place = chats.remove(&id);
                    if let (Err(error), Some((account, _, seq))) = (ended, place) {
                        tracing::error!(account.id = %account, %error, "handing a message on panicked");
                        drop(self.store.postpone(seq, self.clock.now().plus_ms(60_000)).await);
                    }
                }
                () = time::sleep(pause.unwrap_or(Duration::MAX)), if pause.is_some() => {}
            }
        }
    }

    async fn handle(&self, row: InboxRow) {
        let AccountKey { channel, account } = &row.account;
        let mut step = step::process(row.trace, channel, account);
        step.set("messaging.message.id", row.message.message_id.as_str());
        step.set("gatehouse.attempt", row.attempts);
        if let Err(error) = trace::within(step.context(), self.decide(&row)).await {
            step.fail("not_stored");
            tracing::error!(account.id = %row.account, error = %Chain(&error), "a message could not be decided on yet");
            time::sleep(STORE_RETRY).await;
        }
    }

    async fn decide(&self, row: &InboxRow) -> Result<(), StoreError> {
        let entry = self
            .view
            .borrow()
            .as_ref()
            .and_then(|view| view.accounts.get(&row.account).cloned());
        let Some(entry) = entry else {
            return self
                .refuse(row, "the account is not configured any more", Fate::Refused)
                .await;
        };
        let (policy, message) = (&entry.config.policy, &row.message);
        let approved = message.chat_kind == ChatKind::Direct
            && policy.dm_policy == DmPolicy::Pairing
            && self.senders.approved(row.account.clone(), ids(message)).await?;
        let verdict = policy.decide(message, approved);
        let met = match verdict {
            Verdict::Accept => self.meet(row, policy.pace).await?,
            Verdict::Refuse(_) | Verdict::Pair => Met::Welcome,
        };
        if let Some(word) = Word::of(message)
            && policy.may_talk(message, approved)
            && self.obey(row, word, met != Met::Welcome).await? == Obeyed::Yes
        {
            return Ok(());
        }
        match verdict {
            // It said so itself; an operator who wants programs to talk takes the bound away.
            Verdict::Accept if message.from_bot && policy.pace.turns_max > 0 => {
                self.refuse(row, "the sender says that it is a bot", Fate::Refused)
                    .await
            }
            Verdict::Accept if met != Met::Welcome => {
                self.refuse(
                    row,
                    "a loop: the sender is not answered for a while",
                    Fate::Refused,
                )
                .await
            }
            Verdict::Accept => {
                self.hand_on(row, policy.standing(message, approved), &entry)
                    .await
            }
            Verdict::Refuse(reason) => self.refuse(row, reason, Fate::Refused).await,
            Verdict::Pair => {
                let asked = pairing::ask(
                    self.senders.as_ref(),
                    &self.outbox,
                    &self.clock,
                    &row.account,
                    message,
                )
                .await?;
                let reason = match asked {
                    Asked::Created => "pairing: a code was offered",
                    Asked::Waiting => "pairing: the sender waits",
                    Asked::Full => "pairing: too many wait",
                };
                self.refuse(row, reason, Fate::Refused).await
            }
        }
    }

    async fn hand_on(&self, row: &InboxRow, standing: Standing, entry: &Entry) -> Result<(), StoreError> {
        if self.clock.age(row.received_at) > AGE_MAX {
            self.tell(row, notice::EXPIRED).await?;
            return self.refuse(row, "expired", Fate::Expired).await;
        }
        // Its sender is let in: only now is anything fetched.
        let whole;
        let row = if fetch::has_remote(&row.message.content) {
            match self.fetch(row, entry).await? {
                Fetched::Ready(message) => {
                    whole = InboxRow {
                        message: *message,
                        ..row.clone()
                    };
                    &whole
                }
                Fetched::Later(failure) => return self.wait_for_session(row, &failure).await,
            }
        } else {
            row
        };
        let (policy, message) = (&entry.config.policy, row.message.clone());
        let (message, brings_remarks) = entry
            .inbound
            .with_remarks(message, |ids| policy.admits(&row.message, ids));
        let brought = InboxRow {
            message,
            ..row.clone()
        };
        let asked = self.session.deliver(request(&brought, standing));
        let answer = match time::timeout(DELIVER_WITHIN, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::new(
                Kind::Timeout,
                "the session service did not answer in time",
            )),
        };
        match answer {
            Ok(response) => {
                let adopted = Settlement::Adopted(response.run_id.clone());
                self.store.settle(row.seq, adopted).await?;
                if brings_remarks {
                    entry.inbound.forget_remarks(&row.message.reply_to);
                }
                self.ended(row, Fate::Delivered, Some(&response.run_id), None);
                // One that was known already may have been answered by now.
                if !response.duplicate {
                    entry.hints.hint(typing(&row.message));
                    if let Some(adapter) = &entry.adapter {
                        let (streaming, place) = (entry.config.streaming, Place::of(&row.message));
                        self.previews
                            .begin(&row.account, adapter, streaming, &response.run_id, place);
                    }
                    self.acknowledge(&row.message, entry).await;
                }
                Ok(())
            }
            Err(failure) if final_refusal(failure.kind) => {
                let notice = notice::refused(&failure);
                tracing::warn!(account.id = %row.account, message.id = %row.message.message_id, reason = notice.for_operators(),
                    "the session service refused a message");
                self.tell(row, notice.for_people()).await?;
                self.refuse(row, notice.for_operators(), Fate::Failed).await
            }
            Err(failure) => {
                if failure.reason.as_deref() == Some(notice::QUEUE_FULL_REASON) && self.told.tells(row) {
                    self.tell_once(row, "full", notice::QUEUE_FULL).await?;
                }
                self.wait_for_session(row, &failure).await
            }
        }
    }

    /// Tries again later, as long as the session service says, or a little longer each time.
    async fn wait_for_session(&self, row: &InboxRow, failure: &Failure) -> Result<(), StoreError> {
        tracing::debug!(account.id = %row.account, reason = failure.message, "a message waits for the session service");
        let wait = Backoff::new(RETRY_FIRST * 2_u32.pow(row.attempts.min(5)), RETRY_MAX)
            .next()
            .min(RETRY_MAX);
        let wait = failure
            .retry_after
            .map_or(wait, |after| after.clamp(wait, WAIT_MAX));
        let next_at = self.clock.now() + wait;
        self.store.postpone(row.seq, next_at).await
    }

    async fn refuse(&self, row: &InboxRow, reason: &str, fate: Fate) -> Result<(), StoreError> {
        self.store
            .settle(row.seq, Settlement::Refused(reason.to_owned()))
            .await?;
        self.ended(row, fate, None, Some(reason));
        Ok(())
    }

    /// Says what became of a message, without what it says. What is not meant for the assistant is most of what is said in
    /// a busy room, and nobody looks for it.
    fn ended(&self, row: &InboxRow, fate: Fate, run: Option<&str>, reason: Option<&str>) {
        let (message, took) = (&row.message, self.clock.age(row.received_at));
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        macro_rules! say {
            ($level:expr) => {
                tracing::event!(
                    $level,
                    channel.id = row.account.channel,
                    account.id = row.account.account,
                    chat.id = %message.chat_id,
                    message.id = %message.message_id,
                    run.id = run,
                    trace.id = row.trace.trace_id(),
                    fate = fate.as_str(),
                    reason,
                    ms,
                    "a message came in"
                )
            };
        }
        if fate == Fate::Refused && !message.mentioned && message.chat_kind != ChatKind::Direct {
            say!(tracing::Level::DEBUG);
        } else {
            say!(tracing::Level::INFO);
        }
        let channel = &row.account.channel;
        self.metrics.count(channel, Direction::In, fate);
        if fate == Fate::Delivered {
            self.metrics.took(channel, Direction::In, took);
        }
    }

    /// Tells the sender, where the message was said, that it will not be answered.
    async fn tell(&self, row: &InboxRow, text: ForPeople) -> Result<(), StoreError> {
        self.tell_once(row, "notice", text).await
    }

    /// The same, besides what the message may be told later.
    async fn tell_once(&self, row: &InboxRow, what: &str, text: ForPeople) -> Result<(), StoreError> {
        let key = format!("{what}/{}/{}", row.account, row.message.message_id);
        let delivery = NewDelivery {
            run_id: key.clone(),
            key: DeliveryKey::stored(key),
            account: row.account.clone(),
            to: row.message.reply_to.clone(),
            thread_id: row.message.thread_id.clone(),
            reply_to_id: Some(row.message.message_id.clone()),
            message: Content::text(text.words()),
            created_at: self.clock.now(),
            session_key: None,
            parts: 1,
        };
        self.outbox.enqueue(delivery).await.map(drop)
    }
}

/// Whether the same message would be refused again.
const fn final_refusal(kind: Kind) -> bool {
    match kind {
        Kind::Invalid | Kind::NotFound | Kind::Conflict | Kind::Precondition | Kind::Forbidden => true,
        // Ours to mend: a wrong credential, a full queue, a service that is away or broken.
        Kind::Unauthenticated | Kind::Exhausted | Kind::Unavailable | Kind::Timeout | Kind::Internal => false,
    }
}

fn ids(message: &InboundMessage) -> Vec<SenderId> {
    std::iter::once(&message.sender_id)
        .chain(&message.sender_aliases)
        .cloned()
        .collect()
}

/// Only ever for somebody who spoke: what the assistant says of its own accord is not announced.
fn typing(message: &InboundMessage) -> Typing {
    Typing {
        to: message.reply_to.clone(),
        thread_id: message.thread_id.clone(),
    }
}

#[cfg(test)]
mod tests;
