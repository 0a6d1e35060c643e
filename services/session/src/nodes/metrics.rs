//! What is measured of nodes. Names of nodes and commands are no labels: clients make both up.

use std::time::Duration;

use gatehouse_core::metrics::Histograms;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::State;

/// From a look at a table of processes to a recording of minutes.
const SECONDS: [f64; 10] = [0.01, 0.05, 0.25, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Clone, Debug)]
pub(crate) struct NodeMetrics {
    connected: Gauge,
    running: Gauge,
    waiting: Gauge,
    invocations: Family<OutcomeLabel, Counter>,
    seconds: Histograms<OutcomeLabel>,
}

impl Default for NodeMetrics {
    fn default() -> Self {
        let invocations: Family<OutcomeLabel, Counter> = Family::default();
        let seconds: Histograms<OutcomeLabel> = Family::new_with_constructor(|| Histogram::new(SECONDS));
        // From the start: a rate over the first event of an outcome is a rate over nothing otherwise.
        for state in [
            State::Ok,
            State::Error,
            State::Timeout,
            State::Cancelled,
            State::Lost,
        ] {
            let outcome = state.word();
            drop(invocations.get_or_create(&OutcomeLabel { outcome }));
            drop(seconds.get_or_create(&OutcomeLabel { outcome }));
        }
        Self {
            connected: Gauge::default(),
            running: Gauge::default(),
            waiting: Gauge::default(),
            invocations,
            seconds,
        }
    }
}

impl NodeMetrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("gatehouse");
        registry.register(
            "nodes_connected",
            "Nodes that are connected",
            self.connected.clone(),
        );
        registry.register(
            "node_invocations",
            "Invocations of nodes that ended, by outcome",
            self.invocations.clone(),
        );
        registry.register(
            "node_invocation_seconds",
            "From the request to a node to the end of the invocation, by outcome",
            self.seconds.clone(),
        );
        registry.register(
            "node_invocations_running",
            "Invocations that a node was asked for and has not answered",
            self.running.clone(),
        );
        registry.register(
            "node_invocations_waiting",
            "Invocations that wait for their node",
            self.waiting.clone(),
        );
    }

    /// An invocation has ended. `asked`: how long ago its node was asked, if it was.
    pub(super) fn ended(&self, state: State, asked: Option<Duration>) {
        let outcome = state.word();
        self.invocations.get_or_create(&OutcomeLabel { outcome }).inc();
        if let Some(asked) = asked {
            let seconds = self.seconds.get_or_create(&OutcomeLabel { outcome });
            seconds.observe(asked.as_secs_f64());
        }
    }

    pub(super) fn set(&self, connected: usize, running: u64, waiting: u64) {
        self.connected.set(i64::try_from(connected).unwrap_or(i64::MAX));
        self.running.set(i64::try_from(running).unwrap_or(i64::MAX));
        self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }
}
