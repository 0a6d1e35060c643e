//! What is asked of the store of turns, and what it answers.

use super::*;
use crate::stop::StopReason;

/// Rows of a turn that goes on.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) run: RunId,
    pub(crate) owner: Owner,
    /// The number of the first row in this attempt, from 0. A row that is there under its number is not added again.
    pub(crate) first: u32,
    /// The rows, in order.
    pub(crate) entries: Vec<NewEntry>,
    /// Whether they say that something happens which a second run would do again. Then the turn is never run again.
    pub(crate) effects: bool,
}

/// What became of rows of a turn that goes on.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    /// What the lease says. Lost: nothing was written.
    pub(crate) hold: Hold,
    /// The rows, those that were there before included. None when their transcript was left behind.
    pub(crate) entries: Vec<Entry>,
    /// The session after it, unless nothing was written.
    pub(crate) session: Option<SessionRecord>,
}

/// What was said while a turn was at work, to be answered by it.
#[derive(Clone, Debug)]
pub(crate) struct TakeIn {
    pub(crate) run: RunId,
    pub(crate) owner: Owner,
    /// What it said before it goes on, under its number in the attempt.
    pub(crate) said: Option<(u32, NewEntry)>,
    pub(crate) now: Timestamp,
}

/// What was taken in.
#[derive(Clone, Debug)]
pub(crate) struct TakenIn {
    /// What the lease says. Unless it is held, nothing was changed.
    pub(crate) hold: Hold,
    /// The row of what was said before.
    pub(crate) entry: Option<Entry>,
    /// The turns that ended because this one answers them. None: nothing was changed.
    pub(crate) ended: Vec<Ended>,
    /// The session after it, when something was.
    pub(crate) session: Option<SessionRecord>,
}

/// How a turn ends.
#[derive(Clone, Debug)]
pub(crate) struct Finish {
    pub(crate) run: RunId,
    pub(crate) owner: Owner,
    /// Done, failed, aborted or interrupted.
    pub(crate) state: TurnState,
    /// The row that stands for all before it, to be added first.
    pub(crate) summary: Option<NewEntry>,
    /// The row to add.
    pub(crate) entry: Option<NewEntry>,
    /// What the chat reads, when the turn has one.
    pub(crate) reply: Option<Content>,
    pub(crate) stop_reason: Option<StopReason>,
    pub(crate) error: Option<String>,
    pub(crate) usage: Option<Tokens>,
    pub(crate) answered_by: Option<(String, String)>,
    pub(crate) now: Timestamp,
}

/// A turn that ended, and what ended with it.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    /// The turn after it.
    pub(crate) turn: Turn,
    /// The summary that was added before it.
    pub(crate) summary: Option<Entry>,
    /// The row that was added.
    pub(crate) entry: Option<Entry>,
    /// The session after it; unset when it is gone.
    pub(crate) session: Option<SessionRecord>,
}

/// What an abort did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Aborted {
    /// Turns that waited and have ended.
    pub(crate) ended: Vec<Ended>,
    /// Turns whose owner was asked to stop.
    pub(crate) asked: Vec<RunId>,
}

/// Which turns to take, and what to say about those that cannot be run again.
#[derive(Clone, Debug)]
pub(crate) struct Reclaim {
    pub(crate) owner: Owner,
    /// True: every other owner is dead. False: only leases that have ended.
    pub(crate) others_are_dead: bool,
    /// The turns that the caller is running: their leases are renewed before any is looked at, because a clock that was set
    /// forward, or a process that was paused, makes a living turn look like a dead one's.
    pub(crate) held: Vec<RunId>,
    /// The text for the transcript and the chat.
    pub(crate) notice: ForPeople,
    /// Which turns may be run again.
    pub(crate) limits: RunLimits,
    pub(crate) now: Timestamp,
    /// When a lease taken now would end. One that ends later was taken before the clock was set back, and ends then.
    pub(crate) lease_until: Timestamp,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Reclaimed {
    /// Turns that wait again.
    pub(crate) queued: Vec<RunId>,
    /// Turns that have ended.
    pub(crate) ended: Vec<Ended>,
}
