//! Every instrument of this service. Labels are words of the code, or few by a bound.

use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::Timestamp;
use gatehouse_core::metrics::{Histograms, Words};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::store::Depths;

/// Pairs of agent and model that are told apart: a client may choose a model for a session, so it must not be able to grow this.
const MODELS_MAX: usize = 128;

/// From an echo to a model that thinks for minutes behind others.
const SECONDS: [f64; 13] = [
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0,
];

/// The model of a turn that no model answered.
const NO_MODEL: &str = "none";

/// An ended turn, by whom and how.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TurnLabels {
    agent: String,
    model: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

/// How a turn ended.
#[derive(Debug)]
pub(crate) struct TurnEnd<'a> {
    pub(crate) agent: &'a str,
    /// Provider and model, when one answered or failed.
    pub(crate) model: Option<(&'a str, &'a str)>,
    pub(crate) outcome: &'static str,
    /// From the message to the end.
    pub(crate) whole: Duration,
    /// From the message to the first piece that was shown.
    pub(crate) first: Option<Duration>,
}

#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) accepted: Counter,
    /// Messages that were known already.
    pub(crate) duplicates: Counter,
    /// Turns that were put back into the queue because their process or their answer broke off.
    pub(crate) run_again: Counter,
    /// Replies that the bridge has taken.
    pub(crate) replies_taken: Counter,
    /// Replies that the bridge will never take.
    pub(crate) replies_refused: Counter,
    turns: Family<TurnLabels, Counter>,
    turn_seconds: Histograms<OutcomeLabel>,
    first_token: Histogram,
    turns_waiting: Gauge,
    turns_running: Gauge,
    turns_running_max: Gauge,
    turn_waits: Gauge<f64, std::sync::atomic::AtomicU64>,
    replies_waiting: Gauge,
    reply_waits: Gauge<f64, std::sync::atomic::AtomicU64>,
    models: Arc<Words<2>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            accepted: Counter::default(),
            duplicates: Counter::default(),
            run_again: Counter::default(),
            replies_taken: Counter::default(),
            replies_refused: Counter::default(),
            turns: Family::default(),
            turn_seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            first_token: Histogram::new(SECONDS),
            turns_waiting: Gauge::default(),
            turns_running: Gauge::default(),
            turns_running_max: Gauge::default(),
            turn_waits: Gauge::default(),
            replies_waiting: Gauge::default(),
            reply_waits: Gauge::default(),
            models: Arc::new(Words::at_most(MODELS_MAX)),
        }
    }
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        self.register_flow(registry.sub_registry_with_prefix("gatehouse_session"));
        let registry = registry.sub_registry_with_prefix("gatehouse");
        registry.register(
            "turns",
            "Turns ended, by agent, model and outcome",
            self.turns.clone(),
        );
        registry.register(
            "turn_seconds",
            "From a message to the end of its turn, by outcome",
            self.turn_seconds.clone(),
        );
        registry.register(
            "turn_first_token_seconds",
            "From a message to the first piece of its answer or of the thinking",
            self.first_token.clone(),
        );
        registry.register("turns_waiting", "Turns that wait", self.turns_waiting.clone());
        registry.register("turns_running", "Turns that run", self.turns_running.clone());
        registry.register(
            "turns_running_max",
            "How many may run: more wait",
            self.turns_running_max.clone(),
        );
        registry.register(
            "turns_oldest_waiting_seconds",
            "How long the oldest turn has waited",
            self.turn_waits.clone(),
        );
        registry.register(
            "replies_waiting",
            "Replies that the bridge has not taken",
            self.replies_waiting.clone(),
        );
        registry.register(
            "replies_oldest_waiting_seconds",
            "How long the oldest reply has waited for the bridge",
            self.reply_waits.clone(),
        );
    }

    fn register_flow(&self, registry: &mut Registry) {
        registry.register("messages_accepted", "Messages taken", self.accepted.clone());
        registry.register(
            "messages_duplicate",
            "Messages that were known already",
            self.duplicates.clone(),
        );
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

    pub(crate) fn ended(&self, end: &TurnEnd<'_>) {
        let model = end.model.map_or_else(
            || NO_MODEL.to_owned(),
            |(provider, model)| format!("{provider}/{model}"),
        );
        let [agent, model] = self.models.labels([end.agent, &model]);
        let outcome = end.outcome;
        let labels = TurnLabels {
            agent,
            model,
            outcome,
        };
        self.turns.get_or_create(&labels).inc();
        let seconds = self.turn_seconds.get_or_create(&OutcomeLabel { outcome });
        seconds.observe(end.whole.as_secs_f64());
        if let Some(first) = end.first {
            self.first_token.observe(first.as_secs_f64());
        }
    }

    /// How many turns may run at once, as it is configured.
    pub(crate) fn turns_max(&self, most: usize) {
        self.turns_running_max
            .set(i64::try_from(most).unwrap_or(i64::MAX));
    }

    /// What waits and runs, as the store has it at `now`.
    pub(crate) fn depths(&self, depths: Depths, now: Timestamp) {
        let Depths {
            turns_waiting,
            turns_running,
            oldest_turn,
            replies_waiting,
            oldest_reply,
        } = depths;
        self.turns_waiting.set(turns_waiting);
        self.turns_running.set(turns_running);
        self.replies_waiting.set(replies_waiting);
        self.turn_waits.set(seconds_since(oldest_turn, now));
        self.reply_waits.set(seconds_since(oldest_reply, now));
    }
}

/// 0 when nothing waits, or the clock was set back.
fn seconds_since(then: Option<Timestamp>, now: Timestamp) -> f64 {
    then.map_or(0.0, |then| now.since(then).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    fn text(metrics: &Metrics) -> String {
        let (mut registry, mut text) = (Registry::default(), String::new());
        metrics.register(&mut registry);
        encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn a_turn_is_counted_by_agent_model_and_outcome_with_its_times() {
        let metrics = Metrics::default();

        metrics.ended(&TurnEnd {
            agent: "main",
            model: Some(("ollama", "llama3.2")),
            outcome: "done",
            whole: Duration::from_secs(3),
            first: Some(Duration::from_secs(1)),
        });
        metrics.ended(&TurnEnd {
            agent: "main",
            model: None,
            outcome: "aborted",
            whole: Duration::ZERO,
            first: None,
        });

        let text = text(&metrics);
        for line in [
            "gatehouse_turns_total{agent=\"main\",model=\"ollama/llama3.2\",outcome=\"done\"} 1",
            "gatehouse_turns_total{agent=\"main\",model=\"none\",outcome=\"aborted\"} 1",
            "gatehouse_turn_seconds_sum{outcome=\"done\"} 3.0",
            "gatehouse_turn_first_token_seconds_sum 1.0",
            "gatehouse_turn_first_token_seconds_count 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
    }

    #[test]
    fn what_waits_is_shown_with_the_time_that_the_oldest_has_waited() {
        let metrics = Metrics::default();

        metrics.depths(
            Depths {
                turns_waiting: 2,
                turns_running: 1,
                oldest_turn: Some(Timestamp::from_ms(4_000)),
                replies_waiting: 1,
                oldest_reply: Some(Timestamp::from_ms(99_000)),
            },
            Timestamp::from_ms(10_000),
        );

        let text = text(&metrics);
        for line in [
            "gatehouse_turns_waiting 2",
            "gatehouse_turns_running 1",
            "gatehouse_turns_oldest_waiting_seconds 6.0",
            "gatehouse_replies_waiting 1",
            "gatehouse_replies_oldest_waiting_seconds 0.0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
    }
}
