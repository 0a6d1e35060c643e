//! What a plugin may add to a map, and what it may not.

use std::collections::BTreeSet;

use super::Map;
use crate::{
    ContractError, PluginId,
    declared::{self, Declared, Owner},
};

/// Methods and events of one plugin. Every connection is told their names in its hello.
const ELEMENTS_MAX: usize = 2_000;

/// Plugins in one map: no more than a person sets up.
const PLUGINS_MAX: usize = 100;

/// The request that the edge answers itself, as protocol v4 has it.
const RESERVED_METHOD: &str = "connect";

/// The events that the edge makes without a contract.
const RESERVED_EVENTS: [&str; 2] = ["connect.challenge", "gap"];

/// Reads a plugin's descriptors, and refuses what may not stand beside the others.
pub(super) fn read(
    others: &Map,
    plugin: &PluginId,
    descriptors: &[u8],
    overrides: &[&str],
) -> Result<Declared, ContractError> {
    let declared = declared::read(descriptors, Owner::Plugin(plugin))?;
    let refuse = |problem: String| ContractError::Registration {
        plugin: plugin.clone(),
        problem,
    };
    if declared.methods.len() + declared.events.len() > ELEMENTS_MAX {
        return Err(refuse(format!(
            "declares more than {ELEMENTS_MAX} methods and events"
        )));
    }
    if others.plugins.len() >= PLUGINS_MAX {
        return Err(refuse(format!("{PLUGINS_MAX} plugins are registered already")));
    }
    let overrides: BTreeSet<&str> = overrides.iter().copied().collect();
    for name in &overrides {
        if others.method(name).is_none() {
            return Err(refuse(format!(
                "overrides '{name}', which is not a method of the gateway's own"
            )));
        }
        if !declared.methods.iter().any(|method| method.name == *name) {
            return Err(refuse(format!(
                "overrides '{name}', and declares no method of that name"
            )));
        }
    }
    methods(others, plugin, &declared, &overrides)?;
    events(others, plugin, &declared)?;
    Ok(declared)
}

fn methods(
    others: &Map,
    plugin: &PluginId,
    declared: &Declared,
    overrides: &BTreeSet<&str>,
) -> Result<(), ContractError> {
    let taken = |name: &str, owner: &str, overridable: bool| ContractError::Taken {
        plugin: plugin.clone(),
        name: name.to_owned(),
        owner: owner.to_owned(),
        overridable,
    };
    for method in &declared.methods {
        if method.name == RESERVED_METHOD {
            return Err(taken(&method.name, "the handshake", false));
        }
        if let Some(other) = others.rpc(&method.path) {
            return Err(taken(&method.path, &owner(other), false));
        }
        let Some(other) = others.method(&method.name) else {
            continue;
        };
        if !other.is_core() || !overrides.contains(&*method.name) {
            return Err(taken(&method.name, &owner(other), other.is_core()));
        }
        if method.access.is_lower_than(other.access) {
            return Err(ContractError::Lowered {
                plugin: plugin.clone(),
                name: method.name.clone(),
                access: method.access,
                core: other.access,
            });
        }
    }
    Ok(())
}

fn events(others: &Map, plugin: &PluginId, declared: &Declared) -> Result<(), ContractError> {
    let family = format!("{}.", plugin.as_str());
    for event in &declared.events {
        if !RESERVED_EVENTS.contains(&&*event.name) && !event.name.starts_with(&family) {
            return Err(ContractError::Registration {
                plugin: plugin.clone(),
                problem: format!(
                    "declares the event '{}': the names of its events begin with '{family}'",
                    event.name
                ),
            });
        }
        let message = event.plan.full_name();
        let reserved = RESERVED_EVENTS.contains(&&*event.name).then_some("the edge");
        let owner = others
            .event_named(&event.name)
            .or_else(|| others.event(message))
            .map(|other| other.plan.full_name())
            .or(reserved);
        if let Some(owner) = owner {
            return Err(ContractError::Taken {
                plugin: plugin.clone(),
                name: event.name.clone(),
                owner: owner.to_owned(),
                overridable: false,
            });
        }
    }
    Ok(())
}

fn owner(method: &crate::Method) -> String {
    match &method.backend {
        Some(backend) => format!("{} ({backend})", method.path),
        None => method.path.clone(),
    }
}
