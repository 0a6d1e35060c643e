//! Channels that plugins bring, spoken over `gatehouse.channel.v1.ChannelAdapter`: the bridge is the client, the plugin the server.
//!
//! To the rest of the bridge such a channel is a platform like the others: the same inbox, policies, outbox, receipts and previews. What
//! a plugin sends is a stranger's. It is bounded in bytes, in number and in time, a dead, slow or flooding one costs its own accounts their
//! connection and nobody else anything, and nothing that it says opens a door: who may talk is decided here.

mod account;
mod calls;
mod channel;
mod entry;
mod lives;
mod login;
mod media;
mod report;
mod stream;
#[cfg(test)]
mod tests;
mod wire;

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use gatehouse_document::Plugins;

pub(crate) use self::{
    account::PluginAdapter,
    channel::{Channel, LIVENESS},
    lives::{Life, Lives},
};
use super::Entry;

/// The channels that plugins have described, or why one is not, by their kinds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Brought(BTreeMap<String, Result<Arc<Channel>, String>>);

impl Brought {
    /// Puts a channel in the place of what was known of it. False: it is what it was.
    pub(crate) fn renew(&mut self, kind: &str, channel: Channel) -> bool {
        if matches!(self.0.get(kind), Some(Ok(known)) if known.is_like(&channel)) {
            return false;
        }
        self.0.insert(kind.to_owned(), Ok(Arc::new(channel)));
        true
    }

    /// Says why a channel is not there. False: that is known.
    pub(crate) fn lack(&mut self, kind: &str, why: String) -> bool {
        if matches!(self.0.get(kind), Some(Err(known)) if *known == why) {
            return false;
        }
        self.0.insert(kind.to_owned(), Err(why));
        true
    }

    /// Whether a channel is described.
    pub(crate) fn is_described(&self, kind: &str) -> bool {
        matches!(self.0.get(kind), Some(Ok(_)))
    }

    /// Keeps those that are configured.
    pub(crate) fn keep(&mut self, is_kept: impl Fn(&str) -> bool) {
        self.0.retain(|kind, _| is_kept(kind));
    }

    /// As platforms, those that the configuration names. One that is not described yet waits.
    pub(crate) fn entries(&self, plugins: &Plugins) -> Vec<Entry> {
        let entry = |(kind, plugin): (&str, &str)| match self.0.get(kind) {
            Some(Ok(channel)) if channel.plugin() == plugin => channel.entry(),
            Some(Err(why)) => waiting(kind, why.clone()),
            Some(Ok(_)) | None => waiting(
                kind,
                format!("its plugin {plugin} has not said yet what the channel is"),
            ),
        };
        plugins.channels().map(entry).collect()
    }
}

/// A channel whose accounts wait.
fn waiting(kind: &str, why: String) -> Entry {
    Entry {
        name: Cow::Owned(kind.to_owned()),
        label: Cow::Owned(kind.to_owned()),
        answers: Default::default(),
        guide: None,
        trial: untried,
        edition: String::new(),
        waits: Some(why),
        isolation: None,
        reader: super::Reader(Arc::new(|_| Err("it is not described yet".to_owned()))),
    }
}

fn untried(_: &serde_json::Value) -> Result<crate::guide::Trial, String> {
    Err("a channel of a plugin is tried by connecting it".to_owned())
}

/// The beginning of a plugin's words, on one line, for logs and people.
fn said(text: &str) -> String {
    /// A sentence or two.
    const CHARS_MAX: usize = 300;
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    clean.take(CHARS_MAX).collect::<String>().trim().to_owned()
}
