//! What the server of a process says of its calls: how long they take.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, histogram::Histogram},
    registry::Registry,
};

use crate::histograms::Histograms;

/// From an answer out of memory to the longest wait.
const SECONDS: [f64; 13] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0,
];

/// Bounded by the methods of the contracts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabel {
    method: String,
}

/// The instruments. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Meters {
    seconds: Histograms<MethodLabel>,
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
        }
    }
}

impl Meters {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "gatehouse_rpc_seconds",
            "From a call to its answer, or to the beginning of a stream",
            self.seconds.clone(),
        );
    }

    /// A call was answered. `path` is that of a method of the contracts.
    pub(super) fn answered(&self, path: &str, took: Duration) {
        let method = path.trim_start_matches('/').to_owned();
        self.seconds
            .get_or_create(&MethodLabel { method })
            .observe(took.as_secs_f64());
    }
}
