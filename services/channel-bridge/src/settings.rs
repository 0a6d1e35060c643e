//! What an operator gives the bridge.

use gatehouse_core::{Clock, Credentials, Env, Listener, Service, ServiceSettings};
use rustls::crypto::ring;

use crate::{app::App, error::Error, store::Sqlite};

/// The file in the bridge's folder.
const DATABASE: &str = "bridge.db";

/// The settings.
#[derive(Clone, Debug)]
pub struct Settings {
    service: ServiceSettings,
}

impl Settings {
    /// Reads the environment.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn read(env: &Env) -> Result<Self, Error> {
        Ok(Self::of(
            ServiceSettings::read(env, Service::ChannelBridge).map_err(Error::Settings)?,
        ))
    }

    /// From settings that are read already.
    pub fn of(service: ServiceSettings) -> Self {
        Self { service }
    }

    /// Binds; nothing runs yet.
    ///
    /// # Errors
    /// When the credentials, the database or the address cannot be had.
    pub async fn build(self) -> Result<App, Error> {
        // The HTTP client asks for the process's TLS provider. Somebody may have installed it already: the same one.
        let _ = ring::default_provider().install_default();
        let credentials = Credentials::load(&self.service)
            .await
            .map_err(Error::Credential)?;
        let path = self.service.house.folder(Service::ChannelBridge).join(DATABASE);
        let store = Sqlite::open(&path).map_err(Error::Store)?;
        let listener = Listener::bind(&self.service.listen)
            .await
            .map_err(Error::Listen)?;
        Ok(App::new(
            self.service,
            listener,
            credentials,
            store,
            Clock::system(),
        ))
    }
}
