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
    /// Make the document of an OpenClaw gateway that of this home; every key that is not taken is named
    #[command(after_help = "\
Examples:
  gatehouse config import ~/.openclaw/openclaw.json --dry-run     only tells what it would do
  gatehouse config import ~/.openclaw/openclaw.json
  gatehouse config import ~/.openclaw/openclaw.json --cron ~/.openclaw/state/openclaw.sqlite

Files that it includes are read as well. Secrets stay as they are written: references stay references, and those that are written out
are named. What stood in the place of the document is kept beside it.")]
    Import(Import),
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

/// `config import`
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The document of OpenClaw
    pub(crate) file: PathBuf,
    /// Where to write it [default: $GATEHOUSE_CONFIG, else gatehouse.json5 in the home]
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    /// Also where a document is, which is kept beside it
    #[arg(long)]
    pub(crate) force: bool,
    /// Only tell what would come of it
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The database of OpenClaw: its jobs are written beside the document, for `cron.add`
    #[arg(long, value_name = "FILE")]
    pub(crate) cron: Option<PathBuf>,
}
