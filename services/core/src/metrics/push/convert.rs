//! A page of metrics as OTLP says it.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, KeyValue, any_value},
    metrics::v1::{
        AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum,
        metric::Data, number_data_point,
    },
};

use super::super::page::{Family, Kind, Page};

/// Since when a counter counts, and when it was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    began: u64,
    now: u64,
}

impl Times {
    pub(super) fn new(began: SystemTime, now: SystemTime) -> Self {
        let nanos = |time: SystemTime| {
            let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
        };
        Self {
            began: nanos(began),
            now: nanos(now),
        }
    }
}

/// All metrics of a page.
pub(super) fn metrics(page: &Page, times: Times) -> Vec<Metric> {
    page.families.iter().map(|family| metric(family, times)).collect()
}

fn metric(family: &Family, times: Times) -> Metric {
    let samples: Vec<Sample> = family
        .samples
        .iter()
        .filter_map(|line| Sample::read(line))
        .collect();
    let cumulative = AggregationTemporality::Cumulative.into();
    let (ending, data) = match family.kind {
        Kind::Counter => {
            let data = Data::Sum(Sum {
                data_points: samples.into_iter().map(|sample| sample.point(times)).collect(),
                aggregation_temporality: cumulative,
                is_monotonic: true,
            });
            ("_total", data)
        }
        Kind::Histogram => {
            let data = Data::Histogram(Histogram {
                data_points: histograms(samples, times),
                aggregation_temporality: cumulative,
            });
            ("", data)
        }
        Kind::Gauge | Kind::Info | Kind::Unknown => {
            let data = Data::Gauge(Gauge {
                data_points: samples.into_iter().map(|sample| sample.point(times)).collect(),
            });
            let ending = if family.kind == Kind::Info { "_info" } else { "" };
            (ending, data)
        }
    };
    Metric {
        name: format!("{}{ending}", family.name),
        description: family.help.clone(),
        data: Some(data),
        ..Metric::default()
    }
}

/// One line of a page.
#[derive(Clone, Debug, PartialEq)]
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

impl Sample {
    /// Reads a line as the registry writes it. `None`: it is none.
    fn read(line: &str) -> Option<Self> {
        let (head, mut rest) = line.split_at_checked(line.find(['{', ' '])?)?;
        let mut labels = Vec::new();
        if let Some(inner) = rest.strip_prefix('{') {
            rest = inner;
            while !rest.starts_with('}') {
                let (key, behind) = rest.trim_start_matches(',').split_once("=\"")?;
                let (value, behind) = quoted(behind)?;
                labels.push((key.to_owned(), value));
                rest = behind;
            }
            rest = rest.strip_prefix('}')?;
        }
        Some(Self {
            name: head.to_owned(),
            labels,
            value: rest.split_whitespace().next()?.parse().ok()?,
        })
    }

    fn point(self, times: Times) -> NumberDataPoint {
        NumberDataPoint {
            attributes: attributes(self.labels),
            start_time_unix_nano: times.began,
            time_unix_nano: times.now,
            value: Some(number_data_point::Value::AsDouble(self.value)),
            ..NumberDataPoint::default()
        }
    }
}

/// The text up to the quote that ends it, and what stands behind that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut chars) = (String::new(), text.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            c => value.push(c),
        }
    }
    None
}

/// Lines of the same labels are one histogram.
fn histograms(samples: Vec<Sample>, times: Times) -> Vec<HistogramDataPoint> {
    let mut points = BTreeMap::<Vec<(String, String)>, HistogramDataPoint>::new();
    for Sample {
        name,
        mut labels,
        value,
    } in samples
    {
        let bound = labels.iter().position(|(key, _)| key == "le");
        let bound = bound.map(|place| labels.remove(place).1);
        let point = points.entry(labels).or_default();
        match bound {
            // Counts of a page include those of the buckets below; here each has its own.
            Some(bound) => {
                let below: u64 = point.bucket_counts.iter().sum();
                point.bucket_counts.push(count(value).saturating_sub(below));
                if bound != "+Inf" {
                    point.explicit_bounds.extend(bound.parse::<f64>());
                }
            }
            None if name.ends_with("_sum") => point.sum = Some(value),
            None => point.count = count(value),
        }
    }
    let whole = |(labels, point)| HistogramDataPoint {
        attributes: attributes(labels),
        start_time_unix_nano: times.began,
        time_unix_nano: times.now,
        ..point
    };
    points.into_iter().map(whole).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count is whole, and a cast keeps to the bounds of the type"
)]
fn count(value: f64) -> u64 {
    value as u64
}

