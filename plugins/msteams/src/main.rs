//! The process: `gatehouse up` starts it and tells it by its environment where to listen and what its credential is.

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::Parser;
use gatehouse_msteams::{
    Secret,
    app::{self, Options},
    settings::Machine,
    store::Store,
};
use gatehouse_plugin_sdk::{Gateway, process};
use tokio::net::TcpListener;
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
    #[command(flatten)]
    gateway: Gateway,
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
async fn main() -> ExitCode {
    process::ended(serve(Arguments::parse()).await)
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error + Send + Sync>> {
    process::log(&arguments.log)?;
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        return Err("another cryptography is installed".into());
    }
    let state = process::state(
        arguments.state.as_deref(),
        arguments.home.as_deref(),
        ".local/state/gatehouse-msteams/teams.db",
    )?;
    let options = Options {
        gateway: arguments.gateway.open().await?,
        teams: TcpListener::bind(&arguments.listen).await.map_err(|error| {
            format!(
                "{}: {error}: is another bot there? Choose another address with --listen",
                arguments.listen
            )
        })?,
        machine: Machine {
            endpoint: arguments.identity_endpoint,
            key: arguments.identity_header.as_deref().map(Secret::new),
        },
        store: Store::open(&state).map_err(|error| format!("{}: {error}", state.display()))?,
        services: None,
    };
    app::run(options, process::requested()?).await
}
