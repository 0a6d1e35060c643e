//! One plugin: connect, ask, let in, wait until it is lost, and again.

use std::{convert::Infallible, sync::Arc, time::Duration};

use gatehouse_contract::{ContractError, PluginId};
use gatehouse_core::{
    Address, Chain, Secret,
    backoff::Backoff,
    client::Peer,
    plugin::{self, Description, Trouble},
};
use gatehouse_document::plugins::PluginEntry;
use serde_json::Value;
use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};

use super::Changes;
use crate::{
    backend::offer::{News, Offer},
    plugin_board::Joined,
};

/// The first pause before a plugin is asked again: a program that is started together with the gateway needs a moment.
const AGAIN_FIRST: Duration = Duration::from_millis(100);

/// The longest: whoever writes a plugin starts it again and again, and a dead one costs a connection that is refused.
const AGAIN_MAX: Duration = Duration::from_secs(5);

/// A plugin that was there for so long is healthy: the next pause is the first one again.
const HEALTHY_AFTER: Duration = Duration::from_secs(30);

/// How long one that may not join is left alone while its process stays: what it declares cannot change before.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);

/// Descriptors of all plugins, in bytes: they are kept as they came and as plans, here and in broadcast.
const OFFER_BYTES_MAX: usize = 8 * 1_024 * 1_024;

/// Whom to visit.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) plugin: PluginId,
    pub(super) entry: PluginEntry,
    pub(super) address: Address,
    /// What the gateway shows it.
    pub(super) shown: Secret,
}

/// Why it is not let in.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Trouble(#[from] Trouble),
    #[error("{}", Chain(.0))]
    Contract(#[from] ContractError),
    #[error("its descriptors could not be read")]
    Unread,
    #[error("the descriptors of all plugins together would be larger than {OFFER_BYTES_MAX} bytes")]
    Crowded,
}

impl Refused {
    /// Whether asking again soon would change nothing.
    fn is_lasting(&self) -> bool {
        match self {
            Self::Trouble(trouble) => trouble.is_lasting(),
            Self::Contract(_) | Self::Unread | Self::Crowded => true,
        }
    }
}

/// Visits a plugin, for ever.
pub(super) async fn visit(changes: Arc<Changes>, visit: Visit) {
    let board = &changes.edge.plugins;
    let plugin = &visit.plugin;
    let mut backoff = Backoff::new(AGAIN_FIRST, AGAIN_MAX);
    loop {
        let began = Instant::now();
        let (peer, mut lost) = Peer::watched(&visit.address, &visit.shown);
        lost.mark_unchanged();
        match visit.join(&changes, &peer).await {
            Ok(()) => {
                until_lost(&mut lost).await;
                suspend(&changes, plugin).await;
                board.away(plugin, "the connection was lost: the plugin ended, or was ended");
            }
            Err(Refused::Trouble(away)) if away.is_away() => {
                suspend(&changes, plugin).await;
                board.away(plugin, &away.to_string());
            }
            Err(refused) => {
                let why = refused.to_string();
                tracing::warn!(plugin.id = plugin.as_str(), reason = why, "a plugin may not join");
                board.refused(plugin, &why);
                leave(&changes, plugin).await;
                if refused.is_lasting() {
                    let _ = timeout(REFUSED_PAUSE, until_lost(&mut lost)).await;
                }
            }
        }
        drop(peer);
        if began.elapsed() >= HEALTHY_AFTER {
            backoff.reset();
        }
        sleep(backoff.next()).await;
    }
}

async fn until_lost(lost: &mut watch::Receiver<usize>) {
    if lost.changed().await.is_err() {
        std::future::pending().await // the channel of the peer lives as long as the peer
    }
}

impl Visit {
    /// Asks the plugin what it is, and lets it in if it may.
    async fn join(&self, changes: &Changes, peer: &Peer) -> Result<(), Refused> {
        let board = &changes.edge.plugins;
        let brings_channels = !self.entry.channels.is_empty();
        let description = match plugin::describe(peer, &self.address).await {
            // Who brings channels need not bring methods.
            Err(Trouble::Silent) if brings_channels => Description::default(),
            Ok(silent) if silent.descriptors.is_empty() && !brings_channels => {
                return Err(Trouble::Silent.into());
            }
            described => described?,
        };
        self.settle(&description, peer).await?;
        let Description {
            title,
            version,
            descriptors,
            ..
        } = description;
        board.named(&self.plugin, title, version);
        let descriptors: Arc<[u8]> = descriptors.into();
        let mut counts = (0, 0);
        changes
            .make(&self.plugin, async |newest: Arc<Offer>| {
                let next = self.offer(&newest, &descriptors, peer).await?;
                counts = next.counts(&self.plugin);
                let news = newest.news(&next, &self.plugin);
                Ok::<_, Refused>((next, news))
            })
            .await?;
        board.serves(
            &self.plugin,
            Joined {
                descriptors,
                overrides: self.entry.overrides.clone(),
                methods: counts.0,
                events: counts.1,
            },
        );
        Ok(())
    }

    /// Holds the plugin's settings against its schema, and tells it.
    async fn settle(&self, description: &Description, peer: &Peer) -> Result<(), Trouble> {
        let settings = Value::Object(self.entry.config.clone());
        if let Some(schema) = &description.config_schema {
            plugin::check_settings(schema, &settings)?;
        }
        match (description.is_told, self.entry.config.is_empty()) {
            (true, _) => plugin::configure(peer, &self.address, settings.to_string()).await,
            (false, true) => Ok(()),
            (false, false) => Err(Trouble::Untold),
        }
    }

    /// The next offer. Descriptors of a stranger are read beside the threads that serve.
    async fn offer(&self, newest: &Offer, descriptors: &Arc<[u8]>, peer: &Peer) -> Result<Offer, Refused> {
        if newest.bytes_beside(&self.plugin) + descriptors.len() > OFFER_BYTES_MAX {
            return Err(Refused::Crowded);
        }
        let (newest, descriptors, peer) = (newest.clone(), Arc::clone(descriptors), peer.clone());
        let (plugin, overrides) = (self.plugin.clone(), self.entry.overrides.clone());
        let http = self.entry.http.as_ref().map(|http| http.auth);
        let reading = spawn_blocking(move || {
            let overrides: Vec<&str> = overrides.iter().map(String::as_str).collect();
            let next = newest.with(&plugin, &descriptors, &overrides, peer)?;
            Ok::<_, ContractError>(next.with_http(&plugin, http))
        });
        // A panic in there is the stranger's doing, and is told by the process's own hook.
        Ok(reading.await.map_err(|_| Refused::Unread)??)
    }
}

/// Nobody is called any more; what the plugin brought stays in the map and is answered as not available.
async fn suspend(changes: &Changes, plugin: &PluginId) {
    let suspended = changes
        .make(plugin, async |offer: Arc<Offer>| {
            Ok::<_, Infallible>((offer.suspended(plugin), None))
        })
        .await;
    let Ok(()) = suspended;
}

async fn leave(changes: &Changes, plugin: &PluginId) {
    let left = changes
        .make(plugin, async |offer: Arc<Offer>| {
            let news = offer.has(plugin).then_some(News::Left);
            Ok::<_, Infallible>((offer.without(plugin), news))
        })
        .await;
    let Ok(()) = left;
}
