//! An engine with its scheduler, and the methods that stand in front of both.

use std::sync::Arc;

use gatehouse_core::publish::{Published, Publisher};
use gatehouse_core::{Clock, Drain, Timestamp};

use super::{Bench, Running};
use crate::deliveries::Delivery;
use crate::policy::Policy;
use crate::schedules::Runner;

/// When these tests begin: a Friday, 2027-01-15T08:00:00Z.
pub(crate) const FRIDAY_MS: i64 = 1_800_000_000_000;

/// An engine and its scheduler. `G` are the methods that a test calls.
pub(crate) struct Scheduled<G> {
    pub(crate) bench: Bench,
    pub(crate) running: Running,
    pub(crate) grpc: G,
    /// What the scheduler says, beside what the engine does.
    pub(crate) events: Published,
    pub(crate) drain: Drain,
}

impl<G> Scheduled<G> {
    /// With a clock that stands until the test moves it.
    pub(crate) async fn begin(config: &str, now_ms: i64, methods: impl FnOnce(Runner) -> G) -> Self {
        let mut bench = Bench::new().await;
        bench.clock = Clock::fixed(now_ms);
        Self::begin_over(bench, config, methods)
    }

    /// The next process on what another left behind.
    pub(crate) fn begin_over(bench: Bench, config: &str, methods: impl FnOnce(Runner) -> G) -> Self {
        let running = bench.run(config);
        let (publisher, events) = Publisher::for_tests();
        let drain = Drain::new();
        let runner = Runner::new(
            running.engine.clone(),
            publisher,
            running.policy.subscribe(),
            Arc::clone(&running.replies),
            drain.clone(),
        );
        drain.spawn("jobs", runner.clone().run());
        Self {
            bench,
            running,
            grpc: methods(runner),
            events,
            drain,
        }
    }

    /// Time goes by, and the runner looks.
    pub(crate) fn pass(&self, ms: i64) {
        self.bench.clock.advance_ms(ms);
        self.running.policy.send_modify(|_| {});
    }

    pub(crate) fn configure(&self, config: &str) {
        let policy = Policy::read(&serde_json::from_str(config).unwrap());
        self.running.policy.send_replace(Some(Arc::new(policy)));
    }

    /// What is to be said in chats.
    pub(crate) async fn deliveries(&self) -> Vec<Delivery> {
        let deliveries = &self.bench.stores.deliveries;
        deliveries.waiting(Timestamp::MAX, 10).await.unwrap()
    }
}
