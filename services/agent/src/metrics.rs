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
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("gatehouse_agent_turns", "Turns started", self.started.clone());
        registry.register(
            "gatehouse_agent_turns_running",
            "Turns that run now",
            self.running.clone(),
        );
    }
}
