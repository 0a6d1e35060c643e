//! The one binary of the gateway: `up`, a subcommand for each service, and the client commands.
//!
//! Decides nothing for a service: it reads settings, builds, runs, and says how that ended in an exit code.

#![warn(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic when nobody reads: see `output`"
)]

mod args;
mod backup;
mod call;
mod chat;
mod client;
mod config;
mod control;
mod discovery;
mod doctor;
mod exit;
mod files;
mod forward;
mod gateway;
mod healthcheck;
mod home;
mod http;
mod logs;
mod memory;
mod methods;
mod node;
mod nouns;
mod output;
mod own;
mod pin;
mod plugins;
mod program;
mod restore;
mod service;
mod setup;
mod start;
mod status;
mod stop;
mod term;
mod token;
mod unit;
mod up;

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};

use clap::CommandFactory;
use gatehouse_core::Service;
use tikv_jemallocator::Jemalloc;
use tokio::runtime::{Builder, Runtime};

use crate::{
    args::{Cli, Command, Common, plugins::PluginsVerb},
    exit::{Exit, Failed},
    home::{For, Found},
    term::Style,
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
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return unparsed(&error),
    };
    match dispatch(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => end(&failed, cli.everywhere.json, cli.everywhere.no_color.as_deref()),
    }
}

/// Tells a failure. Nobody is left to be told when even the error output is gone.
fn end(failed: &Failed, json: bool, no_color: Option<&str>) -> ExitCode {
    let text = if json {
        failed.json()
    } else {
        failed.text(Style::of(&io::stderr(), no_color))
    };
    let _ = io::stderr().write_all(text.as_bytes());
    failed.exit.into()
}

/// Help and version are answers; everything else is a command line that makes no sense, and may have asked for JSON all the same.
fn unparsed(error: &clap::Error) -> ExitCode {
    let json = error.use_stderr() && std::env::args_os().any(|word| word == "--json");
    if json {
        let text = error.to_string();
        let lines: Vec<_> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        let text = lines.join("\n");
        return end(
            &Failed::of_lines(Exit::Usage, text.strip_prefix("error: ").unwrap_or(&text)),
            json,
            None,
        );
    }
    match error.print() {
        Ok(()) if error.use_stderr() => Exit::Usage.into(),
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => end(&output::failed("print", &error), json, None),
    }
}

