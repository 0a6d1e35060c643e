//! Where the gateway keeps its files.

use super::*;

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

/// In the folder of the config service: the credentials of plugins.
pub const PLUGIN_TOKENS: &str = "plugins";

/// The file in a folder that is one plugin's own.
const PLUGIN_SECRET: &str = "secret";

/// The credential of a plugin that has a folder of its own among the credentials: containers mount a volume there, so that a plugin sees its own
/// alone.
#[must_use]
pub fn plugin_token_in(credentials: &Path, id: &str) -> Option<PathBuf> {
    let own = credentials.join(format!("plugin-{id}"));
    own.is_dir().then(|| own.join(PLUGIN_SECRET))
}

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
            config.join(PLUGIN_TOKENS),
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

    /// The credential of a plugin, in a file for nobody but the owner. The config service makes it.
    #[must_use]
    pub fn plugin_token(&self, id: &str) -> PathBuf {
        let kept = self.folder(Service::Config).join(PLUGIN_TOKENS);
        plugin_token_in(&self.credentials, id).unwrap_or_else(|| kept.join(format!("{id}.token")))
    }

    /// Where a plugin listens whose entry names no place.
    #[must_use]
    pub fn plugin_socket(&self, id: &str) -> PathBuf {
        self.run.join(format!("plugin-{id}.sock"))
    }

    /// The folder that one service owns.
    #[must_use]
    pub fn folder(&self, service: Service) -> PathBuf {
        self.path.join(service.name())
    }
}
