//! The channel, as the bridge drives it: `gatehouse.channel.v1.ChannelAdapter`.

mod media;
mod run;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use futures::{StreamExt, stream::BoxStream};
use gatehouse_proto::{
    channel::v1::{
        DescribeChannelRequest, DescribeChannelResponse, Ended, FetchMediaRequest, FetchMediaResponse,
        RunAccountRequest, RunAccountResponse, StartAccount, TakeMediaRequest, TakeMediaResponse,
        channel_adapter_server::{ChannelAdapter, ChannelAdapterServer},
    },
    plugin::v1::manifest_service_server::ManifestServiceServer,
};
use tonic::{Request, Response, Status, Streaming, service::Routes, transport};

use crate::{Account, Accounts, Link, Manifest, Server};

/// The largest message of the bridge: the contract says 1.5 MiB, and some room.
const MESSAGE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A chat platform: what all of its accounts have in common.
pub trait Channel: Send + Sync + 'static {
    /// One login on it.
    type Account: Account;

    /// Its key under `channels`.
    const KEY: &'static str;

    /// What it is.
    fn describe(&self) -> DescribeChannelResponse;

    /// Connects an account, which is configured as `start` says. It returns when the platform is there; until then it may ask a person to log
    /// in, by its link (`LoginWanted`), for as long as
    /// that takes, and save what it is to remember. It is dropped when the bridge wants the end.
    ///
    /// # Errors
    /// Why the account cannot run: [`for_good`] when somebody has to change its settings first.
    fn open(
        &self,
        start: StartAccount,
        link: Arc<Link>,
    ) -> impl Future<Output = Result<Self::Account, Ended>> + Send;
}

/// An account that cannot run before somebody has changed the configuration, for a person to read.
#[must_use]
pub fn for_good(reason: impl Into<String>) -> Ended {
    Ended {
        reason: reason.into(),
        for_good: true,
    }
}

/// An account that cannot run now, and may later.
#[must_use]
pub fn for_now(reason: impl Into<String>) -> Ended {
    Ended {
        reason: reason.into(),
        for_good: false,
    }
}

/// The gRPC service of a channel.
pub struct Adapter<C: Channel> {
    channel: Arc<C>,
    accounts: Accounts<C::Account>,
}

impl<C: Channel> fmt::Debug for Adapter<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adapter")
            .field("channel", &C::KEY)
            .finish_non_exhaustive()
    }
}

impl<C: Channel> Adapter<C> {
    /// The service of this channel, whose accounts others of the process may look up while they are connected.
    #[must_use]
    pub fn new(channel: C, accounts: Accounts<C::Account>) -> Self {
        Self {
            channel: Arc::new(channel),
            accounts,
        }
    }

    /// As a service of a gRPC server, within the contract's bounds.
    #[must_use]
    pub fn service(self) -> ChannelAdapterServer<Self> {
        ChannelAdapterServer::new(self).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    fn account(&self, channel: &str, id: &str) -> Result<Arc<C::Account>, Status> {
        ours::<C>(channel)?;
        let account = self.accounts.get(id);
        account.ok_or_else(|| Status::unavailable("the account is not connected"))
    }
}

/// Serves a plugin that brings a channel and nothing else, until the end is asked for; then the accounts end, and the process may.
///
/// # Errors
/// When the address cannot be served any more.
pub async fn run<C: Channel>(
    server: Server,
    manifest: Manifest,
    channel: C,
    end: impl Future<Output = ()>,
) -> Result<(), transport::Error> {
    let accounts = Accounts::default();
    let adapter = Adapter::new(channel, accounts.clone());
    let services = Routes::new(ManifestServiceServer::new(manifest)).add_service(adapter.service());
    let end = async {
        end.await;
        accounts.end();
    };
    server.serve(services, end).await
}

fn ours<C: Channel>(channel: &str) -> Result<(), Status> {
    if channel == C::KEY {
        Ok(())
    } else {
        Err(Status::not_found(format!(
            "this plugin brings the channel `{}` alone: name it so under `channels`",
            C::KEY
        )))
    }
}

#[tonic::async_trait]
impl<C: Channel> ChannelAdapter for Adapter<C> {
    type RunAccountStream = BoxStream<'static, Result<RunAccountResponse, Status>>;
    type FetchMediaStream = BoxStream<'static, Result<FetchMediaResponse, Status>>;

    async fn describe_channel(
        &self,
        request: Request<DescribeChannelRequest>,
    ) -> Result<Response<DescribeChannelResponse>, Status> {
        ours::<C>(&request.get_ref().channel)?;
        Ok(Response::new(self.channel.describe()))
    }

    async fn run_account(
        &self,
        request: Request<Streaming<RunAccountRequest>>,
    ) -> Result<Response<Self::RunAccountStream>, Status> {
        let stream = run::begin(
            Arc::clone(&self.channel),
            self.accounts.clone(),
            request.into_inner(),
        );
        Ok(Response::new(stream))
    }

    async fn fetch_media(
        &self,
        request: Request<FetchMediaRequest>,
    ) -> Result<Response<Self::FetchMediaStream>, Status> {
        let request = request.into_inner();
        let account = self.account(&request.channel, &request.account_id)?;
        let fetched = account.fetch(request.address).await?;
        Ok(Response::new(media::pieces(fetched).boxed()))
    }

    async fn take_media(
        &self,
        request: Request<Streaming<TakeMediaRequest>>,
    ) -> Result<Response<TakeMediaResponse>, Status> {
        let mut pieces = request.into_inner();
        let first = pieces.message().await?.unwrap_or_default();
        let Some(head) = first.head else {
            return Err(Status::invalid_argument("the first piece says what the file is"));
        };
        let account = self.account(&head.channel, &head.account_id)?;
        let data = media::whole(&head, first.data, pieces.map(|piece| Ok(piece?.data)));
        let handle = account.take(head, data.boxed()).await?;
        Ok(Response::new(TakeMediaResponse { handle }))
    }
}
