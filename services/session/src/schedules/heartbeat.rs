//! When agents look by themselves whether there is something to do: a job of the gateway's own for each of them, kept as the configuration
//! says. What is asked, and who is told, is read when it is time.

use gatehouse_core::Timestamp;
use gatehouse_document::agents::{Heartbeat, normal_id};
use jiff::tz::TimeZone;

use super::planner::host_zone;
use super::{Delivery, Job, Payload, Schedule, SessionTarget, Spec, WakeMode};
use crate::config::{AgentsSection, SessionConfig};
use crate::deliveries::{Accounts, Target};
use crate::key::AgentId;

/// What stands before the agent in the key of such a job.
const DECLARED: &str = "heartbeat:";

/// What an agent is asked that nobody told what to ask.
const PROMPT: &str = "Is there anything that needs attention now? If there are notes in HEARTBEAT.md, they say what to look at. \
    Say only what is new, and repeat nothing from earlier. If there is nothing to say, answer NO_REPLY and nothing else.";

const NO_ROUTE: &str = "nobody could be told; set commands.ownerAllowFrom, or the heartbeat's target";
pub(super) const BUSY: &str = "requests-in-flight: somebody talks to the agent";
pub(super) const QUIET_HOURS: &str = "quiet-hours: it is outside of activeHours";
pub(super) const SWITCHED_OFF: &str = "disabled: heartbeats are switched off until the next start";
pub(super) const NOT_CONFIGURED: &str =
    "disabled: the configuration has no heartbeat for this agent any more";

/// How an agent looks whether there is something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Beat {
    pub(crate) agent: AgentId,
    /// How often. Unset: not by itself.
    pub(crate) every_ms: Option<i64>,
    /// The first minute of the day, the one behind the last, and where.
    hours: Option<(u16, u16, Option<String>)>,
    pub(crate) route: Route,
    pub(crate) account: Option<String>,
    pub(crate) prompt: String,
    pub(crate) model: Option<String>,
    pub(crate) isolated: bool,
    pub(crate) timeout_ms: Option<i64>,
}

/// Who is told when there is something to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Nobody,
    /// The chat that spoke last.
    Last,
    /// A chat or person of a channel.
    Chat {
        channel: String,
        to: String,
    },
    /// Nobody knows who that is.
    Unknown,
}

impl Beat {
    /// Whether it is a time of day to look.
    pub(crate) fn is_active(&self, now: Timestamp) -> bool {
        let Some((start, end, zone)) = &self.hours else {
            return true;
        };
        let named = zone.as_deref().and_then(|name| TimeZone::get(name).ok());
        let Ok(now) = jiff::Timestamp::from_millisecond(now.as_ms()) else {
            return true;
        };
        let time = now.to_zoned(named.unwrap_or_else(host_zone)).time();
        let minute = u16::try_from(i32::from(time.hour()) * 60 + i32::from(time.minute())).unwrap_or(0);
        if start <= end {
            (*start..*end).contains(&minute)
        } else {
            minute >= *start || minute < *end
        }
    }

    /// Where what is said goes; `Ok(None)` is nowhere. `last` is the chat that spoke last.
    ///
    /// # Errors
    /// Why nobody could be told, for people.
    pub(crate) fn target(&self, last: Option<Target>, accounts: &Accounts) -> Result<Option<Target>, String> {
        let target = match &self.route {
            Route::Nobody => return Ok(None),
            Route::Unknown => None,
            Route::Last => last.map(|last| Target {
                reply_to_id: None,
                ..last
            }),
            Route::Chat { channel, to } => {
                let known = last
                    .filter(|last| last.channel == *channel)
                    .map(|last| last.account_id);
                let account_id = self.account.clone().or(known);
                Some(Target {
                    channel: channel.clone(),
                    account_id: account_id.unwrap_or_else(|| accounts.default_of(channel).to_owned()),
                    to: to.clone(),
                    thread_id: None,
                    reply_to_id: None,
                })
            }
        };
        let target = target.ok_or(NO_ROUTE)?;
        match accounts.problem(&target) {
            Some(problem) => Err(problem),
            None => Ok(Some(target)),
        }
    }
}

