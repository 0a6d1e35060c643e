//! The bridge as others call it: parse, ask, answer.

mod status;
mod webhook;

use gatehouse_core::{Clock, Failure, backup::Gate};
use gatehouse_proto::channel::v1::{
    ApprovePairingRequest, ApprovePairingResponse, DismissPairingRequest, DismissPairingResponse,
    EnqueueDeliveryRequest, EnqueueDeliveryResponse, GetChannelsStatusRequest, GetChannelsStatusResponse,
    InspectWebhookRequest, InspectWebhookResponse, ListPairingRequestsRequest, ListPairingRequestsResponse,
    PairingAccount, PairingLimits, PairingRequest, ReceiveWebhookRequest, ReceiveWebhookResponse,
    SendMessageRequest, SendMessageResponse, StartChannelRequest, StartChannelResponse, StopChannelRequest,
    StopChannelResponse, channel_service_server::ChannelService,
};
use jiff::Timestamp;
use tonic::{Request, Response, Status};

use crate::{
    account::{Manager, View},
    adapter::AccountKey,
    error::Error,
    id::{Address, DeliveryKey, MessageId},
    outbox::{Outbox, store::NewDelivery},
    pairing::{
        self,
        store::{PAIRING_TTL, PENDING_PER_ACCOUNT, PairingRow},
    },
    platform::Platforms,
    policy::DmPolicy,
    store::{StoreError, Stores},
};

/// The service.
pub(crate) struct Channels {
    manager: Manager,
    outbox: Outbox,
    stores: Stores,
    clock: Clock,
    gate: Gate,
}

impl std::fmt::Debug for Channels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Channels")
    }
}

impl Channels {
    /// The service over these parts.
    pub(crate) fn new(manager: Manager, outbox: Outbox, stores: Stores, clock: Clock, gate: Gate) -> Self {
        Self {
            manager,
            outbox,
            stores,
            clock,
            gate,
        }
    }

    /// The accounts that a start or stop means.
    fn meant(&self, channel: &str, account: Option<&str>) -> Result<Vec<AccountKey>, Error> {
        let view = self.manager.view()?;
        let fits = |key: &&AccountKey| key.channel == channel && account.is_none_or(|id| id == key.account);
        let keys: Vec<AccountKey> = view.accounts.keys().filter(fits).cloned().collect();
        match (keys.is_empty(), account) {
            (false, _) => Ok(keys),
            (true, Some(id)) => Err(Error::NoAccount(AccountKey::new(channel, id))),
            (true, None) => Err(Error::NoChannel(channel.to_owned())),
        }
    }

    /// The account that a message goes out from: never guessed among several.
    fn sender(view: &View, channel: Option<String>, account: Option<String>) -> Result<AccountKey, Error> {
        let channel = match channel {
            Some(channel) => channel,
            None => {
                let mut channels = view.defaults.keys();
                let only = channels.next().ok_or_else(|| Error::NoChannel("(any)".into()))?;
                if channels.next().is_some() {
                    return Err(Error::WhichChannel);
                }
                only.clone()
            }
        };
        let account = account
            .filter(|id| !id.is_empty())
            .or_else(|| view.defaults.get(&channel).cloned());
        let key = AccountKey::new(channel.clone(), account.ok_or(Error::NoChannel(channel))?);
        if view.accounts.contains_key(&key) {
            Ok(key)
        } else {
            Err(Error::NoAccount(key))
        }
    }
}

fn refuse(error: impl Into<Error>) -> Status {
    Failure::from(error.into()).into()
}

#[tonic::async_trait]
impl ChannelService for Channels {
    async fn get_channels_status(
        &self,
        request: Request<GetChannelsStatusRequest>,
    ) -> Result<Response<GetChannelsStatusResponse>, Status> {
        let GetChannelsStatusRequest {
            probe,
            timeout_ms,
            channel,
        } = request.into_inner();
        let view = self.manager.view().map_err(refuse)?;
        let ask = probe.unwrap_or(false).then(|| status::ask_for(timeout_ms));
        let status = status::read(
            &view,
            self.stores.outbox.as_ref(),
            &self.clock,
            channel.as_deref(),
            ask.flatten(),
        );
        Ok(Response::new(status.await.map_err(refuse)?))
    }

