//! What is remembered of nodes and of what they were asked to do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::media::{MediaId, MediaRow};

/// A node: the id of its device.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(String);

impl NodeId {
    pub(crate) fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a node says of itself. Labels, never a reason to allow something but for the platform, which narrows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Facts {
    pub(crate) display_name: Option<String>,
    pub(crate) platform: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) core_version: Option<String>,
    pub(crate) ui_version: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) client_mode: Option<String>,
    pub(crate) device_family: Option<String>,
    pub(crate) model_identifier: Option<String>,
    pub(crate) remote_ip: Option<String>,
    pub(crate) path_env: Option<String>,
}

/// What a node offers, or was granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Surface {
    pub(crate) caps: BTreeSet<String>,
    pub(crate) commands: BTreeSet<String>,
    /// What its operating system lets it do.
    pub(crate) permissions: BTreeMap<String, bool>,
}

impl Surface {
    /// Whether there is nothing in it that is not in the other.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        let allowed = |permission: &str| other.permissions.get(permission) == Some(&true);
        self.caps.is_subset(&other.caps)
            && self.commands.is_subset(&other.commands)
            && self.permissions.iter().all(|(name, on)| !on || allowed(name))
    }

    /// What is in both.
    pub(crate) fn cut_to(&self, other: &Self) -> Self {
        let both = |name: &String, on: bool| on && other.permissions.get(name) == Some(&true);
        Self {
            caps: self.caps.intersection(&other.caps).cloned().collect(),
            commands: self.commands.intersection(&other.commands).cloned().collect(),
            permissions: self
                .permissions
                .iter()
                .map(|(name, on)| (name.clone(), both(name, *on)))
                .collect(),
        }
    }
}

/// Figures of a node's machine, as it tells them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct HostStats {
    pub(crate) cpu_count: Option<i64>,
    pub(crate) load_average: Vec<f64>,
    pub(crate) memory_total_bytes: Option<i64>,
    pub(crate) memory_free_bytes: Option<i64>,
    pub(crate) disk_total_bytes: Option<i64>,
    pub(crate) disk_available_bytes: Option<i64>,
    pub(crate) updated_at_ms: i64,
}

/// What a node asks for and nobody answered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PairRequest {
    pub(crate) id: String,
    pub(crate) surface: Surface,
    pub(crate) asked_at: i64,
}

/// A node that is known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NodeRecord {
    pub(crate) id: NodeId,
    pub(crate) facts: Facts,
    /// The name that somebody gave it.
    pub(crate) name: Option<String>,
    /// What somebody agreed to.
    pub(crate) granted: Option<Surface>,
    pub(crate) request: Option<PairRequest>,
    pub(crate) created_at: Option<i64>,
    pub(crate) approved_at: Option<i64>,
    pub(crate) connected_at: i64,
    pub(crate) disconnected_at: Option<i64>,
    pub(crate) seen_at: i64,
    pub(crate) seen_reason: String,
    pub(crate) stats: Option<HostStats>,
    /// Whether it agreed to run whole sessions.
    pub(crate) session_host: bool,
}

impl NodeRecord {
    /// The name for people.
    pub(crate) fn display_name(&self) -> Option<&str> {
        self.name.as_deref().or(self.facts.display_name.as_deref())
    }
}

/// How an invocation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Queued,
    Running,
    Ok,
    Error,
    Timeout,
    Cancelled,
    Lost,
}

impl State {
    const WORDS: [(Self, &'static str); 7] = [
        (Self::Queued, "queued"),
        (Self::Running, "running"),
        (Self::Ok, "ok"),
        (Self::Error, "error"),
        (Self::Timeout, "timeout"),
        (Self::Cancelled, "cancelled"),
        (Self::Lost, "lost"),
    ];

    /// The word in the store.
    pub(crate) fn word(self) -> &'static str {
        Self::WORDS
            .into_iter()
            .find_map(|(state, word)| (state == self).then_some(word))
            .unwrap_or_default()
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::WORDS
            .into_iter()
            .find_map(|(state, known)| (known == word).then_some(state))
    }
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// For programs.
    pub(crate) code: String,
    /// For people.
    pub(crate) message: String,
}

impl Trouble {
    pub(crate) fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
        }
    }
}

/// What a node answered: JSON, and whether the node sent it as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) json: Option<String>,
    pub(crate) text: Option<String>,
}

impl Payload {
    pub(crate) fn bytes(&self) -> usize {
        self.json.as_ref().map_or(0, String::len) + self.text.as_ref().map_or(0, String::len)
    }
}

/// Who asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asker {
    pub(crate) client: Option<String>,
    pub(crate) device: Option<String>,
}

/// Something that a node is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewInvocation {
    pub(crate) id: String,
    pub(crate) node: NodeId,
    pub(crate) command: String,
    /// JSON.
    pub(crate) params: Option<String>,
    pub(crate) timeout_ms: i64,
    pub(crate) key: String,
    /// Whoever comes with the same key and another of these means something else.
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) session_key: Option<String>,
    pub(crate) asker: Asker,
    /// How long it may wait for its node. `None`: the node is asked at once.
    pub(crate) expires_at: Option<i64>,
    pub(crate) now: i64,
}

/// What is remembered of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvocationRecord {
    pub(crate) id: String,
    pub(crate) node: NodeId,
    pub(crate) command: String,
    pub(crate) key: String,
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) asker: Asker,
    pub(crate) state: State,
    pub(crate) created_at: i64,
    pub(crate) started_at: Option<i64>,
    pub(crate) ended_at: Option<i64>,
    pub(crate) expires_at: Option<i64>,
    /// The result, when it was small and is young.
    pub(crate) payload: Option<Payload>,
    pub(crate) trouble: Option<Trouble>,
    /// What its result held that is seen or heard. Told in lists alone.
    pub(crate) media: Vec<MediaRow>,
}

/// An end that came without anybody's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) id: String,
    pub(crate) node: NodeId,
    pub(crate) command: String,
    pub(crate) state: State,
}

/// What waited too long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expired {
    pub(crate) ended: Vec<Settled>,
    /// When the next one has.
    pub(crate) next: Option<i64>,
}

/// Something that waited for its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) id: String,
    pub(crate) command: String,
    pub(crate) params: Option<String>,
    pub(crate) timeout_ms: i64,
    pub(crate) key: String,
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) session_key: Option<String>,
    pub(crate) created_at: i64,
}

/// How an invocation ended. There is one end, and the store refuses a second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) state: State,
    pub(crate) payload: Payload,
    /// What was kept of the payload as media.
    pub(crate) media: Vec<MediaId>,
    pub(crate) trouble: Option<Trouble>,
}

impl End {
    pub(crate) fn ok(payload: Payload) -> Self {
        Self {
            state: State::Ok,
            payload,
            media: Vec::new(),
            trouble: None,
        }
    }

    pub(crate) fn failed(state: State, trouble: Trouble) -> Self {
        Self {
            state,
            payload: Payload::default(),
            media: Vec::new(),
            trouble: Some(trouble),
        }
    }
}

/// What became of a new invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    New,
    /// The key was used before.
    Known(Box<InvocationRecord>),
    /// Too many wait for this node already.
    Full,
}
