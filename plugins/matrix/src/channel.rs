//! The channel, as the bridge drives it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use gatehouse_plugin_sdk::{Channel, Link, Manifest, for_good, for_now};
use gatehouse_proto::channel::v1::{
    ChannelCapabilities, ChannelLimits, DescribeChannelResponse, Ended, PreviewPace, SendPace, StartAccount,
    TextLimit, TextShape, TextUnit,
};
use matrix_sdk::Client;

use crate::{
    account::Account,
    login::{self, Folder},
    media::MEDIA_BYTES_MAX,
    outcome::Trouble,
    position::Position,
    settings::{SCHEMA, Settings},
    sync,
};

/// What the plugin is.
pub const MANIFEST: Manifest = Manifest::new("Matrix", env!("CARGO_PKG_VERSION"));
/// The longest text of one message, in bytes. A server takes 64 KiB of an event, and it holds the text twice, encrypted.
const TEXT_MAX: u32 = 12_000;

/// The channel: where sessions are kept.
#[derive(Debug)]
pub struct Matrix {
    state: PathBuf,
}

impl Matrix {
    /// One whose sessions are kept in this folder.
    #[must_use]
    pub fn new(state: PathBuf) -> Self {
        Self { state }
    }
}

impl Channel for Matrix {
    type Account = Account;
    const KEY: &'static str = "matrix";

    fn describe(&self) -> DescribeChannelResponse {
        DescribeChannelResponse {
            label: "Matrix".into(),
            account_schema: SCHEMA.into(),
            capabilities: Some(ChannelCapabilities {
                choices_max: 0, // Matrix has no buttons
                text: Some(TextLimit {
                    unit: TextUnit::Bytes.into(),
                    max: TEXT_MAX,
                    shape: TextShape::Markdown.into(),
                    address_counts: false,
                }),
                media_bytes_max: i64::try_from(MEDIA_BYTES_MAX).unwrap_or_default(),
                edit: true,
                threads: true,
                reactions: true,
                typing: true,
                previews: Some(PreviewPace {
                    every_ms: 1_500,
                    every_shared_ms: 3_000,
                    vanish: false,
                }),
                idempotent_sends: true, // by the transaction's id, for each device
                separate_sends: true,
            }),
            limits: Some(ChannelLimits {
                parts_max: 10,
                account: Some(SendPace {
                    burst: 20,
                    per_minute: 300,
                }),
                // A server as it is installed takes ten at once and then one in five seconds, and says so: docs/matrix.md.
                chat: Some(SendPace {
                    burst: 5,
                    per_minute: 60,
                }),
                concurrency: 8,
                send_timeout_ms: 45_000, // keys are claimed and shared first
                http_bytes_max: 0,
            }),
            programs: false,
        }
    }

    async fn open(&self, start: StartAccount, link: Arc<Link>) -> Result<Account, Ended> {
        let settings = Settings::read(&start.config).map_err(for_good)?;
        let folder = Folder::of(&self.state, &start.account_id, &settings);
        let client = login::client(&folder, &settings).await?;
        let me = client
            .user_id()
            .ok_or_else(|| for_now("the session names no user"))?
            .to_owned();
        let position = Position::read(&start.state, me.as_str());
        // Rooms and keys have to be known before anything is said.
        let first = sync::once(&client, None, Duration::ZERO)
            .await
            .map_err(|trouble| sync::ended(&folder, &settings, &trouble))?;
        let trouble = recover(&client, &settings).await;
        let name = client.account().get_display_name().await.ok().flatten();
        let account = Account::new((client, me), name, settings, folder, link, (position, first));
        if let Some(trouble) = trouble {
            account.notice(Some(trouble)).await;
        }
        Ok(account)
    }
}

/// Verifies the device by the recovery key, where there is one and it is not verified yet. Answers what is wrong.
async fn recover(client: &Client, settings: &Settings) -> Option<String> {
    let key = settings.recovery_key.as_ref().filter(|_| settings.encryption)?;
    client.encryption().wait_for_e2ee_initialization_tasks().await;
    let own = client.encryption().get_own_device().await.ok().flatten();
    let has_backup = client.encryption().backups().are_enabled().await;
    if has_backup && own.is_some_and(|device| device.is_cross_signed_by_owner()) {
        return None;
    }
    match client.encryption().recovery().recover(key.expose()).await {
        Ok(()) => {
            tracing::info!("the device is verified by the recovery key");
            None
        }
        Err(error) => {
            let trouble = Trouble::Never(error.to_string());
            Some(format!(
                "`recoveryKey` does not open the account's keys, so people see its device as not verified: {trouble}"
            ))
        }
    }
}
