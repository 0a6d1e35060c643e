//! The process: `gatehouse up` starts it and tells it by its environment where to listen and what its credential is.

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::Parser;
use gatehouse_plugin_sdk::{Gateway, Manifest, process, run};
use gatehouse_whatsapp_web::{Network, WhatsappWeb};

/// WhatsApp Web as a plugin of Gatehouse. docs/whatsapp-web.md leads from nothing to an account that answers.
#[derive(Parser)]
#[command(name = "gatehouse-whatsapp-web", version)]
struct Arguments {
    /// The folder in which the credentials of accounts are. It is made when it is not there.
    #[arg(long, value_name = "FOLDER", env = "WHATSAPP_WEB_STATE")]
    state: Option<PathBuf>,
    #[command(flatten)]
    gateway: Gateway,
    /// Where people's files are.
    #[arg(long, value_name = "FOLDER", env = "HOME", hide = true)]
    home: Option<PathBuf>,
    /// A stand-in of WhatsApp's servers.
    #[cfg(feature = "untrusted-server")]
    #[arg(long, value_name = "ADDRESS", env = "WHATSAPP_WEB_STAND_IN")]
    stand_in: Option<String>,
    /// What is logged. The client's own lines hold what WhatsApp says word for word, with ids and tokens of the account in it: what of that
    /// concerns anybody is the account's state.
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "info,whatsapp_rust=error,wacore=error,Client=error",
        env = "WHATSAPP_WEB_LOG"
    )]
    log: String,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    process::ended(serve(Arguments::parse()).await)
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error + Send + Sync>> {
    process::log(&arguments.log)?;
    let state = process::state(
        arguments.state.as_deref(),
        arguments.home.as_deref(),
        ".local/state/gatehouse-whatsapp-web/accounts",
    )?;
    process::private_folder(&state)?;
    let manifest = Manifest::new("WhatsApp Web", env!("CARGO_PKG_VERSION"));
    #[cfg(feature = "untrusted-server")]
    let network = arguments
        .stand_in
        .map_or_else(Network::default, Network::stand_in);
    #[cfg(not(feature = "untrusted-server"))]
    let network = Network::default();
    let channel = WhatsappWeb::new(state, network);
    let server = arguments.gateway.open().await?;
    run(server, manifest, channel, process::requested()?).await?;
    Ok(())
}
