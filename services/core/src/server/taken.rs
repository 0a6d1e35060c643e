//! How many of the places of a process its calls take.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{MetricType, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::places::PlacesLayer;

/// Shows in a registry how many of the places are taken.
pub(super) fn register(places: &PlacesLayer, registry: &mut Registry) {
    registry.register_collector(Box::new(Taken(places.clone())));
}

/// Bounded by the kinds of calls for clients, and the processes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallsLabel {
    calls: &'static str,
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
    use std::time::Duration;

    use prometheus_client::encoding::text::encode;

    use super::super::meters::Meters;
    use super::*;

    #[test]
    fn a_page_shows_how_long_calls_take_and_how_many_places_there_are() {
        let (meters, places) = (Meters::default(), PlacesLayer::new(Meters::default()));
        let mut registry = Registry::default();
        meters.register(&mut registry);
        register(&places, &mut registry);
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
