//! What a database says of those who write: how many wait, and for how long.

use prometheus_client::{
    metrics::{gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use tokio::time::Instant;

/// From a group that was just about to be committed to a disk that takes nothing.
const SECONDS: [f64; 11] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0,
];

/// The instruments. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Meters {
    waiting: Gauge,
    bound: Gauge,
    seconds: Histogram,
}

impl Meters {
    /// Of a writer for whom at most so many jobs wait.
    pub(super) fn new(jobs_max: usize) -> Self {
        let bound = Gauge::default();
        bound.set(i64::try_from(jobs_max).unwrap_or(i64::MAX));
        Self {
            waiting: Gauge::default(),
            bound,
            seconds: Histogram::new(SECONDS),
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "gatehouse_database_jobs_waiting",
            "Jobs that wait until they are on the disk",
            self.waiting.clone(),
        );
        registry.register(
            "gatehouse_database_jobs_max",
            "Jobs that may wait: more are refused",
            self.bound.clone(),
        );
        registry.register(
            "gatehouse_database_write_seconds",
            "How long a job waits until it is on the disk",
            self.seconds.clone(),
        );
    }

    /// Somebody writes, until this is dropped.
    pub(super) fn write(&self) -> Writes<'_> {
        self.waiting.inc();
        Writes {
            meters: self,
            since: Instant::now(),
        }
    }
}

/// Somebody who writes.
#[derive(Debug)]
pub(super) struct Writes<'a> {
    meters: &'a Meters,
    since: Instant,
}

impl Drop for Writes<'_> {
    fn drop(&mut self) {
        self.meters.waiting.dec();
        self.meters.seconds.observe(self.since.elapsed().as_secs_f64());
    }
}
