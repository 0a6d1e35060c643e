//! The gateway's side: the plugin's own program is started, killed and called.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use bytes::Bytes;
use futures::TryStreamExt;
use gatehouse_proto::channel::v1::{
    FetchMediaRequest, Inbound, MediaHead, RunAccountRequest, SendPart, SentMedia, StartAccount,
    TakeMediaRequest, channel_adapter_client::ChannelAdapterClient, run_account_request::Message as Asked,
    run_account_response::Message as Said,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Request,
    transport::{Channel, Endpoint},
};

use crate::{
    bridge::Account,
    synapse::{DEADLINE, LOOK, PASSWORD, Synapse, free_port},
};

const TOKEN: &str = "the plugin's own";

/// A gateway with the plugin, and the homeserver of its account.
pub(crate) struct World {
    pub(crate) synapse: Synapse,
    pub(crate) bot: String,
    plugin: Plugin,
    folder: TempDir,
}

struct Plugin {
    child: Child,
    channel: Channel,
}

impl Drop for Plugin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Plugin {
    async fn start(folder: &Path) -> Self {
        let token = folder.join("token");
        std::fs::write(&token, TOKEN).expect("written");
        let address = format!("127.0.0.1:{}", free_port().await);
        let child = Command::new(env!("CARGO_BIN_EXE_gatehouse-matrix"))
            .env("GATEHOUSE_PLUGIN_LISTEN", &address)
            .env("GATEHOUSE_TOKEN_FILE", token)
            .env("MATRIX_STATE", folder.join("state"))
            .stdin(Stdio::null())
            .spawn()
            .expect("the plugin");
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
        let until = Instant::now() + DEADLINE;
        let channel = loop {
            match endpoint.connect().await {
                Ok(channel) => break channel,
                Err(error) => assert!(Instant::now() < until, "{error}"),
            }
            sleep(LOOK).await;
        };
        Self { child, channel }
    }
}

/// A call of the gateway.
fn shown<T>(message: T) -> Request<T> {
    let digest = Sha256::digest(TOKEN);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut request = Request::new(message);
    let value = format!("Bearer {hex}").parse().expect("metadata");
    request.metadata_mut().insert("authorization", value);
    request
}

impl World {
    /// `None`: there is no homeserver here.
    pub(crate) async fn start() -> Option<Self> {
        Self::around(Synapse::start().await?).await
    }

    pub(crate) async fn around(synapse: Synapse) -> Option<Self> {
        let bot = synapse.register("bot").await;
        let folder = tempfile::tempdir().expect("a folder");
        let plugin = Plugin::start(folder.path()).await;
        Some(Self {
            synapse,
            bot,
            plugin,
            folder,
        })
    }

    /// Kills the plugin, and starts it anew.
    pub(crate) async fn kill(&mut self) {
        self.plugin.child.kill().expect("killed");
        self.plugin.child.wait().expect("it is gone");
        self.plugin = Plugin::start(self.folder.path()).await;
    }

    /// Forgets the account's device and its keys.
    pub(crate) async fn forget(&mut self) {
        self.plugin.child.kill().expect("killed");
        self.plugin.child.wait().expect("it is gone");
        let _ = std::fs::remove_dir_all(self.folder.path().join("state"));
        self.plugin = Plugin::start(self.folder.path()).await;
    }

    fn client(&self) -> ChannelAdapterClient<Channel> {
        ChannelAdapterClient::new(self.plugin.channel.clone())
    }

    /// An account that is connected, with these settings beside the usual ones. `state` is what the one before had saved.
    pub(crate) async fn connected(&self, more: &Value, state: &[u8]) -> Account {
        let mut config = json!({"homeserver": self.synapse.url, "userId": self.bot, "password": PASSWORD});
        for (key, value) in more.as_object().into_iter().flatten() {
            config[key] = value.clone();
        }
        let (asking, asked) = mpsc::channel(64);
        let start = Asked::Start(StartAccount {
            channel: "matrix".into(),
            account_id: "default".into(),
            config: config.to_string(),
            state: state.to_vec().into(),
            ..StartAccount::default()
        });
        let start = RunAccountRequest { message: Some(start) };
        asking.send(start).await.expect("a queue");
        let answers = self.client().run_account(shown(ReceiverStream::new(asked))).await;
        let mut account = Account::reading(asking, answers.expect("it is taken").into_inner(), state);
        loop {
            match account.said().await {
                Said::Connected(_) => return account,
                Said::Notice(notice) => panic!("{notice:?}"),
                Said::Ended(ended) => panic!("{ended:?}"),
                _ => {}
            }
        }
    }

    pub(crate) async fn fetched(&self, address: &str) -> Vec<u8> {
        let request = FetchMediaRequest {
            channel: "matrix".into(),
            account_id: "default".into(),
            address: address.to_owned(),
        };
        let fetched = self.client().fetch_media(shown(request)).await.expect("fetched");
        let pieces: Vec<_> = fetched.into_inner().try_collect().await.expect("whole");
        pieces.iter().flat_map(|piece| piece.data.to_vec()).collect()
    }

    /// Gives the plugin a file for this room.
    pub(crate) async fn given(&self, to: &str, name: &str, mime_type: &str, bytes: &[u8]) -> SentMedia {
        let size_bytes = i64::try_from(bytes.len()).expect("a size");
        let head = MediaHead {
            channel: "matrix".into(),
            account_id: "default".into(),
            to: to.to_owned(),
            mime_type: mime_type.to_owned(),
            name: name.to_owned(),
            size_bytes,
        };
        let piece = TakeMediaRequest {
            head: Some(head),
            data: Bytes::copy_from_slice(bytes),
        };
        let taken = self
            .client()
            .take_media(shown(futures::stream::iter([piece])))
            .await;
        SentMedia {
            handle: taken.expect("taken").into_inner().handle,
            mime_type: mime_type.to_owned(),
            name: name.to_owned(),
            size_bytes,
        }
    }
}

pub(crate) fn part(to: &str, key: &str, text: &str) -> SendPart {
    SendPart {
        id: 7,
        key: key.into(),
        to: to.into(),
        text: text.into(),
        ..SendPart::default()
    }
}

/// The words of a message.
pub(crate) fn words(inbound: &Inbound) -> String {
    use gatehouse_proto::common::v1::block::Kind;
    let blocks = inbound.content.iter().flat_map(|content| &content.blocks);
    let words = blocks.filter_map(|block| match &block.kind {
        Some(Kind::Text(text)) => Some(text.text.clone()),
        _ => None,
    });
    words.collect()
}
