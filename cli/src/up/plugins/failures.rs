//! How the commands of plugins ended that were not asked to, for whoever asks the supervisor.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::control::Failing;

/// What is known of each command that is kept running. Clones share it.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Failures(Arc<Mutex<Vec<watch::Receiver<Option<Failing>>>>>);

impl Failures {
    /// These are kept running, and no others.
    pub(super) fn are_of(&self, commands: impl Iterator<Item = watch::Receiver<Option<Failing>>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = commands.collect();
    }

    /// Those that ended by themselves.
    pub(in super::super) fn now(&self) -> Vec<Failing> {
        let commands = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        commands
            .iter()
            .filter_map(|failing| failing.borrow().clone())
            .collect()
    }
}
