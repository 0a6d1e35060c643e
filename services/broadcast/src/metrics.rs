//! What broadcast counts.

use gatehouse_core::bus::Kept;
use gatehouse_proto::broadcast::v1::PublishRequest;
use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

/// Every instrument of broadcast. None has labels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    events: Counter,
    lost: Counter,
    /// Subscriptions of edges.
    pub(crate) edges: Gauge,
    kept: Gauge,
    kept_max: Gauge,
    kept_bytes: Gauge,
    kept_bytes_max: Gauge,
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "gatehouse_broadcast_events",
            "Events published",
            self.events.clone(),
        );
        registry.register(
            "gatehouse_broadcast_gaps",
            "Times a publisher lost events",
            self.lost.clone(),
        );
        registry.register(
            "gatehouse_broadcast_edges",
            "Edges that are sent events",
            self.edges.clone(),
        );
        registry.register(
            "gatehouse_broadcast_kept_events",
            "Events that are kept for edges that come back",
            self.kept.clone(),
        );
        registry.register(
            "gatehouse_broadcast_kept_events_max",
            "How many may be kept: the oldest make room",
            self.kept_max.clone(),
        );
        registry.register(
            "gatehouse_broadcast_kept_bytes",
            "What the events that are kept take of the memory",
            self.kept_bytes.clone(),
        );
        registry.register(
            "gatehouse_broadcast_kept_bytes_max",
            "What they may take: the oldest make room",
            self.kept_bytes_max.clone(),
        );
    }

    /// What is kept now.
    pub(crate) fn kept(&self, kept: Kept) {
        let Kept {
            events,
            events_max,
            bytes,
            bytes_max,
        } = kept;
        for (gauge, value) in [
            (&self.kept, events),
            (&self.kept_max, events_max),
            (&self.kept_bytes, bytes),
            (&self.kept_bytes_max, bytes_max),
        ] {
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        }
    }

    pub(crate) fn published(&self, request: &PublishRequest) {
        self.events
            .inc_by(u64::try_from(request.events.len()).unwrap_or(u64::MAX));
        self.lost.inc_by(u64::from(request.lost));
    }
}
