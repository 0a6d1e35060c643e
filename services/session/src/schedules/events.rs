//! What the screens are told of jobs.

use gatehouse_core::Timestamp;
use gatehouse_core::publish::{Outgoing, Publisher};
use gatehouse_core::session_key;
use gatehouse_proto::session::v1::{CronEvent, HeartbeatEvent};
use prost::{Message, Name};

use crate::key::SessionKey;

use super::{DeliveryStatus, Job, JobId, Payload, SlotRow, Status, view};

/// How the keys of sessions begin that are made for runs.
const OF_JOBS: &str = "cron:";

#[derive(Clone, Debug)]
pub(crate) struct Events(Publisher);

/// What somebody did to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Added,
    Updated,
    Removed,
}

impl Change {
    fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Updated => "updated",
            Self::Removed => "removed",
        }
    }
}

impl Events {
    pub(crate) fn new(publisher: Publisher) -> Self {
        Self(publisher)
    }

    pub(super) fn changed(&self, job: &Job, change: Change) {
        self.publish(&CronEvent {
            next_run_at_ms: (change != Change::Removed)
                .then(|| job.next_run())
                .flatten()
                .map(Timestamp::as_ms),
            ..event(&job.id, change.word())
        });
    }

    pub(super) fn started(&self, row: &SlotRow, job: Option<&Job>) {
        self.publish(&CronEvent {
            run_at_ms: Some(row.slot.at.as_ms()),
            run_id: row.run().map(|run| run.to_string()),
            session_key: told_key(row),
            next_run_at_ms: job.and_then(Job::next_run).map(Timestamp::as_ms),
            ..event(&row.slot.job, "started")
        });
    }

    /// A slot came to its end: its run did, or it was skipped or missed. What was said in a session that may be somebody's own is not
    /// told to everybody: whoever may see it asks for the run.
    pub(super) fn finished(&self, row: &SlotRow, job: Option<&Job>) {
        self.publish(&CronEvent {
            run_at_ms: Some(row.slot.at.as_ms()),
            duration_ms: row.duration_ms(),
            status: row.status.map(Status::word).map(str::to_owned),
            error: row.error.clone().filter(|_| is_everybodys(row)),
            summary: row.summary.clone().filter(|_| is_everybodys(row)),
            run_id: row.run().map(|run| run.to_string()),
            session_key: told_key(row),
            next_run_at_ms: job.and_then(Job::next_run).map(Timestamp::as_ms),
            delivery_status: row.delivered.map(DeliveryStatus::word).map(str::to_owned),
            ..event(&row.slot.job, "finished")
        });
        if job.is_some_and(|job| matches!(job.spec.payload, Payload::Heartbeat {})) {
            let beat: HeartbeatEvent = view::heartbeat(row);
            self.publish(&beat);
        }
    }

    fn publish<M: Message + Name>(&self, event: &M) {
        self.0.publish(Outgoing::new(event));
    }
}

/// Whether a run was in no session that somebody may have as his own: in none, a shared one, or one that the gateway made for it.
fn is_everybodys(row: &SlotRow) -> bool {
    let shared = |key: &SessionKey| session_key::is_shared(key.as_str()) || key.rest().starts_with(OF_JOBS);
    row.key.as_ref().is_none_or(shared)
}

fn told_key(row: &SlotRow) -> Option<String> {
    let key = row.key.as_ref().filter(|_| is_everybodys(row));
    key.map(ToString::to_string)
}

fn event(job: &JobId, action: &str) -> CronEvent {
    CronEvent {
        job_id: job.to_string(),
        action: action.to_owned(),
        ..CronEvent::default()
    }
}
