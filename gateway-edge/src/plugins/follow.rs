//! One visit for each plugin that the configuration has, for as long as it has it.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc};

use gatehouse_contract::PluginId;
use gatehouse_core::{
    Address, Home, Secret,
    config::{ConfigHandle, Revision},
    plugin,
};
use gatehouse_document::{Document, plugins::PluginEntry};
use tokio::{sync::watch, task::AbortHandle};

use super::{
    Changes,
    visit::{Visit, visit},
};
use crate::{
    backend::offer::{News, Offer},
    edge::Edge,
};

/// Where plugins listen whose entries name no place.
#[derive(Debug, Clone)]
pub(crate) struct Places(Home);

impl Places {
    pub(crate) fn of(home: &Home) -> Self {
        Self(home.clone())
    }

    fn address(&self, id: &PluginId, entry: &PluginEntry) -> Address {
        let named = entry.endpoint.as_deref().map(plugin::address);
        let own = || {
            let socket = self.0.plugin_socket(id.as_str());
            Address::Unix(std::path::absolute(&socket).unwrap_or(socket))
        };
        // The config service has refused an endpoint that is none.
        named.and_then(Result::ok).unwrap_or_else(own)
    }
}

/// A visit that goes on. Dropped, it ends.
struct Going {
    entry: PluginEntry,
    shown: Secret,
    task: AbortHandle,
}

impl Drop for Going {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Follows the configuration, for ever.
pub(crate) async fn follow(
    edge: Arc<Edge>,
    mut config: ConfigHandle<Document>,
    offers: watch::Sender<Arc<Offer>>,
    places: Places,
) {
    let changes = Arc::new(Changes {
        edge,
        offers,
        turn: tokio::sync::Mutex::default(),
    });
    let mut going: BTreeMap<PluginId, Going> = BTreeMap::new();
    let mut revision = config.ready().await;
    loop {
        apply(&changes, &places, &mut going, &revision).await;
        revision = config.changed().await;
    }
}

async fn apply(
    changes: &Arc<Changes>,
    places: &Places,
    going: &mut BTreeMap<PluginId, Going>,
    revision: &Revision<Document>,
) {
    let plugins = &revision.value.plugins;
    let set_up: BTreeMap<PluginId, &PluginEntry> = plugins
        .set_up()
        .filter_map(|(id, entry)| Some((PluginId::parse(id)?, entry)))
        .collect();
    let gone: Vec<PluginId> = going
        .keys()
        .filter(|id| !set_up.contains_key(id))
        .cloned()
        .collect();
    for id in gone {
        going.remove(&id);
        changes.edge.plugins.forget(&id);
        leave(changes, &id).await;
    }
    for (id, entry) in set_up {
        let shown = shown(&id, revision);
        let before = going.get(&id);
        if before.is_some_and(|before| before.entry == *entry && before.shown == shown) {
            continue;
        }
        // What it brought stays while it is asked anew, unless it may not have that any more.
        let moved = before.is_some_and(|before| {
            before.entry.endpoint != entry.endpoint
                || before.entry.overrides != entry.overrides
                || before.entry.http != entry.http
        });
        let is_new = before.is_none();
        going.remove(&id);
        let address = places.address(&id, entry);
        if moved {
            leave(changes, &id).await;
        }
        if moved || is_new {
            changes.edge.plugins.expect(&id, address.to_string());
        }
        changes.edge.plugins.brings(&id, &entry.channels);
        let visiting = visit(
            Arc::clone(changes),
            Visit {
                plugin: id.clone(),
                entry: entry.clone(),
                address,
                shown: shown.clone(),
            },
        );
        let entry = entry.clone();
        let task = tokio::spawn(visiting).abort_handle();
        going.insert(id, Going { entry, shown, task });
    }
}

/// Takes a plugin out of the map.
async fn leave(changes: &Changes, plugin: &PluginId) {
    let left = changes
        .make(plugin, async |offer: Arc<Offer>| {
            let news = offer.has(plugin).then_some(News::Left);
            Ok::<_, Infallible>((offer.without(plugin), news))
        })
        .await;
    let Ok(()) = left;
}

/// What the gateway shows to a plugin: the digest of the plugin's own token, which nobody else has both of.
fn shown(plugin: &PluginId, revision: &Revision<Document>) -> Secret {
    let name = format!("{}{}", plugin::CREDENTIAL, plugin.as_str());
    let row = revision.credentials.iter().find(|row| row.id == name);
    Secret::new(row.map(|row| row.digest.clone()).unwrap_or_default())
}
