//! Jobs, their slots and their runs, as plain types. What somebody wrote of a job is JSON in the store and in the protocol, in one form.

mod hook;
mod post;
mod run;

use gatehouse_core::{Content, ForPeople, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(crate) use self::hook::*;
pub(crate) use self::post::*;
pub(crate) use self::run::*;

/// Jobs of one gateway at most: lists read them all.
pub(crate) const JOBS_MAX: usize = 10_000;
/// Slots of a job that are remembered: OpenClaw's figure.
pub(crate) const SLOTS_KEPT: usize = 2_000;
/// How late a slot may be and still be on time, in milliseconds: what a busy machine or a restart costs.
pub(crate) const ON_TIME_MS: i64 = 60_000;
/// What a slot waits for when the one before it failed so often in a row, in milliseconds: OpenClaw's steps.
const BACK_OFF_MS: [i64; 5] = [30_000, 60_000, 300_000, 900_000, 3_600_000];
/// How often a job that runs once is tried again.
pub(crate) const RETRIES_MAX: u32 = 3;

/// The id of a job.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct JobId(String);

impl JobId {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn generate() -> Self {
        Self(Uuid::new_v4().to_string())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for JobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A job.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) spec: Spec,
    pub(crate) enabled: bool,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    /// Counts the changes that somebody made.
    pub(crate) version: i64,
    /// The first slot that nothing was decided about. Unset: it is off, or there is none.
    pub(crate) next_slot: Option<Timestamp>,
    /// The last slot that something was decided about. None before it, or at it, is ever looked at again.
    pub(crate) last_slot: Option<Timestamp>,
    pub(crate) state: JobState,
    /// Since when a run of it is under way, or was claimed.
    pub(crate) running_at: Option<Timestamp>,
}

impl Job {
    /// When its next slot fires.
    pub(crate) fn next_run(&self) -> Option<Timestamp> {
        self.next_slot.map(|slot| slot.plus_ms(self.stagger()))
    }

    /// How long after its slots it fires, in milliseconds: the same for all of them, and another one for each job.
    pub(crate) fn stagger(&self) -> i64 {
        let window = self.spec.schedule.stagger_window();
        if window <= 0 {
            return 0;
        }
        // FNV-1a: only to be spread, and the same in each version.
        let hash = self
            .id
            .as_str()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        i64::try_from(hash % window.unsigned_abs()).unwrap_or(0)
    }
}

/// What somebody wrote of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Spec {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) declaration_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) agent_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) session_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) delete_after_run: Option<bool>,
    pub(crate) schedule: Schedule,
    pub(crate) session_target: SessionTarget,
    pub(crate) wake_mode: WakeMode,
    pub(crate) payload: Payload,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) delivery: Option<Delivery>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure_alert: Option<FailureAlert>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) missed: Option<Missed>,
}

impl Spec {
    /// Whether its slots are one.
    pub(crate) fn runs_once(&self) -> bool {
        matches!(self.schedule, Schedule::At { .. })
    }
}

/// When a job is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub(crate) enum Schedule {
    /// Once.
    At { at: String },
    /// So often, counted from the anchor.
    Every {
        every_ms: i64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        anchor_ms: Option<Timestamp>,
    },
    /// When the clock on a wall says so.
    Cron {
        expr: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tz: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stagger_ms: Option<i64>,
    },
}

/// The window of jobs that all begin with the hour, so that they do not all begin at once: OpenClaw's.
const HOUR_STAGGER_MS: i64 = 300_000;

impl Schedule {
    /// In which window after its slots a job fires.
    fn stagger_window(&self) -> i64 {
        match self {
            Self::At { .. } | Self::Every { .. } => 0,
            Self::Cron {
                stagger_ms: Some(window),
                ..
            } => *window,
            Self::Cron { expr, .. } => {
                let fields: Vec<&str> = expr.split_whitespace().collect();
                let at_the_hour = match fields.as_slice() {
                    [minute, hour, _, _, _] | ["0", minute, hour, _, _, _] => {
                        *minute == "0" && hour.starts_with('*')
                    }
                    _ => false,
                };
                if at_the_hour { HOUR_STAGGER_MS } else { 0 }
            }
        }
    }
}

