//! What an operator gives this process.

use std::path::PathBuf;

use gatehouse_core::settings::SettingsError;
use gatehouse_core::{Env, Service, ServiceSettings};

/// The settings of the session service.
#[derive(Debug)]
pub struct Settings {
    /// What every service has.
    pub service: ServiceSettings,
    /// The database: `<home>/session/session.db`.
    pub database: PathBuf,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn read(env: &Env) -> Result<Self, SettingsError> {
        Ok(Self::of(ServiceSettings::read(env, Service::Session)?))
    }

    /// From the settings that every service has.
    pub fn of(service: ServiceSettings) -> Self {
        let database = service.house.folder(Service::Session).join("session.db");
        Self { service, database }
    }
}
