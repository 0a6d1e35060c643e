//! What others ask of the outbox, parsed.

use gatehouse_core::Content;
use gatehouse_proto::channel::v1::{
    DropDeliveriesRequest, DropOutboxRequest, DropOutboxResponse, EnqueueDeliveryRequest, ListOutboxRequest,
    ListOutboxResponse, OutboxDelivery, SendMessageRequest,
};

use super::store::{Chosen, NewDelivery, Page, Waiting};
use crate::{
    account::View,
    adapter::AccountKey,
    error::Error,
    id::{Address, DeliveryKey, IdError, MessageId},
};

/// A message that a client sends.
#[derive(Debug)]
pub(crate) struct Message {
    /// The client's key, which is the run's name as well.
    pub(crate) run_id: String,
    key: DeliveryKey,
    channel: Option<String>,
    account: Option<String>,
    to: Address,
    thread_id: Option<String>,
    reply_to_id: Option<MessageId>,
    text: String,
}

impl TryFrom<SendMessageRequest> for Message {
    type Error = Error;

    fn try_from(request: SendMessageRequest) -> Result<Self, Error> {
        let SendMessageRequest {
            to,
            message,
            idempotency_key,
            channel,
            account_id,
            thread_id,
            reply_to_id,
        } = request;
        Ok(Self {
            // Apart from the keys of runs, which no client chooses.
            key: DeliveryKey::stored(format!("send/{idempotency_key}")),
            run_id: idempotency_key,
            channel,
            account: account_id.filter(|id| !id.is_empty()),
            to: parsed("/to", to)?,
            thread_id,
            reply_to_id: answered(reply_to_id)?,
            text: message,
        })
    }
}

impl Message {
    /// The account that it goes out from: never guessed among several.
    pub(crate) fn sender(&self, view: &View) -> Result<AccountKey, Error> {
        let channel = match &self.channel {
            Some(channel) => channel.clone(),
            None => {
                let mut channels = view.defaults.keys();
                let only = channels.next().ok_or_else(|| Error::NoChannel("(any)".into()))?;
                if channels.next().is_some() {
                    return Err(Error::WhichChannel);
                }
                only.clone()
            }
        };
        let account = self
            .account
            .clone()
            .or_else(|| view.defaults.get(&channel).cloned());
        let key = AccountKey::new(channel.clone(), account.ok_or(Error::NoChannel(channel))?);
        if view.accounts.contains_key(&key) {
            Ok(key)
        } else {
            Err(Error::NoAccount(key))
        }
    }

    pub(crate) fn from(self, account: AccountKey, now: i64) -> NewDelivery {
        NewDelivery {
            key: self.key,
            run_id: self.run_id,
            account,
            to: self.to,
            thread_id: self.thread_id,
            reply_to_id: self.reply_to_id,
            message: Content::text(self.text),
            created_at: now,
            session_key: None,
            parts: 1,
        }
    }
}

/// A reply of a run.
#[derive(Debug)]
pub(crate) struct Reply(NewDelivery);

impl TryFrom<EnqueueDeliveryRequest> for Reply {
    type Error = Error;

    fn try_from(request: EnqueueDeliveryRequest) -> Result<Self, Error> {
        let EnqueueDeliveryRequest {
            delivery_key,
            run_id,
            channel,
            account_id,
            to,
            thread_id,
            reply_to_id,
            text,
            created_at,
            content,
            session_key,
        } = request;
        Ok(Self(NewDelivery {
            key: parsed("/deliveryKey", delivery_key)?,
            run_id,
            // One that is not there now may come back: the row waits for it, and is given up on loudly after a day.
            account: AccountKey::new(channel, account_id),
            to: parsed("/to", to)?,
            thread_id,
            reply_to_id: answered(reply_to_id)?,
            message: Content::from_parts(text, content)
                .map_err(|error| Error::Invalid("/content", error.problem().to_owned()))?,
            created_at,
            session_key,
            parts: 1,
        }))
    }
}

impl Reply {
    pub(crate) fn delivery(self, now: i64) -> NewDelivery {
        let Self(mut delivery) = self;
        if delivery.created_at <= 0 {
            delivery.created_at = now;
        }
        delivery
    }
}

/// Deliveries on a page: the contract's figure.
const PAGE: u32 = 50;
/// How much of a text is shown of what waits: the contract's figure.
const PREVIEW_CHARS: usize = 80;