    async fn start_channel(
        &self,
        request: Request<StartChannelRequest>,
    ) -> Result<Response<StartChannelResponse>, Status> {
        let StartChannelRequest { channel, account_id } = request.into_inner();
        let keys = self.meant(&channel, account_id.as_deref()).map_err(refuse)?;
        let account_ids = keys.iter().map(|key| key.account.clone()).collect();
        self.manager.start(keys).await.map_err(refuse)?;
        Ok(Response::new(StartChannelResponse {
            ok: true,
            account_ids,
        }))
    }

    async fn stop_channel(
        &self,
        request: Request<StopChannelRequest>,
    ) -> Result<Response<StopChannelResponse>, Status> {
        let StopChannelRequest { channel, account_id } = request.into_inner();
        let keys = self.meant(&channel, account_id.as_deref()).map_err(refuse)?;
        let account_ids = keys.iter().map(|key| key.account.clone()).collect();
        self.manager.stop(keys).await.map_err(refuse)?;
        Ok(Response::new(StopChannelResponse {
            ok: true,
            account_ids,
        }))
    }

    async fn send_message(
        &self,
        request: Request<SendMessageRequest>,
    ) -> Result<Response<SendMessageResponse>, Status> {
        let SendMessageRequest {
            to,
            message,
            idempotency_key,
            channel,
            account_id,
            thread_id,
            reply_to_id,
        } = request.into_inner();
        let view = self.manager.view().map_err(refuse)?;
        let account = Self::sender(&view, channel, account_id).map_err(refuse)?;
        let delivery = NewDelivery {
            // Apart from the keys of runs, which no client chooses.
            key: DeliveryKey::stored(format!("send/{idempotency_key}")),
            run_id: idempotency_key.clone(),
            account: account.clone(),
            to: address(to).map_err(refuse)?,
            thread_id,
            reply_to_id: answered(reply_to_id).map_err(refuse)?,
            text: message,
            created_at: self.clock.now_ms(),
        };
        let enqueued = self.outbox.enqueue(delivery).await.map_err(refuse)?;
        Ok(Response::new(SendMessageResponse {
            run_id: idempotency_key,
            message_id: enqueued.id,
            channel: account.channel,
            account_id: account.account,
        }))
    }

    async fn list_pairing_requests(
        &self,
        request: Request<ListPairingRequestsRequest>,
    ) -> Result<Response<ListPairingRequestsResponse>, Status> {
        let ListPairingRequestsRequest { channel, account_id } = request.into_inner();
        let fits = |key: &AccountKey| {
            channel.as_ref().is_none_or(|channel| *channel == key.channel)
                && account_id.as_ref().is_none_or(|id| *id == key.account)
        };
        let view = self.manager.view().map_err(refuse)?;
        let lets_ask = view
            .accounts
            .values()
            .filter(|entry| entry.config.policy.dm_policy == DmPolicy::Pairing);
        let accounts = lets_ask
            .filter(|entry| fits(&entry.config.key))
            .map(|entry| PairingAccount {
                channel: entry.config.key.channel.clone(),
                channel_label: view.platforms.label(&entry.config.key.channel),
                account_id: entry.config.key.account.clone(),
                notify_supported: true,
            })
            .collect();
        let waiting = pairing::waiting(self.stores.pairing.as_ref(), &self.clock)
            .await
            .map_err(refuse)?;
        let requests = waiting
            .into_iter()
            .filter(|row| fits(&row.account))
            .map(|row| pairing_request(&view.platforms, row))
            .collect();
        Ok(Response::new(ListPairingRequestsResponse {
            accounts,
            requests,
            command_owner_configured: false,
            limits: Some(PairingLimits {
                pending_per_account: i64::try_from(PENDING_PER_ACCOUNT).unwrap_or(i64::MAX),
                ttl_ms: i64::try_from(PAIRING_TTL.as_millis()).unwrap_or(i64::MAX),
            }),
        }))
    }

