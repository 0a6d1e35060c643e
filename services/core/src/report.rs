//! Telling broadcast how this process is: at once when it changes, and now and then as a sign of life. That a process is gone,
//! broadcast sees from the end of its connection; that one hangs, from the signs that are missing.

use std::{
    future::pending,
    sync::{Arc, LazyLock},
    time::Duration,
};

use gatehouse_proto::broadcast::v1::{
    Component, ReportHealthRequest, ServiceHealth, broadcast_service_client::BroadcastServiceClient,
    service_health,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::{
    backoff::Backoff,
    beat,
    client::{Peer, PeerService},
    drain::Drain,
    health::{Health, State},
    settings::Service,
};

/// How long after a sign it is looked again: whoever applies a revision may need a moment. Also the longest pause after a report
/// that was not taken.
const LOOK: Duration = Duration::from_millis(500);

/// The first pause after a report that was not taken: all processes start together, and broadcast is there in a moment.
const RETRY_FIRST: Duration = Duration::from_millis(25);

/// Something may have changed. One for the whole process: who has nothing new to say says nothing.
static SIGN: LazyLock<watch::Sender<()>> = LazyLock::new(|| watch::Sender::new(()));

/// A report that is not taken in this time is given up; the next one is newer anyway.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lets the reports of this process look at once whether there is something to say. Timers that look for it would wake six
/// idle processes twice a second.
pub fn look() {
    SIGN.send_replace(());
}

type Supplier<T> = Arc<dyn Fn() -> T + Send + Sync>;

/// Where a report's content comes from.
#[derive(Clone)]
pub struct ReportSource {
    service: Service,
    health: Health,
    instance_id: String,
    config_hash: Supplier<Option<String>>,
    components: Option<Supplier<Vec<Component>>>,
}

impl std::fmt::Debug for ReportSource {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("ReportSource")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

impl ReportSource {
    /// A report about a service, with its health and nothing else.
    pub(crate) fn new(service: Service, health: Health) -> Self {
        Self {
            service,
            health,
            instance_id: uuid::Uuid::new_v4().to_string(),
            config_hash: Arc::new(|| None),
            components: None,
        }
    }

    /// The name of this process: another one at each start.
    #[must_use]
    pub fn instance_id(&self) -> &str {
        &self.instance_id
    }

    /// With the revision of the configuration that it runs.
    pub fn config_hash(&mut self, hash: impl Fn() -> Option<String> + Send + Sync + 'static) {
        self.config_hash = Arc::new(hash);
    }

    /// With its parts that can fail alone. Whoever changes one calls [`look`].
    pub fn components(&mut self, components: impl Fn() -> Vec<Component> + Send + Sync + 'static) {
        self.components = Some(Arc::new(components));
    }

    /// What there is to say now.
    fn read(&self, uptime: Duration) -> ServiceHealth {
        let (state, detail) = match self.health.current() {
            State::Starting => (service_health::State::Starting, None),
            State::Serving => (service_health::State::Serving, None),
            State::Degraded(reason) => (service_health::State::Degraded, Some(reason)),
            State::NotServing(reason) => (service_health::State::NotServing, Some(reason)),
            State::Stopping => (service_health::State::NotServing, Some("stopping".to_owned())),
        };
        ServiceHealth {
            service: self.service.name().into(),
            instance_id: self.instance_id.clone(),
            version: env!("CARGO_PKG_VERSION").into(),
            state: state.into(),
            detail,
            config_hash: (self.config_hash)(),
            uptime_ms: i64::try_from(uptime.as_millis()).unwrap_or(i64::MAX),
            components: self
                .components
                .as_ref()
                .map(|components| components())
                .unwrap_or_default(),
        }
    }
}

/// Reports until the drain starts, and then signs off.
pub(crate) fn spawn(peer: &Peer, source: ReportSource, drain: &Drain) {
    let client = BroadcastServiceClient::new(peer.service());
    let reporter = Reporter {
        began: Instant::now(),
        source,
        client,
        said: None,
    };
    drain.spawn("health report", reporter.run(drain.clone()));
}

struct Reporter {
    began: Instant,
    source: ReportSource,
    client: BroadcastServiceClient<PeerService>,
    /// What broadcast knows, without the passing of time.
    said: Option<ServiceHealth>,
}

impl Reporter {
    async fn run(mut self, end: Drain) {
        // A report that is under way when the end is asked for is not waited for: the last one says all.
        tokio::select! { () = self.follow() => (), () = end.requested() => () }
        let service = self.source.read(self.began.elapsed());
        self.say(service, true).await;
    }

    async fn follow(&mut self) {
        let mut states = self.source.health.watch();
        let mut signs = SIGN.subscribe();
        let mut again = None;
        loop {
            self.tell_news().await;
            let look_again = async {
                match again {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = beat::next() => self.said = None, // although nothing may have changed
                Ok(()) = states.changed() => (),
                Ok(()) = signs.changed() => again = Some(Instant::now() + LOOK),
                () = look_again => again = None,
            }
        }
    }

    /// Reports what broadcast does not know, until it does.
    async fn tell_news(&mut self) {
        let mut pauses = Backoff::new(RETRY_FIRST, LOOK);
        loop {
            let service = self.source.read(self.began.elapsed());
            let timeless = ServiceHealth {
                uptime_ms: 0,
                ..service.clone()
            };
            if self.said.as_ref() == Some(&timeless) {
                return;
            }
            if self.say(service, false).await {
                self.said = Some(timeless);
                return;
            }
            sleep(pauses.next()).await;
        }
    }

    async fn say(&mut self, service: ServiceHealth, leaving: bool) -> bool {
        let report = ReportHealthRequest {
            service: Some(service),
            leaving,
        };
        matches!(
            timeout(PATIENCE, self.client.report_health(report)).await,
            Ok(Ok(_))
        )
    }
}

/// Says why a process ends before it could serve: nobody else knows. Whether it is heard does not change the end.
pub(crate) async fn last_words(peer: &Peer, service: Service, reason: &str) {
    let mut health = ReportSource::new(service, Health::new()).read(Duration::ZERO);
    health.set_state(service_health::State::NotServing);
    health.detail = Some(reason.to_owned());
    let report = ReportHealthRequest {
        service: Some(health),
        leaving: false,
    };
    let mut client = BroadcastServiceClient::new(peer.service());
    drop(timeout(PATIENCE_AT_END, client.report_health(report)).await);
}

/// A process that ends is not held up for longer.
const PATIENCE_AT_END: Duration = Duration::from_millis(500);
