//! Every instrument of this service. Labels are words of the code, so their number is bounded.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// How a change ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    /// It runs.
    Taken,
    /// It does not run.
    Refused,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    outcome: &'static str,
}

impl From<Outcome> for Labels {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome: match outcome {
                Outcome::Taken => "taken",
                Outcome::Refused => "refused",
            },
        }
    }
}

/// The instruments.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics {
    patches: Family<Labels, Counter>,
    edits: Family<Labels, Counter>,
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        // A counter that begins with its first event hides that event from a rate.
        for outcome in [Outcome::Taken, Outcome::Refused] {
            drop(self.patches.get_or_create(&outcome.into()));
            drop(self.edits.get_or_create(&outcome.into()));
        }
        registry.register(
            "gatehouse_config_patches",
            "Changes by clients, by outcome",
            self.patches.clone(),
        );
        registry.register(
            "gatehouse_config_edits",
            "Edits of the file by hand, by outcome",
            self.edits.clone(),
        );
    }

    pub(crate) fn patch(&self, outcome: Outcome) {
        self.patches.get_or_create(&outcome.into()).inc();
    }

    pub(crate) fn edit(&self, outcome: Outcome) {
        self.edits.get_or_create(&outcome.into()).inc();
    }
}
