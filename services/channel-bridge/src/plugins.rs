//! Asks plugins what channels they bring, for as long as the configuration names some, and notices when they come and go.
//!
//! A plugin that went keeps its channels: its accounts are there and wait, what is to be sent waits in the outbox, and all of it goes on
//! when the plugin is back.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use gatehouse_core::{
    Address, Drain, Home, Secret,
    backoff::Backoff,
    client::Peer,
    config::{ConfigHandle, Revision},
    plugin,
};
use gatehouse_document::plugins::CHANNELS_MAX;
use gatehouse_proto::channel::v1::{
    DescribeChannelRequest, DescribeChannelResponse, channel_adapter_client::ChannelAdapterClient,
};
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{sleep, timeout},
};
use tonic::Code;
use uuid::Uuid;

use crate::{
    config::Config,
    platform::plugin::{Brought, Channel, Life, Lives},
};

/// The pauses before a plugin is asked again: as the edge has them, which asks the same process.
const AGAIN_FIRST: Duration = Duration::from_millis(100);
const AGAIN_MAX: Duration = Duration::from_secs(5);
/// A plugin that was there for so long is healthy: the next pause is the first one again.
const HEALTHY_AFTER: Duration = Duration::from_secs(30);
/// Largest description of a channel: its schema has at most 256 KiB.
const DESCRIPTION_BYTES_MAX: usize = 512 * 1_024;

/// Follows the configuration until the drain. What is known at each moment is in the answer.
pub(crate) fn follow(
    mut config: ConfigHandle<Config>,
    home: Home,
    drain: &Drain,
) -> watch::Receiver<Brought> {
    let (known, seen) = watch::channel(Brought::default());
    let end = drain.clone();
    drain.spawn("channels of plugins", async move {
        let known = Arc::new(known);
        let following = async {
            let mut visits = BTreeMap::new();
            let mut revision = config.ready().await;
            loop {
                apply(&known, &home, &mut visits, &revision);
                revision = config.changed().await;
            }
        };
        let never: std::convert::Infallible = tokio::select! {
            () = end.requested() => return,
            never = following => never,
        };
        match never {}
    });
    seen
}

/// Whom to visit, and what for.
#[derive(Clone, Debug, PartialEq)]
struct Wanted {
    id: String,
    address: Address,
    /// What the gateway shows it.
    shown: Secret,
    kinds: Vec<String>,
}

