//! What the server of a process says of its calls: how long they take, and how many of its places are taken.

use std::{fmt, time::Duration};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{MetricType, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::places::PlacesLayer;
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

/// Bounded by the kinds of calls for clients, and the processes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallsLabel {
    calls: &'static str,
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
    pub(super) fn register(&self, places: &PlacesLayer, registry: &mut Registry) {
        registry.register(
            "gatehouse_rpc_seconds",
            "From a call to its answer, or to the beginning of a stream",
            self.seconds.clone(),
        );
        registry.register_collector(Box::new(Taken(places.clone())));
    }

    /// A call was answered. `path` is that of a method of the contracts.
    pub(super) fn answered(&self, path: &str, took: Duration) {
        let method = path.trim_start_matches('/').to_owned();
        self.seconds
            .get_or_create(&MethodLabel { method })
            .observe(took.as_secs_f64());
    }
}

/// How many places are taken, read when somebody scrapes.
#[derive(Debug)]
struct Taken(PlacesLayer);

impl Collector for Taken {
    fn encode(&self, mut out: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let (taken, bound) = (
            Family::<CallsLabel, Gauge>::default(),
            Family::<CallsLabel, Gauge>::default(),
        );
        for (calls, held, total) in self.0.taken() {
            let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
            taken.get_or_create(&CallsLabel { calls }).set(number(held));
            bound.get_or_create(&CallsLabel { calls }).set(number(total));
        }
        for (name, help, family) in [
            (
                "gatehouse_rpc_places_taken",
                "Calls that are served, each in a place of its kind.",
                taken,
            ),
            (
                "gatehouse_rpc_places",
                "Places of each kind: more calls are refused.",
                bound,
            ),
        ] {
            family.encode(out.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn a_page_shows_how_long_calls_take_and_how_many_places_there_are() {
        let (meters, places) = (Meters::default(), PlacesLayer::new(Meters::default()));
        let mut registry = Registry::default();
        meters.register(&places, &mut registry);
        meters.answered(
            "/gatehouse.session.v1.TurnService/SendMessage",
            Duration::from_millis(3),
        );

        let mut page = String::new();
        encode(&mut page, &registry).unwrap();

        let count = r#"gatehouse_rpc_seconds_count{method="gatehouse.session.v1.TurnService/SendMessage"} 1"#;
        assert!(page.contains(count), "{page}");
        for line in [
            r#"gatehouse_rpc_places_taken{calls="clients"} 0"#,
            r#"gatehouse_rpc_places{calls="clients"} 1536"#,
            r#"gatehouse_rpc_places{calls="waits"} 2048"#,
            r#"gatehouse_rpc_places{calls="edge"} 1024"#,
        ] {
            assert!(page.contains(line), "{line} in {page}");
        }
    }
}
