//! Turns, their leases and their ends.

mod change;

use gatehouse_core::{Content, ForPeople, Timestamp, trace};

pub(crate) use self::change::*;
use crate::agents::ModelName;
use crate::deliveries::Target;
use crate::id::{Owner, RunId, SessionId};
use crate::key::SessionKey;
use crate::sessions::{SessionRecord, SessionStatus};
use crate::stop::StopReason;
use crate::thinking::Level;
use crate::transcripts::{Entry, NewEntry, Tokens};
use crate::turns::model::Task;
use crate::turns::queue::QueueMode;

/// The state of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TurnState {
    Queued,
    /// Somebody is about to run it. Earlier versions stored this state; now a turn that is leased runs.
    Leased,
    Running,
    Done,
    /// Could not be answered.
    Failed,
    Aborted,
    /// Cut off by the end of its process.
    Interrupted,
}

impl TurnState {
    pub(crate) const ALL: [Self; 7] = [
        Self::Queued,
        Self::Leased,
        Self::Running,
        Self::Done,
        Self::Failed,
        Self::Aborted,
        Self::Interrupted,
    ];

    /// The word in the store.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Leased => "leased",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
            Self::Interrupted => "interrupted",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// What it makes of the session's row.
    pub(crate) fn session_status(self) -> SessionStatus {
        match self {
            Self::Queued => SessionStatus::Queued,
            Self::Leased | Self::Running => SessionStatus::Running,
            Self::Done => SessionStatus::Done,
            Self::Failed => SessionStatus::Failed,
            Self::Aborted => SessionStatus::Killed,
            Self::Interrupted => SessionStatus::Interrupted,
        }
    }

    pub(crate) fn is_terminal(self) -> bool {
        match self {
            Self::Queued | Self::Leased | Self::Running => false,
            Self::Done | Self::Failed | Self::Aborted | Self::Interrupted => true,
        }
    }
}

/// Who stopped a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Somebody asked for it.
    Rpc,
    Interrupt,
    Restart,
}

impl Origin {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Rpc => "rpc",
            Self::Interrupt => "interrupt",
            Self::Restart => "restart",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Rpc, Self::Interrupt, Self::Restart]
            .into_iter()
            .find(|origin| origin.word() == word)
    }
}

impl From<Origin> for StopReason {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Rpc => Self::Rpc,
            Origin::Interrupt => Self::Interrupt,
            Origin::Restart => Self::Restart,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Turn {
    pub(crate) run: RunId,
    pub(crate) key: SessionKey,
    /// The transcript it belongs to.
    pub(crate) session_id: SessionId,
    pub(crate) state: TurnState,
    pub(crate) owner: Option<Owner>,
    pub(crate) lease_until: Option<Timestamp>,
    /// In how many of its attempts something was shown on screens.
    pub(crate) shown: u32,
    /// Whether it did anything that a second run would do again: a message in a chat, later a tool. Then it is never run
    /// again.
    pub(crate) effects: bool,
    /// How often it was taken up before.
    pub(crate) attempt: u32,
    /// How it joined the queue.
    pub(crate) mode: QueueMode,
    /// Where the reply goes.
    pub(crate) target: Option<Target>,
    /// Who asked. `None`: the owner or a process.
    pub(crate) sender: Option<String>,
    /// What was asked, as a digest.
    pub(crate) fingerprint: Vec<u8>,
    /// The model chosen for it.
    pub(crate) model: Option<ModelName>,
    /// How hard to think.
    pub(crate) thinking: Option<Level>,
    /// The longest it may take, in milliseconds.
    pub(crate) timeout_ms: Option<i64>,
    /// When it was taken.
    pub(crate) queued_at: Timestamp,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) stop_reason: Option<StopReason>,
    pub(crate) error: Option<String>,
    /// Who asked it to stop.
    pub(crate) abort: Option<Origin>,
    /// The run that answers it, when it was merged.
    pub(crate) merged_into: Option<RunId>,
    /// What it does instead of answering.
    pub(crate) task: Option<Task>,
    /// What a program brought with it, until it has ended.
    pub(crate) program: Option<Vec<u8>>,
    /// The row of its answer.
    pub(crate) answer_seq: Option<i64>,
    /// The trace it belongs to.
    pub(crate) trace: trace::Context,
}

/// The right to run a turn: whose it is, and until when unless it is renewed.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) owner: Owner,
    pub(crate) until: Timestamp,
}

/// A turn that was begun, and what was merged into it.
#[derive(Clone, Debug)]
pub(crate) struct Claimed {
    pub(crate) turn: Turn,
    /// The session after it.
    pub(crate) session: SessionRecord,
    /// The turns that ended because this one answers them.
    pub(crate) merged: Vec<Ended>,
}

/// What is to be expected of a store in which nothing more can be begun now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outlook {
    /// Turns wait: the end of another one may let them begin.
    pub(crate) waiting: bool,
    /// When the next one becomes due for which only time is missing.
    pub(crate) next_due: Option<Timestamp>,
    /// Turns are leased that the caller is not running: their owner may be dead.
    pub(crate) leased_elsewhere: bool,
}

/// What became of a turn whose run cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GaveBack {
    /// It waits again, at the head of its session.
    Queued,
    /// It may not be run again: its owner ends it.
    Spent,
    /// It was no longer the owner's.
    Lost,
}

/// How often a turn may be taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunLimits {
    /// In all, by one process after another.
    pub attempts_max: u32,
    /// Counting those of which something was shown.
    pub shown_max: u32,
}

impl RunLimits {
    /// Whether a turn may be run again.
    pub(crate) fn allow(self, turn: &Turn) -> bool {
        !turn.effects && turn.attempt < self.attempts_max && turn.shown < self.shown_max
    }
}

/// What a lease says when it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    Held,
    /// Ours, and somebody wants it to stop.
    Stop(Origin),
    /// Not ours any more: whatever happens to it is somebody else's to say.
    Lost,
}
