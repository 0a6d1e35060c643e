//! What a request asks for: the events in it.

mod job;
mod place;

use gatehouse_document::hooks::Action;
use gatehouse_proto::session::v1::HookAnswer;
use serde::Deserialize;
use serde_json::Value;

use self::job::{asked, delivery, woken};
use self::place::{Named, place};
use super::answer::{nothing, wrong};
use super::head::Head;
use super::marks::{Marks, name_of};
use super::rules::{Mapping, Rules};
use super::template::{Source, Told, told};
use crate::key::{AgentId, SessionKey};
use crate::policy::Policy;
use crate::schedules::{Delivery, Payload, WakeMode};

/// Events that one request may bring: more are a mistake in `forEach`, or somebody who wants to be expensive.
const EVENTS_MAX: usize = 50;

/// What is to be done.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) events: Vec<Event>,
    /// Unset: it is an agent that is asked.
    pub(super) wakes: Option<WakeMode>,
    pub(super) idempotency_key: Option<String>,
    /// Whether the answer waits for the end of the run.
    pub(super) waits: bool,
}

/// One event.
#[derive(Debug)]
pub(super) struct Event {
    agent: AgentId,
    /// Unset: the agent's main session for what wakes it, else a session of the event's own.
    key: Option<SessionKey>,
    /// What people call it.
    name: String,
    payload: Payload,
    delivery: Option<Delivery>,
}

/// `POST /hooks/wake`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wake {
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    mode: Option<String>,
    #[serde(default)]
    agent_id: Option<String>,
    #[serde(default)]
    session_key: Option<String>,
}

/// `POST /hooks/agent`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Agent {
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    agent_id: Option<String>,
    #[serde(default)]
    session_key: Option<String>,
    #[serde(default)]
    session_mode: Option<String>,
    #[serde(default)]
    idempotency_key: Option<String>,
    #[serde(default)]
    wait_for_completion: Option<bool>,
    #[serde(default)]
    wake_mode: Option<String>,
    #[serde(default)]
    deliver: Option<bool>,
    #[serde(default)]
    channel: Option<String>,
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    thinking: Option<String>,
    #[serde(default)]
    timeout_seconds: Option<f64>,
}

fn read<T: for<'de> Deserialize<'de>>(body: &Value) -> Result<T, HookAnswer> {
    T::deserialize(body).map_err(|error| wrong(400, format!("invalid body: {error}")))
}

fn mode(word: Option<&str>) -> Result<WakeMode, HookAnswer> {
    match word {
        None => Ok(WakeMode::Now),
        Some(word) => WakeMode::parse(word).ok_or_else(|| wrong(400, "mode is not now or next-heartbeat")),
    }
}

