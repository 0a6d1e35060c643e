//! What came by a hook, as jobs.

use gatehouse_core::{Timestamp, trace};
use uuid::Uuid;

use super::{JobId, Spec};
use crate::id::RunId;

/// What the ids of such jobs begin with: they are no jobs that somebody added, and are not listed among those.
pub(crate) const HOOK: &str = "hook-";

/// Events that may wait or be under way. More is not taken: an hour of work for a quick model.
pub(crate) const HOOKS_MAX: usize = 1_000;

impl JobId {
    pub(crate) fn of_hook() -> Self {
        Self::new(format!("{HOOK}{}", Uuid::new_v4().simple()))
    }

    /// Whether it came by a hook.
    pub(crate) fn is_of_hook(&self) -> bool {
        self.as_str().starts_with(HOOK)
    }

    /// The name of a session of its own.
    pub(crate) fn session_of_hook(&self) -> Option<String> {
        self.as_str().strip_prefix(HOOK).map(|id| format!("hook:{id}"))
    }
}

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct HookJob {
    pub(crate) id: JobId,
    pub(crate) spec: Spec,
    /// When it came.
    pub(crate) at: Timestamp,
    /// When it is to be looked at.
    pub(crate) fire_at: Timestamp,
    /// The trace of the request.
    pub(crate) trace: trace::Context,
}

/// What a request brings.
#[derive(Clone, Debug)]
pub(crate) struct NewHook {
    /// What a repeat of the request has in common with it. `None`: nobody can tell a repeat.
    pub(crate) key: Option<String>,
    /// What it says, as a digest.
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) jobs: Vec<HookJob>,
    pub(crate) now: Timestamp,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TakenHook {
    /// It is stored. `coalesced`: each event was waiting already.
    Taken { runs: Vec<RunId>, coalesced: bool },
    /// It was taken before.
    Repeat(Vec<RunId>),
    /// The key was used with other content.
    Conflict,
    /// Too much waits.
    Full,
}
