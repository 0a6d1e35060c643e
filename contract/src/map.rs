//! The one map of methods and events. Everything that looks a method up, lists methods or decides who may call one asks
//! here.
//!
//! A map never changes: registering a plugin makes a new one, and whoever holds the old one may finish with it. A look-up is
//! one step in one table, however many plugins there are.

mod overlay;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, LazyLock},
};

use crate::{
    BackendId, ContractError, EventKind, MessagePlan, Method, PluginId,
    declared::{self, Declared, Owner},
};

/// What the gateway's own contracts declare, and what plugins declare over them.
pub struct Map {
    core: Arc<Declared>,
    plugins: BTreeMap<PluginId, Arc<Declared>>,
    /// Those that clients can call, by name.
    named: Vec<Arc<Method>>,
    /// Those with a name first, by name; then the others, by path.
    all: Vec<Arc<Method>>,
    /// Under an overridden name stands the plugin's method.
    by_name: HashMap<String, Arc<Method>>,
    by_path: HashMap<String, Arc<Method>>,
    /// By name.
    events: Vec<Arc<EventKind>>,
    by_message: HashMap<String, Arc<EventKind>>,
}

fn own(descriptors: &[u8]) -> Arc<Map> {
    let map = Map::from_descriptors(descriptors);
    Arc::new(map.expect("the build compiled and tested these descriptors"))
}

impl Map {
    /// The map of the gateway's own contracts, without plugins. Its comments are empty: each process keeps this map, and comments are
    /// for the few who print them.
    #[must_use]
    pub fn core() -> &'static Arc<Self> {
        static CORE: LazyLock<Arc<Map>> = LazyLock::new(|| own(gatehouse_proto::DECLARATIONS));
        &CORE
    }

    /// The same with the comments of its elements.
    #[must_use]
    pub fn documented() -> &'static Arc<Self> {
        static DOCUMENTED: LazyLock<Arc<Map>> = LazyLock::new(|| own(gatehouse_proto::DESCRIPTORS));
        &DOCUMENTED
    }

    /// Reads an encoded `FileDescriptorSet` with its imports and custom options as the gateway's own contracts.
    ///
    /// # Errors
    /// When the bytes cannot be read, a method or an event does not declare its access, two share a name, or an element
    /// declares what cannot be kept. The error names the element.
    pub fn from_descriptors(bytes: &[u8]) -> Result<Self, ContractError> {
        let core = declared::read(bytes, Owner::Core)?;
        Ok(Self::merged(Arc::new(core), BTreeMap::new()))
    }

    /// This map with a plugin's methods and events. A plugin that is in it already is replaced. `overrides` are the names of
    /// the gateway's own methods that the plugin takes over.
    ///
    /// # Errors
    /// When the descriptors cannot be read or kept, a name or a path is taken, an override lets in somebody new, or there are
    /// too many methods. Then the plugin has no part in the map.
    pub fn with(
        &self,
        plugin: &PluginId,
        descriptors: &[u8],
        overrides: &[&str],
    ) -> Result<Self, ContractError> {
        let others = self.without(plugin);
        let overlay = overlay::read(&others, plugin, descriptors, overrides)?;
        let mut plugins = others.plugins;
        plugins.insert(plugin.clone(), Arc::new(overlay));
        Ok(Self::merged(others.core, plugins))
    }

    /// This map without a plugin. What it overrode is the gateway's own again.
    #[must_use]
    pub fn without(&self, plugin: &PluginId) -> Self {
        let mut plugins = self.plugins.clone();
        plugins.remove(plugin);
        Self::merged(Arc::clone(&self.core), plugins)
    }

    fn merged(core: Arc<Declared>, plugins: BTreeMap<PluginId, Arc<Declared>>) -> Self {
        // Plugins come last, so that an overridden name is theirs.
        let layers = || std::iter::once(&*core).chain(plugins.values().map(AsRef::as_ref));
        let mut all: Vec<_> = layers().flat_map(|layer| &layer.methods).cloned().collect();
        let by_name: HashMap<_, _> = all
            .iter()
            .filter(|method| !method.name.is_empty())
            .map(|method| (method.name.clone(), Arc::clone(method)))
            .collect();
        let by_path = all
            .iter()
            .map(|method| (method.path.clone(), Arc::clone(method)))
            .collect();
        all.sort_by(|a, b| (a.name.is_empty(), &a.name, &a.path).cmp(&(b.name.is_empty(), &b.name, &b.path)));
        let called =
            |method: &&Arc<Method>| by_name.get(&method.name).is_some_and(|m| Arc::ptr_eq(m, method));
        let named = all.iter().filter(called).cloned().collect();
        let mut events: Vec<_> = layers().flat_map(|layer| &layer.events).cloned().collect();
        events.sort_by(|a, b| a.name.cmp(&b.name));
        let by_message = events
            .iter()
            .map(|event| (event.plan.full_name().to_owned(), Arc::clone(event)))
            .collect();
        Self {
            core,
            plugins,
            named,
            all,
            by_name,
            by_path,
            events,
            by_message,
        }
    }

    /// The methods that clients can call, by name.
    pub fn methods(&self) -> impl Iterator<Item = &Arc<Method>> {
        self.named.iter()
    }

    /// Every method, those between services and those that are overridden too.
    pub fn rpcs(&self) -> impl Iterator<Item = &Arc<Method>> {
        self.all.iter()
    }

    /// The method that clients call by this name.
    #[must_use]
    pub fn method(&self, name: &str) -> Option<&Arc<Method>> {
        self.by_name.get(name)
    }

    /// Every method, those between services too, by its path `/package.Service/Method`.
    #[must_use]
    pub fn rpc(&self, path: &str) -> Option<&Arc<Method>> {
        self.by_path.get(path)
    }

    /// The events, by name.
    pub fn events(&self) -> impl Iterator<Item = &Arc<EventKind>> {
        self.events.iter()
    }

    /// The event that a message is, by the message's full name.
    #[must_use]
    pub fn event(&self, message_full_name: &str) -> Option<&Arc<EventKind>> {
        self.by_message.get(message_full_name)
    }

    /// The plan of any message of the gateway's own contracts, by its full name.
    #[must_use]
    pub fn message(&self, full_name: &str) -> Option<&Arc<MessagePlan>> {
        self.core.messages.get(full_name)
    }

    /// The gateway's own method of this name, also where a plugin has taken it over.
    #[must_use]
    pub fn original(&self, name: &str) -> Option<&Arc<Method>> {
        self.core.methods.iter().find(|method| method.name == name)
    }

    /// The events of one plugin.
    pub fn events_of(&self, plugin: &PluginId) -> impl Iterator<Item = &Arc<EventKind>> {
        let declared = self.plugins.get(plugin);
        declared.into_iter().flat_map(|declared| &declared.events)
    }

    /// The plugins in it.
    pub fn plugins(&self) -> impl Iterator<Item = &PluginId> {
        self.plugins.keys()
    }

    fn event_named(&self, name: &str) -> Option<&Arc<EventKind>> {
        self.events.iter().find(|event| event.name == name)
    }
}

impl Method {
    fn is_core(&self) -> bool {
        !matches!(self.backend, Some(BackendId::Plugin(_)))
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods: Vec<_> = self.all.iter().map(|method| &method.path).collect();
        f.debug_struct("Map")
            .field("methods", &methods)
            .field("plugins", &self.plugins.keys())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
