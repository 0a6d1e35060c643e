//! The channel, as the bridge drives it.

mod media;

use std::sync::Arc;

use gatehouse_plugin_sdk::{
    Account as Connected, Channel as Platform, Fetched, Link, PartOutcome, PreviewOutcome, for_good, for_now,
};
use gatehouse_proto::channel::v1::{
    ChannelCapabilities, ChannelLimits, DescribeChannelResponse, Ended, PreviewPace, SendPace, SendPart,
    ShowPreview, ShowTyping, StartAccount, TextLimit, TextShape, TextUnit, WithdrawPreview,
};
use tonic::Status;

use crate::{
    account::Account,
    card,
    connector::ConnectorError,
    say,
    settings::{Callers, Machine, SCHEMA, Services, Settings},
    store::Store,
};

/// The longest text of one message, in halves of UTF-16. Teams takes 80 KB of all of it, counted in UTF-16; a sign may become five of them
/// on its way, but a text of such signs is none that people write.
const TEXT_MAX: u32 = 12_000;

/// The channel: what all accounts have in common.
#[derive(Debug)]
pub struct Channel {
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
    pub fn new(store: Store, machine: Machine, loopback: bool, services: Option<Services>) -> Self {
        Self {
            store,
            machine,
            services,
            loopback,
        }
    }
}

impl Platform for Channel {
    type Account = Account;
    const KEY: &'static str = "msteams";

    fn describe(&self) -> DescribeChannelResponse {
        DescribeChannelResponse {
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
                choices_max: card::CHOICES_MAX,
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
        }
    }

    async fn open(&self, start: StartAccount, link: Arc<Link>) -> Result<Account, Ended> {
        let settings =
            Settings::read(&start.config, &self.machine, self.services.clone()).map_err(for_good)?;
        if matches!(settings.callers, Callers::Anybody) && !self.loopback {
            return Err(for_good(
                "`playground` lets in whoever reaches the plugin, and is refused while it listens on more than this machine: start it with \
                 `--listen 127.0.0.1:3978`",
            ));
        }
        let account =
            Account::new(&start.account_id, settings, self.store.clone(), link).map_err(for_good)?;
        match account.believed().await {
            Ok(()) => Ok(account),
            Err(ConnectorError::Credential(reason)) => Err(for_good(reason)),
            Err(error) => Err(for_now(error.to_string())),
        }
    }
}

impl Connected for Account {
    async fn send(&self, part: SendPart) -> PartOutcome {
        say::send(self, part).await
    }

    async fn typing(&self, typing: ShowTyping) {
        say::typing(self, typing).await;
    }

    async fn show(&self, preview: ShowPreview) -> PreviewOutcome {
        say::show(self, preview).await
    }

    async fn withdraw(&self, preview: WithdrawPreview) -> PreviewOutcome {
        say::withdraw(self, preview).await
    }

    /// Teams calls us, so its silence says nothing: the bot's token is what can be asked about.
    async fn probe(&self) -> bool {
        match self.believed().await {
            Ok(()) => {
                say::trusted(self).await;
                true
            }
            Err(error) => {
                say::doubted(self, &error).await;
                false
            }
        }
    }

    async fn fetch(&self, address: String) -> Result<Fetched, Status> {
        media::fetch(self, &address).await
    }
}
