//! What an operator gives the agent service: only what every service is given.

use std::time::Duration;

use gatehouse_core::{Credentials, Env, Listener, Service, ServiceSettings};

use crate::{app::App, error::Error};

/// A provider on the same machine or across the world accepts a connection in this time, or is away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The settings of the agent service.
#[derive(Clone, Debug)]
pub struct Settings {
    service: ServiceSettings,
}

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    /// Every variable that is set and cannot be read.
    pub fn read(env: &Env) -> Result<Self, Error> {
        Ok(Self {
            service: ServiceSettings::read(env, Service::Agent)?,
        })
    }

    /// Binds. Nothing runs yet. The process must have chosen its TLS provider.
    ///
    /// # Errors
    /// When nobody makes the credentials or the address is taken.
    pub async fn build(self) -> Result<App, Error> {
        let credentials = Credentials::load(&self.service).await?;
        let listener = Listener::bind(&self.service.listen).await;
        let listener = listener.map_err(|source| Error::Bind {
            address: self.service.listen.to_string(),
            source,
        })?;
        Ok(App::new(self.service, listener, credentials, http()?))
    }
}

/// The client for all providers. A key must not follow a redirect to another host, and tokens must not wait for each other.
pub(crate) fn http() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .user_agent(concat!("gatehouse/", env!("CARGO_PKG_VERSION")))
        .build()
}
