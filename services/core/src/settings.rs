//! What an operator gives a process: environment variables, read once, every mistake reported at once.

mod home;
mod known;
mod pushed;
mod traces;

use std::{
    collections::BTreeMap,
    env, fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use gatehouse_contract::Identity;

pub use self::known::SECRET_ENDS;
pub(crate) use self::known::nearest;

pub use self::home::*;
pub use self::pushed::PushedMetrics;
pub use self::traces::{Sampling, Traces};
use crate::address::Address;

/// The processes of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// WebSocket and HTTP in, gRPC out.
    Edge,
    /// Conversations.
    Session,
    /// Model calls.
    Agent,
    /// Chat surfaces.
    ChannelBridge,
    /// The configuration document.
    Config,
    /// Events.
    Broadcast,
}

impl Service {
    /// All of them, in the order in which a person would start them.
    pub const ALL: [Self; 6] = [
        Self::Config,
        Self::Broadcast,
        Self::Agent,
        Self::Session,
        Self::ChannelBridge,
        Self::Edge,
    ];

    /// The name in commands, sockets and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Session => "session",
            Self::Agent => "agent",
            Self::ChannelBridge => "channel-bridge",
            Self::Config => "config",
            Self::Broadcast => "broadcast",
        }
    }

    /// Who it is to the others.
    #[must_use]
    pub const fn identity(self) -> Identity {
        match self {
            Self::Edge => Identity::Edge,
            Self::Session => Identity::Session,
            Self::Agent => Identity::Agent,
            Self::ChannelBridge => Identity::ChannelBridge,
            Self::Config => Identity::Config,
            Self::Broadcast => Identity::Broadcast,
        }
    }

    fn address_variable(self) -> String {
        format!(
            "GATEHOUSE_{}_ADDRESS",
            self.name().replace('-', "_").to_uppercase()
        )
    }
}

impl fmt::Display for Service {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// The environment, as a value: a test passes its own.
#[derive(Clone, Debug, Default)]
pub struct Env(BTreeMap<String, String>);

impl Env {
    /// The environment of this process. Variables that are not Unicode are left out.
    #[must_use]
    pub fn process() -> Self {
        let text = env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self(text.collect())
    }

    /// These variables and no others.
    pub fn of<N: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (N, V)>) -> Self {
        Self(
            variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }

    /// The same with one variable set: the command line goes before the environment.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// A variable; one that is set to nothing counts as unset.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A variable as a value.
    ///
    /// # Errors
    /// When it is set and cannot be read; the message names it.
    pub fn parse<T: FromStr<Err: fmt::Display>>(&self, name: &str) -> Result<Option<T>, Mistake> {
        self.get(name)
            .map(|text| text.parse().map_err(|error| Mistake::new(name, text, error)))
            .transpose()
    }
}

/// A variable that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct Mistake {
    name: String,
    problem: String,
}

impl Mistake {
    pub(crate) fn new(name: &str, text: &str, problem: impl fmt::Display) -> Self {
        Self {
            name: name.into(),
            problem: format!("`{text}`: {problem}"),
        }
    }
}

/// Everything that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError(pub Vec<Mistake>);

impl fmt::Display for SettingsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the settings cannot be read")?;
        self.0.iter().try_for_each(|mistake| write!(out, "; {mistake}"))
    }
}

impl std::error::Error for SettingsError {}

/// Where every service is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peers(BTreeMap<Service, Address>);

impl Peers {
    /// Where one service is.
    ///
    /// # Panics
    /// Never: every service has an address.
    #[must_use]
    pub fn address(&self, service: Service) -> &Address {
        self.0.get(&service).expect("every service has an address")
    }
}

/// Where `/metrics` is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsListen {
    /// The address.
    pub address: Address,
    /// Whether it was asked for by name: then the process does not start without. A default may be taken by another program.
    pub is_required: bool,
}

/// What every service is given.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceSettings {
    /// Which one this is.
    pub service: Service,
    /// Where the files are.
    pub home: Home,
    /// `GATEHOUSE_LISTEN`: where its gRPC server listens; default its own peer address.
    pub listen: Address,
    /// `GATEHOUSE_<SERVICE>_ADDRESS`: where the others are; default `unix:<run>/<service>.sock`.
    pub peers: Peers,
    /// [`METRICS_LISTEN`]: where `/metrics` is served; `off` or unset: nowhere.
    pub metrics: Option<MetricsListen>,
    /// `GATEHOUSE_SUPERVISED`: the process is asked to end on its standard input, and ends at once when that does.
    pub supervised: bool,
    /// Where traces go, by the standard variables of OpenTelemetry; unset: nowhere.
    pub traces: Option<Traces>,
    /// Where metrics go as well, by the same variables.
    pub pushed: Option<PushedMetrics>,
}

impl ServiceSettings {
    /// Reads the variables.
    ///
    /// # Errors
    /// Every variable that is set and cannot be read.
    pub fn read(env: &Env, service: Service) -> Result<Self, SettingsError> {
        let home = Home::read(env);
        let mut mistakes = Vec::new();
        let mut peers = BTreeMap::new();
        for peer in Service::ALL {
            let address = keep(env.parse::<Address>(&peer.address_variable()), &mut mistakes);
            let socket = || Address::Unix(home.run.join(format!("{peer}.sock")));
            peers.insert(peer, address.unwrap_or_else(socket));
        }
        let listen = keep(env.parse::<Address>("GATEHOUSE_LISTEN"), &mut mistakes);
        let metrics = match env.get(METRICS_LISTEN) {
            Some("off") | None => None,
            Some(_) => keep(env.parse::<Address>(METRICS_LISTEN), &mut mistakes),
        };
        let metrics = metrics.map(|address| MetricsListen {
            address,
            is_required: true,
        });
        let traces = Traces::read(env).unwrap_or_else(|SettingsError(more)| {
            mistakes.extend(more);
            None
        });
        let pushed = PushedMetrics::read(env).unwrap_or_else(|SettingsError(more)| {
            // Variables for both are told once.
            mistakes.extend(
                more.into_iter()
                    .filter(|mistake| !mistakes.contains(mistake))
                    .collect::<Vec<_>>(),
            );
            None
        });
        if !mistakes.is_empty() {
            return Err(SettingsError(mistakes));
        }
        let peers = Peers(peers);
        let listen = listen.unwrap_or_else(|| peers.address(service).clone());
        Ok(Self {
            service,
            home,
            listen,
            peers,
            metrics,
            supervised: env.get("GATEHOUSE_SUPERVISED").is_some(),
            traces,
            pushed,
        })
    }

    /// Everything on Unix sockets in this folder.
    ///
    /// # Panics
    /// Never: defaults can be read.
    #[must_use]
    pub fn for_tests(home: &Path, service: Service) -> Self {
        let env = Env::of([("GATEHOUSE_HOME", home.to_string_lossy())]);
        Self::read(&env, service).expect("defaults can be read")
    }
}

fn keep<T>(read: Result<Option<T>, Mistake>, mistakes: &mut Vec<Mistake>) -> Option<T> {
    read.unwrap_or_else(|mistake| {
        mistakes.push(mistake);
        None
    })
}

#[cfg(test)]
mod tests;
