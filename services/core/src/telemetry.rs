//! Logs: text for a person at a terminal, JSON lines for a collector. They go to standard error.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt};

use crate::settings::{Env, Service};

/// Log lines below this are noise to an operator, and those of libraries below warnings.
const DEFAULT_FILTER: &str = "info,h2=warn,hyper=warn,tonic=warn,tower=warn,reqwest=warn,irc=warn";

/// Begins logging, as `GATEHOUSE_LOG` (a filter) and `GATEHOUSE_LOG_FORMAT` (`json` or `text`) say. A second call does nothing.
pub fn init(env: &Env, service: Service) {
    let filter = EnvFilter::try_new(env.get("GATEHOUSE_LOG").unwrap_or(DEFAULT_FILTER));
    let terminal = std::io::stderr().is_terminal();
    let text = env
        .get("GATEHOUSE_LOG_FORMAT")
        .map_or(terminal, |format| format != "json");
    let builder = fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(filter.unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER)));
    let begun = if text {
        builder
            .with_ansi(terminal && env.get("NO_COLOR").is_none())
            .with_target(false)
            .try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
    if begun.is_ok() {
        tracing::debug!(
            service.name = service.name(),
            service.version = env!("CARGO_PKG_VERSION"),
            "logging begins"
        );
    }
}
