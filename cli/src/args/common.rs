//! What every command understands: where, who and how.

use std::path::PathBuf;

use clap::Args;
use gatehouse_core::Env;

use crate::{
    exit::Failed,
    home::{For, Found, Search},
    pin::Fingerprint,
};

/// What stands below the help of each service.
pub(super) const SERVICE: &str = "\
Settings come from GATEHOUSE_* environment variables: see docs/operations.md.
`gatehouse up` runs all services together.";

/// What every command understands.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Everywhere {
    /// The gateway's WebSocket address [default: that of the gateway in the home, else ws://127.0.0.1:18789]
    #[arg(long, global = true, env = "GATEHOUSE_URL", hide_env_values = true)]
    pub(crate) url: Option<String>,
    /// The gateway token [default: that of the gateway in the home, for a gateway on this machine only]
    #[arg(long, global = true, env = "GATEHOUSE_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// A file that holds the gateway token
    #[arg(
        long,
        global = true,
        env = "GATEHOUSE_TOKEN_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub(crate) token_file: Option<PathBuf>,
    /// The SHA-256 of the gateway's certificate, which is then trusted and no other: `gatehouse up` prints it
    #[arg(
        long,
        global = true,
        env = "GATEHOUSE_TLS_FINGERPRINT",
        hide_env_values = true,
        value_name = "HEX"
    )]
    pub(crate) tls_fingerprint: Option<Fingerprint>,
    /// The folder that holds everything a gateway keeps [default: that of your gateway that runs, else ./data where one was
    /// left, else $XDG_DATA_HOME/gatehouse]
    #[arg(
        long,
        global = true,
        env = "GATEHOUSE_HOME",
        hide_env_values = true,
        value_name = "DIR"
    )]
    pub(crate) home: Option<PathBuf>,
    /// Print JSON for a program instead of text for a person
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The folder of the services' sockets.
    #[arg(long, global = true, env = "GATEHOUSE_RUN_DIR", hide = true)]
    pub(crate) run_dir: Option<PathBuf>,
    /// See <https://no-color.org>.
    #[arg(long, global = true, env = "NO_COLOR", hide = true)]
    pub(crate) no_color: Option<String>,
}

impl Everywhere {
    /// The same with the home that is meant.
    pub(crate) fn common(&self, wanted: For) -> Result<Common, Failed> {
        // With both on the command line, nothing of a home is needed.
        let wanted = match (&self.url, &self.token) {
            (Some(_), Some(_)) => For::Alone,
            _ => wanted,
        };
        let chosen = Search::new(&Env::process()).choose(self.home.as_deref(), wanted)?;
        Ok(Common {
            url: self.url.clone(),
            token: self.token.clone(),
            token_file: self.token_file.clone(),
            home: chosen.path,
            found: chosen.found,
            tls_fingerprint: self.tls_fingerprint,
            json: self.json,
            run_dir: self.run_dir.clone().or(chosen.run),
            no_color: self.no_color.clone(),
        })
    }
}

/// Where, who and how, decided.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    /// The gateway's address, as given.
    pub(crate) url: Option<String>,
    /// The gateway token, as given.
    pub(crate) token: Option<String>,
    /// A file that holds it, as given.
    pub(crate) token_file: Option<PathBuf>,
    /// The one certificate that is trusted.
    pub(crate) tls_fingerprint: Option<Fingerprint>,
    /// The folder that holds everything a gateway keeps.
    pub(crate) home: PathBuf,
    /// Why it is this one.
    pub(crate) found: Found,
    /// JSON for a program instead of text for a person.
    pub(crate) json: bool,
    /// The folder of the services' sockets, where it is not the one in the home.
    pub(crate) run_dir: Option<PathBuf>,
    /// `NO_COLOR`, as given.
    pub(crate) no_color: Option<String>,
}

impl Common {
    /// The folder of the services' sockets.
    pub(crate) fn run_dir(&self) -> PathBuf {
        self.run_dir.clone().unwrap_or_else(|| self.home.join("run"))
    }
}
