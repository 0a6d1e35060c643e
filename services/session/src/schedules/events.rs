//! What the screens are told of jobs.

use gatehouse_core::Timestamp;
use gatehouse_core::publish::{Outgoing, Publisher};
use gatehouse_proto::session::v1::{CronEvent, HeartbeatEvent};
use prost::{Message, Name};

use super::{DeliveryStatus, Job, JobId, Payload, SlotRow, Status, view};

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
            session_key: row.key.as_ref().map(ToString::to_string),
            next_run_at_ms: job.and_then(Job::next_run).map(Timestamp::as_ms),
            ..event(&row.slot.job, "started")
        });
    }

    /// A slot came to its end: its run did, or it was skipped or missed.
    pub(super) fn finished(&self, row: &SlotRow, job: Option<&Job>) {
        self.publish(&CronEvent {
            run_at_ms: Some(row.slot.at.as_ms()),
            duration_ms: row.duration_ms(),
            status: row.status.map(Status::word).map(str::to_owned),
            error: row.error.clone(),
            summary: row.summary.clone(),
            run_id: row.run().map(|run| run.to_string()),
            session_key: row.key.as_ref().map(ToString::to_string),
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

fn event(job: &JobId, action: &str) -> CronEvent {
    CronEvent {
        job_id: job.to_string(),
        action: action.to_owned(),
        ..CronEvent::default()
    }
}
