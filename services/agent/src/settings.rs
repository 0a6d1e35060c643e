//! What an operator gives the agent service: only what every service is given.

use gatehouse_core::{Credentials, Env, Listener, Service, ServiceSettings};

use crate::{app::App, error::Error, http::Http};

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
        Ok(App::new(self.service, listener, credentials, Http::new()?))
    }
}
