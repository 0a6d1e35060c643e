//! The chat platforms that this bridge speaks. A platform is a folder in here and a line in [`Platforms::all`]; its keys in the
//! configuration are a type of the document. Nothing else in the bridge knows one by name. Those that plugins bring are spoken by one
//! adapter, in [`plugin`], and stand beside the others in [`Platforms`] while their plugins are configured.

pub(crate) mod discord;
pub(crate) mod irc;
pub(crate) mod isolated;
pub(crate) mod plugin;
pub(crate) mod signal;
pub(crate) mod slack;
pub(crate) mod telegram;
mod value;
pub(crate) mod web;
pub(crate) mod webhook;
pub(crate) mod whatsapp;

#[cfg(test)]
mod tests;

use std::{borrow::Cow, fmt, sync::Arc};

use gatehouse_core::Clock;
use serde_json::Value;

use self::isolated::Isolation;

use crate::{
    account::AccountState,
    adapter::{AccountKey, Adapter},
    guide::{Guide, Trial, Works},
    media::MediaReader,
    pace::Answers,
};

/// A chat platform.
pub(crate) trait Platform: 'static {
    /// The channel's id: `channels.<NAME>` in the configuration.
    const NAME: &'static str;
    /// The channel's name for a person.
    const LABEL: &'static str;
    /// Who answers there, as a rule.
    const ANSWERS: Answers = Answers::People;
    /// How one account is configured, parsed.
    type Config: Send + Sync + 'static;

    /// Reads an account.
    ///
    /// # Errors
    /// What is wrong, with the key. Never with the value of a secret.
    fn read(account: &Value) -> Result<Self::Config, String>;

    /// How a person sets an account up. Unset: by writing the configuration.
    const GUIDE: Option<&'static Guide> = None;

    /// Tries an account, without connecting it: whether what a person copied from the platform is right.
    fn trial(_config: Self::Config) -> Trial {
        Box::pin(async { Ok(Works::default()) })
    }

    /// The adapter of an account. Connects nothing yet.
    fn open(config: &Self::Config, deps: Deps) -> Arc<dyn Adapter>;
}

/// What an account is opened with.
#[derive(Clone, Debug)]
pub(crate) struct Deps {
    pub(crate) account: AccountKey,
    pub(crate) clock: Clock,
    /// What the account must remember beyond its connections and the process: offsets, tokens.
    pub(crate) state: AccountState,
    /// What reads media that are to be sent.
    pub(crate) media: MediaReader,
}

/// An account whose configuration is read, ready to be opened.
#[derive(Clone)]
pub(crate) struct Connector(Arc<dyn Fn(Deps) -> Arc<dyn Adapter> + Send + Sync>);

impl Connector {
    pub(crate) fn open(&self, deps: Deps) -> Arc<dyn Adapter> {
        (self.0)(deps)
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

type Read = dyn Fn(&Value) -> Result<Connector, String> + Send + Sync;

/// Reads an account.
#[derive(Clone)]
pub(crate) struct Reader(Arc<Read>);

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}

/// A platform without its types.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: Cow<'static, str>,
    pub(crate) label: Cow<'static, str>,
    pub(crate) answers: Answers,
    pub(crate) guide: Option<&'static Guide>,
    pub(crate) trial: fn(&Value) -> Result<Trial, String>,
    /// Tells one description of a platform from another: accounts are opened anew when it changes. Empty: it never does.
    pub(crate) edition: String,
    /// Why its accounts cannot run yet. Nothing of one that is compiled in.
    pub(crate) waits: Option<String>,
    /// How its accounts are started as processes of their own. Unset: they are not.
    isolation: Option<Arc<Isolation>>,
    reader: Reader,
}

impl Entry {
    pub(crate) fn of<P: Platform>() -> Self {
        Self {
            name: Cow::Borrowed(P::NAME),
            label: Cow::Borrowed(P::LABEL),
            answers: P::ANSWERS,
            guide: P::GUIDE,
            trial: |account| Ok(P::trial(P::read(account)?)),
            edition: String::new(),
            waits: None,
            isolation: None,
            reader: Reader(Arc::new(|account| {
                let config = P::read(account)?;
                Ok(Connector(Arc::new(move |deps| P::open(&config, deps))))
            })),
        }
    }

    /// Whether no plugin brings it.
    pub(crate) fn is_compiled_in(&self) -> bool {
        self.edition.is_empty() && self.waits.is_none()
    }

    /// Reads an account.
    pub(crate) fn read(&self, account: &Value) -> Result<Connector, String> {
        if let Some(why) = &self.waits {
            return Err(why.clone());
        }
        let connector = (self.reader.0)(account)?;
        Ok(match &self.isolation {
            Some(isolation) if isolated::is_wanted(account) => {
                isolated::apart(&self.name, account, connector, Arc::clone(isolation))
            }
            Some(_) | None => connector,
        })
    }
}

/// The platforms that are spoken, in the order to show them.
#[derive(Clone, Debug)]
pub(crate) struct Platforms(Arc<[Entry]>);

impl Platforms {
    /// Those that are compiled in.
    pub(crate) fn all() -> Self {
        Self::of([
            Entry::of::<irc::Irc>(),
            Entry::of::<slack::Slack>(),
            Entry::of::<telegram::Telegram>(),
            Entry::of::<webhook::Webhook>(),
            Entry::of::<signal::Signal>(),
            Entry::of::<whatsapp::Whatsapp>(),
            Entry::of::<discord::Discord>(),
        ])
    }

    pub(crate) fn of(entries: impl Into<Arc<[Entry]>>) -> Self {
        Self(entries.into())
    }

    /// These, and those that plugins bring. What is compiled in is nobody else's.
    pub(crate) fn with(&self, brought: impl IntoIterator<Item = Entry>) -> Self {
        let brought = brought
            .into_iter()
            .filter(|entry| self.get(&entry.name).is_none());
        Self(self.iter().cloned().chain(brought).collect())
    }

    /// The same, where accounts can be processes of their own.
    pub(crate) fn isolated_by(&self, isolation: &Arc<Isolation>) -> Self {
        let entry = |entry: &Entry| Entry {
            isolation: Some(Arc::clone(isolation)),
            ..entry.clone()
        };
        Self(self.iter().map(entry).collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Entry> {
        self.iter().find(|entry| entry.name == name)
    }

    /// A channel's name for a person.
    pub(crate) fn label(&self, channel: &str) -> String {
        let entry = self.get(channel);
        entry.map_or(channel, |entry| &*entry.label).to_owned()
    }
}

impl Default for Platforms {
    fn default() -> Self {
        Self::all()
    }
}