    async fn approve_pairing(
        &self,
        request: Request<ApprovePairingRequest>,
    ) -> Result<Response<ApprovePairingResponse>, Status> {
        let ApprovePairingRequest {
            channel,
            account_id,
            request_id,
            notify,
        } = request.into_inner();
        let account = AccountKey::new(channel, account_id);
        let notify = notify.unwrap_or(false);
        let approved = pairing::approve(
            self.stores.pairing.as_ref(),
            &self.outbox,
            &self.clock,
            account,
            request_id,
            notify,
        )
        .await;
        Ok(Response::new(ApprovePairingResponse {
            ok: true,
            sender_id: approved.map_err(refuse)?.into(),
        }))
    }

    async fn dismiss_pairing(
        &self,
        request: Request<DismissPairingRequest>,
    ) -> Result<Response<DismissPairingResponse>, Status> {
        let DismissPairingRequest {
            channel,
            account_id,
            request_id,
        } = request.into_inner();
        // A repeat finds nothing, and that is what was asked for.
        self.stores
            .pairing
            .dismiss(AccountKey::new(channel, account_id), request_id)
            .await
            .map_err(refuse)?;
        Ok(Response::new(DismissPairingResponse { ok: true }))
    }

    async fn enqueue_delivery(
        &self,
        request: Request<EnqueueDeliveryRequest>,
    ) -> Result<Response<EnqueueDeliveryResponse>, Status> {
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
            content: _,
        } = request.into_inner();
        // An account that is not there now may come back: the row waits for it, and is given up on loudly after a day.
        let delivery = NewDelivery {
            key: DeliveryKey::try_from(delivery_key)
                .map_err(|error| refuse(Error::Invalid("/deliveryKey", error.to_string())))?,
            run_id,
            account: AccountKey::new(channel, account_id),
            to: address(to).map_err(refuse)?,
            thread_id,
            reply_to_id: answered(reply_to_id).map_err(refuse)?,
            text,
            created_at: if created_at > 0 {
                created_at
            } else {
                self.clock.now_ms()
            },
        };
        // Session forgets the reply once it is answered here: between two copies of a backup it must not change hands.
        let _passing = self.gate.pass().await?;
        let duplicate = match self.outbox.enqueue(delivery).await {
            Ok(enqueued) => enqueued.duplicate,
            // A run has one reply: the one that is stored may be with its reader by now.
            Err(StoreError::Conflict { .. }) => true,
            Err(error) => return Err(refuse(error)),
        };
        Ok(Response::new(EnqueueDeliveryResponse { duplicate }))
    }

    async fn inspect_webhook(
        &self,
        request: Request<InspectWebhookRequest>,
    ) -> Result<Response<InspectWebhookResponse>, Status> {
        let view = self.manager.view().map_err(refuse)?;
        Ok(Response::new(webhook::inspect(&view, request.into_inner())))
    }

    async fn receive_webhook(
        &self,
        request: Request<ReceiveWebhookRequest>,
    ) -> Result<Response<ReceiveWebhookResponse>, Status> {
        let view = self.manager.view().map_err(refuse)?;
        Ok(Response::new(webhook::receive(&view, request.into_inner()).await))
    }
}

/// Where a message goes.
fn address(to: String) -> Result<Address, Error> {
    Address::try_from(to).map_err(|error| Error::Invalid("/to", error.to_string()))
}

/// The message that is answered; a blank id is none.
fn answered(id: Option<String>) -> Result<Option<MessageId>, Error> {
    id.filter(|id| !id.is_empty())
        .map(MessageId::try_from)
        .transpose()
        .map_err(|error| Error::Invalid("/replyToId", error.to_string()))
}

fn pairing_request(platforms: &Platforms, row: PairingRow) -> PairingRequest {
    let time = |ms: i64| {
        Timestamp::from_millisecond(ms)
            .unwrap_or(Timestamp::UNIX_EPOCH)
            .to_string()
    };
    PairingRequest {
        request_id: row.id,
        channel_label: platforms.label(&row.account.channel),
        channel: row.account.channel,
        account_id: row.account.account,
        sender_label: row.sender_name.unwrap_or_else(|| row.sender_id.to_string()),
        sender_id: row.sender_id.into(),
        created_at: time(row.created_at),
        last_seen_at: time(row.last_seen_at),
        expires_at: time(row.expires_at),
        notify_supported: true,
    }
}

#[cfg(test)]
mod tests;
