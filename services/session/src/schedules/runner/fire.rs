//! From a claim to a turn, and from the turn's end to that of the slot.

use std::time::Duration;

use gatehouse_core::content::Block;
use gatehouse_core::trace::{self, Span};
use gatehouse_core::{Chain, Content, Kind};
use tokio::time;

use super::super::planner::{LATE, may_still_fire};
use super::super::posts::posted;
use super::super::{Claim, Job, Payload, RunEnd, SessionTarget, Settle, SlotKind, SlotRow, Status, reply};
use super::Runner;
use super::beats::Due;
use crate::agents::ModelName;
use crate::answer;
use crate::deliveries::Target;
use crate::error::Error;
use crate::key::SessionKey;
use crate::policy::Policy;
use crate::rows::content_of;
use crate::sessions::SessionRef;
use crate::thinking::Level;
use crate::transcripts::NewEntry;
use crate::turns::destination::Destination;
use crate::turns::fingerprint::Fingerprint;
use crate::turns::queue::QueueMode;
use crate::turns::{Admission, Brought, Reply, Seed, Turn, TurnState};
use crate::viewer::Viewer;

/// How long one wait for the end of a run lasts; then it is begun anew.
const PATIENCE: Duration = Duration::from_secs(3_600);
/// How long an event of a hook waits whose session is full, before it is tried again.
const ROOM: Duration = Duration::from_secs(5);
/// How long it waits after the store failed at the end of a run.
const PAUSE: Duration = Duration::from_secs(5);
/// How long the session of an event of its own is kept, in milliseconds: as long as that of a job's single run.
const HOOK_SESSION_KEPT_MS: i64 = 24 * 3_600_000;
/// Characters of an answer that are kept in the list of runs.
const SUMMARY_CHARS_MAX: usize = 1_000;

/// Where a turn runs, and where its answer goes.
type Place = (SessionKey, Option<Target>);

impl Runner {
    /// Makes the turn of a claim. False: not now.
    pub(super) async fn fire(&self, claim: Claim, policy: &Policy) -> Result<bool, Error> {
        let Claim { row, job } = &claim;
        let (slot, now) = (&row.slot, self.engine.now());
        // A process that died behind the turn's commit left a claim whose turn there is.
        if self.engine.stores().turns.find(&slot.run()).await?.is_none() {
            if slot.kind == SlotKind::Scheduled {
                if !job.enabled {
                    return self.skip(&claim, "the job was switched off", false).await;
                }
                if !may_still_fire(job, slot.at, policy.cron.skip_missed_jobs, now) {
                    let reason = LATE.to_owned();
                    return self.end_claim(&claim, Settle::Missed { reason }).await;
                }
            }
            let (key, mut target) = match self.place(&claim, policy).await {
                Ok(place) => place,
                Err(error) => return self.refused(&claim, error).await,
            };
            let mut due = None;
            if matches!(job.spec.payload, Payload::Heartbeat {}) {
                match self.beat(&claim, &key.agent(), policy).await? {
                    Ok(beat) => {
                        target.clone_from(&beat.target);
                        due = Some(beat);
                    }
                    Err(reason) => return self.skip(&claim, &reason, false).await,
                }
            }
            let Some((key, _)) = self.store.decide(slot, key, target).await? else {
                return Ok(true); // it is no claim any more
            };
            let admission = match self.admission(&claim, key, due, policy).await {
                Ok(admission) => admission,
                Err(error) => return self.refused(&claim, error).await,
            };
            if let Err(error) = self.engine.submit(admission).await {
                return self.refused(&claim, error).await;
            }
        }
        if let Some((row, job)) = self.store.settle_slot(slot, Settle::Fired, now).await? {
            self.events.started(&row, job.as_ref());
            self.watch(row);
        }
        Ok(true)
    }

    async fn refused(&self, claim: &Claim, error: Error) -> Result<bool, Error> {
        match error.kind() {
            Kind::Unavailable | Kind::Timeout | Kind::Internal => Err(error),
            // An event was taken, and whoever brought it was told so: it waits for a place in its session, and keeps nobody else waiting.
            Kind::Exhausted if claim.job.id.is_of_hook() => {
                let until = self.engine.now() + ROOM;
                self.store.put_off(&claim.row.slot, until).await?;
                Ok(true)
            }
            Kind::Exhausted => self.skip(claim, &error.to_string(), false).await,
            Kind::Invalid
            | Kind::Unauthenticated
            | Kind::Forbidden
            | Kind::NotFound
            | Kind::Conflict
            | Kind::Precondition => self.skip(claim, &error.to_string(), true).await,
        }
    }

