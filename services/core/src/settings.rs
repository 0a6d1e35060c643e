//! What an operator gives a process: environment variables, read once, every mistake reported at once.

mod known;

use std::{
    collections::BTreeMap,
    env, fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use gatehouse_contract::Identity;

pub use self::known::SECRET_ENDS;
pub(crate) use self::known::nearest;

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

/// Tells a process where it serves `/metrics`: `host:port`, `unix:/path` or `off`.
pub const METRICS_LISTEN: &str = "GATEHOUSE_METRICS_LISTEN";

/// In the run folder: the address of the edge that runs, written by the edge.
pub const URL_FILE: &str = "edge.url";

/// In the home: where `gatehouse up` writes the log of all services.
pub const LOG_FOLDER: &str = "log";

/// In that folder: the newest file of the log. Older ones are `gatehouse.log.1` and so on.
pub const LOG_FILE: &str = "gatehouse.log";

/// The newest file of the log and those before it.
pub const LOG_FILES_MAX: usize = 5;

/// Where the gateway keeps its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// `GATEHOUSE_HOME`, default `./data`.
    pub path: PathBuf,
    /// `GATEHOUSE_RUN_DIR`, default `<home>/run`: the sockets.
    pub run: PathBuf,
    /// `GATEHOUSE_CREDENTIAL_DIR`, default `<home>/credential`: a secret for each service, and the digests of all.
    pub credentials: PathBuf,
    /// `GATEHOUSE_CREDENTIAL`: the file with this process's own secret; default its own in the folder.
    pub credential: Option<PathBuf>,
    /// `GATEHOUSE_CONFIG`, default `<home>/gatehouse.json5`.
    pub config: PathBuf,
}

impl Home {
    /// Reads the variables.
    #[must_use]
    pub fn read(env: &Env) -> Self {
        let path = PathBuf::from(env.get("GATEHOUSE_HOME").unwrap_or("data"));
        let or = |name: &str, inside: &str| env.get(name).map_or_else(|| path.join(inside), PathBuf::from);
        Self {
            run: or("GATEHOUSE_RUN_DIR", "run"),
            credentials: or("GATEHOUSE_CREDENTIAL_DIR", "credential"),
            credential: env.get("GATEHOUSE_CREDENTIAL").map(PathBuf::from),
            config: or("GATEHOUSE_CONFIG", "gatehouse.json5"),
            path,
        }
    }

    /// Where secrets and conversations are, as far as it is in the home: for nobody but the owner.
    #[must_use]
    pub fn private_paths(&self) -> Vec<PathBuf> {
        let config = self.folder(Service::Config);
        let mut paths = vec![
            self.path.clone(),
            self.run.clone(),
            self.credentials.clone(),
            config.join("token"),
            config.join("history"),
            config.join("last-valid.json5"),
            config,
            self.path.join("secrets"),
            self.folder(Service::Session),
            self.folder(Service::Session).join("session.db"),
            self.folder(Service::ChannelBridge),
            self.folder(Service::ChannelBridge).join("bridge.db"),
        ];
        paths.extend(self.credential.clone());
        paths.retain(|path| path.starts_with(&self.path));
        paths
    }

    /// Where the edge writes its address for clients of the same home.
    #[must_use]
    pub fn url_file(&self) -> PathBuf {
        self.run.join(URL_FILE)
    }

    /// Where a service serves its metrics to the supervisor of this home: no longer a name than that of its other socket.
    #[must_use]
    pub fn metrics_socket(&self, service: Service) -> PathBuf {
        self.run.join(format!("{service}.prom"))
    }

    /// Where the files of agents are, in a folder for each under the id of the agent. The session service owns them.
    #[must_use]
    pub fn workspaces(&self) -> PathBuf {
        let path = self.folder(Service::Session).join("workspace");
        // What is absolute means the same to whoever is told. It fails only without a working directory.
        std::path::absolute(&path).unwrap_or(path)
    }

    /// The files of the log that `gatehouse up` writes, the newest first, whether they are there or not.
    #[must_use]
    pub fn log_files(&self) -> [PathBuf; LOG_FILES_MAX] {
        let folder = self.path.join(LOG_FOLDER);
        std::array::from_fn(|age| match age {
            0 => folder.join(LOG_FILE),
            _ => folder.join(format!("{LOG_FILE}.{age}")),
        })
    }

    /// The folder that one service owns.
    #[must_use]
    pub fn folder(&self, service: Service) -> PathBuf {
        self.path.join(service.name())
    }
}

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
#[derive(Clone, Debug, PartialEq, Eq)]
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
