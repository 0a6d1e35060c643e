//! Somebody else on WhatsApp: another client, whose phone was linked before.

use std::sync::Arc;

use gatehouse_whatsapp_web::Network;
use tokio::{sync::mpsc, time::timeout};
use whatsapp_rust::{
    Jid, UploadOptions,
    bot::Bot,
    buffa::{Message as _, MessageField},
    prelude::{BotHandle, Client, Event, EventKind, InboundMessage, wa},
    store::SqliteStore,
    transport::TokioWebSocketTransportFactory,
    wacore::{
        download::MediaType,
        store::{Device, traits::DeviceStore},
    },
};

use crate::server::{DEADLINE, Whatsapp, hidden};

/// The number of everybody who is no assistant.
pub(crate) const ANNA: &str = "15550001";

/// A person.
pub(crate) struct Person {
    pub(crate) client: Arc<Client>,
    heard: mpsc::Receiver<InboundMessage>,
    _handle: BotHandle,
    _folder: tempfile::TempDir,
}

/// Puts credentials into a store, as linking would have.
pub(crate) async fn linked(server: &Whatsapp, store: &SqliteStore, number: &str, device: u16) {
    let mut known = Device::new();
    known.pn = Some(Jid::pn_device(number.to_owned(), device));
    known.lid = Some(Jid::lid_device(hidden(number), device));
    known.push_name = format!("name of {number}");
    let identity = server.identity(
        known.identity_key.public_key.public_key_bytes(),
        u32::from(device),
    );
    let mut identity = wa::ADVSignedDeviceIdentity::decode_from_slice(&identity).expect("an identity");
    let (details, key) = (identity.details.clone(), identity.account_signature_key.clone());
    let said = [
        &[6, 1][..],
        &details.unwrap_or_default(),
        known.identity_key.public_key.public_key_bytes(),
        &key.unwrap_or_default(),
    ]
    .concat();
    let signature = known
        .identity_key
        .private_key
        .calculate_signature(&said, &mut rand::rng());
    identity.device_signature = Some(signature.expect("a signature").to_vec());
    server.with(|state| {
        let signed = identity.encode_to_vec();
        state.identities.insert((number.to_owned(), device), signed)
    });
    known.account = Some(Arc::new(identity));
    store.create().await.expect("a row");
    store.save(&known).await.expect("saved");
}

impl Person {
    pub(crate) async fn enter(server: &Whatsapp) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("anna.db");
        let store = SqliteStore::new(file.to_str().expect("a path"))
            .await
            .expect("a store");
        linked(server, &store, ANNA, 1).await;
        let (tell, heard) = mpsc::channel(64);
        let (there, mut connected) = mpsc::channel(4);
        let bot = Bot::builder()
            .with_backend(store)
            .with_transport_factory(TokioWebSocketTransportFactory::new().with_url(server.url.clone()))
            .with_http_client(Network::files())
            .with_version((2, 3000, 1))
            .skip_history_sync()
            .on_event_for(&[EventKind::Messages, EventKind::Connected], move |event, _| {
                let (tell, there) = (tell.clone(), there.clone());
                async move {
                    match &*event {
                        Event::Messages(batch) => {
                            for message in batch {
                                let _ = tell.send(message.clone()).await;
                            }
                        }
                        _ => {
                            let _ = there.send(()).await;
                        }
                    }
                }
            })
            .build()
            .await
            .expect("a client");
        let handle = bot.spawn();
        timeout(DEADLINE, connected.recv())
            .await
            .expect("in time")
            .expect("connected");
        server
            .until("her keys", |state| {
                state.keys.contains_key(&(ANNA.to_owned(), 1)).then_some(())
            })
            .await;
        Self {
            client: handle.client(),
            heard,
            _handle: handle,
            _folder: folder,
        }
    }

    /// Writes to the assistant. The id of the message.
    pub(crate) async fn say(&self, to: &Jid, text: &str) -> String {
        self.client
            .send_text(to.clone(), text)
            .await
            .expect("sent")
            .message_id
    }

    /// What is said to her next.
    pub(crate) async fn hears(&mut self) -> InboundMessage {
        timeout(DEADLINE, self.heard.recv())
            .await
            .expect("in time")
            .expect("a message")
    }

    /// Mentions somebody.
    pub(crate) async fn mention(&self, to: &Jid, whom: &Jid, text: &str) {
        let message = wa::Message {
            extended_text_message: MessageField::some(wa::message::ExtendedTextMessage {
                text: Some(format!("@{} {text}", whom.user_base())),
                context_info: MessageField::some(wa::ContextInfo {
                    mentioned_jid: vec![whom.to_string()],
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        };
        self.client.send_message(to.clone(), message).await.expect("sent");
    }

    /// Sends a picture.
    pub(crate) async fn show(&self, to: &Jid, picture: &[u8], caption: &str) {
        let uploaded = self
            .client
            .upload(picture.to_vec(), MediaType::Image, UploadOptions::default())
            .await
            .expect("uploaded");
        let message = wa::Message {
            image_message: MessageField::some(wa::message::ImageMessage {
                direct_path: Some(uploaded.direct_path),
                media_key: Some(uploaded.media_key.to_vec()),
                file_sha256: Some(uploaded.file_sha256.to_vec()),
                file_enc_sha256: Some(uploaded.file_enc_sha256.to_vec()),
                file_length: Some(uploaded.file_length),
                mimetype: Some("image/jpeg".to_owned()),
                caption: Some(caption.to_owned()),
                ..Default::default()
            }),
            ..Default::default()
        };
        self.client.send_message(to.clone(), message).await.expect("sent");
    }
}
