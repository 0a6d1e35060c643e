//! Slots and what became of them.

use gatehouse_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::NewPost;
use super::{Job, JobId};
use crate::deliveries::Target;
use crate::id::RunId;
use crate::key::SessionKey;

/// What made a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum SlotKind {
    /// The schedule.
    Scheduled,
    /// Somebody who asked for it.
    Manual,
    /// The failure of a job that runs once.
    Retry,
}

impl SlotKind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Manual => "manual",
            Self::Retry => "retry",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Scheduled, Self::Manual, Self::Retry]
            .into_iter()
            .find(|kind| kind.word() == word)
    }
}

/// A time at which a job is due.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Slot {
    pub(crate) job: JobId,
    pub(crate) kind: SlotKind,
    pub(crate) at: Timestamp,
}

impl Slot {
    /// The id of its run follows from it, so that it makes one turn however often it is begun.
    pub(crate) fn run(&self) -> RunId {
        let Self { job, kind, at } = self;
        RunId::new(match kind {
            SlotKind::Scheduled => format!("cron:{job}:{at}"),
            SlotKind::Manual => format!("manual:{job}:{at}:1"), // OpenClaw's form
            SlotKind::Retry => format!("retry:{job}:{at}"),
        })
    }

    /// The job in whose name a run is called. Whether it ever was one of that job, only the job's rows can say.
    pub(crate) fn job_of(run: &RunId) -> Option<JobId> {
        let (kind, rest) = run.as_str().split_once(':')?;
        let rest = match kind {
            "manual" => rest.strip_suffix(":1")?,
            "cron" | "retry" => rest,
            _ => return None,
        };
        rest.rsplit_once(':').map(|(job, _)| JobId::new(job))
    }
}

/// The state of a slot. Fired, skipped and missed are ends: a slot comes to one of them, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlotState {
    /// It is to be fired, and by nobody else.
    Claimed,
    /// It made a turn.
    Fired,
    /// There was a reason not to.
    Skipped,
    /// Nobody was there at its time.
    Missed,
}

impl SlotState {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Fired => "fired",
            Self::Skipped => "skipped",
            Self::Missed => "missed",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Claimed, Self::Fired, Self::Skipped, Self::Missed]
            .into_iter()
            .find(|state| state.word() == word)
    }
}

/// How a slot came out, in the words of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    Ok,
    Error,
    Skipped,
}

impl Status {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Skipped => "skipped",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Ok, Self::Error, Self::Skipped]
            .into_iter()
            .find(|status| status.word() == word)
    }
}

/// What became of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DeliveryStatus {
    Delivered,
    NotDelivered,
    NotRequested,
}

impl DeliveryStatus {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::NotDelivered => "not-delivered",
            Self::NotRequested => "not-requested",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Delivered, Self::NotDelivered, Self::NotRequested]
            .into_iter()
            .find(|delivered| delivered.word() == word)
    }
}

/// A row of the ledger.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SlotRow {
    pub(crate) slot: Slot,
    pub(crate) state: SlotState,
    /// When a claimed one is to be fired.
    pub(crate) fire_at: Timestamp,
    /// Why it was skipped or missed.
    pub(crate) reason: Option<String>,
    pub(crate) claimed_at: Timestamp,
    /// When it was fired. Unset: it was not.
    pub(crate) fired_at: Option<Timestamp>,
    /// When its run ended, or it was decided that there is none. Unset: it is open.
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) status: Option<Status>,
    pub(crate) error: Option<String>,
    pub(crate) summary: Option<String>,
    pub(crate) key: Option<SessionKey>,
    pub(crate) session_id: Option<String>,
    /// Where the answer goes: decided before the turn begins, and never again.
    pub(crate) target: Option<Target>,
    pub(crate) delivered: Option<DeliveryStatus>,
    pub(crate) delivery_error: Option<String>,
    pub(crate) provider: Option<String>,
    pub(crate) model: Option<String>,
    /// How often it was tried before.
    pub(crate) attempt: u32,
    /// The job's name and agent, as they were.
    pub(crate) job_name: String,
    pub(crate) agent: Option<String>,
}

impl SlotRow {
    /// The run, if one was begun.
    pub(crate) fn run(&self) -> Option<RunId> {
        self.fired_at.map(|_| self.slot.run())
    }

    /// How long its run took, in milliseconds. The clock may have been set back meanwhile.
    pub(crate) fn duration_ms(&self) -> Option<i64> {
        let (from, to) = self.fired_at.zip(self.ended_at)?;
        Some(to.ms_since(from).max(0))
    }
}

/// A slot that was claimed and is to be fired now.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) row: SlotRow,
    pub(crate) job: Job,
}

/// How a claim ends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Settle {
    Fired,
    Skipped { reason: String, failed: bool },
    Missed { reason: String },
}

/// What was decided about slots.
#[derive(Clone, Debug, Default)]
pub(crate) struct Planned {
    /// Those that ended with it.
    pub(crate) ended: Vec<(SlotRow, Job)>,
    /// Whether more may be due.
    pub(crate) more: bool,
}

/// The end of a run.
#[derive(Clone, Debug)]
pub(crate) struct RunEnd {
    pub(crate) slot: Slot,
    pub(crate) status: Status,
    pub(crate) error: Option<String>,
    pub(crate) summary: Option<String>,
    pub(crate) session_id: Option<String>,
    pub(crate) answered_by: Option<(String, String)>,
    /// What its chat is told. Unset: nothing.
    pub(crate) reply: Option<gatehouse_core::Content>,
    /// Whether the answer was to be delivered, and what is said when it could not be.
    pub(crate) wanted: Wanted,
    /// What a program is told of it. Unset: none is.
    pub(crate) post: Option<NewPost>,
    /// Whether the same may go well later.
    pub(crate) is_transient: bool,
    pub(crate) now: Timestamp,
}

/// Whether an answer was to be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    No,
    Yes,
    /// It was, and there is no chat for it.
    NowhereToGo {
        problem: String,
        best_effort: bool,
    },
}

/// A run that ended, and the job after it. Unset: it was removed.
#[derive(Clone, Debug)]
pub(crate) struct EndedRun {
    pub(crate) row: SlotRow,
    pub(crate) job: Option<Job>,
    /// Whether something waits for the bridge.
    pub(crate) says_something: bool,
    /// Sessions of earlier runs that nobody needs any more.
    pub(crate) forgotten: Vec<SessionKey>,
}

/// Which rows of the ledger.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunFilter {
    pub(crate) job: Option<JobId>,
    pub(crate) agent: Option<String>,
    pub(crate) run: Option<String>,
    /// Empty: all.
    pub(crate) statuses: Vec<Status>,
    /// Empty: all.
    pub(crate) delivered: Vec<DeliveryStatus>,
    pub(crate) oldest_first: bool,
    pub(crate) limit: u32,
    pub(crate) offset: u32,
}

/// What came of asking for a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RunNow {
    Claimed(Slot),
    Busy,
}
