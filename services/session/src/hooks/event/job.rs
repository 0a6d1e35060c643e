//! What is to be done about an event, and the job that does it.

use gatehouse_core::{Timestamp, trace};
use gatehouse_proto::session::v1::HookAnswer;

use super::super::answer::wrong;
use super::super::template::TEXT_BYTES_MAX;
use super::{Event, not_blank};
use crate::book::NoModel;
use crate::key::{AgentId, SessionKey};
use crate::policy::Policy;
use crate::schedules::{
    Delivery, FailureAlert, HookJob, JobId, Missed, Payload, Schedule, SessionTarget, Spec,
    WITHIN_MINUTES_MAX, WakeMode,
};

/// The longest time limit of a run, in seconds.
const TIMEOUT_SECONDS_MAX: f64 = 3_600.0;

fn bounded(text: String) -> Result<String, HookAnswer> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(wrong(400, "the text is longer than 256 KiB"));
    }
    Ok(text)
}

pub(super) fn woken(
    agent: AgentId,
    key: Option<SessionKey>,
    name: String,
    text: String,
) -> Result<Event, HookAnswer> {
    Ok(Event {
        agent,
        key,
        name,
        payload: Payload::SystemEvent {
            text: bounded(text)?,
            tools_allow: None,
            tools_allow_is_default: None,
        },
        delivery: None,
    })
}

pub(super) fn asked(
    policy: &Policy,
    agent: &AgentId,
    text: String,
    model: Option<String>,
    thinking: Option<String>,
    timeout_seconds: Option<f64>,
) -> Result<Payload, HookAnswer> {
    let thinking = match not_blank(thinking) {
        Some(word) => {
            let level = policy.book.level("/thinking", &word);
            Some(
                level
                    .map_err(|error| wrong(400, error.to_string()))?
                    .as_str()
                    .to_owned(),
            )
        }
        None => None,
    };
    if timeout_seconds.is_some_and(|seconds| !(0.0..=TIMEOUT_SECONDS_MAX).contains(&seconds)) {
        return Err(wrong(400, "timeoutSeconds is not from 0 to 3600"));
    }
    Ok(Payload::AgentTurn {
        message: bounded(text)?,
        model: not_blank(model)
            .map(|name| known(policy, agent, &name))
            .transpose()?,
        thinking,
        timeout_seconds: timeout_seconds.filter(|seconds| *seconds > 0.0),
        light_context: None,
        allow_unsafe_external_content: None,
        tools_allow: None,
        tools_allow_is_default: None,
    })
}

/// The full name of a model. One that nobody can ask would be told by the run, which whoever brings the event does not see.
fn known(policy: &Policy, agent: &AgentId, name: &str) -> Result<String, HookAnswer> {
    let whose = policy
        .agents
        .get(agent)
        .ok_or_else(|| wrong(400, "there is no such agent"))?;
    policy.book.resolve(name, whose).map_err(|none| match none {
        NoModel::Unknown => wrong(
            400,
            "model names none of a provider that the configuration has (models.providers): write <provider>/<model>",
        ),
        NoModel::Several(names) => wrong(
            400,
            format!("model is one of several providers: {}", names.join(", ")),
        ),
    })
}

/// Who is told of the answer. An event has done its work when the agent has answered, told or not.
pub(super) fn delivery(
    deliver: bool,
    channel: Option<String>,
    to: Option<String>,
) -> Result<Delivery, HookAnswer> {
    let (channel, to) = (not_blank(channel), not_blank(to));
    if !deliver {
        return Ok(Delivery::None { channel, to });
    }
    if to.is_some() && channel.as_deref().is_none_or(|channel| channel == "last") {
        return Err(wrong(400, "channel is needed where `to` names a chat"));
    }
    Ok(Delivery::Announce {
        channel: Some(channel.unwrap_or_else(|| "last".to_owned())),
        to,
        account_id: None,
        thread_id: None,
        best_effort: Some(true),
    })
}

impl Event {
    pub(in crate::hooks) fn agent(&self) -> &AgentId {
        &self.agent
    }

    /// What makes another event the same.
    pub(in crate::hooks) fn sameness(&self) -> Vec<u8> {
        let key = self.key.as_ref().map_or("", SessionKey::as_str);
        [self.agent.as_str(), key, self.name.as_str()]
            .join("\n")
            .into_bytes()
    }

    /// The job that does it. `declared`: what an event of the same content is known by while it waits.
    pub(in crate::hooks) fn job(
        self,
        declared: Option<String>,
        fire_at: Timestamp,
        now: Timestamp,
    ) -> Option<HookJob> {
        let Self {
            agent,
            key,
            name,
            payload,
            delivery,
        } = self;
        let session_target = match (key, &payload) {
            (Some(key), _) => SessionTarget::Session(key.to_string()),
            (None, Payload::AgentTurn { .. }) => SessionTarget::Isolated,
            (None, Payload::SystemEvent { .. } | Payload::Heartbeat {}) => SessionTarget::Main,
        };
        let spec = Spec {
            name,
            declaration_key: declared,
            display_name: None,
            agent_id: Some(agent.to_string()),
            session_key: None,
            description: None,
            delete_after_run: Some(true),
            schedule: Schedule::At {
                at: jiff::Timestamp::from_millisecond(now.as_ms()).ok()?.to_string(),
            },
            session_target,
            wake_mode: WakeMode::Now,
            payload,
            delivery,
            failure_alert: Some(FailureAlert::Whether(false)),
            // It was taken: a gateway that was away for a while does it when it is back.
            missed: Some(Missed::Run {
                within_minutes: WITHIN_MINUTES_MAX,
            }),
        };
        Some(HookJob {
            id: JobId::of_hook(),
            spec,
            at: now,
            fire_at,
            trace: trace::current().unwrap_or_default(),
        })
    }
}
