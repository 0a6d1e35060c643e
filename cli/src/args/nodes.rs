//! `nodes` and `node`: devices that do something for the assistant, and being one.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `nodes`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gatehouse nodes                           who is there, and who asks for approval
  gatehouse nodes approve                   agree to what the one offers that waits
  gatehouse nodes approve kitchen-pi        one of several, by its name or the beginning of its id or request
  gatehouse nodes invoke kitchen-pi system.which '{bins: [\"ls\"]}'
  gatehouse nodes invoke kitchen-pi system.run '{command: [\"uptime\"]}'
  gatehouse nodes history kitchen-pi        what it was asked for, and how that ended

A node is named by its name, its id, or the beginning of its id. docs/nodes.md says how a machine becomes one.")]
pub(crate) struct Nodes {
    /// What to do [default: list]
    #[command(subcommand)]
    pub(crate) verb: Option<NodesVerb>,
}

/// `nodes ...`
#[derive(Debug, Subcommand)]
pub(crate) enum NodesVerb {
    /// All nodes, those that are there first
    #[command(visible_alias = "ls")]
    List,
    /// Everything about one
    #[command(visible_alias = "show")]
    Describe {
        /// The node
        node: String,
    },
    /// Ask a node to do something, and print what came of it
    Invoke(NodesInvoke),
    /// Agree to what a node offers
    Approve {
        /// The node or its request, by its beginning, or the node's name; may be left out when one waits
        node: Option<String>,
    },
    /// Refuse what a node asks for; it may ask again when it comes next
    Reject {
        /// The node or its request, by its beginning, or the node's name; may be left out when one waits
        node: Option<String>,
    },
    /// Give a node a name
    Rename {
        /// The node
        node: String,
        /// Its name
        name: String,
    },
    /// Take away all that a node was granted and its pairing, and let it go
    Remove {
        /// The node
        node: String,
    },
    /// What nodes were asked for, the newest first
    History {
        /// Only this node
        node: Option<String>,
        /// How many
        #[arg(long, short = 'n', default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=500))]
        lines: u16,
    },
}

/// `nodes invoke`
#[derive(Debug, Args)]
pub(crate) struct NodesInvoke {
    /// The node
    pub(crate) node: String,
    /// The command, for example system.which
    pub(crate) command: String,
    /// What the command is given, as JSON5; @FILE reads a file, @- the standard input
    pub(crate) params: Option<String>,
    /// How long to wait for the result, in seconds
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub(crate) timeout: u16,
    /// Let it wait so long for a node that is not there, in seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=604_800))]
    pub(crate) queue: Option<u32>,
    /// Names this invocation: a repeat with the same key does nothing twice [default: a new one]
    #[arg(long)]
    pub(crate) key: Option<String>,
}

/// `node`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gatehouse node run --allow /usr/bin/uptime --files /srv/shared
  gatehouse node id                         what `gatehouse nodes` and `gatehouse devices` call it

docs/nodes.md says how a machine becomes a node, and what an operator has to agree to.")]
pub(crate) struct Node {
    /// What to do
    #[command(subcommand)]
    pub(crate) verb: NodeVerb,
}

/// `node ...`
#[derive(Debug, Subcommand)]
pub(crate) enum NodeVerb {
    /// Be a node of a gateway until a signal comes
    #[command(after_help = "\
Examples:
  gatehouse node run                                     of the gateway on this machine; looks up programs and tells its figures
  gatehouse node run --url ws://10.0.0.5:18789 --token T --name kitchen-pi
  gatehouse node run --allow /usr/bin/uptime --allow /usr/bin/df
  gatehouse node run --files /srv/shared                 files below this folder may be read

Nothing is run and no file is read unless it is named here, and an operator agrees: `gatehouse nodes approve`. A program is
started with the arguments that are given and never by a shell.")]
    Run(NodeRun),
    /// Print the id of this machine's node
    Id,
}

/// `node run`
#[derive(Debug, Args)]
pub(crate) struct NodeRun {
    /// The name for people [default: the name of the machine]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// A program that may be run, as a whole path; several times for several
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) allow: Vec<PathBuf>,
    /// A folder whose files may be read
    #[arg(long, value_name = "FOLDER")]
    pub(crate) files: Option<PathBuf>,
    /// The program that shows a notification; it is given title and text
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) notify: Option<PathBuf>,
}
