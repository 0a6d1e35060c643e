//! The life of a service: the same for all of them.
//!
//! A process reads its settings, opens what it keeps, waits for its credential, binds ([`Settings::build`]; nothing runs yet),
//! is put together ([`App::assemble`]), and serves until it is asked to end ([`Bound::run`]). The end has three steps, each
//! with a bound in [`plan`]:
//!
//! 1. [`Life::requested`]: health says "stopping", and the service finishes its own work while it still answers.
//! 2. [`Life::closing`]: calls under way end, then tasks; the health report signs off.
//! 3. The last events leave, and what was [kept](Life::keep) is let go.
//!
//! A service is an [`App`]: what it opens, and how its parts are put together. Nothing of the above is its business.

mod error;
mod life;

use std::{fmt, future::Future, net::SocketAddr};

use tokio::time::timeout;

pub use self::{error::Error, life::Life};
use crate::{
    address::{Address, Listener},
    credential::{Credential, Credentials},
    drain::{Drain, plan},
    error::Chain,
    metrics::Exporter,
    report,
    settings::{Env, METRICS_LISTEN, MetricsListen, Service, ServiceSettings, SettingsError},
    trace::otlp,
};

/// A service, as far as it differs from the others.
pub trait App: Sized + Send + 'static {
    /// Which one it is.
    const SERVICE: Service;

    /// Where `/metrics` is served when the operator does not say. When this address is taken, the service goes on without.
    const METRICS_DEFAULT: Option<SocketAddr> = None;

    /// What an operator gives this service alone.
    type Settings: Send;

    /// Reads that.
    ///
    /// # Errors
    /// Every variable that is set and cannot be read.
    fn read(env: &Env) -> Result<Self::Settings, SettingsError>;

    /// Opens what the service keeps: files, a database, a listener of its own. Nothing runs yet.
    fn open(
        own: Self::Settings,
        common: &ServiceSettings,
    ) -> impl Future<Output = Result<Self, Error>> + Send;

    /// Puts the parts together. What is spawned here runs at once; calls are taken when this returns.
    fn assemble(self, life: &mut Life);
}

/// Everything that an operator gives a service.
pub struct Settings<A: App> {
    /// What every service is given.
    pub common: ServiceSettings,
    /// What this one alone is given.
    pub own: A::Settings,
}

impl<A: App> fmt::Debug for Settings<A> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Settings")
            .field("common", &self.common)
            .finish_non_exhaustive()
    }
}

impl<A: App> Settings<A> {
    /// Reads the environment.
    ///
    /// # Errors
    /// Every variable that is set and cannot be read.
    pub fn read(env: &Env) -> Result<Self, SettingsError> {
        let (mut common, own) = match (ServiceSettings::read(env, A::SERVICE), A::read(env)) {
            (Ok(common), Ok(own)) => (common, own),
            (Err(SettingsError(mut mistakes)), Err(SettingsError(more))) => {
                mistakes.extend(more);
                return Err(SettingsError(mistakes));
            }
            (Err(error), Ok(_)) | (Ok(_), Err(error)) => return Err(error),
        };
        if env.get(METRICS_LISTEN).is_none() {
            common.metrics = A::METRICS_DEFAULT.map(|address| MetricsListen {
                address: Address::Tcp(address.to_string()),
                is_required: false,
            });
        }
        Ok(Self { common, own })
    }

    /// Opens and binds everything. Nothing runs yet.
    ///
    /// # Errors
    /// When something cannot be opened or bound, or nobody makes the credential.
    pub async fn build(self) -> Result<Bound<A>, Error> {
        let Self { common, own } = self;
        // The config service makes the credentials as it opens; the others wait for theirs.
        let app = A::open(own, &common).await?;
        let credentials = Credentials::load(&common).await?;
        let listener = Listener::bind(&common.listen)
            .await
            .map_err(|source| Error::Listen {
                address: common.listen.to_string(),
                source,
            })?;
        let exporter = match common.metrics.clone() {
            Some(listen) => bind_metrics(listen).await?,
            None => None,
        };
        Ok(Bound {
            common,
            app,
            credentials,
            listener,
            exporter,
        })
    }
}

