//! The command line: every word of it, with its help and examples. Nothing is decided here.

mod common;
mod config;
pub(crate) mod cron;
pub(crate) mod devices;
pub(crate) mod discovery;
#[cfg(test)]
mod documented;
pub(crate) mod gateway;
pub(crate) mod metrics;
pub(crate) mod nodes;
pub(crate) mod nouns;
pub(crate) mod plugins;
pub(crate) mod unit;

use std::{any::TypeId, ffi::OsString, path::PathBuf};

use self::common::SERVICE;
pub(crate) use self::{
    common::{Common, Everywhere},
    config::{Config, ConfigCommand, Import},
    gateway::{Doctor, Forward, Logs, Restart, Setup, Stop, Up},
};
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

const ABOUT: &str = "One door to a personal AI assistant.";

const CODES: &str = "\
Exit codes:
  0   done
  1   it was tried and it failed
  2   the command line makes no sense
  3   `doctor` has warnings and no errors
  69  nobody answers: the gateway or a service is not there
  75  too much is asked just now, a full queue for example: later there may be room
  77  refused: token, scope, or a home that another process holds
  78  the configuration or the settings are wrong
  130 stopped with Ctrl-C
  141 whoever read the output reads no more

With --json a failure is a line of JSON on the error output: {\"error\": {\"exit\": 69, \"code\": \"...\", \"message\": \"...\", \"next\": \"...\"}}

Start a gateway with `gatehouse up`, then talk to it with `gatehouse chat`.";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "gatehouse", version, about = ABOUT, after_help = CODES, max_term_width = 110)]
pub(crate) struct Cli {
    /// Where, who and how: the same for every command.
    #[command(flatten)]
    pub(crate) everywhere: Everywhere,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// Reads a command line.
    ///
    /// # Errors
    /// When it makes no sense, or asks for help.
    pub(crate) fn read(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut command = taking_hyphens(Self::command());
        let matches: ArgMatches = command.try_get_matches_from_mut(words)?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }
}

/// Lets what an option takes as text begin with a hyphen: a token does that once in a while, and a person's words may.
fn taking_hyphens(command: clap::Command) -> clap::Command {
    command
        .mut_args(|arg| {
            let is_text = arg.get_value_parser().type_id() == TypeId::of::<String>();
            let takes = !arg.is_positional() && arg.get_action().takes_values() && is_text;
            if takes { arg.allow_hyphen_values(true) } else { arg }
        })
        .mut_subcommands(taking_hyphens)
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a whole gateway on this machine: the edge and the five services
    #[command(after_help = "\
Examples:
  gatehouse up                            port 18789, this machine only; Ctrl-C ends it
  gatehouse up -d                         the same without the terminal; `gatehouse stop` ends it
  gatehouse up --port 8080 --home ~/assistant
  gatehouse up --bind 0.0.0.0             for everybody in the network: the token is all that protects it

Ctrl-C stops everything in order; a second Ctrl-C stops it at once.")]
    Up(Up),
    /// End the gateway in order: answers under way may end first
    #[command(after_help = "\
Examples:
  gatehouse stop
  gatehouse stop --now                    without waiting for anybody
  gatehouse stop --home ~/assistant

Ends with 69 when no gateway runs there.")]
    Stop(Stop),
    /// Start the gateway again, or one of its services, with the options it has
    #[command(after_help = "\
Examples:
  gatehouse restart                       everything; clients come back by themselves
  gatehouse restart channel-bridge        one service; the others go on

The environment stays that of the first start: `gatehouse stop` and `gatehouse up -d` take a new one.")]
    Restart(Restart),
    /// Show the log of the gateway, which is kept in its home
    #[command(after_help = "\
Examples:
  gatehouse logs                          the last 100 lines
  gatehouse logs -f                       and those that come, until Ctrl-C
  gatehouse logs -n 1000 session agent    of two services")]
    Logs(Logs),
    /// Talk to the assistant
    #[command(after_help = "\
Examples:
  gatehouse chat                          the main session; /help lists what you can type
  gatehouse chat \"what is on today?\"      one question, one answer
  git diff | gatehouse chat \"review this\" the input follows the question
  gatehouse chat --session agent:main:work
  gatehouse chat --json \"hello\"           every event as a line of JSON

Ctrl-C stops the answer that is being written; Ctrl-C again leaves. What is typed is kept in chat-history in the home, readable by
you alone; what begins with a space is not.")]
    Chat(Chat),
    /// Services, the configuration each runs, channels and connections
    #[command(after_help = "\
Examples:
  gatehouse status
  gatehouse status --json | jq .status.ok
  gatehouse status --start                the last start, step by step, also when it failed

Ends with 1 when a service does not serve. While broadcast is away, which knows how all are, each is asked by itself; the JSON has
`\"partial\": true` then.")]
    Status(gateway::Status),
    /// Set a model up: find one, try it, and write it into the configuration
    #[command(after_help = "\
Examples:
  gatehouse setup                         finds what is here, and asks
  gatehouse setup --yes                   takes the first that is found: a server on this machine, else a key in the environment
  gatehouse setup --provider openai --api-key-file ~/openai.key --model gpt-4o-mini
  gatehouse setup --provider nas --base-url http://nas.local:11434/v1 --model llama3.2

Nothing is written unless the model answers one question. A key is kept in secrets/ of the home, for you alone.
Looked for: Ollama, llama.cpp, LM Studio and vLLM at their usual ports; OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY,
OPENROUTER_API_KEY, MISTRAL_API_KEY and GROQ_API_KEY.")]
    Setup(Setup),
    /// Look at everything that a gateway needs, and say what to do about what is wrong
    #[command(after_help = "\
Examples:
  gatehouse doctor                        whether the gateway runs or not
  gatehouse doctor --fix                  mends what is safe: modes, missing folders, files of killed processes
  gatehouse doctor --quick                asks no model
  gatehouse doctor --json | jq '.findings[] | select(.severity == \"error\")'

Ends with 0 when there is nothing or only notes, with 3 when there are warnings, with 1 when something does not work.")]
    Doctor(Doctor),
    /// Conversations: list, show, make, change, forget
    Sessions(nouns::Sessions),
    /// Models: list, test, choose
    Models(nouns::Models),
    /// Agents: list, show
    Agents(nouns::Agents),
    /// Chat channels: how they are, connect, disconnect
    Channels(nouns::Channels),
    /// Jobs that begin by the clock: list, add, change, run
    Cron(Box<cron::Cron>),
    /// Strangers who ask to be let in
    Pairing(nouns::Pairing),
    /// Devices that do something for the assistant: list, approve, invoke
    Nodes(nodes::Nodes),
    /// Be such a device
    Node(nodes::Node),
    /// Devices that may come back, and those that wait for approval
    Devices(devices::Devices),
    /// Pair a phone, a browser or a node: a code for one device, as a text and as a QR picture
    #[command(after_help = "\
Examples:
  gatehouse pair                          for a phone that chats
  gatehouse pair --as node
  gatehouse pair --at https://home.example.org --as full

The code is good once and for ten minutes, and holds no other secret. `gatehouse devices` shows who used it.")]
    Pair(devices::Pair),
    /// People with tokens of their own
    Users(devices::Users),
    /// Processes of anybody's that bring methods and events: list, show, check
    Plugins(plugins::Plugins),
    /// Send a message to a chat
    Message(nouns::Message),
    /// Call one method and print its answer
    #[command(after_help = "\
Examples:
  gatehouse call health
  gatehouse call sessions.list '{limit: 5}'        JSON5 is fine
  gatehouse call chat.send @message.json           from a file; @- is the standard input
  gatehouse call --service session ListSessions    straight to a service, past the edge
  gatehouse call --service session /gatehouse.session.v1.SessionService/ListSessions '{}'

`gatehouse methods` lists the methods, `gatehouse call --service session --list` those of one service.")]
    Call(Call),
    /// Show or replace the gateway token
    #[command(
        subcommand,
        after_help = "\
Examples:
  gatehouse token show                    the token and nothing else, for a script
  gatehouse token rotate                  a new one; clients with the old one are cut off"
    )]
    Token(Token),
    /// Read and change the configuration; alone, run the config service
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "\
Examples:
  gatehouse config get                    everything, defaults filled in, secrets hidden
  gatehouse config get channels.irc
  gatehouse config set gateway.port 8080
  gatehouse config set channels.irc '{enabled: true, host: \"irc.example.org\", nick: \"gate\"}'
  gatehouse config unset channels.irc
  gatehouse config validate               checks the file: by the gateway that runs with it, else by itself
  gatehouse config schema > schema.json
  gatehouse config                        runs the service (containers and `gatehouse up` do this)"
    )]
    Config(Config),
    /// Copy everything that a restore needs into one file, while the gateway runs or not
    #[command(after_help = "\