/// Where a job runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum SessionTarget {
    /// In its agent's main session.
    Main,
    /// In a session of its own for each run.
    Isolated,
    /// In the session that it was added from.
    Current,
    /// In this one.
    Session(String),
}

impl TryFrom<String> for SessionTarget {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "main" => Ok(Self::Main),
            "isolated" => Ok(Self::Isolated),
            "current" => Ok(Self::Current),
            _ => match text.strip_prefix("session:") {
                Some(key) if !key.trim().is_empty() => Ok(Self::Session(key.to_owned())),
                Some(_) | None => Err("is not main, isolated, current or session:<key>"),
            },
        }
    }
}

impl From<SessionTarget> for String {
    fn from(target: SessionTarget) -> Self {
        match target {
            SessionTarget::Main => "main".to_owned(),
            SessionTarget::Isolated => "isolated".to_owned(),
            SessionTarget::Current => "current".to_owned(),
            SessionTarget::Session(key) => format!("session:{key}"),
        }
    }
}

/// When an event for the main session is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WakeMode {
    #[default]
    Now,
    NextHeartbeat,
}

impl WakeMode {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::NextHeartbeat => "next-heartbeat",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Now, Self::NextHeartbeat]
            .into_iter()
            .find(|mode| mode.word() == word)
    }
}

/// What is done. What restricts tools restricts nothing here, and is kept for those who read it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub(crate) enum Payload {
    /// The main session hears of something.
    SystemEvent {
        text: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tools_allow: Option<Vec<String>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tools_allow_is_default: Option<bool>,
    },
    /// An agent is asked.
    AgentTurn {
        message: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thinking: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_seconds: Option<f64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        light_context: Option<bool>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        allow_unsafe_external_content: Option<bool>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tools_allow: Option<Vec<String>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tools_allow_is_default: Option<bool>,
    },
    /// An agent looks whether there is something to do: the gateway's own.
    Heartbeat {},
}

impl Payload {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::SystemEvent { text, .. } => text,
            Self::AgentTurn { message, .. } => message,
            Self::Heartbeat {} => "", // it is read when it is time
        }
    }
}

/// Who is told of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Delivery {
    None {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channel: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
    Announce {
        /// A channel, or `last`: the chat that spoke last. Unset: the same.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channel: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account_id: Option<String>,
        /// Text or a number, as the platform has it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thread_id: Option<serde_json::Value>,
        /// Whether a run went well whose answer could not be delivered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        best_effort: Option<bool>,
    },
    /// A program is told of the end of each run, at this address.
    Webhook { to: String },
}

impl Delivery {
    /// The address of the program that is told.
    pub(crate) fn url(&self) -> Option<&str> {
        match self {
            Self::Webhook { to } => Some(to),
            Self::None { .. } | Self::Announce { .. } => None,
        }
    }

    pub(crate) fn is_best_effort(&self) -> bool {
        match self {
            Self::None { .. } | Self::Webhook { .. } => true,
            Self::Announce { best_effort, .. } => *best_effort == Some(true),
        }
    }
}

/// Who is told when a job keeps failing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum FailureAlert {
    /// `false`: nobody. `true` says no more than nothing does.
    Whether(bool),
    Rule(AlertRule),
}

/// When and where somebody is told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AlertRule {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) channel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cooldown_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) include_skipped: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account_id: Option<String>,
}

/// Failures in a row after which somebody is told: OpenClaw's, as is the pause.
const ALERT_AFTER: u32 = 2;
const ALERT_COOLDOWN_MS: i64 = 3_600_000;

