//! A database beside the service whose store it is.

use super::{Database, Timing, keep_health};
use crate::{
    backup::{self, Gate},
    service::Life,
    store::{Attach, Ready},
};

impl Attach for Database {
    fn attach(&self, life: &mut Life, gate: Gate, ready: Ready) {
        self.register(&mut life.registry);
        keep_health(
            self.clone(),
            Timing::default(),
            life.health.clone(),
            ready,
            &life.closing,
        );
        life.serve(backup::server(self.clone(), gate, &life.closing));
    }
}