Examples:
  gatehouse backup gatehouse-2026-11-27.tar
  docker compose exec -T config gatehouse backup - > gatehouse.tar
  gatehouse backup --without-media small.tar   rows name their pictures, links lead nowhere

The file holds the databases as they were at one moment, the media of conversations, the files of agents, the configuration, the
gateway token and the folder of secrets. Keep it like a password. Secrets that the configuration takes from the environment are not in it.")]
    Backup(Backup),
    /// Put a backup in place of what the home holds; the gateway must be stopped
    #[command(after_help = "\
Examples:
  gatehouse restore gatehouse-2026-11-27.tar
  gatehouse restore --home ~/new gatehouse-2026-11-27.tar
  gatehouse restore - < gatehouse.tar     docs/operations.md says how in containers

What stood there before is kept beside it, with the ending .before-restore-<time>.")]
    Restore(Restore),
    /// The methods and events of the gateway, with who may use them
    #[command(after_help = "\
Examples:
  gatehouse methods
  gatehouse methods sessions.             those that begin so
  gatehouse methods --markdown > docs/methods.md")]
    Methods(Methods),
    /// Print a completion script for a shell
    #[command(after_help = "\
Examples:
  gatehouse completions bash > ~/.local/share/bash-completion/completions/gatehouse
  gatehouse completions zsh > ~/.zfunc/_gatehouse
  gatehouse completions fish > ~/.config/fish/completions/gatehouse.fish")]
    Completions(Completions),
    /// Run the edge: WebSocket and HTTP
    #[command(after_help = SERVICE)]
    Edge,
    /// Run the session service: conversations
    #[command(after_help = SERVICE)]
    Session,
    /// Run the agent service: turns
    #[command(after_help = SERVICE)]
    Agent,
    /// Run the channel bridge: chat surfaces
    #[command(after_help = SERVICE)]
    ChannelBridge,
    /// Run one account of a channel for the channel bridge, which starts this where `isolate` is set and says the rest on the standard input
    #[command(hide = true)]
    Channel {
        /// The channel, for example irc
        kind: String,
    },
    /// Run the broadcast service: events
    #[command(after_help = SERVICE)]
    Broadcast,
    /// Ask one service whether it serves; ends with 0 or 69
    #[command(after_help = "\