fn attributes(labels: Vec<(String, String)>) -> Vec<KeyValue> {
    let attribute = |(key, value)| KeyValue {
        key,
        value: Some(AnyValue {
            value: Some(any_value::Value::StringValue(value)),
        }),
        ..KeyValue::default()
    };
    labels.into_iter().map(attribute).collect()
}

#[cfg(test)]
mod tests {
    use prometheus_client::{
        encoding::text::encode,
        metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
        registry::Registry,
    };
    use proptest::prelude::*;

    use super::*;

    fn sent(registry: &Registry) -> Vec<Metric> {
        let mut text = String::new();
        encode(&mut text, registry).unwrap();
        let times = Times { began: 1, now: 2 };
        metrics(&Page::read(&text).unwrap(), times)
    }

    fn number(point: &NumberDataPoint) -> f64 {
        match point.value {
            Some(number_data_point::Value::AsDouble(value)) => value,
            _ => f64::NAN,
        }
    }

    #[test]
    fn a_collector_is_told_what_a_scraper_reads() {
        let mut registry = Registry::default();
        let frames = Counter::<u64>::default();
        frames.inc_by(3);
        registry.register("frames", "Frames so far", frames);
        let waiting = Gauge::<i64>::default();
        waiting.set(-2);
        registry.register("waiting", "Waiting now", waiting);
        let seconds = Histogram::new([0.1, 1.0]);
        for value in [0.05, 0.5, 0.6, 9.0] {
            seconds.observe(value);
        }
        registry.register("request_seconds", "From frame to answer", seconds);

        let sent = sent(&registry);

        let names: Vec<_> = sent.iter().map(|metric| metric.name.as_str()).collect();
        assert_eq!(names, ["frames_total", "waiting", "request_seconds"]);
        let Some(Data::Sum(sum)) = &sent[0].data else {
            unreachable!("a counter is a sum")
        };
        assert!(sum.is_monotonic && number(&sum.data_points[0]).total_cmp(&3.0).is_eq());
        assert_eq!(sum.data_points[0].start_time_unix_nano, 1);
        let Some(Data::Gauge(gauge)) = &sent[1].data else {
            unreachable!("a gauge is a gauge")
        };
        assert!(number(&gauge.data_points[0]).total_cmp(&-2.0).is_eq());
        let Some(Data::Histogram(histogram)) = &sent[2].data else {
            unreachable!("a histogram is a histogram")
        };
        let point = &histogram.data_points[0];
        assert_eq!((point.count, &*point.bucket_counts), (4, [1, 2, 1].as_slice()));
        assert_eq!(point.explicit_bounds, [0.1, 1.0]);
    }

    proptest! {
        #[test]
        fn a_label_is_what_it_was_whatever_is_in_it(word in "\\PC{0,20}[\n\"\\\\{},=]{0,4}") {
            let mut registry = Registry::default();
            let counted = Family::<[(&'static str, String); 2], Counter>::default();
            counted.get_or_create(&[("reason", word.clone()), ("other", "x".to_owned())]).inc();
            registry.register("frames", "Frames so far", counted);

            let mut sent = sent(&registry);

            let Some(Data::Sum(sum)) = sent.remove(0).data else { unreachable!("a counter is a sum") };
            let [reason, other] = &*sum.data_points[0].attributes else { unreachable!("two labels") };
            let text = |pair: &KeyValue| match pair.value.clone().and_then(|value| value.value) {
                Some(any_value::Value::StringValue(text)) => text,
                _ => String::new(),
            };
            prop_assert_eq!(text(reason), word);
            prop_assert_eq!(text(other), "x");
        }
    }
}
