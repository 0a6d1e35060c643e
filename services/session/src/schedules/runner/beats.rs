//! Heartbeats: their jobs follow the configuration, and what each is to do is read when it is time.

use std::borrow::Cow;
use std::sync::atomic::Ordering;

use gatehouse_core::Timestamp;
use tokio::task;

use super::super::heartbeat::{self, Beat};
use super::super::{Claim, Job, JobChange, JobId, NewJob, Schedule, SlotKind};
use super::Runner;
use crate::deliveries::Target;
use crate::error::Error;
use crate::key::{AgentId, SessionKey};
use crate::policy::Policy;
use crate::sessions::SessionStatus;
use crate::workspace::Name;

/// A beat whose time it is.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) target: Option<Target>,
    pub(super) text: String,
    pub(super) model: Option<String>,
    pub(super) timeout_ms: Option<i64>,
}

impl Runner {
    /// Switches heartbeats off, or on again.
    pub(in super::super) fn switch_beats(&self, on: bool) {
        self.engine.heartbeats().store(on, Ordering::Relaxed);
    }

    /// When an agent looks next whether there is something to do: now where it never does by itself, or nobody would ever look.
    pub(crate) async fn next_beat(&self, agent: &AgentId, now: Timestamp) -> Result<Timestamp, Error> {
        let jobs = self.store.jobs().await?;
        let beat = jobs
            .iter()
            .find(|job| heartbeat::is_own(job) && job.spec.agent_id.as_deref() == Some(agent.as_str()));
        Ok(beat.and_then(Job::next_run).unwrap_or(now))
    }

    /// Brings the jobs of heartbeats in line with a revision of the configuration.
    pub(super) async fn keep_beats(&self, policy: &Policy) -> Result<(), Error> {
        let now = self.engine.now();
        let mut own = self.store.jobs().await?;
        own.retain(heartbeat::is_own);
        for beat in &policy.beats {
            let key = heartbeat::declared(&beat.agent);
            let known = own
                .iter()
                .position(|job| job.spec.declaration_key.as_deref() == Some(&key));
            match known.map(|place| own.swap_remove(place)) {
                Some(job) => self.keep_beat(beat, &job, now).await?,
                None => {
                    let Some(spec) = heartbeat::spec(beat, now) else {
                        continue;
                    };
                    let new = NewJob {
                        id: JobId::generate(),
                        spec,
                        enabled: true,
                        now,
                    };
                    self.add(new).await?;
                }
            }
        }
        for job in own {
            self.remove(&job.id).await?;
        }
        Ok(())
    }

    async fn keep_beat(&self, beat: &Beat, job: &Job, now: Timestamp) -> Result<(), Error> {
        if heartbeat::is_as_configured(job, beat) || (beat.every_ms.is_none() && !job.enabled) {
            return Ok(());
        }
        // The same interval keeps its times.
        let anchor = match &job.spec.schedule {
            Schedule::Every { every_ms, anchor_ms } if Some(*every_ms) == beat.every_ms => *anchor_ms,
            Schedule::Every { .. } | Schedule::At { .. } | Schedule::Cron { .. } => None,
        };
        let change = JobChange {
            id: job.id.clone(),
            version: job.version,
            spec: heartbeat::spec(beat, anchor.unwrap_or(now)).unwrap_or_else(|| job.spec.clone()),
            enabled: beat.every_ms.is_some(),
            skips_missed: true,
            now,
        };
        self.replace(change).await.map(drop)
    }

    /// What a beat is to do, or why it does nothing this time.
    pub(super) async fn beat(
        &self,
        claim: &Claim,
        agent: &AgentId,
        policy: &Policy,
    ) -> Result<Result<Due, Cow<'static, str>>, Error> {
        let Some(beat) = policy.beats.iter().find(|beat| beat.agent == *agent) else {
            return Ok(Err(heartbeat::NOT_CONFIGURED.into()));
        };
        let is_asked_for = claim.row.slot.kind == SlotKind::Manual;
        if !is_asked_for && !self.engine.heartbeats().load(Ordering::Relaxed) {
            return Ok(Err(heartbeat::SWITCHED_OFF.into()));
        }
        if !is_asked_for && !beat.is_active(self.engine.now()) {
            return Ok(Err(heartbeat::QUIET_HOURS.into()));
        }
        let main = self
            .engine
            .stores()
            .sessions
            .find(&SessionKey::main(agent))
            .await?;
        let is_busy = main.as_ref().is_some_and(|session| {
            session.active_run.is_some() || session.status == Some(SessionStatus::Queued)
        });
        if is_busy {
            return Ok(Err(heartbeat::BUSY.into()));
        }
        let last = main.and_then(|session| session.target);
        let target = match beat.target(last, &policy.accounts) {
            Ok(target) => target,
            Err(problem) => return Ok(Err(format!("no-route: {problem}").into())),
        };
        Ok(Ok(Due {
            target,
            text: self.asked(beat).await?,
            model: beat.model.clone(),
            timeout_ms: beat.timeout_ms,
        }))
    }

    /// What the agent is asked, with its notes.
    async fn asked(&self, beat: &Beat) -> Result<String, Error> {
        let (workspaces, agent) = (self.engine.workspaces().clone(), beat.agent.clone());
        let notes = task::spawn_blocking(move || workspaces.told(&agent, Name::Heartbeat));
        Ok(match notes.await.map_err(Error::Engine)? {
            Some(notes) => format!("{}\n\n{notes}", beat.prompt),
            None => beat.prompt.clone(),
        })
    }
}
