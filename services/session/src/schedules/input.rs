//! What callers write of a job. A job, and a change of one, is read as JSON in one form: a change is merged into what is there, and the
//! whole is read again, so that no change makes what could not have been added.

use gatehouse_core::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::calendar::Wrong;
use super::planner::host_zone;
use super::{
    Calendar, Delivery, FailureAlert, Missed, Payload, Schedule, SessionTarget, Spec, WITHIN_MINUTES_MAX,
    WakeMode,
};
use crate::agents::ModelName;
use crate::error::Error;
use crate::policy::Policy;

/// How long ago a time may be that a job is to run at, in milliseconds: the clocks of two machines differ.
const PAST_MS_MAX: i64 = 60_000;
/// The longest text of a job, in bytes: a quarter of what a message may have.
const TEXT_BYTES_MAX: usize = 256 * 1024;
const NAME_BYTES_MAX: usize = 200;

fn wrong(path: &'static str, problem: impl Into<String>) -> Error {
    Error::Job {
        path,
        problem: problem.into(),
    }
}

impl From<Wrong> for Error {
    fn from(Wrong { path, problem }: Wrong) -> Self {
        Self::Job { path, problem }
    }
}

/// What somebody asks for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) spec: Spec,
    pub(super) enabled: bool,
}

/// Reads a job. `before` is the schedule that it had, which may be over.
pub(super) fn read(
    mut job: Map<String, Value>,
    before: Option<&Schedule>,
    policy: &Policy,
    now: Timestamp,
) -> Result<Asked, Error> {
    job.retain(|_, value| !value.is_null());
    let enabled = match job.remove("enabled") {
        None => true,
        Some(Value::Bool(enabled)) => enabled,
        Some(_) => return Err(wrong("/enabled", "is not true or false")),
    };
    let schedule = schedule(job.remove("schedule"))?;
    Calendar::read(&schedule, now, &host_zone())?;
    if enabled && before != Some(&schedule) {
        refuse_what_was(&schedule, now)?;
    }
    let payload = payload(job.remove("payload"), policy)?;
    let delivery = job
        .remove("delivery")
        .map(|value| delivery(value, policy))
        .transpose()?;
    let failure_alert = job.remove("failureAlert").map(failure_alert).transpose()?;
    let missed: Option<Missed> = job
        .remove("missed")
        .map(|value| {
            parse(
                "/missed",
                value,
                "is not {\"policy\":\"skip\"} or {\"policy\":\"run\",\"withinMinutes\":60}",
            )
        })
        .transpose()?;
    if let Some(Missed::Run { within_minutes }) = missed
        && !(0..=WITHIN_MINUTES_MAX).contains(&within_minutes)
    {
        return Err(wrong(
            "/missed/withinMinutes",
            "is below 0 or more than three days",
        ));
    }
    let text = |job: &mut Map<String, Value>, key: &str, path| match job.remove(key) {
        None => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Err(wrong(path, "is empty")),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(path, "is no text")),
    };
    let name = text(&mut job, "name", "/name")?.ok_or_else(|| wrong("/name", "is needed"))?;
    if name.len() > NAME_BYTES_MAX {
        return Err(wrong("/name", "is longer than 200 bytes"));
    }
    if name.contains(char::is_control) {
        return Err(wrong("/name", "holds a line break or another control character"));
    }
    let target = text(&mut job, "sessionTarget", "/sessionTarget")?.unwrap_or_else(|| "isolated".to_owned());
    let session_target =
        SessionTarget::try_from(target).map_err(|problem| wrong("/sessionTarget", problem))?;
    let wake_mode = match text(&mut job, "wakeMode", "/wakeMode")? {
        None => WakeMode::default(),
        Some(word) => {
            WakeMode::parse(&word).ok_or_else(|| wrong("/wakeMode", "is not now or next-heartbeat"))?
        }
    };
    let description = match job.remove("description") {
        None => None,
        Some(Value::String(text)) => Some(text).filter(|text| !text.is_empty()),
        Some(_) => return Err(wrong("/description", "is no text")),
    };
    let delete_after_run = match job.remove("deleteAfterRun") {
        None => matches!(schedule, Schedule::At { .. }).then_some(true),
        Some(Value::Bool(delete)) => Some(delete),
        Some(_) => return Err(wrong("/deleteAfterRun", "is not true or false")),
    };
    let agent_id = text(&mut job, "agentId", "/agentId")?
        .map(|id| policy.agents.named(&id).map(|id| id.to_string()))
        .transpose()?;
    let session_key = text(&mut job, "sessionKey", "/sessionKey")?;
    if let Some(key) = &session_key {
        policy.agents.resolve(key, agent_id.as_deref())?;
    }
    if let SessionTarget::Session(key) = &session_target {
        let key = policy.agents.resolve(key, agent_id.as_deref())?;
        let agent = policy.agents.of(&key).map(drop);
        agent.map_err(|error| wrong("/sessionTarget", format!("names no agent: {error}")))?;
    }
    match (&session_target, &payload) {
        (SessionTarget::Main, Payload::AgentTurn { .. }) => {
            return Err(wrong(
                "/payload/kind",
                "is systemEvent in the main session: a message for an agent has the target isolated, current or session:<key>",
            ));
        }
        (SessionTarget::Main, _) | (_, Payload::AgentTurn { .. }) => {}
        (_, Payload::SystemEvent { .. } | Payload::Heartbeat {}) => {
            return Err(wrong(
                "/payload/kind",
                "is agentTurn outside the main session: an event has the target main",
            ));
        }
    }
    let delivery = delivery.or_else(|| match &payload {
        Payload::AgentTurn { .. } => Some(Delivery::Announce {
            channel: Some("last".to_owned()),
            to: None,
            account_id: None,
            thread_id: None,
            best_effort: None,
        }),
        Payload::SystemEvent { .. } | Payload::Heartbeat {} => None,
    });
    let display_name = text(&mut job, "displayName", "/displayName")?;
    let declaration_key = text(&mut job, "declarationKey", "/declarationKey")?;
    if let Some(key) = job.keys().next() {
        return Err(wrong("/patch", format!("{key} is nothing that a job has")));
    }
    Ok(Asked {
        spec: Spec {
            name,
            declaration_key,
            display_name,
            agent_id,
            session_key,
            description,
            delete_after_run,
            schedule,
            session_target,
            wake_mode,
            payload,
            delivery,
            failure_alert,
            missed,
        },
        enabled,
    })
}

