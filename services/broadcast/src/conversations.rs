//! What the session service says of its sessions, for `status` and `health`: asked when somebody wants to know. A gateway whose session
//! service is away has a status all the same.

use std::{collections::VecDeque, time::Duration};

use gatehouse_core::{Access, Caller, client::PeerService};
use gatehouse_proto::{
    broadcast::v1::{
        AgentHealth, AgentHeartbeat, GetStatusResponse, HealthEvent, HeartbeatHealth, HeartbeatStatus,
        RecentSession, SessionsHealth, StatusAgent, StatusDefaults, StatusSession, StatusSessions,
        StatusTasks, TaskAudit,
    },
    session::v1::{
        AgentSessions, SessionRow, SummariseSessionsRequest, SummariseSessionsResponse,
        session_service_client::SessionServiceClient,
    },
};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};
use tonic::Request;

/// How long an answer is remembered, so that nobody can make us ask more often.
const FRESH: Duration = Duration::from_millis(500);

/// A session service that does not answer this fast is away.
const PATIENCE: Duration = Duration::from_millis(800);

/// Sessions of each agent that a status names, as many as OpenClaw's.
const RECENT_MAX: i64 = 10;

/// Sessions of each agent that health names, as many as OpenClaw's.
const HEALTH_RECENT_MAX: usize = 5;

/// Answers that are remembered: for the gateway's owner, for readers, and for some named users.
const REMEMBERED_MAX: usize = 16;

/// Whose own sessions are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// The gateway's owner, an administrator or a process: everybody's.
    Owner,
    /// A named user: his.
    User(String),
}

impl Asker {
    /// Who stands behind a call.
    pub(crate) fn of<T>(request: &Request<T>) -> Self {
        let Some(caller) = Caller::from_request(request) else {
            return Self::Owner;
        };
        let is_admin = caller
            .grants()
            .is_some_and(|grants| Access::Admin.allows(&grants));
        match caller.user_id {
            Some(user) if !is_admin => Self::User(user),
            Some(_) | None => Self::Owner,
        }
    }
}

/// Asks.
#[derive(Debug)]
pub(crate) struct Conversations {
    client: SessionServiceClient<PeerService>,
    last: Mutex<VecDeque<Remembered>>,
}

#[derive(Debug)]
struct Remembered {
    asker: Asker,
    at: Instant,
    summary: SummariseSessionsResponse,
}

impl Conversations {
    pub(crate) fn new(session: PeerService) -> Self {
        Self {
            client: SessionServiceClient::new(session),
            last: Mutex::default(),
        }
    }

    /// How sessions stand now, or stood a moment ago. `None` while nobody says it.
    pub(crate) async fn ask(&self, asker: &Asker) -> Option<SummariseSessionsResponse> {
        // Held while it asks: who comes meanwhile gets the same answer.
        let mut last = self.last.lock().await;
        last.retain(|remembered| remembered.at.elapsed() < FRESH);
        if let Some(remembered) = last.iter().find(|remembered| remembered.asker == *asker) {
            return Some(remembered.summary.clone());
        }
        let request = SummariseSessionsRequest {
            recent_max: RECENT_MAX,
            user_id: match asker {
                Asker::Owner => None,
                Asker::User(user) => Some(user.clone()),
            },
            everybodys: *asker == Asker::Owner,
        };
        let mut client = self.client.clone();
        let summary = timeout(PATIENCE, client.summarise_sessions(request)).await;
        let summary = summary.ok()?.ok()?.into_inner();
        if last.len() >= REMEMBERED_MAX {
            last.pop_front();
        }
        last.push_back(Remembered {
            asker: asker.clone(),
            at: Instant::now(),
            summary: summary.clone(),
        });
        Some(summary)
    }
}

