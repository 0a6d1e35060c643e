//! The one binary of the house: `up`, a subcommand for each service, and the client commands.
//!
//! Decides nothing for a service: it reads settings, builds, runs, and says how that ended in an exit code.

mod args;
mod backup;
mod call;
mod chat;
mod client;
mod config;
mod exit;
mod forward;
mod healthcheck;
mod http;
mod methods;
mod place;
mod restore;
mod service;
mod status;
mod term;
mod token;
mod up;

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use clap::{CommandFactory, Parser};
use gatehouse_core::Service;
use tikv_jemallocator::Jemalloc;
use tokio::runtime::{Builder, Runtime};

use crate::{
    args::{Cli, Command},
    exit::{Exit, Failed},
    term::{Ink, Style},
};

/// All processes give back within seconds what a flood made them take. With glibc's allocator the edge kept 1.9 GiB of one and
/// broadcast 124 MiB; with mimalloc the idle processes take a quarter more. Its settings are compiled in by `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// A client waits for one socket.
const CLIENT_WORKERS: usize = 1;

fn main() -> ExitCode {
    // One cryptography for the whole process, chosen before anybody needs it. A second choice would be our own mistake.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse();
    let no_color = cli.common.no_color.clone();
    match dispatch(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            let style = Style::of(&io::stderr(), no_color.as_deref());
            let mut lines = failed.message.lines();
            let first = lines.next().unwrap_or("failed");
            let mut text = format!("{} {first}\n", style.paint(Ink::Red, "gatehouse:"));
            lines
                .chain(failed.next.as_deref().unwrap_or_default().lines())
                .for_each(|line| {
                    text.push_str(&format!("  {line}\n"));
                });
            // Nobody to tell when even the error output is gone.
            let _ = io::stderr().write_all(text.as_bytes());
            failed.exit.into()
        }
    }
}

fn dispatch(cli: &Cli) -> Result<(), Failed> {
    let common = &cli.common;
    let style = Style::of(&io::stdout(), common.no_color.as_deref());
    match &cli.command {
        Command::Edge => service::run(Service::Edge, common),
        Command::Session => service::run(Service::Session, common),
        Command::Agent => service::run(Service::Agent, common),
        Command::ChannelBridge => service::run(Service::ChannelBridge, common),
        Command::Broadcast => service::run(Service::Broadcast, common),
        Command::Config(config) => match &config.command {
            None => service::run(Service::Config, common),
            Some(command) => client(config::run(common, command)),
        },
        Command::Up(up) => client(up::run(common, up, style)),
        Command::Chat(chat) => client(chat::run(common, chat, style)),
        Command::Status => client(status::run(common, style)),
        Command::Call(call) => client(call::run(common, call)),
        Command::Token(token) => client(token::run(common, token)),
        Command::Backup(backup) => client(backup::run(common, backup)),
        Command::Restore(restore) => restore::run(common, restore),
        Command::Methods(methods) => methods::run(common, methods, style),
        Command::Completions(completions) => {
            let mut script = Vec::new();
            clap_complete::generate(completions.shell, &mut Cli::command(), "gatehouse", &mut script);
            call::print(String::from_utf8_lossy(&script).trim_end(), true)
        }
        Command::Healthcheck(check) => client(healthcheck::run(common, check)),
        Command::Forward(forward) => client(forward::run(forward)),
    }
}

/// Runs a command on a small runtime. Threads that still wait for a terminal do not hold up the end.
fn client(command: impl Future<Output = Result<(), Failed>>) -> Result<(), Failed> {
    let runtime = runtime(CLIENT_WORKERS)?;
    let ended = runtime.block_on(command);
    runtime.shutdown_timeout(Duration::from_millis(100));
    ended
}

fn runtime(workers: usize) -> Result<Runtime, Failed> {
    Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .map_err(|error| Failed::new(Exit::Failed, format!("cannot start: {error}")))
}
