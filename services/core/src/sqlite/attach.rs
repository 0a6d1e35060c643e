//! A database beside the service whose store it is.

use std::sync::Arc;

use super::{Database, Timing, keep_health};
use crate::{
    backup::{self, Files, Gate},
    service::Life,
    store::{Attach, Ready},
};

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