/// The beats of a revision. What cannot be read is none: the config service says so.
pub(crate) fn read(config: &SessionConfig) -> Vec<Beat> {
    let AgentsSection {
        defaults,
        entries,
        list,
    } = &config.agents;
    let entries = entries.iter().map(|(id, entry)| (id.as_str(), entry));
    let listed = list.iter().map(|listed| (listed.id.as_str(), &listed.agent));
    let mut agents: Vec<(AgentId, Option<&Heartbeat>)> = Vec::new();
    for (id, entry) in entries.chain(listed) {
        if let Some(id) = normal_id(id).and_then(|id| AgentId::normalise(&id).ok())
            && !agents.iter().any(|(known, _)| *known == id)
        {
            agents.push((id, entry.heartbeat.as_ref()));
        }
    }
    if agents.is_empty() {
        agents.push((AgentId::main(), None));
    }
    let common = defaults.heartbeat.as_ref();
    let some_have_their_own = agents.iter().any(|(_, own)| own.is_some());
    let none = Heartbeat::default();
    let owner = config.commands.owner_allow_from.iter().find_map(|owner| {
        let owner = serde_json::to_value(owner).ok()?;
        let (channel, to) = owner.as_str()?.split_once(':')?;
        (!to.is_empty() && to != "*").then(|| (channel.to_owned(), to.to_owned()))
    });
    let beat = |(agent, own): (AgentId, Option<&Heartbeat>)| {
        let heartbeat = match own {
            Some(own) => own.over(common.unwrap_or(&none)),
            None if some_have_their_own => return None,
            None => common?.clone(),
        };
        let route = match (
            heartbeat.target.as_deref().unwrap_or("owner"),
            &heartbeat.to,
            &owner,
        ) {
            ("none", _, _) => Route::Nobody,
            ("last", _, _) => Route::Last,
            ("owner", _, Some((channel, to))) => Route::Chat {
                channel: channel.clone(),
                to: to.clone(),
            },
            ("owner", _, None) | (_, None, _) => Route::Unknown,
            (channel, Some(to), _) => Route::Chat {
                channel: channel.to_owned(),
                to: to.clone(),
            },
        };
        let hours = heartbeat.active_hours.as_ref().and_then(|hours| {
            let (start, end) = hours.minutes().ok()?;
            Some((start, end, hours.timezone.clone()))
        });
        Some(Beat {
            agent,
            every_ms: heartbeat.every_ms().ok()?,
            hours,
            route,
            account: heartbeat.account_id,
            prompt: heartbeat.prompt.unwrap_or_else(|| PROMPT.to_owned()),
            model: heartbeat.model,
            isolated: heartbeat.isolated_session.unwrap_or(false),
            timeout_ms: heartbeat
                .timeout_seconds
                .map(|seconds| i64::from(seconds) * 1_000),
        })
    };
    agents.into_iter().filter_map(beat).collect()
}

impl Route {
    /// The word for it in the configuration.
    pub(crate) fn word(&self) -> &str {
        match self {
            Self::Nobody => "none",
            Self::Last => "last",
            Self::Chat { channel, .. } => channel,
            Self::Unknown => "owner",
        }
    }
}

/// The job of a beat.
pub(super) fn spec(beat: &Beat, anchor: Timestamp) -> Option<Spec> {
    let every_ms = beat.every_ms?;
    Some(Spec {
        name: format!("heartbeat-{}", beat.agent),
        declaration_key: Some(declared(&beat.agent)),
        display_name: Some(format!("Heartbeat ({})", beat.agent)),
        agent_id: Some(beat.agent.to_string()),
        session_key: None,
        description: None,
        delete_after_run: None,
        schedule: Schedule::Every {
            every_ms,
            anchor_ms: Some(anchor),
        },
        session_target: if beat.isolated {
            SessionTarget::Isolated
        } else {
            SessionTarget::Main
        },
        wake_mode: WakeMode::NextHeartbeat,
        payload: Payload::Heartbeat {},
        delivery: None,
        failure_alert: None,
        missed: Some(super::Missed::Skip), // the next one comes soon
    })
}

pub(super) fn declared(agent: &AgentId) -> String {
    format!("{DECLARED}{agent}")
}

/// Whether a job is the gateway's own.
pub(super) fn is_own(job: &Job) -> bool {
    job.spec
        .declaration_key
        .as_deref()
        .is_some_and(|key| key.starts_with(DECLARED))
}

/// Whether a job is that of a beat, as it is now.
pub(super) fn is_as_configured(job: &Job, beat: &Beat) -> bool {
    let anchor = match &job.spec.schedule {
        Schedule::Every { anchor_ms, .. } => *anchor_ms,
        Schedule::At { .. } | Schedule::Cron { .. } => None,
    };
    anchor.is_some_and(|anchor| spec(beat, anchor).as_ref() == Some(&job.spec)) && job.enabled
}

/// An event that the main session of an agent hears of, once.
pub(super) fn event(
    text: &str,
    agent: Option<String>,
    session: Option<String>,
    at: Timestamp,
) -> Option<Spec> {
    let at = jiff::Timestamp::from_millisecond(at.as_ms()).ok()?.to_string();
    Some(Spec {
        name: "event".to_owned(),
        declaration_key: None,
        display_name: None,
        agent_id: agent,
        session_key: None,
        description: None,
        delete_after_run: Some(true),
        schedule: Schedule::At { at },
        session_target: session.map_or(SessionTarget::Main, SessionTarget::Session),
        wake_mode: WakeMode::Now,
        payload: Payload::SystemEvent {
            text: text.to_owned(),
            tools_allow: None,
            tools_allow_is_default: None,
        },
        delivery: None::<Delivery>,
        failure_alert: None,
        missed: None,
    })
}

#[cfg(test)]
mod tests;
