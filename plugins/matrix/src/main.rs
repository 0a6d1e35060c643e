//! The process: `gatehouse up` starts it and tells it by its environment where to listen and what its credential is.

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::Parser;
use gatehouse_matrix::channel::{MANIFEST, Matrix};
use gatehouse_plugin_sdk::{Gateway, process, run};

/// Matrix as a plugin of Gatehouse. docs/matrix.md leads from nothing to an account that answers.
#[derive(Parser)]
#[command(name = "gatehouse-matrix", version)]
struct Arguments {
    #[command(flatten)]
    gateway: Gateway,
    /// The folder in which sessions and their keys are kept. It is made when it is not there.
    #[arg(long, value_name = "FOLDER", env = "MATRIX_STATE")]
    state: Option<PathBuf>,
    /// Where people's files are.
    #[arg(long, value_name = "FOLDER", env = "HOME", hide = true)]
    home: Option<PathBuf>,
    /// What is logged. Refusals of the server are answered or logged here: the client's own lines about them are left out.
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "info,matrix_sdk=warn,matrix_sdk::http_client=off,matrix_sdk_crypto=error",
        env = "MATRIX_LOG"
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
        ".local/state/gatehouse-matrix",
    )?;
    process::private_folder(&state)?;
    let server = arguments.gateway.open().await?;
    run(server, MANIFEST, Matrix::new(state), process::requested()?).await?;
    Ok(())
}
