//! `messages`: what happens to messages that have to wait.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest quiet time, in milliseconds. Somebody waits for an answer.
pub const DEBOUNCE_MS_MAX: u32 = 600_000;

/// Messages that may wait in one session at most, whatever the document says: all of them must fit into one turn of `collect`.
pub const CAP_APPLIED_MAX: u16 = 100;

/// What happens to messages that have to wait.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Messages {
    /// Messages that come while a turn runs.
    pub queue: Queue,
}

/// Messages that come while a turn runs.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Queue {
    /// What happens to them.
    pub mode: QueueMode,
    /// The same for single channels, by the channel's name.
    pub by_channel: BTreeMap<String, QueueMode>,
    /// The quiet time that `collect` waits for, in milliseconds.
    #[schemars(range(min = 0, max = DEBOUNCE_MS_MAX))]
    pub debounce_ms: u32,
    /// The same for single channels, by the channel's name.
    pub debounce_ms_by_channel: BTreeMap<String, u32>,
    /// Messages that may wait in one session. More than 100 count as 100: all of them must fit into one turn of `collect`.
    #[schemars(range(min = 1, max = 1_000))]
    pub cap: u16,
    /// What happens to one more.
    pub drop: QueueDrop,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            mode: QueueMode::default(),
            by_channel: BTreeMap::new(),
            debounce_ms: 500, // OpenClaw's, as is the cap
            debounce_ms_by_channel: BTreeMap::new(),
            cap: 20,
            drop: QueueDrop::default(),
        }
    }
}

/// What happens to a message that comes while a turn runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum QueueMode {
    /// The running turn takes it in before it asks its model again, and answers it. What it cannot take in becomes a turn of its
    /// own, later.
    #[default]
    Steer,
    /// Each becomes a turn of its own, later.
    Followup,
    /// All become one turn, later.
    Collect,
    /// The running turn is aborted and the newest message runs.
    Interrupt,
}

/// What happens to a message that finds the queue full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum QueueDrop {
    /// In a chat, two of the messages that wait are answered together, a hundred at most: the model reads each of them whole, in the
    /// place of a summary. Where no two of one person want the same it is as with `new`.
    #[default]
    Summarize,
    /// The oldest waiting message is given up.
    Old,
    /// The new message waits in front of the queue when it comes from a chat, and nothing is lost; on screens and for programs it is
    /// refused.
    New,
}
