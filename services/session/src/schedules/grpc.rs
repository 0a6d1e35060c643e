//! `cron.*`: parse, ask, answer.

mod filter;
mod preview;
mod runs;
mod seen;

use std::collections::HashMap;

use gatehouse_core::Timestamp;
use gatehouse_proto::session::v1::schedule_service_server::ScheduleService;
use gatehouse_proto::session::v1::*;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tonic::{Request, Response, Status as Answer};

use self::filter::Filter;
use super::{Job, JobChange, JobId, NewJob, RunNow, Runner, Schedule, WakeMode, heartbeat, input, view};
use crate::error::Error;
use crate::viewer::Viewer;

/// Of a list whose caller does not say how many.
const PAGE: u32 = 50;
/// How often a change is begun anew that somebody else was faster than.
const ATTEMPTS: u32 = 8;
/// How an event begins by which an app says each minute that it is there. Who is there is known by the connections, and no agent is to
/// be woken for it.
const PRESENCE: &str = "Node:";

#[derive(Debug)]
pub(crate) struct Grpc(Runner);

fn field(path: &'static str, problem: &'static str) -> Error {
    Error::Field { path, problem }
}

/// The job that a caller names, by either of its names.
fn id_of(id: Option<String>, job_id: Option<String>) -> Result<JobId, Error> {
    id.or(job_id)
        .map(JobId::new)
        .ok_or_else(|| field("/id", "is needed: it names the job"))
}

impl Grpc {
    pub(crate) fn new(runner: Runner) -> Self {
        Self(runner)
    }

    #[cfg(test)]
    pub(super) fn runner(&self) -> &Runner {
        &self.0
    }

    async fn find(&self, id: &JobId) -> Result<Job, Error> {
        let job = self.0.store().job(id).await?;
        job.ok_or_else(|| Error::NoJob(id.to_string()))
    }

    fn shown(&self, job: &Job) -> Result<CronJob, Error> {
        view::job(job, None)
    }

    async fn status(&self) -> Result<GetCronStatusResponse, Error> {
        let enabled = self.0.engine().policy()?.cron.enabled;
        let mut jobs = self.0.store().jobs().await?;
        jobs.retain(|job| !job.id.is_of_hook());
        let next = jobs.iter().filter_map(Job::next_run).min();
        Ok(GetCronStatusResponse {
            enabled,
            jobs: u32::try_from(jobs.len()).unwrap_or(u32::MAX),
            next_wake_at_ms: next.filter(|_| enabled).map(Timestamp::as_ms),
            storage: "sqlite".to_owned(),
            triggers_enabled: false,
        })
    }

    async fn list(
        &self,
        viewer: &Viewer,
        request: ListCronJobsRequest,
    ) -> Result<ListCronJobsResponse, Error> {
        let policy = self.0.engine().policy()?;
        let filter = Filter::read(&request, &policy)?;
        let default = policy.agents.default_id().ok().map(ToString::to_string);
        let mut jobs = self.0.store().jobs().await?;
        jobs.retain(|job| !job.id.is_of_hook() && filter.wants(job, default.as_deref(), &policy));
        let mut jobs = self.seen(viewer, jobs, &policy).await?;
        jobs.sort_by(|one, other| filter.order(one, other));
        let mut picture = Sha256::new();
        for job in &jobs {
            picture.update(format!("{} {} {}\n", job.id, job.version, job.updated_at));
        }
        let (offset, limit) = (request.offset.unwrap_or(0), request.limit.unwrap_or(PAGE));
        let total = u32::try_from(jobs.len()).unwrap_or(u32::MAX);
        let end = offset.saturating_add(limit).min(total);
        let page = || jobs.iter().skip(count(offset)).take(count(limit));
        let mut delivery_previews = HashMap::new();
        if request.include_delivery_previews != Some(false) {
            for job in page() {
                let preview = self.0.preview(job, &policy).await?;
                delivery_previews.extend(preview.map(|preview| (job.id.to_string(), preview)));
            }
        }
        Ok(ListCronJobsResponse {
            delivery_previews,
            jobs: page()
                .map(|job| view::job(job, default.as_deref()))
                .collect::<Result<_, _>>()?,
            snapshot_revision: gatehouse_core::hex::encode(&picture.finalize()),
            total,
            offset,
            limit,
            has_more: end < total,
            next_offset: (end < total).then_some(end),
        })
    }

