//! `tasks.list`, `tasks.get`, `tasks.cancel`, `diagnostics.lanes`, `last-heartbeat`.

use gatehouse_core::{Drain, Timestamp};
use gatehouse_proto::session::v1 as proto;
use gatehouse_proto::session::v1::task_service_server::TaskService;
use gatehouse_proto::session::v1::*;
use serde::Deserialize;
use serde_json::json;
use tonic::{Request, Response, Status as Answer};

use super::{ListedTurn, Place, Status, TaskFilter};
use crate::error::Error;
use crate::id::RunId;
use crate::key::AgentId;
use crate::schedules::{Payload, RunFilter, view};
use crate::sessions::SessionRef;
use crate::turns::Engine;
use crate::turns::model::{Turn, TurnState};
use crate::viewer::Viewer;

/// Tasks of one answer unless the caller says otherwise.
const LIMIT: i64 = 100;

#[derive(Debug)]
pub(crate) struct Grpc {
    engine: Engine,
    drain: Drain,
}

impl Grpc {
    pub(crate) fn new(engine: Engine, drain: Drain) -> Self {
        Self { engine, drain }
    }

    async fn task(&self, viewer: &Viewer, run: &RunId) -> Result<Option<ListedTurn>, Error> {
        let stores = self.engine.stores();
        let Some(turn) = stores.turns.find(run).await? else {
            return Ok(None);
        };
        let session = stores.sessions.find(&turn.key).await?;
        let is_seen = match &session {
            Some(session) => viewer.check(session).is_ok(),
            None => viewer.sees_all(), // nobody knows any more whose it was
        };
        if !is_seen {
            return Ok(None);
        }
        let title =
            session.and_then(|session| session.label.or(session.display_name).or(session.derived_title));
        Ok(Some(ListedTurn { turn, title }))
    }

    async fn list(&self, viewer: &Viewer, request: ListTasksRequest) -> Result<ListTasksResponse, Error> {
        let ListTasksRequest {
            status,
            agent_id,
            session_key,
            limit,
            cursor,
            sort_by: _, // there is one order
        } = request;
        let agent = agent_id.as_deref().map(AgentId::normalise).transpose()?;
        let key = match session_key {
            Some(key) => Some(
                SessionRef::new(key, agent_id)
                    .resolve(&self.engine, viewer)
                    .await?,
            ),
            None => None,
        };
        let no_cursor = Error::Field {
            path: "/cursor",
            problem: "is none that this gateway gave",
        };
        let after = cursor.map(|cursor| Place::parse(&cursor).ok_or(no_cursor));
        let filter = TaskFilter {
            states: states(status.as_deref())?,
            agent,
            key,
            viewer: viewer.clone(),
            after: after.transpose()?,
            limit: u32::try_from(limit.unwrap_or(LIMIT)).unwrap_or(1),
        };
        let page = self.engine.stores().tasks.tasks(filter).await?;
        Ok(ListTasksResponse {
            tasks: page.tasks.into_iter().map(proto::Task::from).collect(),
            next_cursor: page.next.map(|place| place.to_string()),
        })
    }

    async fn cancel(&self, viewer: &Viewer, request: CancelTaskRequest) -> Result<CancelTaskResponse, Error> {
        let run = RunId::new(request.task_id);
        let Some(found) = self.task(viewer, &run).await? else {
            return Ok(CancelTaskResponse {
                reason: Some("no run of this id is known".to_owned()),
                ..CancelTaskResponse::default()
            });
        };
        let stopped = self
            .engine
            .abort(found.turn.key.clone(), Some(run.clone()))
            .await?;
        let cancelled = stopped.contains(&run);
        let after = self.task(viewer, &run).await?.unwrap_or(found);
        Ok(CancelTaskResponse {
            found: true,
            cancelled,
            reason: (!cancelled).then(|| "it has ended already".to_owned()),
            task: Some(after.into()),
        })
    }

    async fn last_heartbeat(&self) -> Result<GetLastHeartbeatResponse, Error> {
        let schedules = &self.engine.stores().schedules;
        let mut jobs = schedules.jobs().await?;
        jobs.retain(|job| matches!(job.spec.payload, Payload::Heartbeat {}));
        let mut last = None;
        for job in jobs {
            let filter = RunFilter {
                job: Some(job.id),
                limit: 1,
                ..RunFilter::default()
            };
            last = schedules
                .runs(filter)
                .await?
                .0
                .pop()
                .into_iter()
                .chain(last)
                .max_by_key(|row| row.ended_at);
        }
        let heartbeat = last.map(|row| {
            let beat = view::heartbeat(&row);
            json!({
                "ts": beat.ts, "status": beat.status, "reason": beat.reason, "durationMs": beat.duration_ms,
                "agentId": beat.agent_id, "preview": beat.preview,
            })
        });
        Ok(GetLastHeartbeatResponse {
            heartbeat: heartbeat.map(|heartbeat| heartbeat.to_string()),
        })
    }

