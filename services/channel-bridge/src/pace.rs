//! How fast somebody and the assistant answer each other. People read, think and pause; two programs that answer everything do
//! not, and each of their rounds costs a call of a model. A pure decision over the rounds that are kept.
//!
//! A round is a message that comes after something of ours was said in its chat: many lines in a row are one. Who reaches the
//! bound is not answered for a while, which ends it: a program that only answers has nothing to answer then.

pub(crate) mod store;

use std::time::Duration;

use gatehouse_core::Timestamp;
use gatehouse_document::policies::{LoopGuard, TURNS_MAX, TURNS_WITHIN_SECONDS};
use serde::{Deserialize, Serialize};

/// Nobody reads an answer and writes the next message within this time, again and again: not a word, not a number, not a button.
const PROMPT: Duration = Duration::from_secs(2);
/// Rounds of that kind in a row, after which it is a program that writes.
const PROMPT_MAX: u32 = 8;
/// A conversation pauses for longer than this now and then.
const PAUSELESS: Duration = Duration::from_secs(120);
/// Rounds in a row without a pause, in bounds of the window: two slow programs, all night long.
const PAUSELESS_WINDOWS: u32 = 2;
/// Whoever writes rests: sleeps, eats, works. Programs that take longer than [`PAUSELESS`] for each answer do not.
const REST: Duration = Duration::from_secs(3600);
/// Rounds in a row without a rest, in bounds of the window: more than anybody writes in a long day of work, whatever each of them takes.
const RESTLESS_WINDOWS: u32 = 24;
/// A room is more than one partner.
const ROOM_TURNS: u32 = 3;
/// The longest pause, and how long the last ones make the next one longer.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

/// Who answers on a platform, as a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Answers {
    /// People. Programs say that they are some, and are not answered.
    #[default]
    People,
    /// People, and programs that do not say so: who is too quick is one.
    Anybody,
    /// Programs, which are quick by nature.
    Programs,
}

/// How often one partner is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Rounds within the window; 0: no bound.
    pub(crate) turns_max: u32,
    pub(crate) window: Duration,
    pub(crate) answers: Answers,
}

impl Default for Pace {
    fn default() -> Self {
        LoopGuard::default().into()
    }
}

impl From<LoopGuard> for Pace {
    fn from(guard: LoopGuard) -> Self {
        let LoopGuard {
            max_turns,
            window_seconds,
        } = guard;
        Self {
            turns_max: max_turns.unwrap_or(TURNS_MAX),
            window: Duration::from_secs(window_seconds.unwrap_or(TURNS_WITHIN_SECONDS).into()),
            answers: Answers::default(),
        }
    }
}

impl Pace {
    /// The same for a whole room, in which many may be quick.
    pub(crate) fn of_room(self) -> Self {
        Self {
            turns_max: self.turns_max.saturating_mul(ROOM_TURNS),
            answers: Answers::Programs,
            ..self
        }
    }
}

/// What a message means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Met {
    /// It is answered.
    Welcome,
    /// It is not, for a while.
    Paused {
        /// Whether the pause begins with this message.
        first: bool,
    },
}

/// What is kept of one who is answered. Its serialised form is a column: add to it, and let what is added be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Partner {
    /// When the rounds within the window were.
    rounds: Vec<Timestamp>,
    prompt: u32,
    pauseless: u32,
    restless: u32,
    /// When something was last heard; 0: never.
    heard_at: Timestamp,
    /// The row that was counted last.
    last_seq: i64,
    /// The row with which the pause began.
    tripped_by: i64,
    strikes: u32,
    /// 0: not paused.
    pub(crate) paused_until: Timestamp,
    /// The bound that was reached when the pause began: under another one it is over. Unset: not known, as of an earlier version.
    under: Option<Bound>,
}

/// A bound as it is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Bound {
    turns: u32,
    window_seconds: u64,
}

impl Bound {
    fn of(pace: Pace) -> Self {
        Self {
            turns: pace.turns_max,
            window_seconds: pace.window.as_secs(),
        }
    }
}

impl Partner {
    /// Whether nobody is answered here at this time, as the bound is now.
    pub(crate) fn is_paused(&self, at: Timestamp, pace: Pace) -> bool {
        // One that would last longer than any pause does was begun before the clock was set back: it is over.
        let lasts = at < self.paused_until && self.paused_until.since(at) <= DAY;
        let holds = self.under.is_none_or(|under| under == Bound::of(pace));
        pace.turns_max > 0 && lasts && holds
    }

    /// Counts a message: the row it is, when it came, and when the newest thing of ours was begun in its chat. The same row
    /// again is answered the same.
    pub(crate) fn hear(&mut self, seq: i64, at: Timestamp, said_at: Option<Timestamp>, pace: Pace) -> Met {
        if pace.turns_max == 0 {
            return Met::Welcome;
        }
        if self.is_paused(at, pace) {
            return Met::Paused {
                first: self.tripped_by == seq,
            };
        }
        if self.under.is_some_and(|under| under != Bound::of(pace)) {
            (self.paused_until, self.under) = (Timestamp::EPOCH, None);
        }
        if seq <= self.last_seq {
            return Met::Welcome;
        }
        if self.heard_at > Timestamp::EPOCH && at.since(self.heard_at) > DAY {
            self.strikes = 0;
        }
        let answered =
            said_at.filter(|said| *said > self.heard_at && *said <= at && self.heard_at > Timestamp::EPOCH);
        (self.heard_at, self.last_seq) = (at, seq);
        let Some(said_at) = answered else {
            return Met::Welcome;
        };
        let gap = at.since(said_at);
        self.prompt = if gap <= PROMPT { self.prompt + 1 } else { 0 };
        self.pauseless = if gap <= PAUSELESS { self.pauseless + 1 } else { 0 };
        self.restless = if gap <= REST { self.restless + 1 } else { 0 };
        // What seems to come was before the clock was set back.
        self.rounds
            .retain(|round| *round <= at && at.since(*round) < pace.window);
        self.rounds.push(at);
        let rounds = u32::try_from(self.rounds.len()).unwrap_or(u32::MAX);
        let too_prompt = pace.answers == Answers::Anybody && self.prompt >= PROMPT_MAX.min(pace.turns_max);
        let too_long = self.pauseless >= pace.turns_max.saturating_mul(PAUSELESS_WINDOWS);
        // In a room there is always somebody awake; each of its people is looked at as well.
        let too_restless = pace.answers != Answers::Programs
            && self.restless >= pace.turns_max.saturating_mul(RESTLESS_WINDOWS);
        if !too_prompt && !too_long && !too_restless && rounds < pace.turns_max {
            return Met::Welcome;
        }
        let longer = 2_u32.saturating_pow(self.strikes);
        *self = Self {
            heard_at: at,
            last_seq: seq,
            tripped_by: seq,
            strikes: self.strikes + 1,
            paused_until: at + pace.window.saturating_mul(longer).min(DAY),
            under: Some(Bound::of(pace)),
            ..Self::default()
        };
        Met::Paused { first: true }
    }
}

#[cfg(test)]
mod tests;