fn dispatch(cli: &Cli) -> Result<(), Failed> {
    let common = &cli.everywhere.common(wanted(&cli.command))?;
    say_which(common);
    let style = Style::of(&io::stdout(), common.no_color.as_deref());
    match &cli.command {
        Command::Edge => service::run(Service::Edge, common),
        Command::Session => service::run(Service::Session, common),
        Command::Agent => service::run(Service::Agent, common),
        Command::ChannelBridge => service::run(Service::ChannelBridge, common),
        Command::Channel { kind } => service::account(kind, common),
        Command::Broadcast => service::run(Service::Broadcast, common),
        Command::Config(config) => match &config.command {
            None => service::run(Service::Config, common),
            Some(command) => client(config::run(common, command)),
        },
        Command::Up(up) => client(up::run(common, up, style)),
        Command::Stop(stop) => client(stop::stop(common, stop)),
        Command::Restart(restart) => client(stop::restart(common, restart)),
        Command::Logs(logs) => client(logs::run(common, logs)),
        Command::Chat(chat) => client(chat::run(common, chat, style)),
        Command::Status(status) => client(status::run(common, status, style)),
        Command::Doctor(doctor) => client(doctor::run(common, doctor, style)),
        Command::Setup(setup) => client(setup::run(common, setup, style)),
        Command::Sessions(sessions) => client(nouns::sessions(common, sessions, style)),
        Command::Models(models) => client(nouns::models(common, models, style)),
        Command::Agents(agents) => client(nouns::agents(common, agents, style)),
        Command::Channels(channels) => client(nouns::channels(common, channels, style)),
        Command::Pairing(pairing) => client(nouns::pairing(common, pairing, style)),
        Command::Nodes(nodes) => client(nouns::nodes(common, nodes, style)),
        Command::Node(node) => client(node::run(common, node)),
        Command::Devices(devices) => client(nouns::devices(common, devices, style)),
        Command::Pair(pair) => client(nouns::pair(common, pair, style)),
        Command::Users(users) => client(nouns::users(common, users, style)),
        Command::Cron(cron) => client(nouns::cron(common, cron, style)),
        Command::Plugins(plugins) => match &plugins.verb {
            Some(PluginsVerb::Exec { program }) => Err(plugins::exec(program)),
            _ => client(plugins::run(common, plugins, style)),
        },
        Command::Message(message) => client(nouns::message(common, message, style)),
        Command::Call(call) => client(call::run(common, call, style)),
        Command::Token(token) => client(token::run(common, token)),
        Command::Backup(backup) => client(backup::run(common, backup)),
        Command::Restore(restore) => restore::run(common, restore),
        Command::Methods(methods) => methods::run(common, methods, style),
        Command::Completions(completions) => {
            let mut script = Vec::new();
            clap_complete::generate(completions.shell, &mut Cli::command(), "gatehouse", &mut script);
            output::line(String::from_utf8_lossy(&script).trim_end())
        }
        Command::Healthcheck(check) => client(healthcheck::run(common, check)),
        Command::Service(unit) => unit::run(common, unit, style),
        Command::Discovery(asked) => client(discovery::announce(common, asked)),
        Command::Discover(asked) => client(discovery::discover(common, asked, style)),
        Command::Forward(forward) => client(forward::run(common, forward)),
    }
}

/// What a command does with a home.
const fn wanted(command: &Command) -> For {
    match command {
        Command::Up(_) => For::Start,
        Command::Edge
        | Command::Session
        | Command::Agent
        | Command::ChannelBridge
        | Command::Channel { .. }
        | Command::Broadcast
        | Command::Config(args::Config { command: None })
        | Command::Config(args::Config {
            command: Some(args::ConfigCommand::Schema { .. }),
        })
        | Command::Discovery(_)
        | Command::Discover(_)
        | Command::Methods(_)
        | Command::Completions(_)
        | Command::Healthcheck(_)
        // A plugin's program is started by the gateway itself, and a contract is compiled without one.
        | Command::Plugins(args::plugins::Plugins {
            verb:
                Some(PluginsVerb::Exec { .. } | PluginsVerb::Compile { .. } | PluginsVerb::Protos { .. }),
        })
        | Command::Forward(_) => For::Alone,
        Command::Config(_)
        | Command::Stop(_)
        | Command::Restart(_)
        | Command::Logs(_)
        | Command::Chat(_)
        | Command::Status(_)
        | Command::Setup(_)
        | Command::Doctor(_)
        | Command::Sessions(_)
        | Command::Models(_)
        | Command::Agents(_)
        | Command::Channels(_)
        | Command::Pairing(_)
        | Command::Nodes(_)
        | Command::Node(_)
        | Command::Devices(_)
        | Command::Pair(_)
        | Command::Users(_)
        | Command::Cron(_)
        | Command::Plugins(_)
        | Command::Message(_)
        | Command::Call(_)
        | Command::Token(_)
        | Command::Backup(_)
        | Command::Restore(_)
        | Command::Service(_) => For::Client,
    }
}

/// A person who is in another folder than the gateway is told which one is meant.
fn say_which(common: &Common) {
    let is_elsewhere =
        common.found == Found::Running && common.home != std::path::absolute("data").unwrap_or_default();
    if is_elsewhere && common.url.is_none() && !common.json && io::stderr().is_terminal() {
        output::remark(&format!("(home {}, {})", common.home.display(), common.found));
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
        .on_thread_park(memory::give_back)
        .enable_all()
        .build()
        .map_err(|error| Failed::new(Exit::Failed, format!("cannot start: {error}")))
}
