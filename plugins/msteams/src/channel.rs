//! The channel, as the bridge drives it: `gatehouse.channel.v1.ChannelAdapter`.

mod media;
mod run;

use std::sync::Arc;

use futures::stream::BoxStream;
use gatehouse_proto::channel::v1::{
    ChannelCapabilities, ChannelLimits, DescribeChannelRequest, DescribeChannelResponse, FetchMediaRequest,
    FetchMediaResponse, PreviewPace, RunAccountRequest, RunAccountResponse, SendPace, TakeMediaRequest,
    TakeMediaResponse, TextLimit, TextShape, TextUnit, channel_adapter_server::ChannelAdapter,
};
use tonic::{Request, Response, Status, Streaming};

use crate::{
    account::Accounts,
    settings::{Machine, SCHEMA, Services},
    store::Store,
};

/// The channel's key under `channels`.
pub const CHANNEL: &str = "msteams";
/// The longest text of one message, in halves of UTF-16. Teams takes 80 KB of all of it, counted in UTF-16; a sign may become five of them
/// on its way, but a text of such signs is none that people write.
const TEXT_MAX: u32 = 12_000;

/// The channel.
#[derive(Clone, Debug)]
pub struct Channel {
    shared: Arc<Shared>,
}

/// What all accounts have in common.
#[derive(Debug)]
struct Shared {
    accounts: Accounts,
    store: Store,
    machine: Machine,
    /// In the place of Microsoft's, for a stand-in.
    services: Option<Services>,
    /// Whether only this machine reaches the address at which Teams calls.
    loopback: bool,
}

impl Channel {
    /// The channel of this process. `loopback` says whether only this machine reaches the address at which Teams calls; `services` takes
    /// the place of Microsoft's, for a stand-in.
    #[must_use]
    pub fn new(
        accounts: Accounts,
        store: Store,
        machine: Machine,
        loopback: bool,
        services: Option<Services>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                accounts,
                store,
                machine,
                services,
                loopback,
            }),
        }
    }
}

fn ours(channel: &str) -> Result<(), Status> {
    if channel == CHANNEL {
        Ok(())
    } else {
        Err(Status::not_found(format!(
            "this plugin brings the channel `{CHANNEL}` alone: name it so under `channels`"
        )))
    }
}

#[tonic::async_trait]
impl ChannelAdapter for Channel {
    type RunAccountStream = BoxStream<'static, Result<RunAccountResponse, Status>>;
    type FetchMediaStream = BoxStream<'static, Result<FetchMediaResponse, Status>>;

    async fn describe_channel(
        &self,
        request: Request<DescribeChannelRequest>,
    ) -> Result<Response<DescribeChannelResponse>, Status> {
        ours(&request.get_ref().channel)?;
        Ok(Response::new(DescribeChannelResponse {
            label: "Microsoft Teams".into(),
            account_schema: SCHEMA.into(),
            capabilities: Some(ChannelCapabilities {
                text: Some(TextLimit {
                    unit: TextUnit::Utf16.into(),
                    max: TEXT_MAX,
                    shape: TextShape::Markdown.into(),
                    address_counts: false,
                }),
                // A file goes into a chat of two by a card that asks for consent, and elsewhere by Microsoft Graph alone, for which most
                // organisations give no permission: the gateway's link goes everywhere.
                media_bytes_max: 0,
                edit: true,
                threads: true,
                reactions: false,
                typing: true,
                previews: Some(PreviewPace {
                    every_ms: 1_500, // Microsoft's advice for streams: 1.5 to 2 seconds
                    every_shared_ms: 3_000,
                    vanish: false,
                }),
                idempotent_sends: false,
                separate_sends: true,
                choices_max: 0, // cards are the plugin's own method, `msteams.card.send`
            }),
            limits: Some(ChannelLimits {
                parts_max: 10,
                account: Some(SendPace {
                    burst: 20,
                    per_minute: 1_200, // 30 a second is what older pages allow; streams and typing count as well
                }),
                chat: Some(SendPace {
                    burst: 5,
                    per_minute: 30, // 1800 in an hour
                }),
                concurrency: 8,
                // Two attempts, where a token has to be replaced.
                send_timeout_ms: 45_000,
                // Teams calls the plugin's own address, where the token is looked at before the body is read.
                http_bytes_max: 0,
            }),
            programs: false,
        }))
    }

    async fn run_account(
        &self,
        request: Request<Streaming<RunAccountRequest>>,
    ) -> Result<Response<Self::RunAccountStream>, Status> {
        let stream = run::begin(Arc::clone(&self.shared), request.into_inner());
        Ok(Response::new(stream))
    }

    async fn fetch_media(
        &self,
        request: Request<FetchMediaRequest>,
    ) -> Result<Response<Self::FetchMediaStream>, Status> {
        let request = request.into_inner();
        ours(&request.channel)?;
        let account = self
            .shared
            .accounts
            .get(&request.account_id)
            .ok_or_else(|| Status::unavailable("the account is not connected"))?;
        Ok(Response::new(media::fetch(&account, &request.address).await?))
    }

    async fn take_media(
        &self,
        _request: Request<Streaming<TakeMediaRequest>>,
    ) -> Result<Response<TakeMediaResponse>, Status> {
        Err(Status::unimplemented(
            "files go out as links: the channel takes none",
        ))
    }
}
