//! The nouns that people type, each with its verbs.

mod chats;

pub(crate) use self::chats::*;
use clap::{Args, Subcommand};

/// `sessions`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gatehouse sessions                        the newest first
  gatehouse sessions list --search garden --archived
  gatehouse sessions show main
  gatehouse sessions history main -n 20
  gatehouse sessions set main --model ollama/llama3.2
  gatehouse sessions reset main             a new transcript under the same key")]
pub(crate) struct Sessions {
    /// What to do [default: list]
    #[command(subcommand)]
    pub(crate) verb: Option<SessionsVerb>,
}

/// `sessions ...`
#[derive(Debug, Subcommand)]
pub(crate) enum SessionsVerb {
    /// The sessions, the newest first
    #[command(visible_alias = "ls")]
    List(SessionsList),
    /// Everything about one
    Show {
        /// Its key, or an alias such as main
        key: String,
    },
    /// What was said, the newest last
    History {
        /// Its key, or an alias such as main
        key: String,
        /// How many messages
        #[arg(long, short = 'n', default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
        lines: u16,
    },
    /// Make one
    New {
        /// Its key [default: one that nobody has]
        key: Option<String>,
        /// A name for it
        #[arg(long)]
        label: Option<String>,
        /// The agent [default: the one that answers when nobody chose]
        #[arg(long)]
        agent: Option<String>,
        /// PROVIDER/MODEL
        #[arg(long)]
        model: Option<String>,
    },
    /// Change what one is set to
    Set(SessionsSet),
    /// Begin a new transcript under the same key
    Reset {
        /// Its key, or an alias such as main
        key: String,
    },
    /// Stop what runs and waits in one
    Stop {
        /// Its key, or an alias such as main
        key: String,
    },
    /// Forget one with all that was said
    #[command(visible_alias = "rm")]
    Delete {
        /// Its key: no alias, so that nothing is lost by a typing error
        key: String,
    },
}

/// `sessions list`
#[derive(Debug, Default, Args)]
pub(crate) struct SessionsList {
    /// How many
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) limit: u16,
    /// Only those whose key or name contains this
    #[arg(long)]
    pub(crate) search: Option<String>,
    /// Only those of this agent
    #[arg(long)]
    pub(crate) agent: Option<String>,
    /// Also those that were put away
    #[arg(long)]
    pub(crate) archived: bool,
}

/// `sessions set`
#[derive(Debug, Args)]
#[group(id = "change", required = true, multiple = true)]
pub(crate) struct SessionsSet {
    /// Its key, or an alias such as main
    #[arg(group = "session")]
    pub(crate) key: String,
    /// A name for it; "" takes it away
    #[arg(long, group = "change")]
    pub(crate) label: Option<String>,
    /// PROVIDER/MODEL; "" goes back to that of the agent
    #[arg(long, group = "change")]
    pub(crate) model: Option<String>,
    /// How hard the model thinks, in its own words; "" goes back to its default
    #[arg(long, group = "change")]
    pub(crate) thinking: Option<String>,
    /// Put it away, or take it out again
    #[arg(long, group = "change", value_name = "true|false")]
    pub(crate) archived: Option<bool>,
    /// Keep it at the top, or no more
    #[arg(long, group = "change", value_name = "true|false")]
    pub(crate) pinned: Option<bool>,
}

/// `models`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gatehouse models                          those of the configuration, and which one answers
  gatehouse models list --all               also what the providers offer, asked now
  gatehouse models test                     each provider once: does it answer?
  gatehouse models test ollama/llama3.2
  gatehouse models use ollama/llama3.2      for everybody who has chosen no other

`gatehouse setup` finds a provider and writes it into the configuration.")]
pub(crate) struct Models {
    /// What to do [default: list]
    #[command(subcommand)]
    pub(crate) verb: Option<ModelsVerb>,
}

/// `models ...`
#[derive(Debug, Subcommand)]
pub(crate) enum ModelsVerb {
    /// The models that may be chosen
    #[command(visible_alias = "ls")]
    List {
        /// Ask the providers which they have
        #[arg(long)]
        all: bool,
        /// Only those of this provider
        #[arg(long)]
        provider: Option<String>,
    },
    /// Everything about one
    Show {
        /// PROVIDER/MODEL, or its name
        model: String,
    },
    /// Ask for one word, and say how that went; ends with 1 when a model does not answer
    Test {
        /// PROVIDER/MODEL, or a provider [default: each provider once]
        model: Option<String>,
        /// Give up after so many seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u16).range(1..=300))]
        timeout: u16,
    },
    /// Choose what answers when nobody chose another one: agents.defaults.model.primary
    Use {
        /// PROVIDER/MODEL
        model: String,
    },
}

/// `agents`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gatehouse agents
  gatehouse agents show main")]
pub(crate) struct Agents {
    /// What to do [default: list]
    #[command(subcommand)]
    pub(crate) verb: Option<AgentsVerb>,
}

/// `agents ...`
#[derive(Debug, Subcommand)]
pub(crate) enum AgentsVerb {
    /// The agents of the configuration
    #[command(visible_alias = "ls")]
    List,
    /// Everything about one
    Show {
        /// Its id
        id: String,
    },
}
