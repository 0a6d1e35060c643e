//! Spans that wait for a collector. Whoever ends a span never waits: a full queue drops it.

use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanExporter, SpanProcessor},
};
use prometheus_client::{
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};

use crate::{drain::Drain, error::Chain};

/// Spans that wait. A turn makes some ten in each process and a span takes about 1 KiB, so that this is some hundred turns and 2 MiB
/// (the SDK's own default).
const WAITING_MAX: usize = 2_048;

/// Spans that are sent together (the SDK's own default).
const BATCH_MAX: usize = 512;

/// How long the first of a batch waits for others. What a killed process has not sent is lost, so this is short.
const GATHER: Duration = Duration::from_secs(1);

/// How long the last ones have at the end of the process.
const LAST: Duration = Duration::from_secs(2);

/// The label by which spans are told apart.
type Fate = [(&'static str, &'static str); 1];

/// What became of spans.
#[derive(Clone, Debug, Default)]
pub struct Counts(Family<Fate, Counter>);

impl Counts {
    /// The counts, as a metric of this process.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let counts = Self::default();
        for fate in ["exported", "refused", "dropped"] {
            counts.add(fate, 0);
        }
        registry.register(
            "gatehouse_trace_spans",
            "Spans that the collector took, did not take, or that found no room",
            counts.0.clone(),
        );
        counts
    }

    fn add(&self, fate: &'static str, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.0.get_or_create(&[("fate", fate)]).inc_by(count);
    }

    #[cfg(test)]
    fn of(&self, fate: &'static str) -> u64 {
        self.0.get_or_create(&[("fate", fate)]).get()
    }
}

/// A queue, and what is taken from it.
pub(super) fn queue(counts: Counts) -> (Queue, Waiting) {
    let (sender, spans) = mpsc::channel(WAITING_MAX);
    let queue = Queue {
        sender,
        counts: counts.clone(),
    };
    (queue, Waiting { spans, counts })
}

/// Where spans go that ended.
#[derive(Debug)]
pub(super) struct Queue {
    sender: mpsc::Sender<SpanData>,
    counts: Counts,
}

impl SpanProcessor for Queue {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.sender.try_send(span).is_err() {
            self.counts.add("dropped", 1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(()) // the end of the process says when
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Spans on their way.
pub(super) struct Waiting {
    spans: mpsc::Receiver<SpanData>,
    counts: Counts,
}

impl Waiting {
    /// Hands batches over until the drain starts, and then what is left within [`LAST`].
    pub(super) async fn export(mut self, exporter: impl SpanExporter, drain: Drain) {
        let mut collector = Collector {
            exporter,
            counts: self.counts.clone(),
            is_away: false,
        };
        let going_on = async {
            loop {
                let batch = self.gather(&drain).await;
                if batch.is_empty() {
                    return;
                }
                collector.take(batch).await;
            }
        };
        let limit = async {
            drain.requested().await;
            tokio::time::sleep(LAST).await;
        };
        tokio::select! { () = going_on => (), () = limit => () }
    }

    /// The next batch. Empty when the end was asked for and nothing waits.
    async fn gather(&mut self, drain: &Drain) -> Vec<SpanData> {
        let mut batch = Vec::new();
        tokio::select! {
            _ = self.spans.recv_many(&mut batch, BATCH_MAX) => {}
            () = drain.requested() => {}
        }
        let until = Instant::now() + GATHER;
        while !batch.is_empty() && batch.len() < BATCH_MAX {
            let room = BATCH_MAX - batch.len();
            tokio::select! {
                count = self.spans.recv_many(&mut batch, room) => if count == 0 { break },
                () = sleep_until(until) => break,
                () = drain.requested() => break,
            }
        }
        while batch.len() < BATCH_MAX
            && let Ok(span) = self.spans.try_recv()
        {
            batch.push(span);
        }
        batch
    }
}

/// Who takes them.
struct Collector<E> {
    exporter: E,
    counts: Counts,
    /// Whether it did not take the last batch: that is said once.
    is_away: bool,
}

impl<E: SpanExporter> Collector<E> {
    async fn take(&mut self, batch: Vec<SpanData>) {
        let count = batch.len();
        let taken = timeout(super::EXPORT_TIMEOUT, self.exporter.export(batch)).await;
        let error = match taken {
            Ok(Ok(())) => {
                self.counts.add("exported", count);
                if std::mem::take(&mut self.is_away) {
                    tracing::info!("the collector takes spans again");
                }
                return;
            }
            Ok(Err(error)) => Chain(&error).to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        self.counts.add("refused", count);
        if !std::mem::replace(&mut self.is_away, true) {
            tracing::warn!(
                error,
                count,
                "the collector does not take spans: they are dropped until it does, and counted in gatehouse_trace_spans_total"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        sync::{Arc, Mutex, PoisonError},
    };

    use opentelemetry::trace::{Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::{error::OTelSdkError, trace::SdkTracerProvider};

    use super::*;

    /// A collector that takes, refuses or hangs.
    #[derive(Clone, Debug, Default)]
    struct Fake {
        batches: Arc<Mutex<Vec<usize>>>,
        refuses: bool,
        hangs: bool,
    }

    impl Fake {
        fn batches(&self) -> Vec<usize> {
            self.batches
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
        }
    }

    impl SpanExporter for Fake {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            if self.hangs {
                pending::<()>().await;
            }
            if self.refuses {
                return Err(OTelSdkError::InternalFailure("away".into()));
            }
            self.batches
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(batch.len());
            Ok(())
        }
    }

    fn make(count: usize) -> (Counts, Waiting) {
        let counts = Counts::register(&mut Registry::default());
        let (queue, waiting) = queue(counts.clone());
        let provider = SdkTracerProvider::builder().with_span_processor(queue).build();
        let tracer = provider.tracer("test");
        for _ in 0..count {
            drop(tracer.start("a step"));
        }
        (counts, waiting)
    }

    #[tokio::test(start_paused = true)]
    async fn spans_leave_in_batches_and_the_last_ones_at_the_end() {
        let (counts, waiting) = make(700);
        let (fake, drain) = (Fake::default(), Drain::new());
        drain.start();

        waiting.export(fake.clone(), drain).await;

        assert_eq!(fake.batches(), [512, 188]);
        assert_eq!((counts.of("exported"), counts.of("dropped")), (700, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn spans_without_room_are_dropped_and_counted() {
        let (counts, waiting) = make(WAITING_MAX + 10);
        let drain = Drain::new();
        drain.start();

        waiting.export(Fake::default(), drain).await;

        assert_eq!(counts.of("dropped"), 10);
        assert_eq!(counts.of("exported"), 2_048);
    }

    #[tokio::test(start_paused = true)]
    async fn a_collector_that_is_away_or_hangs_keeps_nobody() {
        for (refuses, hangs) in [(true, false), (false, true)] {
            let (counts, waiting) = make(5);
            let fake = Fake {
                refuses,
                hangs,
                ..Fake::default()
            };
            let drain = Drain::new();
            let (end, began) = (drain.clone(), Instant::now());
            let exporting = tokio::spawn(waiting.export(fake, drain));
            let refused = async {
                while counts.of("refused") < 5 {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            };
            timeout(Duration::from_secs(30), refused)
                .await
                .expect("it is counted");

            end.start();
            exporting.await.unwrap();

            assert!(began.elapsed() < Duration::from_secs(10));
        }
    }
}
