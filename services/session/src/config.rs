//! The part of the configuration that conversations need, as this service reads it. Lenient: the config service has
//! checked the document; what is unknown here belongs to somebody else.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize as Derive;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// The sections that this service reads.
#[derive(Clone, Debug, Default, Derive)]
#[serde(default, rename_all = "camelCase")]
pub struct SessionConfig {
    /// Who answers.
    pub agents: AgentsSection,
    /// Which agent answers where, in order.
    pub bindings: Vec<Binding>,
    /// How conversations are told apart.
    pub session: SessionSection,
    /// What happens to messages that have to wait.
    pub messages: MessagesSection,
    /// How the process ends.
    pub gateway: GatewaySection,
}

/// `gateway`.
#[derive(Clone, Debug, Default, Derive)]
#[serde(default, rename_all = "camelCase")]
pub struct GatewaySection {
    /// How long answers under way may go on after a stop was asked for, in seconds.
    pub drain_seconds: Option<u64>,
}

/// `agents`.
#[derive(Clone, Debug, Default, Derive)]
#[serde(default, rename_all = "camelCase")]
pub struct AgentsSection {
    /// What holds for every agent.
    pub defaults: AgentEntry,
    /// The agents, by id, in order.
    pub entries: Ordered<AgentEntry>,
    /// The older form of `entries`.
    pub list: Vec<AgentEntry>,
}

/// One agent, or the defaults of all.
#[derive(Clone, Debug, Default, Derive)]
#[serde(default, rename_all = "camelCase")]
pub struct AgentEntry {
    /// Its id, in the older form only.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// True for the agent that answers when nobody chose one.
    pub default: bool,
    /// What answers.
    pub model: Option<ModelChoice>,
    /// How it introduces itself.
    pub identity: Option<Identity>,
    /// What it is told before every conversation.
    pub system_prompt: Option<String>,
    /// How hard it thinks.
    pub thinking_default: Option<String>,
    /// The longest a turn may take, in seconds. 600 when unset.
    pub timeout_seconds: Option<u32>,
    /// Turns that run at the same time. Read from the defaults only.
    pub max_concurrent: Option<u16>,
}

/// How an agent introduces itself.
#[derive(Clone, Debug, Default, Derive)]
#[serde(default, rename_all = "camelCase")]
pub struct Identity {
    /// Its name.
    pub name: Option<String>,
    /// Its character.
    pub theme: Option<String>,
    /// Its sign.
    pub emoji: Option<String>,
    /// Its picture.
    pub avatar: Option<String>,
}

/// A model, or a model and what to try when it fails.
#[derive(Clone, Debug, Derive)]
#[serde(untagged)]
pub enum ModelChoice {
    /// `<provider>/<model>`.
    One(String),
    /// With fallbacks, in order.
    Chain {
        /// Asked first.
        #[serde(default)]
        primary: Option<String>,
        /// Asked next.
        #[serde(default)]
        fallbacks: Vec<String>,
    },
}

impl ModelChoice {
    /// Every model in order of preference.
    pub fn chain(&self) -> Vec<String> {
        match self {
            Self::One(model) => vec![model.clone()],
            Self::Chain { primary, fallbacks } => primary.iter().chain(fallbacks).cloned().collect(),
        }
    }
}

/// One binding: who answers where.
#[derive(Clone, Debug, Default, Derive)]
#[serde(default, rename_all = "camelCase")]
pub struct Binding {
    /// The agent.
    pub agent_id: String,
    /// Where.
    #[serde(rename = "match")]
    pub when: BindingMatch,
    /// Other scopes for what matches.
    pub session: Option<BindingSession>,
    /// `route`, or `acp` for a kind that is not routed here.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

/// Where a binding holds. Every field that is set must match.
#[derive(Clone, Debug, Default, Derive)]
#[serde(default, rename_all = "camelCase")]
pub struct BindingMatch {
    /// The channel.
    pub channel: String,
    /// The account; `default` when unset, `*` for all.
    pub account_id: Option<String>,
    /// The place.
    pub peer: Option<PeerMatch>,
    /// The server or community.
    pub guild_id: Option<String>,
    /// The workspace.
    pub team_id: Option<String>,
    /// One of these roles.
    pub roles: Vec<String>,
}

/// The place in a binding.
#[derive(Clone, Debug, Default, Derive)]
#[serde(default, rename_all = "camelCase")]
pub struct PeerMatch {
    /// `direct`, `group` or `channel`.
    pub kind: String,
    /// The platform's id; `*` for all of the kind.
    pub id: String,
}

/// What a binding changes about session keys.
#[derive(Clone, Copy, Debug, Default, Derive)]
#[serde(default, rename_all = "camelCase")]
pub struct BindingSession {
    /// For direct messages.
    pub dm_scope: Option<DmScope>,
    /// For groups.
    pub group_scope: Option<GroupScope>,
}

/// `session`.
#[derive(Clone, Debug, Default, Derive)]
#[serde(default, rename_all = "camelCase")]
pub struct SessionSection {
    /// Whether everybody shares one session.
    pub scope: Scope,
    /// How direct messages are told apart.
    pub dm_scope: DmScope,
    /// How groups are told apart.
    pub group_scope: GroupScope,
    /// People by name: the `<channel>:<id>` under which each is known.
    pub identity_links: Ordered<Vec<String>>,
}

/// Whether everybody shares one session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Derive)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// No.
    #[default]
    PerSender,
    /// Yes.
    Global,
}

/// How direct messages are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Derive)]
#[serde(rename_all = "kebab-case")]
pub enum DmScope {
    /// All in the agent's main session.
    #[default]
    Main,
    /// By person.
    PerPeer,
    /// By channel and person.
    PerChannelPeer,
    /// By channel, account and person.
    PerAccountChannelPeer,
}

/// How groups are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Derive)]
#[serde(rename_all = "kebab-case")]
pub enum GroupScope {
    /// Each is its own session.
    #[default]
    PerGroup,
    /// All in the agent's main session.
    Main,
}

/// `messages`.
#[derive(Clone, Debug, Default, Derive)]
#[serde(default, rename_all = "camelCase")]
pub struct MessagesSection {
    /// Messages that come while a turn runs.
    pub queue: QueueSection,
}

/// `messages.queue`.
#[derive(Clone, Debug, Default, Derive)]
#[serde(default, rename_all = "camelCase")]
pub struct QueueSection {
    /// `steer`, `followup`, `collect` or `interrupt`.
    pub mode: Option<String>,
    /// The same for single channels.
    pub by_channel: Ordered<String>,
    /// The quiet window of `collect`, in milliseconds. 500 when unset.
    pub debounce_ms: Option<u32>,
    /// The same for single channels.
    pub debounce_ms_by_channel: Ordered<u32>,
    /// Messages that may wait in one session. 20 when unset.
    pub cap: Option<u16>,
    /// What happens to one more: `old` gives up the oldest, everything else refuses the new one.
    pub drop: Option<String>,
}

/// A JSON object whose order matters.
#[derive(Clone, Debug)]
pub struct Ordered<T>(pub Vec<(String, T)>);

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Ordered<T> {
    /// The value of a name, whatever its case.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Ordered<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Ordered::default())
            }
        }

        deserializer.deserialize_any(Entries(PhantomData))
    }
}
