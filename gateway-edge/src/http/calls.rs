//! Bounds on the calls that come by HTTP.

use std::sync::Arc;

use gatehouse_contract::Method;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{call, error::Refusal, settings::Limits};

/// Turns of programs under way, of all callers together: less than the session service lets one
/// credential wait for (three quarters of 2,048). Each holds a socket and some kilobytes.
const PROGRAMS_MAX: usize = 1024;

/// What all these callers together may have under way: as much as one connection.
#[derive(Debug)]
pub(crate) struct Calls {
    short: Arc<Semaphore>,
    waits: Arc<Semaphore>,
    programs: Arc<Semaphore>,
    /// The turns in which large answers come: together these callers fill no more of the queue than one connection.
    pub(super) large_answers: Arc<Semaphore>,
}

impl Calls {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            short: Arc::new(Semaphore::new(limits.requests_max)),
            waits: Arc::new(Semaphore::new(limits.waits_max)),
            programs: Arc::new(Semaphore::new(PROGRAMS_MAX)),
            large_answers: Arc::new(Semaphore::new(1)),
        }
    }

    /// A place for a turn of a program.
    pub(super) fn enter_program(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let permit = Arc::clone(&self.programs).try_acquire_owned();
        permit.map_err(|_| {
            call::busy(
                "HTTP_BUSY",
                format!("{PROGRAMS_MAX} answers to programs are under way"),
            )
        })
    }

    pub(super) fn enter(&self, method: &Method) -> Result<OwnedSemaphorePermit, Refusal> {
        let (permits, what) = if method.long_wait {
            (&self.waits, "long waits")
        } else {
            (&self.short, "requests")
        };
        let permit = Arc::clone(permits).try_acquire_owned();
        permit.map_err(|_| call::busy("HTTP_BUSY", format!("too many {what} by HTTP are under way")))
    }
}