async fn bind_metrics(listen: MetricsListen) -> Result<Option<Exporter>, Error> {
    let MetricsListen { address, is_required } = listen;
    match Exporter::bind(&address).await {
        Ok(exporter) => Ok(Some(exporter)),
        Err(source) if is_required => Err(Error::Metrics { address, source }),
        Err(error) => {
            tracing::warn!(server.address = %address, %error, "metrics are not served; set GATEHOUSE_METRICS_LISTEN");
            Ok(None)
        }
    }
}

/// A service that is bound and does not run yet.
#[derive(Debug)]
pub struct Bound<A> {
    /// The service itself: tests look at it, and change it.
    pub app: A,
    common: ServiceSettings,
    credentials: Credentials,
    listener: Listener,
    exporter: Option<Exporter>,
}

impl<A: App> Bound<A> {
    /// Where its gRPC server listens.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn address(&self) -> std::io::Result<Address> {
        self.listener.address()
    }

    /// Serves until `requested` starts, and ends in order.
    ///
    /// # Errors
    /// When it cannot serve, or a task that it cannot do without panicked.
    pub async fn run(self, requested: Drain) -> Result<(), Error> {
        let Self {
            app,
            common,
            credentials,
            listener,
            exporter,
        } = self;
        let mut life = Life::new(common, credentials, listener, requested.clone());
        // Before anything runs that could begin a span; what exports them ends with the last events.
        if let Some(traces) = &life.settings.traces {
            otlp::begin(traces, A::SERVICE, life.spans.clone(), &life.last);
        }
        app.assemble(&mut life);
        let (closing, last) = (life.closing.clone(), life.last.clone());
        let parts = life.begin(exporter);

        let work = async {
            let panicked = tokio::select! {
                () = requested.requested() => None,
                task = requested.panicked() => Some(task),
            };
            requested.start();
            parts.health.stopping();
            if let Some((limit, work)) = parts.work {
                let limit = limit();
                if timeout(limit, work).await.is_err() {
                    tracing::warn!(?limit, "work was still under way when the time for it was over");
                }
            }
            closing.start();
            panicked
        };
        let serving = parts.server.run(closing.clone());
        tokio::pin!(work, serving);
        let (served, panicked) = tokio::select! {
            served = &mut serving => {
                requested.start();
                (served, work.await)
            }
            panicked = &mut work => (serving.await, panicked),
        };
        if !closing.finish(plan::TASKS).await {
            tracing::warn!(limit = ?plan::TASKS, "some tasks were still under way when the time for them was over");
        }
        last.finish(plan::LAST_EVENTS).await;
        drop(parts.kept);
        match panicked {
            Some(task) => Err(Error::Panicked(task)),
            None => served.map_err(Error::Serve),
        }
    }
}

/// The whole life of a process: from its environment to its end. Why it could not start is told to whoever answers
/// `gatehouse status`.
///
/// # Errors
/// When it cannot start, cannot serve, or a task that it cannot do without panicked.
pub async fn run<A: App>(env: &Env, requested: Drain) -> Result<(), Error> {
    let settings = Settings::<A>::read(env)?;
    let common = settings.common.clone();
    let built = tokio::select! {
        built = settings.build() => built,
        () = requested.requested() => return Ok(()), // it waited for its credential
    };
    let error = match built {
        Ok(bound) => return bound.run(requested).await,
        Err(error) => error,
    };
    if let Ok(own) = Credential::load(&common.home, A::SERVICE.identity()) {
        let broadcast = own.peer(Service::Broadcast, common.peers.address(Service::Broadcast));
        report::last_words(&broadcast, A::SERVICE, &Chain(&error).to_string()).await;
    }
    Err(error)
}

#[cfg(test)]
mod tests;