    async fn lanes(&self) -> Result<ListLanesResponse, Error> {
        let depths = self.engine.stores().upkeep.depths().await?;
        let policy = self.engine.policy()?;
        let turns = Lane {
            lane: "turns".to_owned(),
            queued_count: depths.turns_waiting,
            active_count: depths.turns_running,
            max_concurrent: i64::try_from(policy.concurrent_max).unwrap_or(i64::MAX),
            oldest_queued_at: depths.oldest_turn.map(Timestamp::as_ms),
            draining: self.drain.is_requested(),
            ..Lane::default()
        };
        let replies = Lane {
            lane: "replies".to_owned(),
            queued_count: depths.replies_waiting,
            max_concurrent: 1, // one dispatcher hands them over, in order
            oldest_queued_at: depths.oldest_reply.map(Timestamp::as_ms),
            draining: self.drain.is_requested(),
            ..Lane::default()
        };
        Ok(ListLanesResponse {
            ts: self.engine.now().as_ms(),
            lanes: vec![turns, replies],
            dynamic: None,
        })
    }
}

/// The states of turns that a client asks for, with one word or a list of them.
fn states(status: Option<&str>) -> Result<Option<Vec<TurnState>>, Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Asked {
        One(String),
        Many(Vec<String>),
    }
    let wrong = || Error::Field {
        path: "/status",
        problem: "is none of queued, running, completed, failed, cancelled, timed_out, and no list of them",
    };
    let words = match status.map(serde_json::from_str::<Option<Asked>>) {
        None | Some(Ok(None)) => return Ok(None),
        Some(Ok(Some(Asked::One(word)))) => vec![word],
        Some(Ok(Some(Asked::Many(words)))) => words,
        Some(Err(_)) => return Err(wrong()),
    };
    let mut states = Vec::new();
    for word in words {
        states.extend(Status::parse(&word).ok_or_else(wrong)?.states());
    }
    Ok(Some(states))
}

impl From<ListedTurn> for proto::Task {
    fn from(task: ListedTurn) -> Self {
        let ListedTurn { turn, title } = task;
        let status = Status::of(turn.state);
        let delivery = match (&turn.target, turn.ended_at) {
            (None, _) => "not_applicable",
            (Some(_), None) => "pending",
            (Some(_), Some(_)) => "session_queued",
        };
        let Turn {
            run,
            key,
            queued_at,
            started_at,
            ended_at,
            error,
            ..
        } = turn;
        let summary = match status {
            Status::Queued | Status::Running => None,
            Status::Completed | Status::Failed | Status::Cancelled | Status::TimedOut => {
                Some(status.word().to_owned())
            }
        };
        Self {
            id: run.to_string(),
            task_id: run.to_string(),
            run_id: run.to_string(),
            kind: "chat".to_owned(),
            runtime: "agent".to_owned(),
            status: status.word().to_owned(),
            title,
            agent_id: key.agent().to_string(),
            session_key: key.to_string(),
            owner_key: key.to_string(),
            created_at: queued_at.as_ms(),
            updated_at: ended_at.or(started_at).unwrap_or(queued_at).as_ms(),
            started_at: started_at.map(Timestamp::as_ms),
            ended_at: ended_at.map(Timestamp::as_ms),
            terminal_summary: summary,
            error,
            delivery_status: delivery.to_owned(),
        }
    }
}

fn answer<T>(result: Result<T, Error>) -> Result<Response<T>, Answer> {
    result.map(Response::new).map_err(Answer::from)
}

#[tonic::async_trait]
impl TaskService for Grpc {
    async fn list_tasks(
        &self,
        request: Request<ListTasksRequest>,
    ) -> Result<Response<ListTasksResponse>, Answer> {
        answer(self.list(&Viewer::of(&request), request.into_inner()).await)
    }

    async fn get_task(&self, request: Request<GetTaskRequest>) -> Result<Response<GetTaskResponse>, Answer> {
        let viewer = Viewer::of(&request);
        let GetTaskRequest { task_id } = request.into_inner();
        let run = RunId::new(task_id);
        let task = self.task(&viewer, &run).await?;
        let task = task.ok_or_else(|| Error::NoRun(run.to_string()))?;
        answer(Ok(GetTaskResponse {
            task: Some(task.into()),
        }))
    }

    async fn cancel_task(
        &self,
        request: Request<CancelTaskRequest>,
    ) -> Result<Response<CancelTaskResponse>, Answer> {
        answer(self.cancel(&Viewer::of(&request), request.into_inner()).await)
    }

    async fn list_lanes(&self, _: Request<ListLanesRequest>) -> Result<Response<ListLanesResponse>, Answer> {
        answer(self.lanes().await)
    }

    async fn get_last_heartbeat(
        &self,
        _: Request<GetLastHeartbeatRequest>,
    ) -> Result<Response<GetLastHeartbeatResponse>, Answer> {
        answer(self.last_heartbeat().await)
    }
}

#[cfg(test)]
mod tests;