    async fn skip(&self, claim: &Claim, reason: &str, failed: bool) -> Result<bool, Error> {
        let reason = reason.to_owned();
        self.end_claim(claim, Settle::Skipped { reason, failed }).await
    }

    async fn end_claim(&self, claim: &Claim, settle: Settle) -> Result<bool, Error> {
        let now = self.engine.now();
        if let Some((row, job)) = self.store.settle_slot(&claim.row.slot, settle, now).await? {
            self.say_over(&row, job.as_ref());
        }
        Ok(true)
    }

    async fn place(&self, claim: &Claim, policy: &Policy) -> Result<Place, Error> {
        let Job { spec, .. } = &claim.job;
        let agent = match &spec.agent_id {
            Some(id) => policy.agents.named(id)?,
            None => policy.agents.default_id()?.clone(),
        };
        let named = |key: &str| SessionRef::new(key.to_owned(), spec.agent_id.clone()).key(&policy.agents);
        let isolated = || {
            let slot = &claim.row.slot;
            let own = slot.job.session_of_hook();
            SessionKey::of(
                &agent,
                &own.unwrap_or_else(|| format!("cron:{}:run:{}", slot.job, slot.at)),
            )
        };
        let key = match (&spec.session_target, &spec.session_key) {
            (SessionTarget::Main, _) => SessionKey::main(&agent),
            (SessionTarget::Session(key), _) | (SessionTarget::Current, Some(key)) => named(key)?,
            (SessionTarget::Isolated, _) | (SessionTarget::Current, None) => isolated()?,
        };
        let target = self.target(&claim.job, &agent, &key, policy).await?.ok();
        Ok((key, target))
    }

    /// The message of a job. Its turn has no chat: what it says is held until it has said it all.
    async fn admission(
        &self,
        claim: &Claim,
        key: SessionKey,
        due: Option<Due>,
        policy: &Policy,
    ) -> Result<Admission, Error> {
        let Claim { row, job } = claim;
        let destination = Destination::find(
            self.engine.stores(),
            policy,
            key,
            None,
            Some(QueueMode::Followup), // it interrupts nobody, and waits for its turn
        )
        .await?;
        if destination.forbids_sending {
            return Err(Error::SendBlocked);
        }
        let (model, thinking, timeout_ms) = match &job.spec.payload {
            Payload::SystemEvent { .. } => (None, None, None),
            Payload::Heartbeat {} => match &due {
                Some(due) => (due.model.clone(), None, due.timeout_ms),
                None => (None, None, None),
            },
            Payload::AgentTurn {
                model,
                thinking,
                timeout_seconds,
                ..
            } => (
                model.clone(),
                thinking.clone(),
                timeout_seconds.and_then(milliseconds),
            ),
        };
        let (run, now) = (row.slot.run(), self.engine.now());
        let text = due.map_or_else(|| job.spec.payload.text().to_owned(), |due| due.text);
        let content = Content::text(text);
        let sender = Some(job.spec.name.clone());
        Ok(Admission {
            entry: NewEntry::of_person(&content, &run, sender, now),
            // Of the slot alone: the job may be changed between a crash and the next start.
            fingerprint: Fingerprint::of(&["schedule", run.as_str()]).into_bytes(),
            queue: destination.queue,
            reply: Reply::Clients,
            viewer: Viewer::Owner, // only who may do everything adds jobs
            seed: Seed::default(),
            expected_session: None,
            sender: None,
            inbound: None,
            model: model.map(ModelName::known),
            thinking: thinking.map(Level::known),
            timeout_ms,
            task: None,
            brought: Brought {
                keep_ms: (job.id.is_of_hook() && job.spec.session_target == SessionTarget::Isolated)
                    .then_some(HOOK_SESSION_KEPT_MS),
                ..Brought::default()
            },
            life: None,
            trace: began(job).context(),
            now,
            key: destination.key,
            run,
        })
    }

