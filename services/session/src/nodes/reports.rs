//! What nodes say by themselves: results, events, and what they offer beside commands.

use std::collections::HashSet;

use gatehouse_core::publish::Outgoing;
use gatehouse_core::{Caller, json};
use gatehouse_proto::node::v1 as proto;
use serde::Deserialize;
use tokio::task::spawn_blocking;

use super::invoke::{Report, payload};
use super::store::KEPT_RESULT_BYTES_MAX;
use super::{Error, HostStats, NodeId, Nodes, Trouble};

/// Bytes of all skills of a node: OpenClaw's figure.
const SKILLS_BYTES_MAX: usize = 512 * 1024;
/// The longest that somebody can have been away from a node: the published schema's figure, a month.
const IDLE_SECONDS_MAX: i64 = 2_592_000;
/// What a node calls being asked for before it can do anything.
const SUPPORTED_RUNNER: &str = "node-worker-supervisor-v6";

/// The node that calls, and its connection.
#[derive(Debug)]
pub(super) struct Speaker {
    pub(super) node: NodeId,
    pub(super) connection: String,
}

impl Speaker {
    /// Reads who calls.
    pub(super) fn of(caller: Option<&Caller>) -> Result<Self, Error> {
        let caller = caller.ok_or(Error::NotAttached)?;
        let device = caller.device_id.as_deref().ok_or(Error::NotAttached)?;
        Ok(Self {
            node: NodeId::new(device),
            connection: caller.connection_id.clone(),
        })
    }

    /// A node speaks for itself only.
    fn speaks_for(&self, node: &str) -> Result<(), Error> {
        if self.node.as_str() == node {
            Ok(())
        } else {
            Err(Error::NodeMismatch("nodeId mismatch: a node"))
        }
    }
}

/// What `node.presence.activity` says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Activity {
    idle_seconds: Option<i64>,
    action: Option<String>,
    #[serde(default)]
    source: Option<String>,
}

/// What `node.presence.alive` says, as far as it is looked at.
#[derive(Deserialize)]
struct Alive {
    trigger: Option<String>,
}

