//! What the agent service counts.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

/// Every instrument of the agent service. None has labels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) started: Counter,
    pub(crate) running: Gauge,
}

impl Metrics {
    pub(crate) fn registered(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("gatehouse_agent_turns", "Turns started", metrics.started.clone());
        registry.register(
            "gatehouse_agent_turns_running",
            "Turns that run now",
            metrics.running.clone(),
        );
        metrics
    }
}
