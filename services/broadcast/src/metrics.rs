//! What broadcast counts.

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
    }

    pub(crate) fn published(&self, request: &PublishRequest) {
        self.events
            .inc_by(u64::try_from(request.events.len()).unwrap_or(u64::MAX));
        self.lost.inc_by(u64::from(request.lost));
    }
}
