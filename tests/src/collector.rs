//! A collector of OpenTelemetry: it decodes what is exported, draws each trace as a tree, and keeps the last word about each metric.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use opentelemetry_proto::tonic::{
    collector::{
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::{KeyValue, any_value::Value},
    metrics::v1::{Metric, metric::Data, number_data_point},
    trace::v1::Span,
};
use tokio::net::TcpListener;
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

use crate::until;

/// A span as it was exported.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The process: what its resource says of it.
    pub process: BTreeMap<String, String>,
    /// 32 hexadecimal digits.
    pub trace: String,
    /// 16 hexadecimal digits.
    pub id: String,
    /// The span before it; empty for the first.
    pub parent: String,
    /// What was done.
    pub name: String,
    /// What is said of it.
    pub attributes: BTreeMap<String, String>,
    /// The traces that it is linked to.
    pub links: Vec<String>,
    /// When it began.
    pub began: u64,
}

impl Seen {
    /// `service.name` of its process.
    #[must_use]
    pub fn service(&self) -> &str {
        self.process.get("service.name").map_or("", String::as_str)
    }
}

/// A collector that listens.
#[derive(Debug)]
pub struct Collector {
    url: String,
    spans: Arc<Mutex<Vec<Seen>>>,
    metrics: Arc<Mutex<BTreeMap<(String, String), f64>>>,
}

impl Collector {
    /// Listens on a free port.
    ///
    /// # Panics
    /// When there is none.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the address");
        let (spans, metrics) = (Arc::default(), Arc::default());
        let of_traces = TraceServiceServer::new(Receiver(Arc::clone(&spans)));
        let of_metrics = MetricsServiceServer::new(Meters(Arc::clone(&metrics)));
        let serving = tonic::transport::Server::builder()
            .add_service(of_traces)
            .add_service(of_metrics)
            .serve_with_incoming(TcpIncoming::from(listener));
        tokio::spawn(serving);
        Self {
            url: format!("http://{address}"),
            spans,
            metrics,
        }
    }

    /// What a service said last of a metric: the sum of its points, or how often a histogram was added to.
    #[must_use]
    pub fn metric(&self, service: &str, name: &str) -> Option<f64> {
        let metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        metrics.get(&(service.to_owned(), name.to_owned())).copied()
    }

    /// For `OTEL_EXPORTER_OTLP_ENDPOINT`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What came until now.
    #[must_use]
    pub fn spans(&self) -> Vec<Seen> {
        lock(&self.spans).clone()
    }

    /// Waits for a span, and answers it.
    pub async fn sees(&self, what: &str, is_it: impl Fn(&Seen) -> bool) -> Seen {
        until(what, async || self.spans().into_iter().find(|span| is_it(span))).await
    }

    /// A trace as a tree: each span below the one before it, with its process. Spans whose parent never came stand at the end, by
    /// themselves.
    #[must_use]
    pub fn tree(&self, trace: &str) -> String {
        let mut spans = self.spans();
        spans.retain(|span| span.trace == trace);
        spans.sort_by_key(|span| span.began);
        let mut tree = String::new();
        let is_known = |id: &str| spans.iter().any(|span| span.id == id);
        for root in spans.iter().filter(|span| span.parent.is_empty()) {
            draw(root, &spans, 0, &mut tree);
        }
        for lost in spans
            .iter()
            .filter(|span| !span.parent.is_empty() && !is_known(&span.parent))
        {
            tree.push_str("without its parent:\n");
            draw(lost, &spans, 1, &mut tree);
        }
        tree
    }
}

fn draw(span: &Seen, all: &[Seen], depth: usize, tree: &mut String) {
    let _ = writeln!(tree, "{}{} ({})", "  ".repeat(depth), span.name, span.service());
    for next in all.iter().filter(|next| next.parent == span.id) {
        draw(next, all, depth + 1, tree);
    }
}

struct Receiver(Arc<Mutex<Vec<Seen>>>);

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for of_process in request.into_inner().resource_spans {
            let process = words(of_process.resource.unwrap_or_default().attributes);
            let spans = of_process.scope_spans.into_iter().flat_map(|scope| scope.spans);
            lock(&self.0).extend(spans.map(|span| seen(span, &process)));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

struct Meters(Arc<Mutex<BTreeMap<(String, String), f64>>>);

#[tonic::async_trait]
impl MetricsService for Meters {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        for of_process in request.into_inner().resource_metrics {
            let process = words(of_process.resource.unwrap_or_default().attributes);
            let service = process.get("service.name").cloned().unwrap_or_default();
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            for metric in of_process
                .scope_metrics
                .into_iter()
                .flat_map(|scope| scope.metrics)
            {
                let value = sum(&metric);
                known.insert((service.clone(), metric.name), value);
            }
        }
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

fn sum(metric: &Metric) -> f64 {
    let number = |value: &Option<number_data_point::Value>| match value {
        Some(number_data_point::Value::AsDouble(value)) => *value,
        _ => 0.0,
    };
    match &metric.data {
        Some(Data::Sum(sum)) => sum.data_points.iter().map(|point| number(&point.value)).sum(),
        Some(Data::Gauge(gauge)) => gauge.data_points.iter().map(|point| number(&point.value)).sum(),
        Some(Data::Histogram(histogram)) => {
            let counts = histogram.data_points.iter().map(|point| point.count);
            counts
                .map(|count| u32::try_from(count).map_or(f64::MAX, f64::from))
                .sum()
        }
        _ => 0.0,
    }
}

fn seen(span: Span, process: &BTreeMap<String, String>) -> Seen {
    Seen {
        process: process.clone(),
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        name: span.name,
        attributes: words(span.attributes),
        links: span.links.iter().map(|link| hex(&link.trace_id)).collect(),
        began: span.start_time_unix_nano,
    }
}

fn words(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let word = |value: Value| match value {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(is) => is.to_string(),
        other => format!("{other:?}"),
    };
    attributes
        .into_iter()
        .filter_map(|pair| Some((pair.key, word(pair.value?.value?))))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn lock(spans: &Mutex<Vec<Seen>>) -> MutexGuard<'_, Vec<Seen>> {
    spans.lock().unwrap_or_else(PoisonError::into_inner)
}