fn parse<T: DeserializeOwned>(path: &'static str, value: Value, otherwise: &str) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|error| wrong(path, format!("{otherwise} ({error})")))
}

fn kind_of(value: Option<&Value>) -> Option<&str> {
    value?.get("kind")?.as_str()
}

fn schedule(value: Option<Value>) -> Result<Schedule, Error> {
    match kind_of(value.as_ref()) {
        Some("at" | "every" | "cron") => {}
        Some("on-exit" | "stream") => {
            return Err(wrong(
                "/schedule/kind",
                "watches a command, and this gateway runs no commands on its own machine",
            ));
        }
        Some(_) | None => return Err(wrong("/schedule/kind", "is not at, every or cron")),
    }
    parse("/schedule", value.unwrap_or_default(), "cannot be read")
}

fn refuse_what_was(schedule: &Schedule, now: Timestamp) -> Result<(), Error> {
    match Calendar::read(schedule, now, &host_zone())? {
        Calendar::Once(at) if at < now.plus_ms(-PAST_MS_MAX) => Err(wrong("/schedule/at", "is over by now")),
        calendar @ Calendar::Cron(_) if calendar.after(now).is_none() => {
            Err(wrong("/schedule/expr", "never comes"))
        }
        Calendar::Once(_) | Calendar::Every { .. } | Calendar::Cron(_) => Ok(()),
    }
}

fn payload(value: Option<Value>, policy: &Policy) -> Result<Payload, Error> {
    match kind_of(value.as_ref()) {
        Some("systemEvent" | "agentTurn") => {}
        Some("command" | "script") => {
            return Err(wrong(
                "/payload/kind",
                "runs a command or a script, and this gateway runs none on its own machine",
            ));
        }
        Some(_) | None => return Err(wrong("/payload/kind", "is not systemEvent or agentTurn")),
    }
    let mut value = value.unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.retain(|_, value| !value.is_null());
        match object.remove("fallbacks") {
            None => {}
            Some(Value::Array(list)) if list.is_empty() => {}
            Some(_) => {
                return Err(wrong(
                    "/payload/fallbacks",
                    "is not offered: those of the agent are asked",
                ));
            }
        }
    }
    let mut payload: Payload = parse("/payload", value, "cannot be read")?;
    let text = payload.text();
    if text.trim().is_empty() || text.len() > TEXT_BYTES_MAX {
        return Err(wrong("/payload", "has no text, or more than 256 KiB of it"));
    }
    if let Payload::AgentTurn {
        model: Some(model), ..
    } = &payload
    {
        let known = policy.book.check(&ModelName::known(model.as_str()));
        known.map_err(|_| {
            wrong(
                "/payload/model",
                "names a provider that the configuration does not have (models.providers)",
            )
        })?;
    }
    if let Payload::AgentTurn {
        thinking: Some(level),
        ..
    } = &mut payload
    {
        *level = policy.book.level("/payload/thinking", level)?.as_str().to_owned();
    }
    Ok(payload)
}

