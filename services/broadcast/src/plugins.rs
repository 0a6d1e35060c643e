//! Which plugins there are, as the edges tell it, and the map with what they declare: so that a plugin's event is held against its
//! contract where it is published, and whoever published it hears what is wrong.

mod grpc;
mod pace;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use gatehouse_contract::{EventKind, Map, PluginId, Refuse};
use gatehouse_core::{Caller, Chain, Failure, Kind, plugin};
use gatehouse_proto::{
    broadcast::v1::Event,
    plugin::v1::{PluginState, ReportedPlugin},
};
use tokio::{sync::watch, task::spawn_blocking};

pub(crate) use self::grpc::Grpc;
use self::pace::Pace;

/// Edges that may report: far more than a company runs.
const EDGES_MAX: usize = 64;

/// Bytes of descriptors that one edge's report may bring: an edge lets in no more.
const REPORT_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// What a plugin declares: its descriptors, and what it takes over.
type Declared = BTreeMap<PluginId, (Vec<u8>, Vec<String>)>;

/// The plugins.
#[derive(Debug)]
pub(crate) struct Plugins {
    edges: Mutex<BTreeMap<String, Vec<ReportedPlugin>>>,
    map: watch::Sender<Arc<Map>>,
    /// What the map was made of. Making the next one takes milliseconds, one at a time.
    made_of: tokio::sync::Mutex<Declared>,
    pace: Pace,
}

impl Plugins {
    /// None yet. Whoever looks events up follows the map.
    pub(crate) fn new(map: watch::Sender<Arc<Map>>) -> Self {
        Self {
            edges: Mutex::default(),
            map,
            made_of: tokio::sync::Mutex::default(),
            pace: Pace::default(),
        }
    }

    /// Takes an edge's report.
    pub(crate) async fn report(&self, edge: String, plugins: Vec<ReportedPlugin>) -> Result<(), Failure> {
        let bytes: usize = plugins.iter().map(|one| one.file_descriptor_set.len()).sum();
        if bytes > REPORT_BYTES_MAX {
            let problem = format!("the descriptors of all plugins are larger than {REPORT_BYTES_MAX} bytes");
            return Err(Failure::new(Kind::Exhausted, problem));
        }
        {
            let mut edges = self.lock();
            if edges.len() >= EDGES_MAX && !edges.contains_key(&edge) {
                return Err(Failure::new(Kind::Exhausted, "too many edges report"));
            }
            edges.insert(edge, plugins);
        }
        self.remake().await;
        Ok(())
    }

    /// An edge is gone. The map stays as it is until another report: what it has too much is declared by nobody who publishes.
    pub(crate) fn forget(&self, edge: &str) {
        self.lock().remove(edge);
    }

    /// Each plugin once, as the first edge has it that knows it.
    fn all(&self) -> BTreeMap<String, ReportedPlugin> {
        let mut all = BTreeMap::new();
        for reported in self.lock().values().flatten() {
            if let Some(plugin) = &reported.plugin {
                let known = all.entry(plugin.id.clone());
                known.or_insert_with(|| reported.clone());
            }
        }
        all
    }

    fn map(&self) -> Arc<Map> {
        Arc::clone(&self.map.borrow())
    }

    /// Makes the map anew when what it is made of has changed.
    async fn remake(&self) {
        let mut made_of = self.made_of.lock().await;
        let declared: Declared = self
            .all()
            .into_iter()
            .filter(|(_, one)| !one.file_descriptor_set.is_empty())
            .filter_map(|(id, one)| Some((PluginId::parse(&id)?, (one.file_descriptor_set, one.overrides))))
            .collect();
        if *made_of == declared {
            return;
        }
        let parts = declared.clone();
        let made = spawn_blocking(move || {
            let mut map = Arc::clone(Map::core());
            for (plugin, (descriptors, overrides)) in &parts {
                let overrides: Vec<&str> = overrides.iter().map(String::as_str).collect();
                match map.with(plugin, descriptors, &overrides) {
                    Ok(next) => map = Arc::new(next),
                    // The edge has let it in, so this is another version of ours.
                    Err(error) => {
                        tracing::warn!(plugin.id = plugin.as_str(), error = %Chain(&error), "a plugin's events are not taken");
                    }
                }
            }
            map
        });
        if let Ok(map) = made.await {
            self.map.send_replace(map);
            *made_of = declared;
        }
    }

    /// The event that a caller publishes, held against its contract.
    fn event(&self, caller: Option<&Caller>, name: &str, payload: &str) -> Result<Event, Failure> {
        let credential = caller.and_then(|caller| caller.credential_id.as_deref());
        let id = credential
            .and_then(|credential| credential.strip_prefix(plugin::CREDENTIAL))
            .and_then(PluginId::parse)
            .ok_or_else(|| {
                let refusal = "plugins publish their events with their own credential: docs/plugins.md says where it is";
                Failure::new(Kind::Forbidden, refusal).reason("NOT_A_PLUGIN")
            })?;
        let map = self.map();
        let kind = map
            .events_of(&id)
            .find(|event| event.name == name)
            .ok_or_else(|| not_declared(&id, name))?;
        self.pace.count(&id)?;
        let wire = encoded(kind, payload)?;
        Ok(Event {
            r#type: kind.plan.full_name().to_owned(),
            payload: wire.into(),
            ..Event::default()
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<ReportedPlugin>>> {
        self.edges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_declared(id: &PluginId, name: &str) -> Failure {
    let shown: String = name.chars().take(128).collect();
    let refusal = format!(
        "{id} declares no event {shown:?}: the names of its events begin with \"{}.\"",
        id.as_str()
    );
    Failure::new(Kind::Forbidden, refusal).reason("NOT_ITS_EVENT")
}

fn encoded(kind: &EventKind, payload: &str) -> Result<Vec<u8>, Failure> {
    kind.plan.encode(payload, &mut Refuse).map_err(|error| {
        let path = format!("/payload{}", error.path);
        let problem = format!("invalid {} event: at {path}: {}", kind.name, error.problem);
        Failure::new(Kind::Invalid, problem)
            .reason("PARAMS_INVALID")
            .path(path)
    })
}

/// Whether a person should look at it.
fn is_wrong(state: PluginState) -> bool {
    match state {
        PluginState::Degraded | PluginState::Away | PluginState::Refused => true,
        PluginState::Serving | PluginState::Connecting | PluginState::Unspecified => false,
    }
}

#[cfg(test)]
mod tests;
