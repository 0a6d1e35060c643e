//! The words about the life of a gateway: start, end, log.

use std::{net::IpAddr, path::PathBuf};

use clap::Args;

use super::Checked;

/// `up`
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// The port of WebSocket and HTTP; 0 takes a free one [default: gateway.port of the configuration, 18789]
    #[arg(long, env = "GATEHOUSE_PORT", hide_env_values = true, value_name = "N")]
    pub(crate) port: Option<u16>,
    /// The IP address to listen on [default: gateway.bind of the configuration, 127.0.0.1]
    #[arg(long, env = "GATEHOUSE_BIND", hide_env_values = true, value_name = "IP")]
    pub(crate) bind: Option<IpAddr>,
    /// The folder of a built Control UI, which is then served at the gateway's own address; `auto` finds that of an installed
    /// openclaw package [default: gateway.controlUi.root of the configuration, else none]
    #[arg(
        long,
        env = "GATEHOUSE_CONTROL_UI",
        hide_env_values = true,
        value_name = "DIR"
    )]
    pub(crate) control_ui: Option<PathBuf>,
    /// Where the metrics of all processes are served: a port, an address, or `off` [default: 127.0.0.1:18790, else a free port]
    #[arg(
        long,
        env = "GATEHOUSE_METRICS_LISTEN",
        hide_env_values = true,
        value_name = "PORT"
    )]
    pub(crate) metrics: Option<super::metrics::Wanted>,
    /// Run without this terminal: wait until it is ready, and leave it running
    #[arg(long, short = 'd')]
    pub(crate) detach: bool,
    /// Set for the process that `--detach` starts.
    #[arg(long, hide = true, conflicts_with = "detach")]
    pub(crate) detached: bool,
    /// `text` or `json`.
    #[arg(long, env = "GATEHOUSE_LOG_FORMAT", hide = true)]
    pub(crate) log_format: Option<String>,
}

/// `status`
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The last start of the gateway of the home instead: its steps, each with its time
    #[arg(long)]
    pub(crate) start: bool,
}

/// `stop`
#[derive(Debug, Args)]
pub(crate) struct Stop {
    /// Do not wait for answers under way
    #[arg(long)]
    pub(crate) now: bool,
}

/// `restart`
#[derive(Debug, Args)]
pub(crate) struct Restart {
    /// The service; without one, all
    #[arg(value_enum)]
    pub(crate) service: Option<Checked>,
}

/// `logs`
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Only lines of these services
    #[arg(value_enum)]
    pub(crate) service: Vec<Checked>,
    /// Go on with the lines that come
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// How many of the last lines
    #[arg(long, short = 'n', default_value_t = 100, value_name = "N")]
    pub(crate) lines: usize,
}

/// `setup`
#[derive(Debug, Default, Args)]
pub(crate) struct Setup {
    /// The provider: ollama, llamacpp, lmstudio, vllm, openai, anthropic, gemini, openrouter, mistral, groq, or a name of your
    /// own with --base-url
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<String>,
    /// Its address, up to and without /chat/completions
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// The model, as the provider names it
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// A file that holds the key alone: it is copied into the home
    #[arg(long, value_name = "FILE")]
    pub(crate) api_key_file: Option<PathBuf>,
    /// A server to look at instead of those at the usual ports of this machine
    #[arg(long, value_name = "URL")]
    pub(crate) look_at: Vec<String>,
    /// Ask nothing: what is not named is the first that is found
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Write it also when the model does not answer
    #[arg(long)]
    pub(crate) force: bool,
}

/// `doctor`
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Mend what is safe to mend
    #[arg(long)]
    pub(crate) fix: bool,
    /// Ask no model
    #[arg(long)]
    pub(crate) quick: bool,
}

/// `forward`
#[derive(Debug, Args)]
pub(crate) struct Forward {
    /// A service of the home, or LISTEN=TARGET with both as HOST:PORT
    #[arg(required = true, value_name = "SERVICE")]
    pub(crate) routes: Vec<String>,
    /// Where to listen for a service; port 0 takes a free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:0")]
    pub(crate) listen: std::net::SocketAddr,
    /// Also at an address that other machines reach: what is said there, the credential included, can be read on the way
    #[arg(long)]
    pub(crate) force: bool,
}
