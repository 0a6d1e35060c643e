//! The words about the configuration.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `config`
#[derive(Debug, Args)]
pub(crate) struct Config {
    /// What to do; nothing runs the service.
    #[command(subcommand)]
    pub(crate) command: Option<ConfigCommand>,
}

/// `config ...`
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the running configuration, or one part of it; secrets are hidden
    Get {
        /// Keys with dots, for example channels.irc
        path: Option<String>,
        /// Print the file as it stands instead, with its comments
        #[arg(long, conflicts_with = "path")]
        raw: bool,
    },
    /// Change one key; everything else stays as it is, comments included
    Set {
        /// Keys with dots; a key that has dots itself goes in brackets: groups["#a.b"]
        path: String,
        /// JSON or JSON5; anything else is taken as text
        value: String,
        /// Also when the change opens the gateway to others or locks somebody out
        #[arg(long)]
        force: bool,
    },
    /// Take one key out: its default is back
    Unset {
        /// Keys with dots
        path: String,
        /// Also when the change opens the gateway to others or locks somebody out
        #[arg(long)]
        force: bool,
    },
    /// Check a file; ends with 78 when it cannot be used
    Validate {
        /// The file [default: $GATEHOUSE_CONFIG, else gatehouse.json5 in the home]
        file: Option<PathBuf>,
    },
    /// List the texts that stood in the file and are kept
    History,
    /// Bring a former text back, whole, with its comments
    Restore {
        /// The revision, or its first digits; `gatehouse config history` lists them
        revision: String,
        /// Also when the change opens the gateway to others or locks somebody out
        #[arg(long)]
        force: bool,
    },
    /// Print the JSON Schema of the configuration
    Schema {
        /// Print the configuration reference as Markdown instead
        #[arg(long)]
        markdown: bool,
    },
}
