//! Every instrument of this service. Labels are words of the code, never of a user, so their number is bounded.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::store::TurnState;

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct EndLabels {
    state: String,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) accepted: Counter,
    /// Messages that were known already.
    pub(crate) duplicates: Counter,
    /// Turns ended, by state: done, failed, aborted, interrupted.
    pub(crate) turns: Family<EndLabels, Counter>,
    /// Turns that were put back into the queue because their process or their answer broke off.
    pub(crate) run_again: Counter,
    /// Replies that the bridge has taken.
    pub(crate) replies_taken: Counter,
    /// Replies that the bridge will never take.
    pub(crate) replies_refused: Counter,
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("gatehouse_session");
        registry.register("messages_accepted", "Messages taken", self.accepted.clone());
        registry.register(
            "messages_duplicate",
            "Messages that were known already",
            self.duplicates.clone(),
        );
        registry.register("turns_ended", "Turns ended, by state", self.turns.clone());
        registry.register(
            "turns_run_again",
            "Turns put back into the queue because their process or their answer broke off",
            self.run_again.clone(),
        );
        registry.register(
            "replies_taken",
            "Replies that the bridge has taken",
            self.replies_taken.clone(),
        );
        registry.register(
            "replies_refused",
            "Replies that the bridge refused for good",
            self.replies_refused.clone(),
        );
    }

    pub(crate) fn ended(&self, state: TurnState) {
        self.turns
            .get_or_create(&EndLabels {
                state: state.word().to_owned(),
            })
            .inc();
    }
}
