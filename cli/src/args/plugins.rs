//! `plugins`: processes of anybody's that bring methods and events.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `plugins`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gatehouse plugins                                    those that are set up, and how they are
  gatehouse plugins show kitchen                       the methods and events that one brings
  gatehouse plugins check kitchen                      asks it now, and says what would keep it out
  gatehouse plugins check --endpoint 127.0.0.1:50051   the same before it is set up
  gatehouse plugins compile kitchen.proto              makes kitchen.pb, which a plugin answers Describe with
  gatehouse plugins protos protos/                     the files that a plugin's contract may import

docs/plugins.md leads from nothing to a method of your own.")]
pub(crate) struct Plugins {
    /// What to do [default: list]
    #[command(subcommand)]
    pub(crate) verb: Option<PluginsVerb>,
}

/// `plugins ...`
#[derive(Debug, Subcommand)]
pub(crate) enum PluginsVerb {
    /// Those that are set up, and how they are
    #[command(visible_alias = "ls")]
    List,
    /// Everything that one brings
    Show {
        /// Its id
        id: String,
    },
    /// Ask one now what it declares; ends with 1 when it could not join
    Check(PluginsCheck),
    /// Compile a contract to the descriptors that a plugin answers Describe with; no other compiler is needed
    Compile {
        /// The .proto file
        file: PathBuf,
        /// Where to write them [default: beside the file, with the ending .pb]
        #[arg(long, short)]
        out: Option<PathBuf>,
        /// Further folders with files that it imports
        #[arg(long, short = 'I', value_name = "DIR")]
        include: Vec<PathBuf>,
    },
    /// Write the files that a plugin's contract may import into a folder, for other compilers
    Protos {
        /// The folder; it is made when it is not there
        folder: PathBuf,
    },
    /// Become a plugin's program that ends with its supervisor
    #[command(hide = true)]
    Exec {
        /// The program and what it is given
        #[arg(required = true, last = true)]
        program: Vec<std::ffi::OsString>,
    },
}

/// `plugins check`
#[derive(Debug, Args)]
pub(crate) struct PluginsCheck {
    /// Its id in the configuration of the gateway that runs
    #[arg(required_unless_present = "endpoint")]
    pub(crate) id: Option<String>,
    /// Where it listens, instead of what the configuration says: host:port or unix:/path
    #[arg(long)]
    pub(crate) endpoint: Option<String>,
    /// A method of the gateway's own that it would take over
    #[arg(long = "override", value_name = "METHOD", requires = "endpoint")]
    pub(crate) overrides: Vec<String>,
}
