//! What every room of the engine stands on: data, and questions about it. Nothing here decides anything.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use gatehouse_core::drain::plan;
use gatehouse_core::{Clock, Drain};
use tokio::sync::watch;

use super::events::Events;
use super::signals::Signals;
use super::{Lease, Timing};
use crate::agents::Agents;
use crate::id::Owner;
use crate::media::Media;
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::store::Stores;
use crate::workspace::Workspaces;

#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) stores: Stores,
    pub(super) media: Media,
    pub(super) events: Events,
    /// The way to other engines on the same stores.
    pub(super) signals: Signals,
    /// What holds at the moment; `None` until the first revision has come.
    pub(super) policies: watch::Receiver<Option<Arc<Policy>>>,
    pub(super) clock: Clock,
    pub(super) timing: Timing,
    pub(super) owner: Owner,
    pub(super) metrics: Metrics,
    pub(super) drain: Drain,
    /// The files of agents.
    pub(super) workspaces: Workspaces,
    /// Whether heartbeats are switched on: until the next start.
    pub(super) heartbeats: Arc<AtomicBool>,
}

impl Shared {
    pub(super) fn policy(&self) -> Option<Arc<Policy>> {
        self.policies.borrow().clone()
    }

    pub(super) fn agents(&self) -> Option<Arc<Agents>> {
        self.policy().map(|policy| Arc::clone(&policy.agents))
    }

    /// A lease taken now.
    pub(super) fn lease(&self) -> Lease {
        Lease {
            owner: self.owner.clone(),
            until: self.clock.now() + self.timing.lease,
        }
    }

    /// How long it may take until something is noticed that another process did and did not tell, because it died or its signal was
    /// lost: as long as its leases hold. `None`: nobody else does anything.
    pub(super) fn untold_after(&self) -> Option<Duration> {
        (!self.stores.sharing.is_exclusive()).then_some(self.timing.lease)
    }

    /// How long runs may go on after the process was asked to end.
    pub(super) fn drain_limit(&self) -> Duration {
        let configured = || self.policy().map(|policy| policy.drain);
        self.timing
            .drain
            .or_else(configured)
            .unwrap_or(plan::ANSWERS_DEFAULT)
    }
}
