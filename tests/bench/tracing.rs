//! What tracing costs: the processor time of all services for a turn, with no collector named, and with one that is sent nothing, one turn in a
//! hundred, and all of them. The gateways take turns, so that all meet the same machine.

use std::time::Duration;

use gatehouse_tests::{Gateway, collector::Collector};
use serde_json::json;

use crate::{
    model::Model,
    report::{Report, percentile},
    turns,
};

const ROUNDS: usize = 3;

/// A way to trace: its name, the share of traces that are recorded (none: no collector is named), and the most that a turn should cost
/// against one without.
struct Way {
    name: &'static str,
    share: Option<&'static str>,
    aim: Option<f64>,
}

const WAYS: [Way; 4] = [
    Way {
        name: "off",
        share: None,
        aim: None,
    },
    Way {
        name: "a collector, and no trace recorded",
        share: Some("0"),
        aim: Some(1.01),
    },
    Way {
        name: "one trace in a hundred",
        share: Some("0.01"),
        aim: Some(1.02),
    },
    Way {
        name: "every trace",
        share: Some("1"),
        aim: None,
    },
];

pub(crate) async fn run(report: &mut Report) {
    let (model, collector) = (Model::serve(1, Duration::ZERO).await, Collector::start().await);
    let config = json!({
        "models": {"providers": {"bench": {"baseUrl": model.base, "apiKey": "k", "models": [{"id": "m", "name": "M"}]}}},
        "agents": {"defaults": {"model": {"primary": "bench/m"}}},
    });
    let mut gateways = Vec::new();
    for way in &WAYS {
        let env: Vec<(&str, &str)> = match way.share {
            None => Vec::new(),
            Some(share) => vec![
                ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url()),
                ("OTEL_METRICS_EXPORTER", "none"),
                ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
                ("OTEL_TRACES_SAMPLER_ARG", share),
            ],
        };
        gateways.push(Gateway::start_with(&config, &env).await);
    }
    let mut measured: Vec<(Vec<f64>, Vec<f64>)> = vec![Default::default(); WAYS.len()];
    for round in 0..ROUNDS {
        for (gateway, (cpu, rate)) in gateways.iter().zip(&mut measured) {
            let one = turns::measure(gateway, &format!("r{round}")).await;
            cpu.push(one.cpu_ms);
            rate.push(one.a_second);
        }
    }
    let mut off = None;
    for (way, (mut cpu, mut rate)) in WAYS.iter().zip(measured) {
        let (cpu, rate) = (percentile(&mut cpu, 0.5), percentile(&mut rate, 0.5));
        let (cpu_off, rate_off) = *off.get_or_insert((cpu, rate));
        report.add(
            format!(
                "processor time of all services for a turn, tracing: {}; reference off",
                way.name
            ),
            cpu,
            "ms",
            way.aim.map(|aim| cpu_off * aim),
            Some(cpu_off),
        );
        report.add(
            format!("durable turns a second, tracing: {}; reference off", way.name),
            rate,
            "1/s",
            None,
            Some(rate_off),
        );
    }
}