impl Job {
    /// Whether somebody is to be told that it failed so often.
    pub(crate) fn is_alarming(&self, now: Timestamp) -> bool {
        let default = AlertRule::default();
        let rule = match &self.spec.failure_alert {
            Some(FailureAlert::Whether(false)) => return false,
            Some(FailureAlert::Whether(true)) | None => &default,
            Some(FailureAlert::Rule(rule)) => rule,
        };
        let cooldown = rule.cooldown_ms.unwrap_or(ALERT_COOLDOWN_MS);
        // A last time in the future is one from before the clock was set back.
        let rests = self
            .state
            .last_alert_at
            .is_some_and(|last| (0..cooldown).contains(&now.ms_since(last)));
        self.state.consecutive_errors >= rule.after.unwrap_or(ALERT_AFTER).max(1) && !rests
    }
}

/// What becomes of a slot that was missed: the process was away, or the machine slept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "policy",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub(crate) enum Missed {
    /// Nothing.
    Skip,
    /// The last one that was missed runs, if it is no later than this.
    Run { within_minutes: i64 },
}

/// The longest that a slot may be late, in minutes. A turn's id is remembered for seven days, and must be for as long as its slot may fire.
pub(crate) const WITHIN_MINUTES_MAX: i64 = 3 * 24 * 60;
const WITHIN_MINUTES: i64 = 60;
/// Of a job that runs once: a reminder is worth something hours later.
const WITHIN_MINUTES_ONCE: i64 = 24 * 60;

impl Spec {
    /// How late a slot may be and still fire, in milliseconds. `None`: it may only be on time.
    pub(crate) fn late_max(&self, skips_missed: bool) -> Option<i64> {
        let minutes = match self.missed {
            Some(Missed::Skip) => return None,
            Some(Missed::Run { within_minutes }) => within_minutes,
            None if skips_missed => return None,
            None if self.runs_once() => WITHIN_MINUTES_ONCE,
            None => WITHIN_MINUTES,
        };
        Some(minutes.clamp(0, WITHIN_MINUTES_MAX) * 60_000)
    }
}

/// How a job stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct JobState {
    pub(crate) last_run_at: Option<Timestamp>,
    pub(crate) last_status: Option<Status>,
    pub(crate) last_error: Option<String>,
    pub(crate) last_duration_ms: Option<i64>,
    pub(crate) consecutive_errors: u32,
    pub(crate) consecutive_skipped: u32,
    pub(crate) last_delivery: Option<DeliveryStatus>,
    pub(crate) last_delivery_error: Option<String>,
    pub(crate) last_alert_at: Option<Timestamp>,
    /// Slots before this time are skipped.
    pub(crate) back_off_until: Option<Timestamp>,
    /// The trace in which it came, of what a hook brought; the others begin one with each slot.
    pub(crate) traceparent: Option<String>,
}

/// How long a job rests after so many failures in a row.
pub(crate) fn back_off_ms(errors: u32) -> i64 {
    let step = usize::try_from(errors.saturating_sub(1)).unwrap_or(usize::MAX);
    let [.., longest] = BACK_OFF_MS;
    BACK_OFF_MS.get(step).copied().unwrap_or(longest)
}

/// Counts a failure, and lets the job rest.
pub(crate) fn failing(job: &mut Job, now: Timestamp) {
    let state = &mut job.state;
    state.consecutive_errors = state.consecutive_errors.saturating_add(1);
    state.back_off_until = Some(now.plus_ms(back_off_ms(state.consecutive_errors)));
}

/// What its chat is told about a job that keeps failing.
const KEEPS_FAILING: ForPeople = ForPeople::new("It keeps failing. Whoever runs this assistant can see why.");

impl Job {
    /// What its chat is told when it keeps failing.
    pub(crate) fn alarm(&self) -> Content {
        let times = self.state.consecutive_errors;
        let said = format!(
            "The scheduled job \u{201c}{}\u{201d} failed {times} times in a row.",
            self.spec.name
        );
        Content::text(format!("{said} {}", KEEPS_FAILING.words()))
    }
}