/// What became of an event.
type Handled = (bool, &'static str);

impl Nodes {
    /// A node has ended something. False: nobody waits for it.
    pub(super) async fn report(
        &self,
        speaker: &Speaker,
        request: proto::ReportInvokeResultRequest,
    ) -> Result<bool, Error> {
        let proto::ReportInvokeResultRequest {
            id,
            node_id,
            ok,
            payload: value,
            payload_json: text,
            error,
        } = request;
        speaker.speaks_for(&node_id)?;
        let Some(expected) = self.0.flights.expect(&id, &speaker.node, &speaker.connection) else {
            tracing::debug!(node.id = %speaker.node, invocation.id = id, "a result came too late");
            return Ok(false);
        };
        if !ok {
            let error = error.unwrap_or_default();
            let trouble = Trouble::new(
                error.code.unwrap_or_default(),
                error.message.unwrap_or_else(|| "node invoke failed".to_owned()),
            );
            return Ok(expected.deliver(Report::Failed(trouble)).await);
        }
        let large = text
            .as_ref()
            .is_some_and(|text| text.len() > KEPT_RESULT_BYTES_MAX);
        let payload = if large {
            // Looking through 25 MiB takes tens of milliseconds, in which nobody else would get a word.
            let read = spawn_blocking(move || payload(value, text)).await;
            read.map_err(crate::error::Error::Engine)?
        } else {
            payload(value, text)
        };
        let Some(payload) = payload else {
            // Nobody can tell any more what was done: whoever asked is told so at once, and not when the time is over.
            let trouble = Trouble::new(
                "INVALID_RESULT",
                "the node's result cannot be read: payloadJSON is not JSON",
            );
            if !expected.deliver(Report::Failed(trouble)).await {
                return Ok(false);
            }
            return Err(Error::Field("/payloadJSON", "is not JSON"));
        };
        Ok(expected.deliver(Report::Done(payload)).await)
    }

    /// A node says something while it works. False: nobody is shown it.
    pub(super) fn progress(
        &self,
        speaker: &Speaker,
        request: proto::ReportInvokeProgressRequest,
    ) -> Result<bool, Error> {
        let proto::ReportInvokeProgressRequest {
            invoke_id,
            node_id,
            seq,
            chunk,
        } = request;
        speaker.speaks_for(&node_id)?;
        let piece = self
            .0
            .flights
            .piece(&invoke_id, &speaker.node, &speaker.connection, seq);
        let Some(piece) = piece else { return Ok(false) };
        let event = proto::NodeInvokeProgressEvent {
            invoke_id,
            node_id,
            idempotency_key: piece.key,
            seq,
            chunk,
        };
        self.0
            .publisher
            .publish(Outgoing::new(&event).connection(piece.connection));
        Ok(true)
    }

    /// Something happened on a node.
    pub(super) async fn event(
        &self,
        speaker: &Speaker,
        request: proto::ReportNodeEventRequest,
    ) -> Result<proto::ReportNodeEventResponse, Error> {
        let proto::ReportNodeEventRequest {
            event,
            payload,
            payload_json,
        } = request;
        self.0
            .registry
            .is_attached(&speaker.node, &speaker.connection)
            .await?;
        let said = payload_json.or(payload).unwrap_or_default();
        let (handled, reason) = match event.as_str() {
            "node.host.stats" => self.stats(speaker, &said).await?,
            "node.presence.alive" => self.alive(speaker, &said).await?,
            "node.presence.activity" => self.activity(speaker, &said),
            _ => (false, "unsupported_event"),
        };
        Ok(proto::ReportNodeEventResponse {
            ok: true,
            event,
            handled,
            reason: Some(reason.to_owned()),
        })
    }

    async fn stats(&self, speaker: &Speaker, said: &str) -> Result<Handled, Error> {
        let Ok(stats) = object::<HostStats>(said) else {
            return Ok((false, "invalid_payload"));
        };
        let stats = HostStats {
            load_average: stats.load_average.into_iter().take(3).collect(),
            updated_at: self.now(),
            ..stats
        };
        self.0.store.keep_stats(&speaker.node, stats.clone()).await?;
        self.tell_stats(&speaker.node, &stats);
        Ok((true, "updated"))
    }

    async fn alive(&self, speaker: &Speaker, said: &str) -> Result<Handled, Error> {
        const TRIGGERS: [&str; 6] = [
            "background",
            "silent_push",
            "bg_app_refresh",
            "significant_location",
            "manual",
            "connect",
        ];
        let Ok(alive) = object::<Alive>(said) else {
            return Ok((false, "invalid_payload"));
        };
        let trigger = alive.trigger.unwrap_or_default();
        let reason = TRIGGERS
            .into_iter()
            .find(|known| *known == trigger)
            .unwrap_or("background");
        self.0.store.seen(&speaker.node, reason, self.now()).await?;
        Ok((true, "persisted"))
    }

    fn activity(&self, speaker: &Speaker, said: &str) -> Handled {
        let Ok(activity) = object::<Activity>(said) else {
            return (false, "invalid_payload");
        };
        let now = self.now();
        let active = match (activity.action.as_deref(), activity.idle_seconds) {
            (Some("clear"), None) => None,
            (None, Some(idle)) if (0..=IDLE_SECONDS_MAX).contains(&idle) => {
                Some((now.plus_ms(idle * -1000), now))
            }
            (Some(_) | None, _) => return (false, "invalid_payload"),
        };
        let from_app = activity.source.as_deref() == Some("app");
        let changed = self.0.registry.with(&speaker.node, &speaker.connection, |node| {
            // Whoever reads the keyboard needs the permission to, and somebody who agreed.
            let may = from_app || node.effective.permissions.get("accessibility") == Some(&true);
            if active.is_some() && !may {
                return Err((false, "permission_required"));
            }
            Ok(std::mem::replace(node.active, active).is_some())
        });
        match changed {
            None => (false, "stale_connection"),
            Some(Err(refused)) => refused,
            Some(Ok(had)) => {
                if had || active.is_some() {
                    self.tell_presence(&speaker.node, active);
                }
                match (active, had) {
                    (Some(_), _) => (true, "updated"),
                    (None, true) => (true, "cleared"),
                    (None, false) => (true, "already_clear"),
                }
            }
        }
    }

    /// Whether a node runs whole sessions. Nobody is asked to; it is noted for people to see.
    pub(super) async fn inventory(
        &self,
        speaker: &Speaker,
        request: proto::UpdateRunnerInventoryRequest,
    ) -> Result<(), Error> {
        let proto::UpdateRunnerInventoryRequest {
            protocol_features,
            worker_host,
        } = request;
        let (node, connection) = (&speaker.node, &speaker.connection);
        self.0.registry.is_attached(node, connection).await?;
        if let [only] = protocol_features.as_slice()
            && only != SUPPORTED_RUNNER
        {
            return Err(Error::Field(
                "/protocolFeatures",
                "is of another version; update the node",
            ));
        }
        let record = self.0.store.node(node).await?.ok_or(Error::NotAttached)?;
        if let Some(request) = record.request.filter(|_| record.granted.is_none()) {
            return Err(Error::AwaitingApproval(request.id));
        }
        let enabled = worker_host
            .and_then(|host| json::read::<serde_json::Value>(&host).ok())
            .and_then(|host| host.get("enabled")?.as_bool());
        self.0.store.host_sessions(node, enabled == Some(true)).await?;
        Ok(())
    }

    /// The skills of a node, those of them that are good.
    pub(super) async fn skills(
        &self,
        speaker: &Speaker,
        skills: Vec<proto::NodeSkill>,
    ) -> Result<Vec<proto::NodeSkill>, Error> {
        let (node, connection) = (&speaker.node, &speaker.connection);
        self.0.registry.is_attached(node, connection).await?;
        let (mut names, mut bytes) = (HashSet::new(), 0);
        let offered = skills.len();
        let mut taken: Vec<_> = skills
            .into_iter()
            .map(|skill| proto::NodeSkill {
                name: skill.name.trim().to_owned(),
                description: skill.description.trim().to_owned(),
                content: skill.content,
            })
            .filter(|skill| is_skill_name(&skill.name) && !skill.description.is_empty())
            .filter(|skill| {
                bytes += skill.content.len();
                bytes <= SKILLS_BYTES_MAX && names.insert(skill.name.clone())
            })
            .collect();
        taken.sort_by(|one, other| one.name.cmp(&other.name));
        if taken.len() < offered {
            tracing::warn!(node.id = %node, count = offered - taken.len(), "skills of a node were left out");
        }
        let kept = taken.clone();
        self.0
            .registry
            .with(node, connection, |live| *live.skills = kept)
            .ok_or(Error::NotAttached)?;
        Ok(taken)
    }

    /// The tools of a node's plugins, those of them that it may be asked for.
    pub(super) async fn tools(
        &self,
        speaker: &Speaker,
        tools: Vec<proto::PluginTool>,
    ) -> Result<Vec<proto::PluginTool>, Error> {
        let (node, connection) = (&speaker.node, &speaker.connection);
        self.0.registry.is_attached(node, connection).await?;
        let rules = self.rules()?;
        let taken = self.0.registry.with(node, connection, |live| {
            let allowed = rules.cut(live.facts, live.effective.clone());
            let mut names = HashSet::new();
            let taken: Vec<_> = tools
                .into_iter()
                .filter(|tool| is_tool_name(&tool.name) && names.insert(tool.name.clone()))
                .filter(|tool| {
                    tool.command
                        .as_ref()
                        .is_none_or(|command| allowed.commands.contains(command))
                })
                .collect();
            (*live.tools).clone_from(&taken);
            taken
        });
        taken.ok_or(Error::NotAttached)
    }
}

/// Reads an object: a list would be taken for one as well, field by field.
fn object<T: serde::de::DeserializeOwned>(said: &str) -> Result<T, serde_json::Error> {
    let object: serde_json::Map<String, serde_json::Value> = json::read(said)?;
    serde_json::from_value(object.into())
}

/// Lower case letters, digits and single `-` inside.
fn is_skill_name(name: &str) -> bool {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty()
        && name.len() <= 64
        && name.chars().all(inside)
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}

/// A letter, then letters, digits, `_` and `-`.
fn is_tool_name(name: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    name.len() <= 64 && name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(inside)
}

#[cfg(test)]
mod unit;
