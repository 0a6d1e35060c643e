//! The bridge as others call it: parse, ask, answer. What a request means is known by its noun.

mod webhook;

use gatehouse_core::{Clock, Failure, backup::Gate};
use gatehouse_proto::channel::v1::{
    ActOnMessageRequest, ActOnMessageResponse, ApprovePairingRequest, ApprovePairingResponse,
    DismissPairingRequest, DismissPairingResponse, DropDeliveriesRequest, DropDeliveriesResponse,
    DropOutboxRequest, DropOutboxResponse, EnqueueDeliveryRequest, EnqueueDeliveryResponse,
    GetChannelsStatusRequest, GetChannelsStatusResponse, InspectWebhookRequest, InspectWebhookResponse,
    ListOutboxRequest, ListOutboxResponse, ListPairingRequestsRequest, ListPairingRequestsResponse,
    ReceiveWebhookRequest, ReceiveWebhookResponse, SendMessageRequest, SendMessageResponse,
    StartChannelRequest, StartChannelResponse, StartWebLoginRequest, StartWebLoginResponse,
    StopChannelRequest, StopChannelResponse, WaitWebLoginRequest, WaitWebLoginResponse,
    channel_service_server::ChannelService,
};
use tonic::{Request, Response, Status};

use crate::{
    account::{
        Manager,
        grpc::{Meant, ids},
        linking,
        status::{self, Asking},
    },
    error::Error,
    media::MediaReader,
    outbox::{
        Outbox, action,
        grpc::{self, Message, Reply},
        store::Chosen,
    },
    pairing::{
        self,
        grpc::{Approval, Dismissal, Listing},
    },
    store::{StoreError, Stores},
};

#[derive(Debug)]
pub(crate) struct Channels {
    manager: Manager,
    outbox: Outbox,
    stores: Stores,
    clock: Clock,
    gate: Gate,
    media: MediaReader,
}

impl Channels {
    pub(crate) fn new(
        manager: Manager,
        outbox: Outbox,
        stores: Stores,
        clock: Clock,
        gate: Gate,
        media: MediaReader,
    ) -> Self {
        Self {
            manager,
            outbox,
            media,
            stores,
            clock,
            gate,
        }
    }
}

impl Channels {
    async fn send(&self, request: SendMessageRequest) -> Result<SendMessageResponse, Status> {
        let mut message = Message::try_from(request)?;
        let account = message.sender(&*self.manager.view()?)?;
        let run_id = message.run_id.clone();
        let files = std::mem::take(&mut message.files).keep(&self.media).await?;
        let delivery = message.from(account.clone(), files, self.clock.now());
        let enqueued = self.outbox.enqueue(delivery).await?;
        Ok(SendMessageResponse {
            run_id,
            message_id: enqueued.id,
            channel: account.channel,
            account_id: account.account,
        })
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        Failure::from(error).into()
    }
}

impl From<StoreError> for Status {
    fn from(error: StoreError) -> Self {
        Error::from(error).into()
    }
}

#[tonic::async_trait]
impl ChannelService for Channels {
    async fn get_channels_status(
        &self,
        request: Request<GetChannelsStatusRequest>,
    ) -> Result<Response<GetChannelsStatusResponse>, Status> {
        let asking = Asking::from(request.into_inner());
        let view = self.manager.view()?;
        let status = status::read(&view, &self.stores, &self.clock, &asking).await?;
        Ok(Response::new(status))
    }

    async fn start_channel(
        &self,
        request: Request<StartChannelRequest>,
    ) -> Result<Response<StartChannelResponse>, Status> {
        let view = self.manager.view()?;
        let accounts = Meant::from(request.into_inner()).accounts(&view)?;
        let account_ids = ids(&accounts);
        self.manager.start(accounts).await?;
        Ok(Response::new(StartChannelResponse {
            ok: true,
            account_ids,
        }))
    }

    async fn stop_channel(
        &self,
        request: Request<StopChannelRequest>,
    ) -> Result<Response<StopChannelResponse>, Status> {
        let view = self.manager.view()?;
        let request = request.into_inner();
        let keeps = request.keep_outbox == Some(true);
        let accounts = Meant::from(request).accounts(&view)?;
        let account_ids = ids(&accounts);
        let stopped = self.manager.stop(accounts.clone()).await;
        let mut dropped_count = 0;
        for account in accounts.iter().filter(|_| !keeps) {
            let chosen = Chosen::of_account(account);
            dropped_count += self
                .outbox
                .drop_waiting(chosen, "the account was stopped")
                .await?
                .total;
        }
        stopped?;
        Ok(Response::new(StopChannelResponse {
            ok: true,
            account_ids,
            dropped_count,
        }))
    }

    async fn start_web_login(
        &self,
        request: Request<StartWebLoginRequest>,
    ) -> Result<Response<StartWebLoginResponse>, Status> {
        let started = linking::start(&self.manager, request.into_inner()).await?;
        Ok(Response::new(started))
    }

