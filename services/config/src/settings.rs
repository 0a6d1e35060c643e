//! What an operator gives this process.

use gatehouse_core::{Env, Service, ServiceSettings, settings::SettingsError};

/// The settings of the config service.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What every service is given.
    pub service: ServiceSettings,
    /// The whole environment: references to secrets are looked up in it.
    pub env: Env,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn read(env: &Env) -> Result<Self, SettingsError> {
        Ok(Self {
            service: ServiceSettings::read(env, Service::Config)?,
            env: env.clone(),
        })
    }
}
