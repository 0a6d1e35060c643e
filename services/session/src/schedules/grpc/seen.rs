//! Who sees which jobs: one that runs in a session which is somebody's own is told to those who may see that session.

use super::super::{Job, SessionTarget, SlotRow};
use super::Grpc;
use crate::error::Error;
use crate::key::SessionKey;
use crate::policy::Policy;
use crate::viewer::Viewer;

/// The session that a job runs in, when somebody named it.
pub(super) fn session_of(job: &Job, policy: &Policy) -> Option<SessionKey> {
    let named = match &job.spec.session_target {
        SessionTarget::Session(key) => key,
        SessionTarget::Current => job.spec.session_key.as_ref()?,
        // An event is kept for the session that it is said in, as the target `session:`.
        SessionTarget::Main | SessionTarget::Isolated => return None,
    };
    policy.agents.resolve(named, job.spec.agent_id.as_deref()).ok()
}

impl Grpc {
    /// Whether somebody may see what is in this session.
    async fn may_see(&self, viewer: &Viewer, key: Option<&SessionKey>) -> Result<bool, Error> {
        let Some(key) = key else { return Ok(true) };
        match viewer.check_key(self.0.engine(), key).await {
            Ok(()) => Ok(true),
            Err(Error::OfAnotherUser(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn sees(&self, viewer: &Viewer, job: &Job, policy: &Policy) -> Result<bool, Error> {
        self.may_see(viewer, session_of(job, policy).as_ref()).await
    }

    /// Those of these jobs that somebody may see.
    pub(super) async fn seen(
        &self,
        viewer: &Viewer,
        jobs: Vec<Job>,
        policy: &Policy,
    ) -> Result<Vec<Job>, Error> {
        if *viewer == Viewer::Owner {
            return Ok(jobs);
        }
        let mut seen = Vec::with_capacity(jobs.len());
        for job in jobs {
            if self.sees(viewer, &job, policy).await? {
                seen.push(job);
            }
        }
        Ok(seen)
    }

    /// Those of these runs that somebody may see. One that never began has no session: it is told to those who are told of its job.
    pub(super) async fn seen_runs(&self, viewer: &Viewer, runs: Vec<SlotRow>) -> Result<Vec<SlotRow>, Error> {
        if *viewer == Viewer::Owner {
            return Ok(runs);
        }
        let policy = self.0.engine().policy()?;
        let mut seen = Vec::with_capacity(runs.len());
        for run in runs {
            let is_seen = if run.key.is_some() {
                self.may_see(viewer, run.key.as_ref()).await?
            } else if let Some(job) = self.0.store().job(&run.slot.job).await? {
                self.sees(viewer, &job, &policy).await?
            } else {
                false // nobody knows any more whose it was
            };
            if is_seen {
                seen.push(run);
            }
        }
        Ok(seen)
    }
}
