//! Traces for a collector, over OTLP (gRPC). An operator who names none (`OTEL_EXPORTER_OTLP_ENDPOINT`) pays nothing: no span is made,
//! no task runs.
//!
//! The spans of a process wait in a queue with a bound and leave in batches. Nobody waits for a collector: what finds no room, or is
//! not taken, is dropped and counted, and said once.
//!
//! Spans are made by the SDK directly and not by a layer of `tracing`: a step here often begins with a row that an earlier process
//! kept, and a layer would look at every line of the log and at the spans of all libraries, at 1 % as at 100 %.

mod queue;

use std::{sync::LazyLock, time::Duration};

use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{RetryPolicy, SpanExporter, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::{
    Resource,
    resource::{EnvResourceDetector, TelemetryResourceDetector},
    trace::{Sampler, SdkTracerProvider, ShouldSample},
};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};

pub use self::queue::Counts;
use super::span::Tracer;
use crate::{
    drain::Drain,
    error::Chain,
    settings::{Sampling, Service, Traces},
};

/// A collector in the same network answers at once; a batch that is not taken in this time is dropped.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// What the spans of this process say they are made by.
pub(crate) const SCOPE: &str = "gatehouse";

/// Names this life of the process, in traces and metrics alike.
static INSTANCE: LazyLock<uuid::Uuid> = LazyLock::new(uuid::Uuid::new_v4);

/// Begins to record and export. It ends with the drain, when the last spans have left or their time is over.
pub fn begin(settings: &Traces, service: Service, counts: Counts, drain: &Drain) {
    let resource = resource(settings.service_name.as_deref(), service);
    let channel = match channel(&settings.endpoint) {
        Ok(channel) => channel,
        Err(error) => {
            tracing::warn!(error = %Chain(&error), "traces are not exported: the collector's address or this machine's roots of trust cannot be used");
            return;
        }
    };
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_channel(channel)
        .with_timeout(EXPORT_TIMEOUT)
        // The next batch follows in a second; one that waits for its turn again would keep the others from leaving.
        .with_retry_policy(RetryPolicy::default().with_max_retries(0))
        .build();
    let mut exporter = match exporter {
        Ok(exporter) => exporter,
        Err(error) => {
            tracing::warn!(error = %Chain(&error), "traces are not exported: correct the OTEL_EXPORTER_OTLP variables");
            return;
        }
    };
    opentelemetry_sdk::trace::SpanExporter::set_resource(&mut exporter, &resource);
    let (queue, waiting) = queue::queue(counts);
    let provider = SdkTracerProvider::builder()
        .with_resource(resource)
        .with_sampler(sampler(settings.sampling))
        .with_span_processor(queue)
        .build();
    Tracer {
        sdk: provider.tracer(SCOPE),
        follows_parent: settings.sampling.follows_parent,
    }
    .install();
    drain.spawn("spans", waiting.export(exporter, drain.clone()));
    tracing::info!(server.address = settings.endpoint, "traces are exported");
}

/// For tests: spans of this process are made here from now on.
#[cfg(test)]
pub(crate) fn record_with(provider: &SdkTracerProvider) {
    Tracer {
        sdk: provider.tracer(SCOPE),
        follows_parent: true,
    }
    .install();
}

/// Which process the spans are of. What an operator says goes before what is known here.
pub(crate) fn resource(service_name: Option<&str>, service: Service) -> Resource {
    let own = [
        KeyValue::new("service.name", format!("gatehouse-{service}")),
        KeyValue::new("service.namespace", "gatehouse"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", INSTANCE.to_string()),
        KeyValue::new("process.pid", i64::from(std::process::id())),
    ];
    let known = Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attributes(own)
        .with_detector(Box::new(EnvResourceDetector::new()));
    match service_name {
        Some(name) => known.with_service_name(name.to_owned()).build(),
        None => known.build(),
    }
}

fn sampler(sampling: Sampling) -> Box<dyn ShouldSample> {
    let Sampling {
        follows_parent,
        ratio,
    } = sampling;
    let root = if ratio >= 1.0 {
        Sampler::AlwaysOn
    } else if ratio <= 0.0 {
        Sampler::AlwaysOff
    } else {
        Sampler::TraceIdRatioBased(ratio)
    };
    if follows_parent {
        Box::new(Sampler::ParentBased(Box::new(root)))
    } else {
        Box::new(root)
    }
}

/// Where a collector is connected to, when something is sent.
pub(crate) fn channel(endpoint: &str) -> Result<Channel, tonic::transport::Error> {
    let mut endpoint = Endpoint::from_shared(endpoint.to_owned())?
        .connect_timeout(EXPORT_TIMEOUT)
        .timeout(EXPORT_TIMEOUT);
    if endpoint.uri().scheme_str() == Some("https") {
        endpoint = endpoint.tls_config(ClientTlsConfig::new().with_enabled_roots())?;
    }
    Ok(endpoint.connect_lazy())
}