const WEBHOOK: &str = "webhook is not offered: the chat of the answers is told of failures";

fn delivery(mut value: Value, policy: &Policy) -> Result<Delivery, Error> {
    if let Some(object) = value.as_object_mut() {
        object.retain(|_, value| !value.is_null());
        for (key, path) in [
            ("completionDestination", "/delivery/completionDestination"),
            ("failureDestination", "/delivery/failureDestination"),
        ] {
            if object.contains_key(key) {
                return Err(wrong(
                    path,
                    "is not offered: the chat of the answers is told of failures",
                ));
            }
        }
        match object.get("mode").and_then(Value::as_str) {
            Some("none" | "announce") => {}
            Some("webhook") => {
                let to = object.get("to").and_then(Value::as_str).unwrap_or_default();
                let read = policy.posts.read(to);
                read.map_err(|unfit| wrong("/delivery/to", unfit.to_string()))?;
                // What a chat was named by before goes.
                object.retain(|key, _| matches!(key.as_str(), "mode" | "to"));
            }
            Some(_) | None => return Err(wrong("/delivery/mode", "is not announce, webhook or none")),
        }
        let text = |key: &str| object.get(key).and_then(Value::as_str);
        let is_named = text("channel").is_some_and(|channel| channel != "last");
        if text("mode") == Some("announce") && text("to").is_some() && !is_named {
            return Err(wrong(
                "/delivery/channel",
                "is needed where delivery.to names a chat",
            ));
        }
    }
    parse("/delivery", value, "cannot be read")
}

fn failure_alert(value: Value) -> Result<FailureAlert, Error> {
    if value.get("mode").and_then(Value::as_str) == Some("webhook") {
        return Err(wrong("/failureAlert/mode", WEBHOOK));
    }
    for (key, path) in [("channel", "/failureAlert/channel"), ("to", "/failureAlert/to")] {
        if value
            .get(key)
            .is_some_and(|value| !value.is_null() && value != "last")
        {
            return Err(wrong(
                path,
                "is not offered: the chat of the answers is told of failures",
            ));
        }
    }
    parse("/failureAlert", value, "cannot be read")
}

/// What is there, with a change.
pub(super) fn merged(spec: &Spec, enabled: bool, patch: &str) -> Result<Map<String, Value>, Error> {
    let patch: Map<String, Value> =
        serde_json::from_str(patch).map_err(|_| wrong("/patch", "is no JSON object"))?;
    let whole = serde_json::to_value(spec).map_err(|_| Error::Unreadable("job"))?;
    let Value::Object(mut whole) = whole else {
        return Err(Error::Unreadable("job"));
    };
    whole.insert("enabled".to_owned(), enabled.into());
    for (key, new) in patch {
        match key.as_str() {
            "state" => return Err(wrong("/patch/state", "is the gateway's to say")),
            "declarationKey" => return Err(wrong("/patch/declarationKey", "is the gateway's to say")),
            "trigger" | "pacing" if !new.is_null() => {
                return Err(wrong("/patch", format!("{key} is not offered")));
            }
            "trigger" | "pacing" => {}
            "schedule" => {
                if kind_of(Some(&new)) != kind_of(whole.get("schedule")) {
                    whole.remove("deleteAfterRun"); // it is that of another kind
                }
                whole.insert(key, anchored(new, &spec.schedule));
            }
            "payload" if kind_of(Some(&new)) == kind_of(whole.get("payload")) => merge(&mut whole, key, new),
            "delivery" | "failureAlert" => merge(&mut whole, key, new),
            _ => {
                whole.insert(key, new);
            }
        }
    }
    Ok(whole)
}

/// An interval that is the same keeps its anchor: whoever says it again does not move its times.
fn anchored(mut new: Value, before: &Schedule) -> Value {
    if let Schedule::Every {
        every_ms,
        anchor_ms: Some(anchor),
    } = before
        && new.get("everyMs").and_then(Value::as_i64) == Some(*every_ms)
        && new.get("anchorMs").is_none()
        && let Some(object) = new.as_object_mut()
    {
        object.insert("anchorMs".to_owned(), anchor.as_ms().into());
    }
    new
}

/// Puts fields over those that are there; null takes one away.
fn merge(whole: &mut Map<String, Value>, key: String, new: Value) {
    match (whole.get_mut(&key), new) {
        (Some(Value::Object(before)), Value::Object(new)) => {
            for (key, value) in new {
                if value.is_null() {
                    before.remove(&key);
                } else {
                    before.insert(key, value);
                }
            }
        }
        (_, new) => {
            whole.insert(key, new);
        }
    }
}