/// A visit that goes on. Dropped, it ends.
struct Visit {
    wanted: Wanted,
    task: AbortHandle,
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn apply(
    known: &Arc<watch::Sender<Brought>>,
    home: &Home,
    visits: &mut BTreeMap<String, Visit>,
    revision: &Revision<Config>,
) {
    let plugins = &revision.value.plugins;
    let mut wanted: BTreeMap<String, Wanted> = BTreeMap::new();
    for (kind, id) in plugins.channels() {
        let Some(entry) = plugins.entries.get(id) else {
            continue;
        };
        let named = entry.endpoint.as_deref().map(plugin::address);
        let own = || {
            let socket = home.plugin_socket(id);
            Address::Unix(std::path::absolute(&socket).unwrap_or(socket))
        };
        let one = wanted.entry(id.to_owned()).or_insert_with(|| Wanted {
            id: id.to_owned(),
            // The config service has refused an endpoint that is none.
            address: named.and_then(Result::ok).unwrap_or_else(own),
            shown: shown(id, revision),
            kinds: Vec::new(),
        });
        if one.kinds.len() < CHANNELS_MAX {
            one.kinds.push(kind.to_owned());
        }
    }
    visits.retain(|id, visit| wanted.get(id) == Some(&visit.wanted));
    known.send_if_modified(|known| {
        known.keep(|kind| wanted.values().any(|one| one.kinds.iter().any(|own| own == kind)));
        false // the configuration says so as well
    });
    for (id, wanted) in wanted {
        visits.entry(id).or_insert_with(|| Visit {
            task: tokio::spawn(visit(Arc::clone(known), wanted.clone())).abort_handle(),
            wanted,
        });
    }
}

/// What the gateway shows to a plugin: the digest of the plugin's own token.
fn shown(id: &str, revision: &Revision<Config>) -> Secret {
    let name = format!("{}{id}", plugin::CREDENTIAL);
    let row = revision.credentials.iter().find(|row| row.id == name);
    Secret::new(row.map(|row| row.digest.clone()).unwrap_or_default())
}

/// Visits a plugin, for ever.
async fn visit(known: Arc<watch::Sender<Brought>>, wanted: Wanted) {
    let lives = watch::Sender::new(Life::default());
    // Accounts know these lives and no others, so the next visit is another place.
    let place = format!("{} {}", wanted.address, Uuid::now_v7());
    let mut backoff = Backoff::new(AGAIN_FIRST, AGAIN_MAX);
    loop {
        let began = tokio::time::Instant::now();
        let (peer, mut lost) = Peer::watched(&wanted.address, &wanted.shown);
        lost.mark_unchanged();
        if describe(&known, &wanted, &place, &peer, &lives).await {
            lives.send_modify(|life| {
                life.number += 1;
                life.peer = Some(peer.clone());
            });
            tracing::info!(plugin.id = wanted.id, "a plugin brings channels");
            if lost.changed().await.is_err() {
                std::future::pending::<()>().await; // the channel of the peer lives as long as the peer
            }
            lives.send_modify(|life| life.peer = None);
            tracing::info!(plugin.id = wanted.id, "a plugin that brings channels is gone");
        }
        drop(peer);
        if began.elapsed() >= HEALTHY_AFTER {
            backoff.reset();
        }
        sleep(backoff.next()).await;
    }
}

/// Asks for every channel. False: the plugin is not there, or brings nothing of what its entry says.
async fn describe(
    known: &watch::Sender<Brought>,
    wanted: &Wanted,
    place: &str,
    peer: &Peer,
    lives: &watch::Sender<Life>,
) -> bool {
    let mut is_there = false;
    for kind in &wanted.kinds {
        match ask(peer, kind, &wanted.address).await {
            Ok(described) => {
                is_there = true;
                let channel = Channel::of(kind, &wanted.id, place, &described, Lives::of(lives));
                known.send_if_modified(|known| known.renew(kind, channel));
            }
            Err(Unknown { why, is_lasting }) => {
                let why = format!("its plugin {}: {why}", wanted.id);
                // One that is only away may still be what it was.
                known.send_if_modified(|known| {
                    let news = is_lasting || !known.is_described(kind);
                    news && known.lack(kind, why)
                });
            }
        }
    }
    is_there
}

/// Why a channel is not known.
struct Unknown {
    why: String,
    /// Whether the plugin itself has said so.
    is_lasting: bool,
}

async fn ask(peer: &Peer, kind: &str, address: &Address) -> Result<DescribeChannelResponse, Unknown> {
    let mut client =
        ChannelAdapterClient::new(peer.service()).max_decoding_message_size(DESCRIPTION_BYTES_MAX);
    let request = DescribeChannelRequest {
        channel: kind.to_owned(),
        gateway_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let unknown = |why: String, is_lasting| Unknown { why, is_lasting };
    match timeout(plugin::PATIENCE, client.describe_channel(request)).await {
        Ok(Ok(described)) => Ok(described.into_inner()),
        Ok(Err(status)) => Err(match status.code() {
            Code::NotFound => unknown(format!("it does not bring the channel {kind}"), true),
            Code::Unimplemented => {
                let problem = "it does not offer gatehouse.channel.v1.ChannelAdapter (docs/plugins.md)";
                unknown(problem.to_owned(), true)
            }
            Code::Unauthenticated | Code::PermissionDenied => unknown(
                "it does not know the gateway: it checks for another credential".to_owned(),
                true,
            ),
            Code::Unavailable => unknown(
                format!("nobody answers at {address}: is the plugin running?"),
                false,
            ),
            code => unknown(
                format!("it failed when it was asked for the channel {kind} ({code:?})"),
                false,
            ),
        }),
        Err(_) => Err(unknown(
            format!(
                "it took longer than {} s to say what the channel is",
                plugin::PATIENCE.as_secs()
            ),
            false,
        )),
    }
}

#[cfg(test)]
mod tests;
