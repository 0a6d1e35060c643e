//! How each plugin is, as far as this edge knows it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use gatehouse_contract::PluginId;
use gatehouse_core::report;
use gatehouse_document::plugins::CHANNELS_MAX;
use gatehouse_proto::plugin::v1::{PluginState, PluginSummary};
use tokio::{sync::Notify, time::Instant};

/// Longest words about a plugin that are kept.
const DETAIL_CHARS_MAX: usize = 500;

/// What stands in the map of a plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) descriptors: Arc<[u8]>,
    pub(crate) overrides: Vec<String>,
    pub(crate) methods: usize,
    pub(crate) events: usize,
}

/// One plugin.
#[derive(Debug, Clone, Default)]
struct Standing {
    endpoint: String,
    channels: Vec<String>,
    name: Option<String>,
    version: Option<String>,
    state: PluginState,
    /// Why it is not serving.
    detail: Option<String>,
    /// What went wrong with its last call, while it serves.
    fault: Option<String>,
    /// What it asked for too often, and when last.
    excess: Option<(String, Instant)>,
    joined: Option<Joined>,
}

/// All that are set up: the configuration bounds how many there are.
#[derive(Debug, Default)]
pub(crate) struct Board {
    plugins: Mutex<BTreeMap<PluginId, Standing>>,
    /// Rings when there is something to report.
    pub(crate) changed: Notify,
}

impl Board {
    /// A plugin is set up, and nothing is known of it yet.
    pub(crate) fn expect(&self, plugin: &PluginId, endpoint: String) {
        let standing = Standing {
            endpoint,
            state: PluginState::Connecting,
            ..Standing::default()
        };
        self.lock().insert(plugin.clone(), standing);
        self.ring();
    }

    /// The channels that its entry lists. The bridge asks for them.
    pub(crate) fn brings(&self, plugin: &PluginId, channels: &[String]) {
        self.change(plugin, |standing| standing.channels = channels.to_vec());
    }

    /// A plugin is set up no longer.
    pub(crate) fn forget(&self, plugin: &PluginId) {
        self.lock().remove(plugin);
        self.ring();
    }

    /// What a plugin says of itself.
    pub(crate) fn named(&self, plugin: &PluginId, name: Option<String>, version: Option<String>) {
        if let Some(standing) = self.lock().get_mut(plugin) {
            (standing.name, standing.version) = (name, version);
        }
    }

    /// It is in the map and answers.
    pub(crate) fn serves(&self, plugin: &PluginId, joined: Joined) {
        self.change(plugin, |standing| {
            (standing.state, standing.detail, standing.fault) = (PluginState::Serving, None, None);
            standing.joined = Some(joined);
        });
    }

    /// It cannot be reached; what it brought stays in the map.
    pub(crate) fn away(&self, plugin: &PluginId, why: &str) {
        self.change(plugin, |standing| {
            (standing.state, standing.detail) = (PluginState::Away, Some(cut(why)));
        });
    }

    /// It may not join.
    pub(crate) fn refused(&self, plugin: &PluginId, why: &str) {
        self.change(plugin, |standing| {
            (standing.state, standing.detail) = (PluginState::Refused, Some(cut(why)));
            standing.joined = None;
        });
    }

    /// Something went wrong with a call of it or by it, while it is there.
    pub(crate) fn failed(&self, plugin: &PluginId, fault: &str) {
        let fault = cut(fault);
        let mut plugins = self.lock();
        let Some(standing) = plugins.get_mut(plugin) else {
            return;
        };
        if standing.fault.as_ref() != Some(&fault) {
            tracing::warn!(
                plugin.id = plugin.as_str(),
                fault,
                "a plugin does not do as it should"
            );
            standing.fault = Some(fault);
            drop(plugins);
            self.ring();
        }
    }

    /// A call of it was answered as it should be.
    pub(crate) fn answered(&self, plugin: &PluginId) {
        let mut plugins = self.lock();
        let fault = plugins.get_mut(plugin).and_then(|standing| standing.fault.take());
        drop(plugins);
        if fault.is_some() {
            self.ring();
        }
    }

    /// It asks for more than it may. True: that is news.
    pub(crate) fn asks_too_much(&self, plugin: &PluginId, what: &str) -> bool {
        let excess = (cut(&format!("asks for more than it may: {what}")), Instant::now());
        let is_news = self.lock().get_mut(plugin).is_some_and(|standing| {
            let before = standing.excess.replace(excess);
            before.is_none()
        });
        if is_news {
            self.ring();
        }
        is_news
    }

    /// Forgets that it asked for too much, unless it did so within that time. False: it goes on.
    pub(crate) fn has_calmed(&self, plugin: &PluginId, within: Duration) -> bool {
        let mut plugins = self.lock();
        let Some(standing) = plugins.get_mut(plugin) else {
            return true;
        };
        let goes_on = standing
            .excess
            .as_ref()
            .is_some_and(|(_, at)| at.elapsed() < within);
        if !goes_on {
            standing.excess = None;
            drop(plugins);
            self.ring();
        }
        !goes_on
    }

    /// All of them, for people.
    pub(crate) fn summaries(&self) -> Vec<(PluginSummary, Option<Joined>)> {
        let plugins = self.lock();
        let all = plugins.iter();
        all.map(|(id, standing)| (standing.summary(id), standing.joined.clone()))
            .collect()
    }

    fn change(&self, plugin: &PluginId, change: impl FnOnce(&mut Standing)) {
        if let Some(standing) = self.lock().get_mut(plugin) {
            change(standing);
        }
        self.ring();
    }

    fn ring(&self) {
        self.changed.notify_one();
        report::look();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PluginId, Standing>> {
        self.plugins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    fn summary(&self, id: &PluginId) -> PluginSummary {
        let fault = self.fault.as_ref();
        let fault = fault.or(self.excess.as_ref().map(|(what, _)| what));
        let (state, detail) = match (self.state, fault) {
            (PluginState::Serving, Some(fault)) => (PluginState::Degraded, Some(fault.clone())),
            (state, _) => (state, self.detail.clone()),
        };
        let count = |count: fn(&Joined) -> usize| {
            let count = self.joined.as_ref().map_or(0, count);
            i64::try_from(count).unwrap_or(i64::MAX)
        };
        PluginSummary {
            id: id.as_str().to_owned(),
            name: self.name.clone().unwrap_or_else(|| id.as_str().to_owned()),
            version: self.version.clone(),
            enabled: true,
            state: state.into(),
            detail,
            endpoint: self.endpoint.clone(),
            method_count: count(|joined| joined.methods),
            event_count: count(|joined| joined.events),
            channels: self.channels.iter().take(CHANNELS_MAX).cloned().collect(),
        }
    }
}

fn cut(words: &str) -> String {
    words.chars().take(DETAIL_CHARS_MAX).collect()
}
