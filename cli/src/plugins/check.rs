//! `gatehouse plugins check`: what the gateway would do with a plugin, asked from here.

use gatehouse_contract::{BackendId, Map, PluginId};
use gatehouse_core::{
    Address, Chain, Home, Secret,
    client::Peer,
    hex,
    plugin::{self, Description, Trouble},
};
use gatehouse_document::{Document, plugins::PluginEntry};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Brought, brought};
use crate::{
    args::{Common, plugins::PluginsCheck},
    client::{self, Client},
    exit::{Exit, Failed},
    nouns::ANSWER,
    output,
    service::environment,
    term::Style,
};

/// Whose name a plugin goes by that is not set up.
const UNNAMED: &str = "unnamed";

pub(super) async fn run(common: &Common, check: &PluginsCheck, style: Style) -> Result<(), Failed> {
    let home = Home::read(&environment(common));
    let name = check.id.as_deref().unwrap_or(UNNAMED);
    let id = PluginId::parse(name).ok_or_else(|| {
        let problem = format!("{name:?} is not a plugin's id");
        Failed::new(Exit::Usage, problem).next("use lower-case letters, digits and dashes")
    })?;
    let entry = match &check.endpoint {
        Some(endpoint) => PluginEntry {
            endpoint: Some(endpoint.clone()),
            overrides: check.overrides.clone(),
            ..PluginEntry::default()
        },
        None => configured(common, &id).await?,
    };
    let address = match &entry.endpoint {
        Some(endpoint) => {
            plugin::address(endpoint).map_err(|error| Failed::new(Exit::Configuration, error.to_string()))?
        }
        None => Address::Unix(home.plugin_socket(id.as_str())),
    };
    let kept_out = |problem: String| Failed::new(Exit::Failed, format!("{id} could not join: {problem}"));
    let (peer, _) = Peer::watched(&address, &shown(&home, &id));
    let described = plugin::describe(&peer, &address).await;
    let brings_channels = !entry.channels.is_empty();
    let described = match described {
        // Who brings channels need not bring methods.
        Err(Trouble::Silent) if brings_channels => Description::default(),
        Ok(silent) if silent.descriptors.is_empty() && !brings_channels => {
            return Err(kept_out(Trouble::Silent.to_string()));
        }
        described => described.map_err(|trouble| kept_out(trouble.to_string()))?,
    };
    if let Some(schema) = &described.config_schema {
        let settings = Value::Object(entry.config.clone());
        plugin::check_settings(schema, &settings).map_err(|trouble| kept_out(trouble.to_string()))?;
    }
    let overrides: Vec<&str> = entry.overrides.iter().map(String::as_str).collect();
    let map = Map::documented().with(&id, &described.descriptors, &overrides);
    let map = map.map_err(|error| kept_out(Chain(&error).to_string()))?;
    tell(common, &id, &map, &described, &address, &entry.channels, style)
}

/// The entry of a plugin, as the gateway that runs has it.
async fn configured(common: &Common, id: &PluginId) -> Result<PluginEntry, Failed> {
    #[derive(Deserialize)]
    struct Running {
        config: Document,
    }
    let method = "config.get";
    let (_, mut client) = Client::follow(common, &[method]).await?;
    let answered = client.call(method, &client::params(&json!({})), ANSWER).await;
    client.close().await;
    let running: Running = gatehouse_core::json::read(answered?.get()).map_err(|error| {
        Failed::new(
            Exit::Failed,
            format!("{method}: the answer cannot be read: {error}"),
        )
    })?;
    let mut entries = running.config.plugins.entries;
    entries.remove(id.as_str()).ok_or_else(|| {
        let problem = format!("{id} is not set up");
        Failed::new(Exit::Failed, problem)
            .next("name its place with --endpoint, or add it under plugins.entries")
    })
}

/// What the gateway would show, where we may read it.
fn shown(home: &Home, id: &PluginId) -> Secret {
    let token = std::fs::read_to_string(home.plugin_token(id.as_str())).unwrap_or_default();
    let token = token.trim();
    Secret::new(if token.is_empty() {
        "none".to_owned()
    } else {
        hex::encode(&Secret::new(token).digest())
    })
}

fn tell(
    common: &Common,
    id: &PluginId,
    map: &Map,
    described: &plugin::Description,
    address: &Address,
    channels: &[String],
    style: Style,
) -> Result<(), Failed> {
    let own = |backend: Option<&BackendId>| matches!(backend, Some(BackendId::Plugin(of)) if of == id);
    let methods: Vec<_> = map
        .methods()
        .filter(|method| own(method.backend.as_ref()))
        .collect();
    let events: Vec<_> = map.events_of(id).collect();
    if common.json {
        let methods: Vec<_> = methods
            .iter()
            .map(|method| json!({"name": method.name, "path": method.path, "access": method.access.to_string()}))
            .collect();
        let events: Vec<_> = events
            .iter()
            .map(|event| json!({"name": event.name, "access": event.access.to_string()}))
            .collect();
        let found = json!({
            "id": id.as_str(), "endpoint": address.to_string(), "title": described.title,
            "version": described.version, "methods": methods, "events": events, "channels": channels,
        });
        return output::line(&found.to_string());
    }
    output::line(&format!("{id} may join."))?;
    let accesses: Vec<_> = methods.iter().map(|method| method.access.to_string()).collect();
    let methods: Vec<_> = methods
        .iter()
        .zip(&accesses)
        .map(|(method, access)| Brought {
            name: &method.name,
            access,
            note: "",
        })
        .collect();
    let accesses: Vec<_> = events.iter().map(|event| event.access.to_string()).collect();
    let events: Vec<_> = events
        .iter()
        .zip(&accesses)
        .map(|(event, access)| Brought {
            name: &event.name,
            access,
            note: "",
        })
        .collect();
    if methods.is_empty() && events.is_empty() && channels.is_empty() {
        output::remark(
            "it declares nothing for clients: give its methods the option (gatehouse.options.v1.method), as docs/plugins.md \
             shows",
        );
    }
    for kind in channels {
        output::line(&format!(
            "Its entry lists the channel {kind}: `gatehouse channels` says how its accounts are."
        ))?;
    }
    brought("METHOD", &methods, style)?;
    brought("EVENT", &events, style)
}
