//! Telling broadcast how this process is: at once when it changes, and every few seconds as a sign of life.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use gatehouse_proto::broadcast::v1::{
    Component, ReportHealthRequest, ServiceHealth, broadcast_service_client::BroadcastServiceClient,
    service_health,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    client::Peer,
    drain::Drain,
    health::{Health, State},
    settings::Service,
};

/// A third of the time after which broadcast calls a process silent.
const INTERVAL: Duration = Duration::from_secs(5);

/// How long after a sign it is looked again: whoever applies a revision may need a moment. Also the pause after a report that
/// was not taken.
const LOOK: Duration = Duration::from_millis(500);

/// How often components are compared with what was last said, should one have changed without a sign.
const COMPONENTS_LOOK: Duration = Duration::from_secs(2);

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
    #[must_use]
    pub fn new(service: Service, health: Health) -> Self {
        Self {
            service,
            health,
            instance_id: uuid::Uuid::new_v4().to_string(),
            config_hash: Arc::new(|| None),
            components: None,
        }
    }

    /// With the name that this process goes by elsewhere.
    #[must_use]
    pub fn instance(mut self, id: impl Into<String>) -> Self {
        self.instance_id = id.into();
        self
    }

    /// With the revision of the configuration that it runs.
    #[must_use]
    pub fn config_hash(mut self, hash: impl Fn() -> Option<String> + Send + Sync + 'static) -> Self {
        self.config_hash = Arc::new(hash);
        self
    }

    /// With its parts that can fail alone. Whoever changes one calls [`look`].
    #[must_use]
    pub fn components(mut self, components: impl Fn() -> Vec<Component> + Send + Sync + 'static) -> Self {
        self.components = Some(Arc::new(components));
        self
    }

    /// What there is to say now.
    #[must_use]
    pub fn read(&self, uptime: Duration) -> ServiceHealth {
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

/// Reports until the drain starts, and then says goodbye.
pub fn spawn(peer: &Peer, source: ReportSource, drain: &Drain) {
    let mut client = BroadcastServiceClient::new(peer.service());
    let end = drain.clone();
    drain.spawn("health report", async move {
        let began = Instant::now();
        let mut states = source.health.watch();
        let mut signs = SIGN.subscribe();
        let mut said: Option<(ServiceHealth, Instant)> = None;
        let mut next = began;
        loop {
            let mut look = Instant::now()
                + if source.components.is_some() {
                    COMPONENTS_LOOK
                } else {
                    INTERVAL
                };
            let leaving = tokio::select! {
                () = sleep_until(next) => false,
                Ok(()) = states.changed() => false,
                Ok(()) = signs.changed() => {
                    look = Instant::now() + LOOK;
                    false
                }
                () = end.requested() => true,
            };
            next = look;
            let mut service = source.read(began.elapsed());
            let uptime_ms = std::mem::take(&mut service.uptime_ms);
            let news = said
                .as_ref()
                .is_none_or(|(last, at)| *last != service || at.elapsed() >= INTERVAL - LOOK);
            if !news && !leaving {
                continue;
            }
            let report = ReportHealthRequest {
                service: Some(ServiceHealth {
                    uptime_ms,
                    ..service.clone()
                }),
                leaving,
            };
            match timeout(PATIENCE, client.report_health(report)).await {
                Ok(Ok(_)) => said = Some((service, Instant::now())),
                Ok(Err(_)) | Err(_) => next = Instant::now() + LOOK,
            }
            if leaving {
                return;
            }
        }
    });
}

/// Says why a process ends before it could serve: nobody else knows. Whether it is heard does not change the end.
pub async fn last_words(peer: &Peer, service: Service, reason: &str) {
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
