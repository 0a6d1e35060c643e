//! Every instrument of the edge: its name, its labels and what bounds them.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use gatehouse_core::metrics::Histograms;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use crate::budget::Budgets;

/// Pairs of method and unknown field that are counted apart. Everything beyond goes to `other`: a client must not be able to
/// grow our memory with invented names.
const UNKNOWN_FIELDS_MAX: usize = 512;

/// From a method that is answered from memory to one that waits for a model.
const SECONDS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0, 30.0];

/// Labels of a request. Bounded by the methods of the contract and the few protocol codes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    pub(crate) method: String,
    pub(crate) code: &'static str,
}

/// The method of a request: one of the map, or `unknown`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct MethodLabel {
    pub(crate) method: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct UnknownField {
    pub(crate) method: String,
    pub(crate) field: String,
}

/// A reason out of a fixed set.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Reason {
    pub(crate) reason: &'static str,
}

/// One of the three budgets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Budgeted {
    holds: &'static str,
}

/// The instruments.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) connections: Gauge,
    sockets_max: Gauge,
    budget_bytes: Family<Budgeted, Gauge>,
    budget_bytes_max: Family<Budgeted, Gauge>,
    pub(crate) handshakes: Family<Reason, Counter>,
    pub(crate) rejected: Family<Reason, Counter>,
    pub(crate) requests: Family<RequestLabels, Counter>,
    pub(crate) request_seconds: Histograms<MethodLabel>,
    pub(crate) unknown_fields: Family<UnknownField, Counter>,
    pub(crate) events: Counter,
    pub(crate) events_unknown: Counter,
    pub(crate) gaps: Counter,
    pub(crate) slow_consumers: Counter,
    pub(crate) floods: Counter,
    pub(crate) garbage: Counter,
    pub(crate) webhooks: Family<Reason, Counter>,
    pub(crate) hooks: Family<Reason, Counter>,
    seen: Mutex<HashSet<(String, String)>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            connections: Gauge::default(),
            sockets_max: Gauge::default(),
            budget_bytes: Family::default(),
            budget_bytes_max: Family::default(),
            handshakes: Family::default(),
            rejected: Family::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            unknown_fields: Family::default(),
            events: Counter::default(),
            events_unknown: Counter::default(),
            gaps: Counter::default(),
            slow_consumers: Counter::default(),
            floods: Counter::default(),
            garbage: Counter::default(),
            webhooks: Family::default(),
            hooks: Family::default(),
            seen: Mutex::default(),
        }
    }
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let edge = registry.sub_registry_with_prefix("gatehouse_edge");
        edge.register(
            "connections",
            "Connections after their handshake",
            self.connections.clone(),
        );
        edge.register(
            "sockets_max",
            "How many sockets there may be, before and after their handshake: more are refused",
            self.sockets_max.clone(),
        );
        edge.register(
            "budget_bytes",
            "Memory that all connections together hold for their peers, by what it holds",
            self.budget_bytes.clone(),
        );
        edge.register(
            "budget_bytes_max",
            "How much it may be: whoever wants more is refused, or closed",
            self.budget_bytes_max.clone(),
        );
        edge.register(
            "handshakes",
            "Handshakes by how they ended",
            self.handshakes.clone(),
        );
        edge.register(
            "rejected",
            "Sockets and requests refused before a handshake or a call",
            self.rejected.clone(),
        );
        edge.register("requests", "Requests by method and code", self.requests.clone());
        edge.register(
            "request_seconds",
            "From frame to answer, by method",
            self.request_seconds.clone(),
        );
        edge.register(
            "unknown_fields",
            "Parameters that no contract knows, ignored",
            self.unknown_fields.clone(),
        );
        edge.register("events", "Events rendered", self.events.clone());
        edge.register(
            "events_unknown",
            "Events that no contract knows, dropped",
            self.events_unknown.clone(),
        );
        edge.register(
            "gaps",
            "Times that events were lost and clients were told",
            self.gaps.clone(),
        );
        edge.register(
            "slow_consumers",
            "Connections closed because they did not read",
            self.slow_consumers.clone(),
        );
        edge.register(
            "floods",
            "Connections closed because they sent too many control frames or small fragments",
            self.floods.clone(),
        );
        edge.register(
            "garbage",
            "Frames after the handshake that were not JSON",
            self.garbage.clone(),
        );
        edge.register(
            "webhooks",
            "Webhook requests by how they ended",
            self.webhooks.clone(),
        );
        edge.register("hooks", "Requests to hooks by how they ended", self.hooks.clone());
    }

    /// What is bounded, and how much of it there is now.
    pub(crate) fn bounds(&self, sockets_max: usize, budgets: &Budgets) {
        let whole = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        self.sockets_max.set(whole(sockets_max));
        for (holds, budget) in [
            ("unauthenticated", &budgets.unauthenticated),
            ("messages", &budgets.messages),
            ("waiting", &budgets.waiting),
        ] {
            let label = Budgeted { holds };
            self.budget_bytes.get_or_create(&label).set(whole(budget.used()));
            self.budget_bytes_max
                .get_or_create(&label)
                .set(whole(budget.max()));
        }
    }

    /// Counts a parameter that no contract knows, and logs it the first time. Places in lists count as one.
    pub(crate) fn unknown_field(&self, method: &str, path: &str) {
        let index = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let parts = path.split('/').map(|part| if index(part) { "*" } else { part });
        let mut label = (method.to_owned(), parts.collect::<Vec<_>>().join("/"));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.contains(&label) {
            if seen.len() >= UNKNOWN_FIELDS_MAX {
                label = (method.to_owned(), "other".to_owned());
            } else {
                tracing::info!(
                    rpc.method = method,
                    field = label.1,
                    "a client sends a field that no contract knows"
                );
                seen.insert(label.clone());
            }
        }
        drop(seen);
        let (method, field) = label;
        self.unknown_fields
            .get_or_create(&UnknownField { method, field })
            .inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invented_fields_do_not_grow_our_memory() {
        let metrics = Metrics::default();

        (0..2000).for_each(|n| metrics.unknown_field("m", &format!("/a{n}")));
        metrics.unknown_field("m", "/list/17/x");

        assert_eq!(metrics.seen.lock().unwrap().len(), UNKNOWN_FIELDS_MAX);
        let other = UnknownField {
            method: "m".to_owned(),
            field: "other".to_owned(),
        };
        assert_eq!(metrics.unknown_fields.get_or_create(&other).get(), 2001 - 512);
    }
}
