//! The page of metrics for a collector, over OTLP (gRPC), every minute: the same registry as scrapers read, so that both say the same.

mod convert;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use opentelemetry_proto::{
    tonic::{
        collector::metrics::v1::{ExportMetricsServiceRequest, metrics_service_client::MetricsServiceClient},
        common::v1::InstrumentationScope,
        metrics::v1::{ResourceMetrics, ScopeMetrics},
        resource::v1::Resource,
    },
    transform::common::tonic::ResourceAttributesWithSchema,
};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tonic::{
    Request,
    metadata::{Ascii, MetadataKey, MetadataValue},
    transport::Channel,
};

use self::convert::Times;
use super::{Page, Source};
use crate::{
    drain::Drain,
    error::Chain,
    settings::{PushedMetrics, Service},
    trace::otlp::{SCOPE, channel, resource},
};

/// A collector answers at once; a page that is not taken in this time is left out, and the next one says the same and more.
const WITHIN: Duration = Duration::from_secs(5);

/// How long the last page has at the end of the process.
const LAST: Duration = Duration::from_secs(2);

/// Begins to send. The last page leaves when the drain starts.
pub(crate) fn begin<S: Source>(settings: &PushedMetrics, service: Service, source: Arc<S>, drain: &Drain) {
    let channel = match channel(&settings.endpoint) {
        Ok(channel) => channel,
        Err(error) => {
            tracing::warn!(error = %Chain(&error), "metrics are not sent: the collector's address or this machine's roots of trust cannot be used");
            return;
        }
    };
    let attributes = ResourceAttributesWithSchema::from(&resource(settings.service_name.as_deref(), service));
    let sender = Sender {
        client: MetricsServiceClient::new(channel),
        headers: settings.headers.iter().filter_map(header).collect(),
        resource: Resource {
            attributes: attributes.attributes.0,
            ..Resource::default()
        },
        began: SystemTime::now(),
        is_away: false,
        source,
    };
    drain.spawn(
        "metrics for the collector",
        sender.run(settings.every, drain.clone()),
    );
    tracing::info!(server.address = settings.endpoint, "metrics are sent");
}

fn header((name, value): &(String, String)) -> Option<(MetadataKey<Ascii>, MetadataValue<Ascii>)> {
    let mut value: MetadataValue<Ascii> = value.parse().ok()?;
    value.set_sensitive(true); // most often a key
    Some((name.to_lowercase().parse().ok()?, value))
}

struct Sender<S> {
    client: MetricsServiceClient<Channel>,
    headers: Vec<(MetadataKey<Ascii>, MetadataValue<Ascii>)>,
    resource: Resource,
    began: SystemTime,
    /// Whether it did not take the last page: that is said once.
    is_away: bool,
    source: Arc<S>,
}

impl<S: Source> Sender<S> {
    async fn run(mut self, every: Duration, drain: Drain) {
        let mut beats = interval(every);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beats.tick().await; // the first is at once, and there is nothing to say yet
        loop {
            tokio::select! {
                _ = beats.tick() => self.send().await,
                () = drain.requested() => break,
            }
        }
        let _ = timeout(LAST, self.send()).await;
    }

    async fn send(&mut self) {
        let Some(request) = self.request().await else {
            return;
        };
        let mut request = Request::new(request);
        for (name, value) in &self.headers {
            request.metadata_mut().insert(name.clone(), value.clone());
        }
        let error = match timeout(WITHIN, self.client.export(request)).await {
            Ok(Ok(_)) => {
                if std::mem::take(&mut self.is_away) {
                    tracing::info!("the collector takes metrics again");
                }
                return;
            }
            Ok(Err(status)) => Chain(&status).to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        if !std::mem::replace(&mut self.is_away, true) {
            tracing::warn!(
                error,
                "the collector does not take metrics: they are sent again every time"
            );
        }
    }

    async fn request(&self) -> Option<ExportMetricsServiceRequest> {
        let page: Page = match self.source.page().await {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "metrics could not be written");
                return None;
            }
        };
        let times = Times::new(self.began, SystemTime::now());
        Some(ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: Some(self.resource.clone()),
                scope_metrics: vec![ScopeMetrics {
                    scope: Some(InstrumentationScope {
                        name: SCOPE.to_owned(),
                        ..InstrumentationScope::default()
                    }),
                    metrics: convert::metrics(&page, times),
                    ..ScopeMetrics::default()
                }],
                ..ResourceMetrics::default()
            }],
        })
    }
}
