//! Turns, their leases and their ends.

use gatehouse_core::{Content, ForPeople};

use crate::deliveries::Target;
use crate::id::{Owner, RunId, SessionId};
use crate::key::SessionKey;
use crate::sessions::SessionRecord;
use crate::transcripts::{Entry, NewEntry, Tokens};
use crate::turns::queue::QueueMode;

/// The state of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnState {
    /// Waits.
    Queued,
    /// Somebody is about to run it. Earlier versions stored this state; now a turn that is leased runs.
    Leased,
    /// Runs.
    Running,
    /// Answered.
    Done,
    /// Could not be answered.
    Failed,
    /// Stopped by somebody.
    Aborted,
    /// Cut off by the end of its process.
    Interrupted,
}

impl TurnState {
    const ALL: [Self; 7] = [
        Self::Queued,
        Self::Leased,
        Self::Running,
        Self::Done,
        Self::Failed,
        Self::Aborted,
        Self::Interrupted,
    ];

    /// The word in the store.
    pub fn word(self) -> &'static str {
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

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// The word in a session's row.
    pub fn session_status(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Leased | Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Aborted => "killed",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether nothing follows.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Queued | Self::Leased | Self::Running => false,
            Self::Done | Self::Failed | Self::Aborted | Self::Interrupted => true,
        }
    }
}

/// Who stopped a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Somebody asked for it.
    Rpc,
    /// A newer message.
    Interrupt,
    /// A restart.
    Restart,
}

impl Origin {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rpc => "rpc",
            Self::Interrupt => "interrupt",
            Self::Restart => "restart",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Rpc, Self::Interrupt, Self::Restart]
            .into_iter()
            .find(|origin| origin.word() == word)
    }
}

/// One turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Its run.
    pub run: RunId,
    /// The session.
    pub key: SessionKey,
    /// The transcript it belongs to.
    pub session_id: SessionId,
    /// Where it stands.
    pub state: TurnState,
    /// Who holds it.
    pub owner: Option<Owner>,
    /// Until when.
    pub lease_until: Option<i64>,
    /// In how many of its attempts something was shown on screens.
    pub shown: u32,
    /// Whether it did anything that a second run would do again: a message in a chat, later a tool. Then it is never run
    /// again.
    pub effects: bool,
    /// How often it was taken up before.
    pub attempt: u32,
    /// How it joined the queue.
    pub mode: QueueMode,
    /// Where the reply goes.
    pub target: Option<Target>,
    /// What was asked, as a digest.
    pub fingerprint: Vec<u8>,
    /// The model chosen for it.
    pub model: Option<String>,
    /// How hard to think.
    pub thinking: Option<String>,
    /// The longest it may take, in milliseconds.
    pub timeout_ms: Option<i64>,
    /// When it was taken.
    pub queued_at: i64,
    /// When it began.
    pub started_at: Option<i64>,
    /// When it ended.
    pub ended_at: Option<i64>,
    /// Why it stopped.
    pub stop_reason: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
    /// Who asked it to stop.
    pub abort: Option<Origin>,
    /// The run that answers it, when it was merged.
    pub merged_into: Option<RunId>,
    /// The row of its answer.
    pub answer_seq: Option<i64>,
    /// The trace it belongs to.
    pub traceparent: Option<String>,
}

/// The right to run a turn: whose it is, and until when unless it is renewed.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Who runs it.
    pub owner: Owner,
    /// Until when.
    pub until: i64,
}

/// A turn that was begun, and what was merged into it.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The turn.
    pub turn: Turn,
    /// The session after it.
    pub session: SessionRecord,
    /// The turns that ended because this one answers them.
    pub merged: Vec<Ended>,
}

/// What is to be expected of a store in which nothing more can be begun now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Turns wait: the end of another one may let them begin.
    pub waiting: bool,
    /// When the next one becomes due for which only time is missing.
    pub next_due: Option<i64>,
    /// Turns are leased that the caller is not running: their owner may be dead.
    pub leased_elsewhere: bool,
}

/// What became of a turn whose run cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GaveBack {
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
    pub fn allow(self, turn: &Turn) -> bool {
        !turn.effects && turn.attempt < self.attempts_max && turn.shown < self.shown_max
    }
}

/// What a lease says when it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Still ours.
    Held,
    /// Ours, and somebody wants it to stop.
    Stop(Origin),
    /// Not ours any more: whatever happens to it is somebody else's to say.
    Lost,
}

/// Rows of a turn that goes on.
#[derive(Clone, Debug)]
pub struct Record {
    /// The run.
    pub run: RunId,
    /// Who holds it.
    pub owner: Owner,
    /// The number of the first row in this attempt, from 0. A row that is there under its number is not added again.
    pub first: u32,
    /// The rows, in order.
    pub entries: Vec<NewEntry>,
    /// Whether they say that something happens which a second run would do again. Then the turn is never run again.
    pub effects: bool,
}

/// What became of rows of a turn that goes on.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// What the lease says. Lost: nothing was written.
    pub hold: Hold,
    /// The rows, those that were there before included. None when their transcript was left behind.
    pub entries: Vec<Entry>,
    /// The session after it, unless nothing was written.
    pub session: Option<SessionRecord>,
}

/// How a turn ends.
#[derive(Clone, Debug)]
pub struct Finish {
    /// The run.
    pub run: RunId,
    /// Who holds it.
    pub owner: Owner,
    /// Done, failed, aborted or interrupted.
    pub state: TurnState,
    /// The row to add.
    pub entry: Option<NewEntry>,
    /// What the chat reads, when the turn has one.
    pub reply: Option<Content>,
    /// Why it stopped.
    pub stop_reason: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
    /// What it cost.
    pub usage: Option<Tokens>,
    /// Who answered.
    pub answered_by: Option<(String, String)>,
    /// Now.
    pub now: i64,
}

/// A turn that ended, and what ended with it.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The turn after it.
    pub turn: Turn,
    /// The row that was added.
    pub entry: Option<Entry>,
    /// The session after it; unset when it is gone.
    pub session: Option<SessionRecord>,
}

/// What an abort did.
#[derive(Clone, Debug, Default)]
pub struct Aborted {
    /// Turns that waited and have ended.
    pub ended: Vec<Ended>,
    /// Turns whose owner was asked to stop.
    pub asked: Vec<RunId>,
}

/// Which turns to take, and what to say about those that cannot be run again.
#[derive(Clone, Debug)]
pub struct Reclaim {
    /// Who takes them.
    pub owner: Owner,
    /// True: every other owner is dead. False: only leases that have ended.
    pub others_are_dead: bool,
    /// The turns that the caller is running: their leases are renewed before any is looked at, because a clock that was set
    /// forward, or a process that was paused, makes a living turn look like a dead one's.
    pub held: Vec<RunId>,
    /// The text for the transcript and the chat.
    pub notice: ForPeople,
    /// Which turns may be run again.
    pub limits: RunLimits,
    /// Now.
    pub now: i64,
    /// When a lease taken now would end. One that ends later was taken before the clock was set back, and ends then.
    pub lease_until: i64,
}

/// What was taken.
#[derive(Clone, Debug, Default)]
pub struct Reclaimed {
    /// Turns that wait again.
    pub queued: Vec<RunId>,
    /// Turns that have ended.
    pub ended: Vec<Ended>,
}
