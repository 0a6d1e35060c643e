//! The process: `gatehouse up` starts it and tells it by its environment where to listen and what its credential is.

use std::{error::Error, fs, os::unix::fs::DirBuilderExt, path::PathBuf};

use clap::Parser;
use gatehouse_msteams::{
    Secret,
    app::{self, Options, Place},
    settings::Machine,
    store::Store,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tracing_subscriber::EnvFilter;
use url::Url;

/// Microsoft Teams as a plugin of Gatehouse. docs/teams.md leads from nothing to a bot that answers.
#[derive(Parser)]
#[command(name = "gatehouse-msteams", version)]
struct Arguments {
    /// Where Teams reaches the bot: HTTPS ends in front of it, at a proxy or tunnel that leads to /api/messages here.
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:3978",
        env = "MSTEAMS_LISTEN"
    )]
    listen: String,
    /// The file in which conversations are remembered. It is made when it is not there.
    #[arg(long, value_name = "FILE", env = "MSTEAMS_STATE")]
    state: Option<PathBuf>,
    /// Where the gateway reaches the plugin: `unix:/path` or `host:port`.
    #[arg(long, value_name = "ADDRESS", env = "GATEHOUSE_PLUGIN_LISTEN")]
    plugin_listen: String,
    /// The file with the plugin's own credential.
    #[arg(long, value_name = "FILE", env = "GATEHOUSE_TOKEN_FILE")]
    token_file: PathBuf,
    /// Where Azure answers for the identity of this machine; Azure sets it.
    #[arg(long, value_name = "URL", env = "IDENTITY_ENDPOINT", hide = true)]
    identity_endpoint: Option<Url>,
    /// The key for it; Azure sets it.
    #[arg(
        long,
        value_name = "KEY",
        env = "IDENTITY_HEADER",
        hide = true,
        hide_env_values = true
    )]
    identity_header: Option<String>,
    /// Where people's files are.
    #[arg(long, value_name = "FOLDER", env = "HOME", hide = true)]
    home: Option<PathBuf>,
    /// What is logged.
    #[arg(long, value_name = "FILTER", default_value = "info", env = "MSTEAMS_LOG")]
    log: String,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(&arguments.log)?)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        return Err("another cryptography is installed".into());
    }
    let token = fs::read_to_string(&arguments.token_file)
        .map_err(|error| format!("{}: {error}", arguments.token_file.display()))?;
    let state = state(&arguments)?;
    let options = Options {
        gateway: Place::bind(&arguments.plugin_listen)
            .await
            .map_err(|error| format!("{}: {error}", arguments.plugin_listen))?,
        teams: TcpListener::bind(&arguments.listen).await.map_err(|error| {
            format!(
                "{}: {error}: is another bot there? Choose another address with --listen",
                arguments.listen
            )
        })?,
        token: Secret::new(&token),
        machine: Machine {
            endpoint: arguments.identity_endpoint,
            key: arguments.identity_header.as_deref().map(Secret::new),
        },
        store: Store::open(&state).map_err(|error| format!("{}: {error}", state.display()))?,
        services: None,
    };
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let end = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    app::run(options, end).await
}

/// Where conversations are remembered, in a folder that is there.
fn state(arguments: &Arguments) -> Result<PathBuf, Box<dyn Error + Send + Sync>> {
    let file = match (&arguments.state, &arguments.home) {
        (Some(file), _) => file.clone(),
        (None, Some(home)) => home.join(".local/state/gatehouse-msteams/teams.db"),
        (None, None) => {
            return Err("there is no HOME: say with --state where conversations are remembered".into());
        }
    };
    if let Some(folder) = file.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700) // who talks with whom is nobody else's business
            .create(folder)
            .map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    Ok(file)
}