/// A page of what waits.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) chosen: Chosen,
    pub(crate) after: i64,
    pub(crate) limit: u32,
}

impl TryFrom<ListOutboxRequest> for Listing {
    type Error = Error;

    fn try_from(request: ListOutboxRequest) -> Result<Self, Error> {
        let ListOutboxRequest {
            channel,
            account_id,
            to,
            limit,
            cursor,
        } = request;
        let unreadable = || Error::Invalid("/cursor", "the cursor is not one of an earlier answer".into());
        let after = cursor.map(|cursor| cursor.parse::<i64>().map_err(|_| unreadable()));
        Ok(Self {
            chosen: Chosen {
                channel,
                account: account_id,
                to: to.map(|to| parsed("/to", to)).transpose()?,
                ..Chosen::default()
            },
            after: after.transpose()?.unwrap_or(0),
            limit: limit.and_then(|limit| limit.try_into().ok()).unwrap_or(PAGE),
        })
    }
}

impl Listing {
    /// The answer, from a page that was asked for with one delivery more than the limit.
    pub(crate) fn answer(&self, mut page: Page) -> ListOutboxResponse {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = page.deliveries.len() > limit;
        page.deliveries.truncate(limit);
        let last = page.deliveries.last().map(|delivery| delivery.seq.to_string());
        ListOutboxResponse {
            next_cursor: last.filter(|_| more),
            total_count: page.total,
            total_part_count: page.parts,
            deliveries: page.deliveries.into_iter().map(shown).collect(),
        }
    }
}

/// What a caller wants dropped.
impl TryFrom<DropOutboxRequest> for Chosen {
    type Error = Error;

    fn try_from(request: DropOutboxRequest) -> Result<Self, Error> {
        let DropOutboxRequest {
            ids,
            channel,
            account_id,
            to,
            run_id,
            all,
        } = request;
        let chosen = Self {
            ids,
            channel,
            account: account_id,
            to: to.map(|to| parsed("/to", to)).transpose()?,
            run_id,
            ..Self::default()
        };
        match (chosen == Self::default(), all == Some(true)) {
            (true, false) => Err(Error::Invalid(
                "/ids",
                "say what to drop: ids, a channel, an account, a chat (to), a run, or all: true".into(),
            )),
            (false, true) => Err(Error::Invalid(
                "/all",
                "all is everything: set nothing beside it, or leave it out".into(),
            )),
            (true, true) | (false, false) => Ok(chosen),
        }
    }
}

impl From<DropDeliveriesRequest> for Chosen {
    fn from(request: DropDeliveriesRequest) -> Self {
        let DropDeliveriesRequest {
            session_key,
            run_id,
            created_until,
        } = request;
        Self {
            session_key: Some(session_key),
            run_id,
            created_until,
            ..Self::default()
        }
    }
}

/// What was dropped, for the answer.
pub(crate) fn dropped(page: Page) -> DropOutboxResponse {
    DropOutboxResponse {
        ok: true,
        dropped_count: page.total,
        dropped_part_count: page.parts,
        dropped: page.deliveries.into_iter().map(shown).collect(),
    }
}

fn shown(delivery: Waiting) -> OutboxDelivery {
    let Waiting {
        seq: _, // the place in the list, which is the cursor
        id,
        key: _, // of the services, as well
        run_id,
        session_key,
        account,
        to,
        thread_id,
        reply_to_id: _,
        sending,
        parts,
        sent,
        attempts,
        queued_at,
        next_at,
        preview,
    } = delivery;
    OutboxDelivery {
        id,
        channel: account.channel,
        account_id: account.account,
        to: to.into(),
        thread_id,
        run_id,
        session_key,
        state: if sending { "sending" } else { "queued" }.to_owned(),
        part_count: parts,
        sent_part_count: sent,
        attempts,
        queued_at,
        next_at,
        preview: preview
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .chars()
            .take(PREVIEW_CHARS)
            .collect(),
    }
}

/// The message that is answered; a blank id is none.
fn answered(id: Option<String>) -> Result<Option<MessageId>, Error> {
    let id = id.filter(|id| !id.is_empty());
    id.map(|id| parsed("/replyToId", id)).transpose()
}

fn parsed<T: TryFrom<String, Error = IdError>>(path: &'static str, text: String) -> Result<T, Error> {
    T::try_from(text).map_err(|error| Error::Invalid(path, error.to_string()))
}