    async fn wait_web_login(
        &self,
        request: Request<WaitWebLoginRequest>,
    ) -> Result<Response<WaitWebLoginResponse>, Status> {
        let waited = linking::wait(&self.manager, request.into_inner()).await?;
        Ok(Response::new(waited))
    }

    async fn list_outbox(
        &self,
        request: Request<ListOutboxRequest>,
    ) -> Result<Response<ListOutboxResponse>, Status> {
        let listing = grpc::Listing::try_from(request.into_inner())?;
        let page = self
            .outbox
            .waiting(listing.chosen.clone(), listing.after, listing.limit + 1)
            .await?;
        Ok(Response::new(listing.answer(page)))
    }

    async fn drop_outbox(
        &self,
        request: Request<DropOutboxRequest>,
    ) -> Result<Response<DropOutboxResponse>, Status> {
        let chosen = Chosen::try_from(request.into_inner())?;
        let page = self.outbox.drop_waiting(chosen, "an operator dropped it").await?;
        Ok(Response::new(grpc::dropped(page)))
    }

    async fn drop_deliveries(
        &self,
        request: Request<DropDeliveriesRequest>,
    ) -> Result<Response<DropDeliveriesResponse>, Status> {
        let chosen = Chosen::from(request.into_inner());
        let page = self
            .outbox
            .drop_waiting(chosen, "its session was stopped")
            .await?;
        Ok(Response::new(DropDeliveriesResponse {
            dropped_count: page.total,
        }))
    }

    async fn send_message(
        &self,
        request: Request<SendMessageRequest>,
    ) -> Result<Response<SendMessageResponse>, Status> {
        self.send(request.into_inner()).await.map(Response::new)
    }

    async fn act_on_message(
        &self,
        request: Request<ActOnMessageRequest>,
    ) -> Result<Response<ActOnMessageResponse>, Status> {
        let request = request.into_inner();
        let action = request.action.clone();
        let message = action::read(request)?;
        let to = message.to.clone();
        let SendMessageResponse {
            run_id,
            message_id,
            channel,
            account_id,
        } = self.send(message).await?;
        Ok(Response::new(ActOnMessageResponse {
            ok: true,
            action,
            channel,
            account_id,
            to,
            run_id,
            message_id,
        }))
    }

    async fn list_pairing_requests(
        &self,
        request: Request<ListPairingRequestsRequest>,
    ) -> Result<Response<ListPairingRequestsResponse>, Status> {
        let listing = Listing::from(request.into_inner());
        let view = self.manager.view()?;
        let waiting = pairing::waiting(self.stores.pairing.as_ref(), &self.clock).await?;
        Ok(Response::new(listing.answer(&view, waiting)))
    }

    async fn approve_pairing(
        &self,
        request: Request<ApprovePairingRequest>,
    ) -> Result<Response<ApprovePairingResponse>, Status> {
        let approval = Approval::from(request.into_inner());
        let store = self.stores.pairing.as_ref();
        let sender = pairing::approve(store, &self.outbox, &self.clock, approval).await?;
        Ok(Response::new(ApprovePairingResponse {
            ok: true,
            sender_id: sender.into(),
        }))
    }

    async fn dismiss_pairing(
        &self,
        request: Request<DismissPairingRequest>,
    ) -> Result<Response<DismissPairingResponse>, Status> {
        let Dismissal { account, request } = Dismissal::from(request.into_inner());
        // A repeat finds nothing, and that is what was asked for.
        self.stores.pairing.dismiss(account, request).await?;
        Ok(Response::new(DismissPairingResponse { ok: true }))
    }

    async fn enqueue_delivery(
        &self,
        request: Request<EnqueueDeliveryRequest>,
    ) -> Result<Response<EnqueueDeliveryResponse>, Status> {
        let delivery = Reply::try_from(request.into_inner())?.delivery(self.clock.now());
        // Session forgets the reply once it is answered here: between two copies of a backup it must not change hands.
        let _passing = self.gate.pass().await?;
        let duplicate = match self.outbox.enqueue(delivery).await {
            Ok(enqueued) => enqueued.duplicate,
            // A run has one reply: the one that is stored may be with its reader by now.
            Err(StoreError::Conflict { .. }) => true,
            Err(error) => return Err(error.into()),
        };
        Ok(Response::new(EnqueueDeliveryResponse { duplicate }))
    }

    async fn inspect_webhook(
        &self,
        request: Request<InspectWebhookRequest>,
    ) -> Result<Response<InspectWebhookResponse>, Status> {
        let view = self.manager.view()?;
        Ok(Response::new(webhook::inspect(&view, request.into_inner())))
    }

    async fn receive_webhook(
        &self,
        request: Request<ReceiveWebhookRequest>,
    ) -> Result<Response<ReceiveWebhookResponse>, Status> {
        let view = self.manager.view()?;
        Ok(Response::new(webhook::receive(&view, request.into_inner()).await))
    }
}

#[cfg(test)]
mod tests;
