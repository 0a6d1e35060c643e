//! An answer without a word, where nobody waits for one.

use gatehouse_core::Chain;

use super::Run;
use crate::schedules::{Payload, Slot};

impl Run {
    /// Whether to say nothing is an answer: an agent looks by itself whether there is something to say, and nobody asked it anything
    /// meanwhile.
    pub(super) async fn may_be_silent(&self) -> bool {
        if self.is_steered {
            return false;
        }
        let Some(job) = Slot::job_of(&self.turn.run) else {
            return false;
        };
        match self.room.shared.stores.schedules.job(&job).await {
            Ok(job) => job.is_some_and(|job| matches!(job.spec.payload, Payload::Heartbeat {})),
            Err(error) => {
                tracing::error!(run.id = %self.turn.run, error = %Chain(&error), "whether a run is that of a heartbeat could not be read");
                false
            }
        }
    }
}
