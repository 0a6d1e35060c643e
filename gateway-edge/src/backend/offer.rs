//! What the gateway offers at this moment: the map of methods, and where the plugins in it are.
//!
//! Both are one value behind a `watch`, so that no method is listed before its plugin can be called. A call that has begun
//! keeps the method that it found.

use std::{collections::HashMap, sync::Arc};

use gatehouse_contract::{ContractError, Map, PluginId};
use gatehouse_core::client::Peer;

use super::Target;

/// The map, and the plugins in it. It never changes: plugins come and go with the next one.
#[derive(Debug, Clone)]
pub struct Offer {
    map: Arc<Map>,
    plugins: HashMap<PluginId, Target>,
}

impl Offer {
    /// The gateway's own methods.
    pub(crate) fn core() -> Self {
        Self {
            map: Arc::clone(Map::core()),
            plugins: HashMap::new(),
        }
    }

    /// This offer with a plugin that is called at `peer`; see [`Map::with`].
    ///
    /// # Errors
    /// When the plugin may not stand beside the others.
    pub fn with(
        &self,
        plugin: &PluginId,
        descriptors: &[u8],
        overrides: &[&str],
        peer: Peer,
    ) -> Result<Self, ContractError> {
        let map = self.map.with(plugin, descriptors, overrides)?;
        let mut plugins = self.plugins.clone();
        plugins.insert(plugin.clone(), Target::new(peer));
        Ok(Self {
            map: Arc::new(map),
            plugins,
        })
    }

    /// This offer without a plugin.
    #[must_use]
    pub fn without(&self, plugin: &PluginId) -> Self {
        let mut plugins = self.plugins.clone();
        plugins.remove(plugin);
        Self {
            map: Arc::new(self.map.without(plugin)),
            plugins,
        }
    }

    pub(crate) fn map(&self) -> &Arc<Map> {
        &self.map
    }

    pub(crate) fn plugin(&self, plugin: &PluginId) -> Option<&Target> {
        self.plugins.get(plugin)
    }
}
