//! The gateway's side: the plugin's own program is started, killed and called.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use bytes::Bytes;
use futures::TryStreamExt;
use gatehouse_proto::channel::v1::{
    FetchMediaRequest, MediaHead, RunAccountRequest, SendPart, SentMedia, StartAccount, TakeMediaRequest,
    channel_adapter_client::ChannelAdapterClient, run_account_request::Message as Asked,
};
use gatehouse_whatsapp_web::CHANNEL;
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
use whatsapp_rust::{Jid, store::SqliteStore};

use crate::{
    bridge::Account,
    person::linked,
    server::{DEADLINE, Device, Whatsapp},
};

/// The assistant's number.
pub(crate) const NUMBER: &str = "15559999";
/// Which device of it the plugin is.
pub(crate) const DEVICE: u16 = 7;

const TOKEN: &str = "the plugin's own";
/// Between two looks at something that nobody tells us of.
pub(crate) const LOOK: Duration = Duration::from_millis(50);

/// A plugin that runs.
pub(crate) struct Plugin {
    child: Child,
    channel: Channel,
    folder: TempDir,
    whatsapp: String,
    next: AtomicU64,
}

impl Drop for Plugin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn assistant() -> Jid {
    Jid::pn(NUMBER)
}

/// The plugin, as WhatsApp knows it.
pub(crate) fn us() -> Device {
    (NUMBER.to_owned(), DEVICE)
}

fn run(folder: &Path, whatsapp: &str) -> Child {
    let token = folder.join("token");
    std::fs::write(&token, TOKEN).expect("written");
    Command::new(env!("CARGO_BIN_EXE_gatehouse-whatsapp-web"))
        .env("GATEHOUSE_PLUGIN_LISTEN", address(folder))
        .env("GATEHOUSE_TOKEN_FILE", token)
        .env("WHATSAPP_WEB_STATE", folder.join("state"))
        .env("WHATSAPP_WEB_STAND_IN", whatsapp)
        .stdin(Stdio::null())
        .spawn()
        .expect("the plugin")
}

fn address(folder: &Path) -> String {
    format!("unix:{}", folder.join("plugin.sock").display())
}

async fn reach(folder: &Path) -> Channel {
    let endpoint = Endpoint::from_shared(address(folder)).expect("an address");
    let until = Instant::now() + DEADLINE;
    loop {
        match endpoint.connect().await {
            Ok(channel) => return channel,
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
        sleep(LOOK).await;
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

impl Plugin {
    pub(crate) async fn start(server: &Whatsapp) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let whatsapp = server.url.clone();
        let child = run(folder.path(), &whatsapp);
        let channel = reach(folder.path()).await;
        Self {
            child,
            channel,
            folder,
            whatsapp,
            next: AtomicU64::new(1),
        }
    }

    /// One whose account was linked before.
    pub(crate) async fn linked(server: &Whatsapp) -> Self {
        let plugin = Self::start(server).await;
        let folder = plugin.login(1);
        std::fs::create_dir_all(&folder).expect("a folder");
        let store = credentials(&folder).await;
        linked(server, &store, NUMBER, DEVICE).await;
        plugin
    }

    /// Kills it, and starts it anew.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("it is gone");
        self.child = run(self.folder.path(), &self.whatsapp);
        self.channel = reach(self.folder.path()).await;
    }

    /// Where the credentials of its logins are.
    pub(crate) fn login(&self, number: u32) -> PathBuf {
        self.folder.path().join(format!("state/default/login-{number}"))
    }

    fn client(&self) -> ChannelAdapterClient<Channel> {
        ChannelAdapterClient::new(self.channel.clone())
    }

    /// The stream of its account, with these settings.
    pub(crate) async fn with(&self, config: &Value) -> Account {
        let (asking, asked) = mpsc::channel(64);
        let start = StartAccount {
            channel: CHANNEL.into(),
            account_id: "default".into(),
            config: config.to_string(),
            ..StartAccount::default()
        };
        let message = Some(Asked::Start(start));
        asking.send(RunAccountRequest { message }).await.expect("a queue");
        let answers = self.client().run_account(shown(ReceiverStream::new(asked))).await;
        Account::new(asking, answers.expect("it is taken").into_inner())
    }

    pub(crate) async fn open(&self) -> Account {
        self.with(&json!({})).await
    }

    pub(crate) async fn connected(&self) -> Account {
        let mut account = self.open().await;
        account.connected().await;
        account
    }

    /// A part with this key.
    pub(crate) fn part(&self, key: &str, to: &Jid, text: &str) -> SendPart {
        SendPart {
            id: self.next.fetch_add(1, Ordering::Relaxed),
            key: key.into(),
            to: to.to_string(),
            text: text.into(),
            ..SendPart::default()
        }
    }

    /// A file that somebody sent.
    pub(crate) async fn fetched(&self, address: &str) -> (Option<String>, Vec<u8>) {
        let request = FetchMediaRequest {
            channel: CHANNEL.into(),
            account_id: "default".into(),
            address: address.to_owned(),
        };
        let fetched = self.client().fetch_media(shown(request)).await.expect("fetched");
        let pieces: Vec<_> = fetched.into_inner().try_collect().await.expect("whole");
        let mime_type = pieces.first().and_then(|piece| piece.mime_type.clone());
        (
            mime_type,
            pieces.iter().flat_map(|piece| piece.data.to_vec()).collect(),
        )
    }

    /// Gives the plugin a file.
    pub(crate) async fn given(&self, to: &Jid, name: &str, mime_type: &str, bytes: &[u8]) -> SentMedia {
        let size_bytes = i64::try_from(bytes.len()).expect("a size");
        let head = MediaHead {
            channel: CHANNEL.into(),
            account_id: "default".into(),
            to: to.to_string(),
            mime_type: mime_type.to_owned(),
            name: name.to_owned(),
            size_bytes,
        };
        let piece = TakeMediaRequest {
            head: Some(head),
            data: Bytes::copy_from_slice(bytes),
        };
        let pieces = shown(futures::stream::iter([piece]));
        let taken = self.client().take_media(pieces).await.expect("taken");
        SentMedia {
            handle: taken.into_inner().handle,
            mime_type: mime_type.to_owned(),
            name: name.to_owned(),
            size_bytes,
        }
    }
}

/// What is in the folder of a login.
pub(crate) async fn credentials(folder: &Path) -> SqliteStore {
    let file = folder.join("whatsapp.db");
    SqliteStore::new(file.to_str().expect("a path"))
        .await
        .expect("a store")
}
