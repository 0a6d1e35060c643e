//! What others ask of the outbox, parsed.

mod listing;

use gatehouse_core::{
    Content, Timestamp,
    content::{Block, Choice, Media},
};
use gatehouse_proto::channel::v1::{
    DropDeliveriesRequest, DropOutboxRequest, DropOutboxResponse, EnqueueDeliveryRequest, ListOutboxRequest,
    ListOutboxResponse, OutboxDelivery, SendMessageRequest,
};

pub(crate) use self::listing::*;
use super::{
    files::{Files, Given},
    store::{Chosen, NewDelivery, Page, Waiting},
};
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
    choices: Vec<Choice>,
    /// What goes with it.
    pub(crate) files: Files,
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
            attachments,
            buffer,
            filename,
            content_type,
            media_url,
            media_urls,
            choices,
        } = request;
        let files = Files::read(Given {
            attachments,
            buffer,
            filename,
            content_type,
            media_url,
            media_urls,
        })?;
        let choices = choices.into_iter().map(|choice| (choice.label, choice.value));
        let choices =
            Choice::read(choices).map_err(|problem| Error::Invalid("/choices", problem.to_owned()))?;
        if message.is_empty() && files.is_empty() && choices.is_empty() {
            let problem = "is empty: there is nothing to send".to_owned();
            return Err(Error::Invalid("/message", problem));
        }
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
            choices,
            files,
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
                let only = channels.next().ok_or(Error::NoneSetUp)?;
                if channels.next().is_some() {
                    return Err(Error::WhichChannel(view.defaults.keys().cloned().collect()));
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

    /// The delivery, with the files that were kept for it.
    pub(crate) fn from(self, account: AccountKey, files: Vec<Media>, now: Timestamp) -> NewDelivery {
        let words = (!self.text.is_empty()).then(|| Block::text(self.text));
        let choices = (!self.choices.is_empty()).then_some(Block::Choices(self.choices));
        let message: Content = words
            .into_iter()
            .chain(choices)
            .chain(files.into_iter().map(Block::Media))
            .collect();
        NewDelivery {
            key: self.key,
            run_id: self.run_id,
            account,
            to: self.to,
            thread_id: self.thread_id,
            reply_to_id: self.reply_to_id,
            message,
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
            created_at: Timestamp::from_ms(created_at),
            session_key,
            parts: 1,
        }))
    }
}

impl Reply {
    pub(crate) fn delivery(self, now: Timestamp) -> NewDelivery {
        let Self(mut delivery) = self;
        if delivery.created_at <= Timestamp::EPOCH {
            delivery.created_at = now;
        }
        delivery
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
