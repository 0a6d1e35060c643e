//! What the gateway offers at this moment: the map of methods, and where the plugins in it are.
//!
//! Both are one value behind a `watch`, so that no method is listed before its plugin can be called. A call that has begun
//! keeps the method that it found.

use std::{collections::HashMap, sync::Arc};

use gatehouse_contract::{BackendId, ContractError, Map, PluginId};
use gatehouse_core::client::Peer;
use gatehouse_document::plugins::PluginHttpAuth;

use super::Target;

/// The map, and the plugins in it. It never changes: plugins come and go with the next one.
#[derive(Debug, Clone)]
pub struct Offer {
    map: Arc<Map>,
    plugins: HashMap<PluginId, Guest>,
}

/// A plugin in the map.
#[derive(Debug, Clone)]
struct Guest {
    /// Where it is called. `None`: it is away, and may come back as something else.
    target: Option<Target>,
    /// What it declares, and what it takes over: by these one offer is told from the next.
    declared: Arc<(Vec<u8>, Vec<String>)>,
    /// Who may ask it by HTTP. `None`: nobody.
    http: Option<PluginHttpAuth>,
}

/// A plugin that answers by HTTP.
#[derive(Debug, Clone)]
pub(crate) struct HttpPlugin {
    pub(crate) auth: PluginHttpAuth,
    /// Where it is called. `None`: it is away.
    pub(crate) peer: Option<Peer>,
}

/// What became of a plugin between two offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    Joined,
    Changed,
    Left,
}

impl News {
    /// As clients are told.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::Changed => "changed",
            Self::Left => "left",
        }
    }
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
        let overrides = overrides.iter().map(|name| (*name).to_owned()).collect();
        let guest = Guest {
            target: Some(Target::new(peer)),
            declared: Arc::new((descriptors.to_vec(), overrides)),
            http: None,
        };
        let mut plugins = self.plugins.clone();
        plugins.insert(plugin.clone(), guest);
        Ok(Self {
            map: Arc::new(map),
            plugins,
        })
    }

    /// This offer with a plugin that is in it and that these may ask by HTTP.
    #[must_use]
    pub fn with_http(mut self, plugin: &PluginId, auth: Option<PluginHttpAuth>) -> Self {
        if let Some(guest) = self.plugins.get_mut(plugin) {
            guest.http = auth;
        }
        self
    }

    /// A plugin that answers by HTTP. `None`: there is none of this name.
    pub(crate) fn http(&self, plugin: &PluginId) -> Option<HttpPlugin> {
        let guest = self.plugins.get(plugin)?;
        Some(HttpPlugin {
            auth: guest.http?,
            peer: guest.target.as_ref().map(|target| target.peer().clone()),
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

    /// This offer with a plugin that is not called: its methods are listed, and answered as not available.
    pub(crate) fn suspended(&self, plugin: &PluginId) -> Self {
        let mut next = self.clone();
        if let Some(guest) = next.plugins.get_mut(plugin) {
            guest.target = None;
        }
        next
    }

    pub(crate) fn map(&self) -> &Arc<Map> {
        &self.map
    }

    /// Where a plugin is called. `None`: it is away, or not there.
    pub(crate) fn plugin(&self, plugin: &PluginId) -> Option<&Target> {
        self.plugins.get(plugin)?.target.as_ref()
    }

    pub(crate) fn has(&self, plugin: &PluginId) -> bool {
        self.plugins.contains_key(plugin)
    }

    /// What clients are told of a plugin when this offer is followed by another that has it. `None`: they see no difference.
    pub(crate) fn news(&self, next: &Self, plugin: &PluginId) -> Option<News> {
        let declared = |offer: &Self| offer.plugins.get(plugin).map(|guest| Arc::clone(&guest.declared));
        match declared(self) {
            None => Some(News::Joined),
            before if before == declared(next) => None,
            Some(_) => Some(News::Changed),
        }
    }

    /// Bytes of the descriptors of all plugins but one.
    pub(crate) fn bytes_beside(&self, plugin: &PluginId) -> usize {
        let others = self.plugins.iter().filter(|(id, _)| *id != plugin);
        others.map(|(_, guest)| guest.declared.0.len()).sum()
    }

    /// How many methods and events a plugin brings.
    pub(crate) fn counts(&self, plugin: &PluginId) -> (usize, usize) {
        let own =
            |backend: Option<&BackendId>| matches!(backend, Some(BackendId::Plugin(id)) if id == plugin);
        let methods = self.map.methods().filter(|method| own(method.backend.as_ref()));
        (methods.count(), self.map.events_of(plugin).count())
    }
}