    /// Waits for the end of a run, and stores that of its slot.
    pub(super) async fn follow(&self, row: SlotRow) {
        let run = row.slot.run();
        loop {
            let turn = match self.engine.wait(&run, PATIENCE).await {
                Ok(turn) if !turn.state.is_terminal() => continue,
                Ok(turn) => Ok(Some(turn)),
                Err(Error::NoRun(_)) => Ok(None), // it ended long ago
                Err(error) => Err(error),
            };
            let ended = match turn {
                Ok(turn) => self.end(&row, turn).await,
                Err(error) => Err(error),
            };
            match ended {
                Ok(()) => return,
                Err(error) => {
                    tracing::error!(run.id = %run, error = %Chain(&error), "the end of a job's run could not be stored");
                    time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn end(&self, row: &SlotRow, turn: Option<Turn>) -> Result<(), Error> {
        let end = self.end_of(row, turn).await?;
        let Some(ended) = self.store.end_run(end).await? else {
            return Ok(());
        };
        self.say_run_ended(&ended);
        for key in &ended.forgotten {
            if let Err(error) = self.forget(key).await {
                tracing::warn!(session.key = %key, error = %Chain(&error), "the session of an earlier run could not be forgotten");
            }
        }
        Ok(())
    }

    async fn end_of(&self, row: &SlotRow, turn: Option<Turn>) -> Result<RunEnd, Error> {
        let job = self.store.job(&row.slot.job).await?;
        let wanted = self.wanted(row, job.as_ref()).await?;
        let mut end = RunEnd {
            slot: row.slot.clone(),
            status: Status::Error,
            error: None,
            summary: None,
            session_id: None,
            answered_by: None,
            reply: None,
            wanted,
            post: None,
            is_transient: false,
            now: self.engine.now(),
        };
        let Some(turn) = turn else {
            end.error = Some("its run is not known any more".to_owned());
            end.post = job.and_then(|job| posted(row, &job, &end, None));
            return Ok(end);
        };
        let mut words = None;
        end.session_id = Some(turn.session_id.to_string());
        match turn.state {
            TurnState::Done => end.status = Status::Ok,
            TurnState::Failed | TurnState::Interrupted => {
                end.is_transient = true;
                end.error = turn.error.clone().or_else(|| Some("the run failed".to_owned()));
            }
            TurnState::Aborted => end.error = Some("somebody stopped the run".to_owned()),
            TurnState::Queued | TurnState::Leased | TurnState::Running => {}
        }
        if let Some(seq) = turn.answer_seq
            && let Some(entry) = self.engine.stores().transcripts.entry(&turn.key, seq).await?
        {
            let extra = &entry.row.extra;
            end.answered_by = extra.provider.clone().zip(extra.model.clone());
            let told = answer::reply(content_of(&entry.row.content));
            end.summary = told.as_ref().map(summary).filter(|summary| !summary.is_empty());
            end.reply = told.and_then(reply::said);
            words = end.reply.as_ref().map(Content::words);
        }
        end.post = job.and_then(|job| posted(row, &job, &end, words));
        Ok(end)
    }

    async fn forget(&self, key: &SessionKey) -> Result<(), Error> {
        let Some(session) = self.engine.stores().sessions.find(key).await? else {
            return Ok(());
        };
        let id = Some(session.session_id.clone());
        self.engine.delete(&session, id).await.map(drop)
    }
}

/// The step in which a slot fires: the first of a trace, unless a hook brought the job with one.
fn began(job: &Job) -> Span {
    let given = job.state.traceparent.as_deref();
    match given.and_then(|text| text.parse().ok()) {
        Some(context) => Span::of(context, trace::Kind::Consumer, || "process hook"),
        None => Span::root(trace::Kind::Internal, || "fire"),
    }
}

fn summary(told: &Content) -> String {
    let words = told
        .clone()
        .filtered(|block| matches!(block, Block::Text(_)))
        .words();
    words.trim().chars().take(SUMMARY_CHARS_MAX).collect()
}

/// A time limit; 0 is none of the job's own.
fn milliseconds(seconds: f64) -> Option<i64> {
    let limit = Duration::try_from_secs_f64(seconds).ok()?;
    i64::try_from(limit.as_millis()).ok().filter(|ms| *ms > 0)
}