Examples:
  gatehouse healthcheck edge
  gatehouse healthcheck session

The address is the one that the service itself would listen on, so that a container asks itself.")]
    Healthcheck(Healthcheck),
    /// Run the gateway as a service of systemd: started with the machine or with your login, and again when it fails
    #[command(after_help = "\
Examples:
  gatehouse service install               for you: its home is the one that `gatehouse status` names
  sudo gatehouse service install --system for the machine, as a user of its own, with its home in /var/lib/gatehouse
  gatehouse service install --print       the unit, without writing it
  gatehouse service status
  gatehouse service uninstall             stops it; the home stays")]
    Service(unit::Unit),
    /// The gateways that say on the local network that they are there
    #[command(after_help = "\
Examples:
  gatehouse discover
  gatehouse discover --seconds 10 --json | jq '.gateways[].urls'

Anybody on the network can say so: it is a hint where to look, and no reason to trust what is there.")]
    Discover(discovery::Discover),
    /// Say on the local network where the gateway of the home is; `gatehouse up` runs it
    #[command(after_help = "\
Examples:
  gatehouse discovery                     until Ctrl-C; what it says: docs/operations.md
  gatehouse discovery --interface eth0")]
    Discovery(discovery::Discovery),
    /// Lead from a TCP port to a service, for gRPC tools that know no Unix sockets
    #[command(after_help = "\
