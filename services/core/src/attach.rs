//! A store beside the service whose it is: on its page of metrics, in its health, and in its backups.

use std::{fmt::Debug, sync::Arc};

use crate::{
    backup::{self, Files, Gate},
    service::Life,
    sqlite::{Database, Timing, keep_health},
};

/// What is missing beside the store, in the words of the service, or nothing.
pub type Ready = Box<dyn Fn() -> Result<(), String> + Send>;

/// What a store does for the process that has it open, beside keeping things.
pub trait Attach: Debug + Send + Sync {
    /// Measures itself on the page of metrics, keeps the health of the process true (the store answers, and `ready` names nothing
    /// that is missing), and offers copies of itself for a backup, taken while `gate` is closed, with the `files` that
    /// stand beside it.
    fn attach(&self, life: &mut Life, gate: Gate, files: Arc<dyn Files>, ready: Ready);
}

impl Attach for Database {
    fn attach(&self, life: &mut Life, gate: Gate, files: Arc<dyn Files>, ready: Ready) {
        self.register(&mut life.registry);
        keep_health(
            self.clone(),
            Timing::default(),
            life.health.clone(),
            ready,
            &life.closing,
        );
        life.serve(backup::server(self.clone(), gate, files, &life.closing));
    }
}