    async fn add(&self, request: AddCronJobRequest) -> Result<CronJob, Error> {
        let (policy, now) = (self.0.engine().policy()?, self.0.engine().now());
        let mut asked = input::read(written(request)?, None, &policy, now)?;
        if let Schedule::Every { anchor_ms, .. } = &mut asked.spec.schedule {
            anchor_ms.get_or_insert(now);
        }
        let new = NewJob {
            id: JobId::generate(),
            spec: asked.spec,
            enabled: asked.enabled,
            now,
        };
        self.shown(&self.0.add(new).await?)
    }

    async fn update(&self, request: UpdateCronJobRequest) -> Result<CronJob, Error> {
        let UpdateCronJobRequest {
            id,
            job_id,
            patch,
            expected_config_revision,
        } = request;
        let id = id_of(id, job_id)?;
        for _ in 0..ATTEMPTS {
            let job = self.find(&id).await?;
            refuse_own(&job)?;
            if let Some(expected) = &expected_config_revision {
                let actual = view::revision(&job);
                if *expected != actual {
                    let expected = expected.clone();
                    return Err(Error::JobChanged { expected, actual });
                }
            }
            let (policy, now) = (self.0.engine().policy()?, self.0.engine().now());
            let whole = input::merged(&job.spec, job.enabled, &patch)?;
            let mut asked = input::read(whole, Some(&job.spec.schedule), &policy, now)?;
            if let Schedule::Every { anchor_ms, .. } = &mut asked.spec.schedule {
                anchor_ms.get_or_insert(now);
            }
            let change = JobChange {
                id: id.clone(),
                version: job.version,
                spec: asked.spec,
                enabled: asked.enabled,
                skips_missed: policy.cron.skip_missed_jobs,
                now,
            };
            if let Some(job) = self.0.replace(change).await? {
                return self.shown(&job);
            }
        }
        let job = self.find(&id).await?;
        Err(Error::JobChanged {
            expected: expected_config_revision.unwrap_or_default(),
            actual: view::revision(&job),
        })
    }

    async fn run(&self, request: RunCronJobRequest) -> Result<RunCronJobResponse, Error> {
        let RunCronJobRequest { id, job_id, mode } = request;
        let job = self.find(&id_of(id, job_id)?).await?;
        let now = self.0.engine().now();
        let reason = match mode.as_deref() {
            None | Some("force") => None,
            Some("if-enabled") => (!job.enabled).then_some("disabled"),
            Some("due") => job.next_run().is_none_or(|next| next > now).then_some("not-due"),
            Some(_) => return Err(field("/mode", "is not force, if-enabled or due")),
        };
        let not_ran = |reason: &str| RunCronJobResponse {
            ok: true,
            ran: Some(false),
            reason: Some(reason.to_owned()),
            ..RunCronJobResponse::default()
        };
        if let Some(reason) = reason {
            return Ok(not_ran(reason));
        }
        Ok(match self.0.run_now(&job.id).await? {
            RunNow::Busy => not_ran("already-running"),
            RunNow::Claimed(slot) => RunCronJobResponse {
                ok: true,
                enqueued: Some(true),
                run_id: Some(slot.run().to_string()),
                ..RunCronJobResponse::default()
            },
        })
    }

