//! What the agent service counts: turns, and each call to a model.

use std::sync::Arc;

use gatehouse_core::metrics::{Histograms, Words};
use gatehouse_proto::agent::v1::{FailureKind, Usage};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use tokio::time::Instant;

/// Pairs of provider and model that are told apart: a client may name a model for a turn, so it must not be able to grow this.
const MODELS_MAX: usize = 128;

/// From a small model beside us to one that thinks for minutes.
const SECONDS: [f64; 12] = [
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0,
];

/// Whom a call went to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Model {
    provider: String,
    model: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    provider: String,
    model: String,
    outcome: &'static str,
}

/// How a call ended. Cancelled: its turn was stopped, or the time of the turn was over.
const OK: &str = "ok";
const ERROR: &str = "error";
const CANCELLED: &str = "cancelled";

/// Bounded by the providers of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Provider {
    provider: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failure {
    provider: String,
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Tokens {
    provider: String,
    model: String,
    direction: &'static str,
}

/// Every instrument of the agent service. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) started: Counter,
    pub(crate) running: Gauge,
    /// How many turns may run: the service sets it once.
    pub(crate) running_max: Gauge,
    calls: Family<Call, Counter>,
    failures: Family<Failure, Counter>,
    tokens: Family<Tokens, Counter>,
    first_token: Histograms<Model>,
    whole: Histograms<Model>,
    open: Family<Provider, Gauge>,
    models: Arc<Words<2>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            started: Counter::default(),
            running: Gauge::default(),
            running_max: Gauge::default(),
            calls: Family::default(),
            failures: Family::default(),
            tokens: Family::default(),
            first_token: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            whole: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            open: Family::default(),
            models: Arc::new(Words::at_most(MODELS_MAX)),
        }
    }
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("gatehouse_agent_turns", "Turns started", self.started.clone());
        registry.register(
            "gatehouse_agent_turns_running",
            "Turns that run now",
            self.running.clone(),
        );
        registry.register(
            "gatehouse_agent_turns_running_max",
            "How many may run there: more are refused",
            self.running_max.clone(),
        );
        let registry = registry.sub_registry_with_prefix("gatehouse_model");
        registry.register("calls", "Calls to models by how they ended", self.calls.clone());
        registry.register(
            "errors",
            "Calls to models that failed, by provider and kind",
            self.failures.clone(),
        );
        registry.register(
            "tokens",
            "Tokens as providers count them, by direction",
            self.tokens.clone(),
        );
        registry.register(
            "first_token_seconds",
            "From the question to the first piece of the answer or of the thinking",
            self.first_token.clone(),
        );
        registry.register(
            "seconds",
            "From the question to the end of the answer, failed calls included",
            self.whole.clone(),
        );
        registry.register(
            "circuit_open",
            "Whether the circuit of a provider that kept failing is open just now",
            self.open.clone(),
        );
    }

    /// Which providers can be asked now, and which are left alone. One that has gone from the configuration is on no page.
    pub(crate) fn providers(&self, configured: impl Iterator<Item = String>, failed: &[(String, bool)]) {
        self.open.clear();
        for provider in configured {
            let is_open = failed.iter().any(|(name, is_open)| *name == provider && *is_open);
            self.open
                .get_or_create(&Provider { provider })
                .set(is_open.into());
        }
    }

    /// A call begins.
    pub(crate) fn call(&self, provider: &str, model: &str) -> Calling {
        let [provider, model] = self.models.labels([provider, model]);
        Calling {
            metrics: self.clone(),
            model: Model { provider, model },
            since: Instant::now(),
            ended: false,
        }
    }
}

/// A call under way. Dropped, it was cancelled.
#[derive(Debug)]
pub(crate) struct Calling {
    metrics: Metrics,
    model: Model,
    since: Instant,
    ended: bool,
}

impl Calling {
    /// It answered; its first piece came at that time.
    pub(crate) fn answered(mut self, first: Option<Instant>, usage: Option<&Usage>) {
        self.seen(first);
        self.end(OK);
        let Some(usage) = usage else { return };
        for (direction, count) in [("input", usage.input), ("output", usage.output)] {
            let labels = Tokens {
                provider: self.model.provider.clone(),
                model: self.model.model.clone(),
                direction,
            };
            let count = u64::try_from(count).unwrap_or(0);
            self.metrics.tokens.get_or_create(&labels).inc_by(count);
        }
    }

    /// It failed.
    pub(crate) fn failed(mut self, first: Option<Instant>, kind: FailureKind) {
        self.seen(first);
        self.end(ERROR);
        let labels = Failure {
            provider: self.model.provider.clone(),
            kind: word(kind),
        };
        self.metrics.failures.get_or_create(&labels).inc();
    }

    fn seen(&self, first: Option<Instant>) {
        if let Some(first) = first {
            let histogram = self.metrics.first_token.get_or_create(&self.model);
            histogram.observe(first.duration_since(self.since).as_secs_f64());
        }
    }

    fn end(&mut self, outcome: &'static str) {
        self.ended = true;
        let Model { provider, model } = self.model.clone();
        let labels = Call {
            provider,
            model,
            outcome,
        };
        self.metrics.calls.get_or_create(&labels).inc();
        if outcome != CANCELLED {
            let histogram = self.metrics.whole.get_or_create(&self.model);
            histogram.observe(self.since.elapsed().as_secs_f64());
        }
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        if !self.ended {
            self.end(CANCELLED);
        }
    }
}

/// The kind as its contract names it.
pub(crate) fn word(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Unspecified => "other",
        FailureKind::Auth => "auth",
        FailureKind::RateLimit => "rate_limit",
        FailureKind::Context => "context",
        FailureKind::Timeout => "timeout",
        FailureKind::Unavailable => "unavailable",
        FailureKind::Rejected => "rejected",
        FailureKind::Config => "config",
        FailureKind::Moderation => "moderation",
        FailureKind::ModelMissing => "model_missing",
        FailureKind::Empty | FailureKind::Silent => "empty",
    }
}

#[cfg(test)]
mod tests;
