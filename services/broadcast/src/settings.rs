//! What an operator gives broadcast: only what every service is given.

use gatehouse_core::{Clock, Credentials, Env, Listener, Service, ServiceSettings};

use crate::{app::App, error::Error};

/// The settings of broadcast.
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
            service: ServiceSettings::read(env, Service::Broadcast)?,
        })
    }

    /// Binds. Nothing runs yet.
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
        Ok(App::new(self.service, listener, credentials, Clock::system()))
    }
}