    /// Says something in the main session of an agent, now or when its next heartbeat is.
    async fn say(&self, viewer: &Viewer, request: WakeRequest) -> Result<(), Error> {
        let WakeRequest {
            mode,
            text,
            session_key,
            agent_id,
        } = request;
        let mode = WakeMode::parse(&mode).ok_or_else(|| field("/mode", "is not now or next-heartbeat"))?;
        if text.trim().is_empty() {
            return Err(field("/text", "is empty"));
        }
        let (policy, now) = (self.0.engine().policy()?, self.0.engine().now());
        let key = match &session_key {
            Some(key) => policy.agents.resolve(key, agent_id.as_deref())?,
            None => policy.agents.resolve("main", agent_id.as_deref())?,
        };
        let agent = policy.agents.of(&key)?.id.clone();
        viewer.check_key(self.0.engine(), &key).await?;
        let at = match mode {
            WakeMode::Now => now,
            WakeMode::NextHeartbeat => self.0.next_beat(&agent, now).await?,
        };
        let session = session_key.map(|_| key.to_string());
        let spec = heartbeat::event(&text, Some(agent.to_string()), session, at);
        let spec = spec.ok_or_else(|| field("/text", "cannot be kept"))?;
        let new = NewJob {
            id: JobId::generate(),
            spec,
            enabled: true,
            now,
        };
        self.0.add(new).await.map(drop)
    }
}

/// What the configuration says is changed there.
fn refuse_own(job: &Job) -> Result<(), Error> {
    if heartbeat::is_own(job) {
        return Err(field(
            "/id",
            "is the heartbeat of an agent: change agents.defaults.heartbeat, or that of the agent, in the configuration",
        ));
    }
    Ok(())
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn is_descending(word: Option<&str>) -> Result<Option<bool>, Error> {
    match word {
        None => Ok(None),
        Some("asc") => Ok(Some(false)),
        Some("desc") => Ok(Some(true)),
        Some(_) => Err(field("/sortDir", "is not asc or desc")),
    }
}

/// A request as what is kept of a job.
fn written(request: AddCronJobRequest) -> Result<Map<String, Value>, Error> {
    let AddCronJobRequest {
        name,
        display_name,
        agent_id,
        session_key,
        description,
        enabled,
        delete_after_run,
        schedule,
        session_target,
        wake_mode,
        payload,
        delivery,
        failure_alert,
        missed,
        null_fields: _, // nothing is set
    } = request;
    let parsed = |path: &'static str, json: String| {
        serde_json::from_str::<Value>(&json).map_err(|_| field(path, "is no JSON"))
    };
    let optional = |path, json: Option<String>| json.map(|json| parsed(path, json)).transpose();
    let fields = [
        ("name", Some(Value::from(name))),
        ("displayName", display_name.map(Value::from)),
        ("agentId", agent_id.map(Value::from)),
        ("sessionKey", session_key.map(Value::from)),
        ("description", description.map(Value::from)),
        ("enabled", enabled.map(Value::from)),
        ("deleteAfterRun", delete_after_run.map(Value::from)),
        ("schedule", Some(parsed("/schedule", schedule)?)),
        ("sessionTarget", Some(Value::from(session_target))),
        ("wakeMode", Some(Value::from(wake_mode))),
        ("payload", Some(parsed("/payload", payload)?)),
        ("delivery", optional("/delivery", delivery)?),
        ("failureAlert", optional("/failureAlert", failure_alert)?),
        ("missed", optional("/missed", missed)?),
    ];
    let set = fields
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Ok(set.collect())
}

fn answer<T>(result: Result<T, Error>) -> Result<Response<T>, Answer> {
    result.map(Response::new).map_err(Answer::from)
}

#[tonic::async_trait]
impl ScheduleService for Grpc {
    async fn get_cron_status(
        &self,
        _: Request<GetCronStatusRequest>,
    ) -> Result<Response<GetCronStatusResponse>, Answer> {
        answer(self.status().await)
    }

