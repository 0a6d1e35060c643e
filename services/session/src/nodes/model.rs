//! What is remembered of nodes and of what they were asked to do.

mod invocation;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use self::invocation::*;
use crate::media::{MediaId, MediaRow};
use gatehouse_core::Timestamp;

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
    pub(crate) updated_at: Timestamp,
}

/// What a node asks for and nobody answered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PairRequest {
    pub(crate) id: String,
    pub(crate) surface: Surface,
    pub(crate) asked_at: Timestamp,
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
    pub(crate) created_at: Option<Timestamp>,
    pub(crate) approved_at: Option<Timestamp>,
    pub(crate) connected_at: Timestamp,
    pub(crate) disconnected_at: Option<Timestamp>,
    pub(crate) seen_at: Timestamp,
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
