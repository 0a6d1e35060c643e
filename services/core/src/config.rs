//! Following the configuration: the newest revision, cut to what this service may see.

use std::{sync::Arc, time::Duration};

use gatehouse_proto::config::v1::{
    ConfigIssue, Credential, DeviceGrant, WatchConfigRequest, WatchConfigResponse,
    config_service_client::ConfigServiceClient,
};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use crate::{
    backoff::Backoff, client::Peer, drain::Drain, report, server::MESSAGE_BYTES_MAX, settings::Service,
};

/// The first wait is short: at a start of the whole gateway the config service is up within milliseconds.
const RECONNECT_FIRST: Duration = Duration::from_millis(20);
const RECONNECT_MAX: Duration = Duration::from_secs(2);

/// One revision of the configuration.
#[derive(Debug)]
pub struct Revision<T> {
    /// SHA-256 of the whole document, lower-case hex.
    pub hash: String,
    /// Who may come in; for the edge, and of plugins for the channel bridge, else empty.
    pub credentials: Vec<Credential>,
    /// The paired devices; for the edge only, else empty.
    pub devices: Vec<DeviceGrant>,
    /// What is off for a mistake in it; for the channel bridge only, else empty.
    pub left_out: Vec<ConfigIssue>,
    /// The sections that concern this service.
    pub value: T,
}

/// What tells one answer of the config service from another: the text of a revision stays, and means something else once a
/// secret is there that was missing. Of the sections only a digest, because they hold secrets.
type Told = (
    String,
    [u8; 32],
    Vec<Credential>,
    Vec<DeviceGrant>,
    Vec<ConfigIssue>,
);

/// The newest revision. Clones share it.
#[derive(Debug)]
pub struct ConfigHandle<T>(watch::Receiver<Option<Arc<Revision<T>>>>);

impl<T> Clone for ConfigHandle<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> ConfigHandle<T> {
    /// A handle that always has this value, for tests.
    #[must_use]
    pub fn fixed(value: T) -> (Self, watch::Sender<Option<Arc<Revision<T>>>>) {
        let revision = Revision {
            hash: "fixed".into(),
            credentials: Vec::new(),
            devices: Vec::new(),
            left_out: Vec::new(),
            value,
        };
        let (sender, receiver) = watch::channel(Some(Arc::new(revision)));
        (Self(receiver), sender)
    }

    /// The newest revision, once there is one.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn ready(&self) -> Arc<Revision<T>> {
        let mut receiver = self.0.clone();
        // The guard must be gone before the next await, or no task that waits here could be sent to another thread.
        let revision = receiver
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|revision| revision.clone());
        match revision {
            Some(revision) => revision,
            // The watching task is gone only when the process ends.
            None => std::future::pending().await,
        }
    }

    /// The newest revision, if there is one yet.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Revision<T>>> {
        self.0.borrow().clone()
    }

    /// The hash of the newest revision, if there is one yet.
    #[must_use]
    pub fn hash(&self) -> Option<String> {
        self.0.borrow().as_ref().map(|revision| revision.hash.clone())
    }

    /// Waits for a revision that this handle has not seen.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn changed(&mut self) -> Arc<Revision<T>> {
        loop {
            if self.0.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            if let Some(revision) = self.0.borrow_and_update().clone() {
                return revision;
            }
        }
    }
}

/// Follows the configuration until the drain starts. While the config service is away, the last revision stays.
#[must_use]
pub fn watch<T: DeserializeOwned + Send + Sync + 'static>(
    peer: &Peer,
    service: Service,
    drain: &Drain,
) -> ConfigHandle<T> {
    watch_as(peer, service.name(), drain)
}

/// The same for a process that is not a service, under the name of the identity whose credential it shows.
#[must_use]
pub fn watch_as<T: DeserializeOwned + Send + Sync + 'static>(
    peer: &Peer,
    name: &'static str,
    drain: &Drain,
) -> ConfigHandle<T> {
    let (sender, receiver) = watch::channel(None);
    let mut client = ConfigServiceClient::new(peer.service()).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let end = drain.clone();
    drain.spawn("config watch", async move {
        let mut backoff = Backoff::new(RECONNECT_FIRST, RECONNECT_MAX);
        let mut told = None;
        let follow = async {
            loop {
                let request = WatchConfigRequest { service: name.into() };
                match client.watch_config(request).await {
                    Ok(stream) => {
                        let mut revisions = stream.into_inner();
                        while let Ok(Some(revision)) = revisions.message().await {
                            backoff.reset();
                            take(revision, &mut told, &sender);
                        }
                    }
                    Err(status) => tracing::debug!(code = ?status.code(), "the config service is away"),
                }
                tokio::time::sleep(backoff.next()).await;
            }
        };
        tokio::select! { () = end.requested() => (), () = follow => () }
    });
    ConfigHandle(receiver)
}

fn take<T: DeserializeOwned>(
    response: WatchConfigResponse,
    told: &mut Option<Told>,
    sender: &watch::Sender<Option<Arc<Revision<T>>>>,
) {
    let WatchConfigResponse {
        hash,
        config,
        token_digest: _,
        credentials,
        devices,
        left_out,
    } = response;
    let news = (
        hash.clone(),
        Sha256::digest(config.as_bytes()).into(),
        credentials.clone(),
        devices.clone(),
        left_out.clone(),
    );
    if told.as_ref() == Some(&news) {
        return;
    }
    *told = Some(news);
    match serde_json::from_str(&config) {
        Ok(value) => {
            tracing::debug!(config.hash = hash, "took a revision of the configuration");
            sender.send_replace(Some(Arc::new(Revision {
                hash,
                credentials,
                devices,
                left_out,
                value,
            })));
            report::look();
        }
        // The config service checked it; the words of a parser may quote a value, and a value may be a secret.
        Err(error) => tracing::error!(
            config.hash = hash,
            line = error.line(),
            column = error.column(),
            "a revision cannot be read; the last one stays"
        ),
    }
}