    async fn list_cron_jobs(
        &self,
        request: Request<ListCronJobsRequest>,
    ) -> Result<Response<ListCronJobsResponse>, Answer> {
        answer(self.list(&Viewer::of(&request), request.into_inner()).await)
    }

    async fn get_cron_job(
        &self,
        request: Request<GetCronJobRequest>,
    ) -> Result<Response<GetCronJobResponse>, Answer> {
        let viewer = Viewer::of(&request);
        let GetCronJobRequest { id, job_id } = request.into_inner();
        let job = self.find(&id_of(id, job_id)?).await?;
        let policy = self.0.engine().policy()?;
        if !self.sees(&viewer, &job, &policy).await? {
            return Err(Error::NoJob(job.id.to_string()).into());
        }
        answer(Ok(GetCronJobResponse {
            job: Some(self.shown(&job)?),
        }))
    }

    async fn add_cron_job(
        &self,
        request: Request<AddCronJobRequest>,
    ) -> Result<Response<AddCronJobResponse>, Answer> {
        let job = self.add(request.into_inner()).await?;
        answer(Ok(AddCronJobResponse { job: Some(job) }))
    }

    async fn update_cron_job(
        &self,
        request: Request<UpdateCronJobRequest>,
    ) -> Result<Response<UpdateCronJobResponse>, Answer> {
        let job = self.update(request.into_inner()).await?;
        answer(Ok(UpdateCronJobResponse { job: Some(job) }))
    }

    async fn remove_cron_job(
        &self,
        request: Request<RemoveCronJobRequest>,
    ) -> Result<Response<RemoveCronJobResponse>, Answer> {
        let RemoveCronJobRequest { id, job_id } = request.into_inner();
        let job = self.find(&id_of(id, job_id)?).await?;
        refuse_own(&job)?;
        self.0.remove(&job.id).await?;
        answer(Ok(RemoveCronJobResponse {
            ok: true,
            removed: true,
        }))
    }

    async fn run_cron_job(
        &self,
        request: Request<RunCronJobRequest>,
    ) -> Result<Response<RunCronJobResponse>, Answer> {
        answer(self.run(request.into_inner()).await)
    }

    async fn wake(&self, request: Request<WakeRequest>) -> Result<Response<WakeResponse>, Answer> {
        self.say(&Viewer::of(&request), request.into_inner()).await?;
        answer(Ok(WakeResponse { ok: true }))
    }

    async fn add_system_event(
        &self,
        request: Request<AddSystemEventRequest>,
    ) -> Result<Response<AddSystemEventResponse>, Answer> {
        let viewer = Viewer::of(&request);
        let AddSystemEventRequest {
            text,
            session_key,
            wake,
        } = request.into_inner();
        let wakes = wake == Some(true);
        if text.starts_with(PRESENCE) {
            let refused = wakes.then(|| field("/wake", "is for what an agent is to hear of"));
            return answer(refused.map_or(Ok(AddSystemEventResponse { ok: true }), Err));
        }
        let mode = if wakes {
            WakeMode::Now
        } else {
            WakeMode::NextHeartbeat
        };
        let wake = WakeRequest {
            mode: mode.word().to_owned(),
            text,
            session_key,
            agent_id: None,
        };
        self.say(&viewer, wake).await?;
        answer(Ok(AddSystemEventResponse { ok: true }))
    }

    async fn set_heartbeats(
        &self,
        request: Request<SetHeartbeatsRequest>,
    ) -> Result<Response<SetHeartbeatsResponse>, Answer> {
        let SetHeartbeatsRequest { enabled } = request.into_inner();
        self.0.switch_beats(enabled);
        answer(Ok(SetHeartbeatsResponse { ok: true, enabled }))
    }

    async fn list_cron_runs(
        &self,
        request: Request<ListCronRunsRequest>,
    ) -> Result<Response<ListCronRunsResponse>, Answer> {
        answer(self.runs(&Viewer::of(&request), request.into_inner()).await)
    }
}