fn not_blank(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

/// Reads `POST /hooks/wake`.
pub(super) fn wake(rules: &Rules, policy: &Policy, body: &Value) -> Result<Asked, HookAnswer> {
    let Wake {
        text,
        mode: when,
        agent_id,
        session_key,
    } = read(body)?;
    let text = not_blank(text).ok_or_else(|| wrong(400, "text required"))?;
    let (agent, key) = place(
        rules,
        policy,
        agent_id.as_deref(),
        Named::by_request(session_key.as_deref()),
    )?;
    let marks = Marks::new(false);
    let text = marks.told("wake", &marks.around(&text));
    Ok(Asked {
        events: vec![woken(agent, key, "Hook".to_owned(), text)?],
        wakes: Some(mode(when.as_deref())?),
        idempotency_key: None,
        waits: false,
    })
}

/// Reads `POST /hooks/agent`.
pub(super) fn agent(rules: &Rules, policy: &Policy, body: &Value) -> Result<Asked, HookAnswer> {
    let Agent {
        message,
        name,
        agent_id,
        session_key,
        session_mode,
        idempotency_key,
        wait_for_completion,
        wake_mode,
        deliver,
        channel,
        to,
        model,
        thinking,
        timeout_seconds,
    } = read(body)?;
    let message = not_blank(message).ok_or_else(|| wrong(400, "message required"))?;
    if !matches!(session_mode.as_deref(), None | Some("isolated")) {
        return Err(wrong(
            400,
            "sessionMode is not isolated: name a session by sessionKey",
        ));
    }
    mode(wake_mode.as_deref())?; // it runs at once, and says so by being taken
    let named = match session_key.as_deref() {
        Some(key) => Named::by_request(Some(key)),
        None => Named::Configured(rules.default_key.as_deref()),
    };
    let (agent, key) = place(rules, policy, agent_id.as_deref(), named)?;
    let name = name_of(name.as_deref().unwrap_or("Hook"));
    let marks = Marks::new(false);
    let text = marks.told(&name, &marks.around(&message));
    let delivery = delivery(deliver.unwrap_or(true), channel, to)?;
    let event = Event {
        payload: asked(policy, &agent, text, model, thinking, timeout_seconds)?,
        agent,
        key,
        name,
        delivery: Some(delivery),
    };
    Ok(Asked {
        events: vec![event],
        wakes: None,
        idempotency_key: not_blank(idempotency_key),
        waits: wait_for_completion.unwrap_or(false),
    })
}

/// What a mapping makes of a request. The answer is the refusal, or that there is nothing to do.
pub(super) fn mapped(
    rules: &Rules,
    policy: &Policy,
    mapping: &Mapping,
    head: &Head,
    body: &Value,
) -> Result<Asked, HookAnswer> {
    let items: Vec<Option<&Value>> = match &mapping.for_each {
        None => vec![None],
        Some(place) => match place.of(body) {
            Some(Value::Array(items)) => items.iter().map(Some).collect(),
            // Some languages write a list without elements so.
            Some(Value::Null) => Vec::new(),
            Some(_) => {
                let problem =
                    format!("{place} is no list in this request: the mapping makes an event of each element");
                return Err(wrong(400, problem));
            }
            None => {
                let problem =
                    format!("the request has no list {place}: the mapping makes an event of each element");
                return Err(wrong(400, problem));
            }
        },
    };
    if items.is_empty() {
        return Err(nothing());
    }
    if items.len() > EVENTS_MAX {
        return Err(wrong(
            400,
            format!("the list of the mapping has more than {EVENTS_MAX} elements"),
        ));
    }
    let (agent, key) = place(
        rules,
        policy,
        mapping.agent.as_deref(),
        Named::Configured(mapping.key.as_deref().or(match mapping.action {
            Action::Agent => rules.default_key.as_deref(),
            Action::Wake => None,
        })),
    )?;
    let mut events = Vec::with_capacity(items.len());
    let mut without = None;
    for item in items {
        let marks = Marks::new(mapping.is_trusted);
        let source = Source { head, body, item };
        let told = match &mapping.template {
            Some(template) => told(template, &source, &marks),
            None => Told::Words(marks.around(&item.unwrap_or(body).to_string())),
        };
        let told = match told {
            Told::Words(told) => told,
            Told::TooLong => return Err(wrong(400, "what the mapping tells is longer than 256 KiB")),
            // One empty element does not keep the others from being told.
            Told::Nothing(places) => {
                without.get_or_insert(places);
                continue;
            }
        };
        let text = marks.told(&mapping.name, &told);
        events.push(match mapping.action {
            Action::Wake => woken(agent.clone(), key.clone(), mapping.name.clone(), text)?,
            Action::Agent => Event {
                payload: asked(
                    policy,
                    &agent,
                    text,
                    mapping.model.clone(),
                    mapping.thinking.clone(),
                    mapping.timeout_seconds,
                )?,
                agent: agent.clone(),
                key: key.clone(),
                name: mapping.name.clone(),
                delivery: Some(delivery(
                    mapping.deliver,
                    mapping.channel.clone(),
                    mapping.to.clone(),
                )?),
            },
        });
    }
    if events.is_empty() {
        let places = without.unwrap_or_default().join(", ");
        let problem = format!("the mapping tells nothing of this request, which says nothing at: {places}");
        return Err(wrong(400, problem));
    }
    Ok(Asked {
        events,
        wakes: (mapping.action == Action::Wake).then_some(mapping.wake_mode),
        idempotency_key: None,
        waits: false,
    })
}
