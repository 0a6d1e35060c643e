//! `channels`: the chat surfaces and who may talk there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    irc::{Irc, IrcAccount},
    policies::{GroupPolicy, Policies},
    telegram::{Telegram, TelegramAccount},
    webhook::{Webhook, WebhookAccount},
    wrong::Wrong,
};

/// The chat surfaces. Keys of channels that Gatehouse does not have are kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Channels {
    /// What holds for every channel that does not say otherwise.
    pub defaults: ChannelDefaults,
    /// IRC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub irc: Option<Irc>,
    /// Telegram.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telegram: Option<Telegram>,
    /// Signed HTTP requests in both directions, for programs of your own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
}

/// Whether an answer is shown in its chat while it is being written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Streaming {
    /// Only whole answers.
    Off,
    /// What is written so far, as fast as the platform bears.
    #[default]
    Preview,
    /// The same, in OpenClaw's word.
    Partial,
    /// Finished paragraphs, lists and pieces of code.
    Block,
}

/// What the accounts of every channel have in common.
pub trait ChannelAccount {
    /// False: off.
    fn enabled(&self) -> Option<bool>;
    /// Who may talk.
    fn policies(&self) -> &Policies;
    /// What keeps it from running as it is written.
    fn wrong(&self) -> Vec<Wrong>;
}

/// What the sections of every channel have in common: one account, or several and what holds for all of them.
pub trait ChannelSection {
    /// The one account, or what holds for all.
    fn base(&self) -> &dyn ChannelAccount;
    /// The accounts by id.
    fn accounts(&self) -> Vec<(&str, &dyn ChannelAccount)>;
    /// The account that is meant when none is named.
    fn default_account(&self) -> Option<&str>;
}

/// An account with what its channel says for all of them: its own keys over those, each as a whole. `None`: the two cannot be put
/// together, which two readings of one type always can.
pub fn over<A: Serialize + DeserializeOwned>(own: &A, base: &A) -> Option<A> {
    let keys = |account: &A| match serde_json::to_value(account) {
        Ok(Value::Object(keys)) => Some(keys),
        _ => None,
    };
    let mut whole = keys(base)?;
    whole.extend(keys(own)?);
    serde_json::from_value(Value::Object(whole)).ok()
}

/// A channel: its section and the type of its accounts, which have these names for what every channel has.
macro_rules! channel {
    ($section:ty, $account:ty) => {
        impl ChannelAccount for $account {
            fn enabled(&self) -> Option<bool> {
                self.enabled
            }

            fn policies(&self) -> &Policies {
                &self.policies
            }

            fn wrong(&self) -> Vec<Wrong> {
                self.read().err().unwrap_or_default()
            }
        }

        impl ChannelSection for $section {
            fn base(&self) -> &dyn ChannelAccount {
                &self.account
            }

            fn accounts(&self) -> Vec<(&str, &dyn ChannelAccount)> {
                let accounts = self.accounts.iter();
                accounts
                    .map(|(id, account)| (id.as_str(), account as &dyn ChannelAccount))
                    .collect()
            }

            fn default_account(&self) -> Option<&str> {
                self.default_account.as_deref()
            }
        }
    };
}

channel!(Irc, IrcAccount);
channel!(Telegram, TelegramAccount);
channel!(Webhook, WebhookAccount);

impl Channels {
    /// The channels that Gatehouse has, by their key here.
    pub const KNOWN: [&'static str; 3] = ["irc", "telegram", "webhook"];

    /// The sections that are written, by their key here: what is said about every channel is said once.
    pub fn sections(&self) -> impl Iterator<Item = (&'static str, &dyn ChannelSection)> {
        let Self {
            defaults: _,
            irc,
            telegram,
            webhook,
        } = self;
        let sections = [
            irc.as_ref().map(|section| section as &dyn ChannelSection),
            telegram.as_ref().map(|section| section as &dyn ChannelSection),
            webhook.as_ref().map(|section| section as &dyn ChannelSection),
        ];
        Self::KNOWN
            .into_iter()
            .zip(sections)
            .filter_map(|(name, section)| Some((name, section?)))
    }
}

/// What holds for every channel.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ChannelDefaults {
    /// Who may talk in groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_policy: Option<GroupPolicy>,
}
