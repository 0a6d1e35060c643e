//! Which jobs a list shows, and in which order.

use std::cmp::Ordering;

use gatehouse_proto::session::v1::ListCronJobsRequest;

use super::super::{Job, Schedule, SessionTarget, Status};
use super::{field, is_descending};
use crate::error::Error;
use crate::key::{AgentId, SessionKey};
use crate::policy::Policy;

/// Which jobs a list shows, and in which order.
pub(super) struct Filter {
    enabled: Option<bool>,
    words: String,
    kind: Option<String>,
    status: Option<String>,
    agent: Option<String>,
    session: Option<SessionKey>,
    by: By,
    descending: bool,
}

#[derive(Clone, Copy, Debug)]
enum By {
    NextRun,
    Update,
    Name,
}

/// Whether a job runs in a session, or was added from it.
fn is_of(job: &Job, session: &SessionKey, policy: &Policy) -> bool {
    let Job { spec, .. } = job;
    let runs_in = match &spec.session_target {
        SessionTarget::Main => Some("main"),
        SessionTarget::Session(key) => Some(key.as_str()),
        SessionTarget::Current | SessionTarget::Isolated => None,
    };
    runs_in.into_iter().chain(spec.session_key.as_deref()).any(|key| {
        policy
            .agents
            .resolve(key, spec.agent_id.as_deref())
            .is_ok_and(|key| key == *session)
    })
}

impl Filter {
    pub(super) fn read(request: &ListCronJobsRequest, policy: &Policy) -> Result<Self, Error> {
        let not_all = |word: &Option<String>| word.clone().filter(|word| word != "all");
        let enabled = match request.enabled.as_deref() {
            None => (request.include_disabled != Some(true)).then_some(true),
            Some("all") => None,
            Some("enabled") => Some(true),
            Some("disabled") => Some(false),
            Some(_) => return Err(field("/enabled", "is not all, enabled or disabled")),
        };
        let kind = not_all(&request.schedule_kind);
        if kind
            .as_deref()
            .is_some_and(|kind| !["at", "every", "cron", "on-exit", "stream"].contains(&kind))
        {
            return Err(field(
                "/scheduleKind",
                "is not all, at, every, cron, on-exit or stream",
            ));
        }
        let status = not_all(&request.last_run_status);
        if status
            .as_deref()
            .is_some_and(|word| word != "unknown" && Status::parse(word).is_none())
        {
            return Err(field(
                "/lastRunStatus",
                "is not all, ok, error, skipped or unknown",
            ));
        }
        let by = match request.sort_by.as_deref() {
            None | Some("nextRunAtMs") => By::NextRun,
            Some("updatedAtMs") => By::Update,
            Some("name") => By::Name,
            Some(_) => return Err(field("/sortBy", "is not nextRunAtMs, updatedAtMs or name")),
        };
        let agent = request.agent_id.as_deref().map(AgentId::normalise).transpose()?;
        let session = match &request.session_key {
            Some(key) => Some(policy.agents.resolve(key, request.session_agent_id.as_deref())?),
            None if request.session_agent_id.is_some() => {
                return Err(field("/sessionAgentId", "needs sessionKey"));
            }
            None => None,
        };
        Ok(Self {
            enabled,
            words: request.query.as_deref().unwrap_or_default().trim().to_lowercase(),
            kind,
            status,
            agent: agent.map(|agent| agent.to_string()),
            session,
            by,
            descending: is_descending(request.sort_dir.as_deref())? == Some(true),
        })
    }

    pub(super) fn wants(&self, job: &Job, default_agent: Option<&str>, policy: &Policy) -> bool {
        let Job { spec, .. } = job;
        let kind = match spec.schedule {
            Schedule::At { .. } => "at",
            Schedule::Every { .. } => "every",
            Schedule::Cron { .. } => "cron",
        };
        let status = job.state.last_status.map_or("unknown", Status::word);
        let agent = spec.agent_id.as_deref().or(default_agent);
        let says = |text: Option<&String>| text.is_some_and(|text| text.to_lowercase().contains(&self.words));
        self.enabled.is_none_or(|enabled| enabled == job.enabled)
            && self.kind.as_deref().is_none_or(|wanted| wanted == kind)
            && self.status.as_deref().is_none_or(|wanted| wanted == status)
            && self.agent.as_deref().is_none_or(|wanted| Some(wanted) == agent)
            && self
                .session
                .as_ref()
                .is_none_or(|wanted| is_of(job, wanted, policy))
            && (self.words.is_empty()
                || says(Some(&spec.name))
                || says(spec.display_name.as_ref())
                || says(spec.description.as_ref())
                || job.id.as_str().contains(&self.words))
    }

    pub(super) fn order(&self, one: &Job, other: &Job) -> Ordering {
        let by = match self.by {
            // What is due no more comes last.
            By::NextRun => {
                let key = |job: &Job| (job.next_slot.is_none(), job.next_run());
                key(one).cmp(&key(other))
            }
            By::Update => one.updated_at.cmp(&other.updated_at),
            By::Name => one.spec.name.to_lowercase().cmp(&other.spec.name.to_lowercase()),
        };
        let by = if self.descending { by.reverse() } else { by };
        by.then_with(|| one.id.cmp(&other.id))
    }
}