/// Adds what is known of sessions and channels to a status.
pub(crate) fn tell(
    status: &mut GetStatusResponse,
    summary: Option<SummariseSessionsResponse>,
    health: &HealthEvent,
) {
    let SummariseSessionsResponse {
        defaults,
        agents,
        other_count,
        turns_waiting,
        turns_running,
    } = summary.unwrap_or_default();
    let now = health.ts;
    status.runtime_version = status.version.clone();
    status.channel_summary = health
        .channels
        .iter()
        .map(|(name, channel)| match (&channel.detail, channel.ok) {
            (None, true) => format!("{name}: works"),
            (None, false) => format!("{name}: does not work"),
            (Some(detail), _) => format!("{name}: {detail}"),
        })
        .collect();
    status.heartbeat = Some(HeartbeatStatus {
        default_agent_id: agents
            .first()
            .map(|agent| agent.agent_id.clone())
            .unwrap_or_default(),
        agents: agents
            .iter()
            .map(|agent| {
                let (every, every_ms) = rhythm(agent);
                let waits = agent
                    .heartbeat
                    .as_ref()
                    .is_some_and(|beat| beat.waiting_for_route);
                AgentHeartbeat {
                    agent_id: agent.agent_id.clone(),
                    enabled: every_ms.is_some(),
                    every,
                    every_ms,
                    waiting_for_route: waits.then_some(true),
                }
            })
            .collect(),
    });
    let count = agents.iter().map(|agent| agent.count).sum::<i64>() + other_count;
    let mut recent: Vec<_> = agents.iter().flat_map(|agent| &agent.recent).collect();
    recent.sort_by_key(|row| std::cmp::Reverse(row.updated_at));
    recent.truncate(usize::try_from(RECENT_MAX).unwrap_or_default());
    status.sessions = Some(StatusSessions {
        paths: Vec::new(),
        count,
        defaults: Some(StatusDefaults {
            model: defaults.as_ref().and_then(|defaults| defaults.model.clone()),
            context_tokens: defaults.and_then(|defaults| defaults.context_tokens),
        }),
        recent: recent.into_iter().map(|row| session(row, now)).collect(),
        by_agent: agents
            .iter()
            .map(|agent| StatusAgent {
                agent_id: agent.agent_id.clone(),
                path: String::new(),
                count: agent.count,
                recent: agent.recent.iter().map(|row| session(row, now)).collect(),
            })
            .collect(),
    });
    let active = turns_waiting + turns_running;
    status.tasks = Some(StatusTasks {
        total: active,
        active,
        terminal: 0,
        failures: 0,
        by_status: [
            ("queued", turns_waiting),
            ("running", turns_running),
            ("succeeded", 0),
            ("failed", 0),
        ]
        .map(|(state, count)| (state.to_owned(), count))
        .into(),
    });
    status.task_audit = Some(TaskAudit::default());
}

/// How often an agent wakes by itself: in words and in milliseconds.
fn rhythm(agent: &AgentSessions) -> (String, Option<i64>) {
    let Some(beat) = &agent.heartbeat else {
        return ("disabled".to_owned(), None);
    };
    let units = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1_000, "s"),
        (1, "ms"),
    ];
    let whole = |(unit, _): &&(i64, &str)| beat.every_ms % unit == 0;
    let words = units
        .iter()
        .find(whole)
        .map(|(unit, word)| format!("{}{word}", beat.every_ms / unit));
    (words.unwrap_or_default(), Some(beat.every_ms))
}

fn session(row: &SessionRow, now: i64) -> StatusSession {
    let aborted = row.aborted_last_run.then(|| "aborted".to_owned());
    StatusSession {
        agent_id: row.agent_id.clone(),
        key: row.key.clone(),
        kind: row.kind.clone(),
        session_id: row.session_id.clone(),
        updated_at: row.updated_at,
        age: (now - row.updated_at).max(0),
        aborted_last_run: row.aborted_last_run,
        input_tokens: row.input_tokens,
        output_tokens: row.output_tokens,
        total_tokens: row.total_tokens,
        model: row.model.clone(),
        status: row.status.clone(),
        flags: aborted
            .into_iter()
            .chain([format!("id:{}", row.session_id)])
            .collect(),
    }
}

/// Adds what is known of sessions to the answer of `health`.
pub(crate) fn tell_health(health: &mut HealthEvent, summary: Option<SummariseSessionsResponse>) {
    let Some(SummariseSessionsResponse {
        agents, other_count, ..
    }) = summary
    else {
        return;
    };
    let now = health.ts;
    let recent = |rows: &[&SessionRow]| -> Vec<RecentSession> {
        let rows = rows.iter().take(HEALTH_RECENT_MAX);
        rows.map(|row| RecentSession {
            key: row.key.clone(),
            updated_at: row.updated_at,
            age: (now - row.updated_at).max(0),
        })
        .collect()
    };
    let of_agent = |(place, agent): (usize, &AgentSessions)| {
        let (every, every_ms) = rhythm(agent);
        let target = agent.heartbeat.as_ref().map(|beat| beat.target.clone());
        AgentHealth {
            agent_id: agent.agent_id.clone(),
            default_agent: place == 0,
            sessions: Some(SessionsHealth {
                path: String::new(),
                count: agent.count,
                recent: recent(&agent.recent.iter().collect::<Vec<_>>()),
            }),
            heartbeat: Some(HeartbeatHealth {
                enabled: every_ms.is_some(),
                every,
                every_ms,
                target: target.unwrap_or_else(|| "none".to_owned()),
            }),
        }
    };
    let mut newest: Vec<&SessionRow> = agents.iter().flat_map(|agent| &agent.recent).collect();
    newest.sort_by_key(|row| std::cmp::Reverse(row.updated_at));
    health.default_agent_id = agents.first().map(|agent| agent.agent_id.clone());
    health.sessions = Some(SessionsHealth {
        path: String::new(),
        count: agents.iter().map(|agent| agent.count).sum::<i64>() + other_count,
        recent: recent(&newest),
    });
    let beat = agents.first().and_then(|agent| agent.heartbeat.as_ref());
    health.heartbeat_seconds = Some(beat.map_or(0, |beat| beat.every_ms / 1_000));
    health.agents = agents.iter().enumerate().map(of_agent).collect();
}

#[cfg(test)]
mod tests;