Examples:
  gatehouse forward session                                       a free port of this machine, which it prints
  gatehouse forward session --listen 127.0.0.1:7004
  gatehouse forward 0.0.0.0:7001=session:7000 0.0.0.0:7002=agent:7000

Callers need the operator's credential all the same. The compose profile `operator` publishes internal gRPC on 127.0.0.1 with it.")]
    Forward(Forward),
}

/// `chat`
#[derive(Debug, Args)]
pub(crate) struct Chat {
    /// Ask this, print the answer, and end
    pub(crate) message: Vec<String>,
    /// The session: a key, or an alias such as main
    #[arg(long, short, default_value = "main")]
    pub(crate) session: String,
    /// How many earlier messages to show
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub(crate) history: u16,
    /// Tokens and time below each answer
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// Do not keep what is typed for the arrow up of the next chat
    #[arg(long)]
    pub(crate) no_history: bool,
}

/// `call`
#[derive(Debug, Args)]
pub(crate) struct Call {
    /// The method, for example sessions.list
    #[arg(
        required_unless_present = "list",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) method: String,
    /// The parameters: JSON or JSON5, @FILE, or @- for the standard input
    #[arg(default_value = "{}")]
    pub(crate) params: String,
    /// Call this service directly over gRPC, with the operator's credential
    #[arg(long, value_enum, value_name = "SERVICE")]
    pub(crate) service: Option<Backend>,
    /// List the methods of that service instead, those between services included
    #[arg(long, requires = "service", conflicts_with_all = ["method", "params", "address", "timeout"])]
    pub(crate) list: bool,
    /// The service's address, when it is not the one in the settings: unix:PATH or tcp:HOST:PORT
    #[arg(long, requires = "service")]
    pub(crate) address: Option<String>,
    /// Give up after so many seconds [default: what the method declares, and five more]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=7200))]
    pub(crate) timeout: Option<u64>,
}

/// The services behind the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// Conversations.
    Session,
    /// Turns.
    Agent,
    /// Chat surfaces.
    ChannelBridge,
    /// The document and the token.
    Config,
    /// Events.
    Broadcast,
}

/// `token`
#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Print the gateway token of the gateway in the home, and nothing else
    Show,
    /// Make a new gateway token and cut off whoever uses the old one
    Rotate,
}

/// `backup`
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file to make; - is the standard output
    pub(crate) file: PathBuf,
    /// Leave out the pictures, recordings and files of conversations
    #[arg(long)]
    pub(crate) without_media: bool,
}

/// `restore`
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The file that `gatehouse backup` made; - is the standard input
    pub(crate) file: PathBuf,
}

/// `methods`
#[derive(Debug, Args)]
pub(crate) struct Methods {
    /// Only names that begin so; a whole name shows what the method takes
    pub(crate) prefix: Option<String>,
    /// The whole reference, with requests and responses
    #[arg(long, conflicts_with = "prefix")]
    pub(crate) markdown: bool,
}

/// `completions`
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// `healthcheck`
#[derive(Debug, Args)]
pub(crate) struct Healthcheck {
    /// edge, session, agent, channel-bridge, config or broadcast
    #[arg(value_enum)]
    pub(crate) service: Checked,
    /// Where the edge's WebSocket and HTTP port is
    #[arg(long, env = "GATEHOUSE_PORT", default_value_t = 18_789, hide = true)]
    pub(crate) port: u16,
    /// Kill the service once it has not answered for so long, so that the container is started again
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(5..=3600))]
    pub(crate) kill_after: Option<u64>,
}

/// Everything that can be asked for its health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Checked {
    /// The door, by `/readyz`.
    Edge,
    /// Conversations.
    Session,
    /// Turns.
    Agent,
    /// Chat surfaces.
    ChannelBridge,
    /// The document and the token.
    Config,
    /// Events.
    Broadcast,
}

#[cfg(test)]
mod tests;
