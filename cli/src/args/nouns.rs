//! The nouns that people type, each with its verbs.

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

/// `channels`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gatehouse channels                        every account, and how it is
  gatehouse channels list --probe           the platforms are asked anew
  gatehouse channels show irc
  gatehouse channels stop irc home          until it is started again
  gatehouse channels outbox                 what waits to be said
  gatehouse channels drop --to '#my-room'   and is not said any more")]
pub(crate) struct Channels {
    /// What to do [default: list]
    #[command(subcommand)]
    pub(crate) verb: Option<ChannelsVerb>,
}

/// `channels ...`
#[derive(Debug, Subcommand)]
pub(crate) enum ChannelsVerb {
    /// Every account, and how it is
    #[command(visible_aliases = ["ls", "status"])]
    List {
        /// Ask the platforms anew
        #[arg(long)]
        probe: bool,
    },
    /// Everything about the accounts of one
    Show {
        /// The channel
        channel: String,
        /// Only this account
        account: Option<String>,
    },
    /// Connect
    Start {
        /// The channel
        channel: String,
        /// The account [default: all of the channel]
        account: Option<String>,
    },
    /// What waits to be said in chats, the oldest first
    Outbox(ChannelsOutbox),
    /// Drop what waits to be said
    Drop(ChannelsDrop),
    /// Disconnect, until it is started again or the bridge restarts
    Stop {
        /// The channel
        channel: String,
        /// The account [default: all of the channel]
        account: Option<String>,
    },
}

/// `channels outbox`
#[derive(Debug, Args)]
pub(crate) struct ChannelsOutbox {
    /// Only this channel
    pub(crate) channel: Option<String>,
    /// Only this account
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// Only what goes to this conversation on the platform
    #[arg(long)]
    pub(crate) to: Option<String>,
    /// How many
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u8).range(1..=200))]
    pub(crate) limit: u8,
}

/// `channels drop`
#[derive(Debug, Args)]
#[group(id = "dropped", required = true, multiple = true)]
pub(crate) struct ChannelsDrop {
    /// By their ids
    #[arg(group = "dropped")]
    pub(crate) ids: Vec<String>,
    /// What goes out through this channel
    #[arg(long, group = "dropped")]
    pub(crate) channel: Option<String>,
    /// What goes out from this account
    #[arg(long, group = "dropped")]
    pub(crate) account: Option<String>,
    /// What goes to this conversation on the platform
    #[arg(long, group = "dropped")]
    pub(crate) to: Option<String>,
    /// Everything
    #[arg(long, group = "dropped", conflicts_with_all = ["ids", "channel", "account", "to"])]
    pub(crate) all: bool,
}

/// `pairing`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gatehouse pairing                         who asks to be let in
  gatehouse pairing approve 7K2M4Q          by the code that they were told
  gatehouse pairing approve irc 7K2M4Q --notify
  gatehouse pairing dismiss 7K2M4Q")]
pub(crate) struct Pairing {
    /// What to do [default: list]
    #[command(subcommand)]
    pub(crate) verb: Option<PairingVerb>,
}

/// `pairing ...`
#[derive(Debug, Subcommand)]
pub(crate) enum PairingVerb {
    /// Who asks to be let in, the oldest first
    #[command(visible_alias = "ls")]
    List {
        /// Only this channel
        channel: Option<String>,
    },
    /// Everything about one request
    Show {
        /// The id of the request
        request: String,
    },
    /// Let somebody in, for direct messages of that account
    Approve(PairingOf),
    /// Forget a request
    Dismiss(PairingOf),
}

/// Which request is meant.
#[derive(Debug, Args)]
pub(crate) struct PairingOf {
    /// The code that the stranger was told, or the id of the request; the channel may stand before it
    #[arg(required = true, num_args = 1..=2, value_name = "[CHANNEL] CODE")]
    pub(crate) words: Vec<String>,
    /// The account, where several let strangers ask
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// Tell the stranger
    #[arg(long)]
    pub(crate) notify: bool,
}

/// `message`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gatehouse message send --channel irc --to '#my-room' \"dinner is ready\"
  df -h | gatehouse message send --to anna -           the text from the standard input
  gatehouse message send --to anna --key backup-2026-11-27 \"the backup is done\"

It ends when the message is stored in the outbox; `gatehouse channels` shows what waits. With --key a repeat sends nothing.")]
pub(crate) struct Message {
    /// What to do
    #[command(subcommand)]
    pub(crate) verb: MessageVerb,
}

/// `message ...`
#[derive(Debug, Subcommand)]
pub(crate) enum MessageVerb {
    /// Send a message to a chat, a room or a person
    Send(MessageSend),
}

/// `message send`
#[derive(Debug, Args)]
pub(crate) struct MessageSend {
    /// The text; - is the standard input
    #[arg(required = true)]
    pub(crate) text: Vec<String>,
    /// The conversation on the platform: a room, a chat or a person
    #[arg(long)]
    pub(crate) to: String,
    /// The channel [default: the only one that is set up]
    #[arg(long)]
    pub(crate) channel: Option<String>,
    /// The account [default: that of the channel]
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// The thread
    #[arg(long)]
    pub(crate) thread: Option<String>,
    /// The platform's id of the message to answer
    #[arg(long)]
    pub(crate) reply_to: Option<String>,
    /// A key for this message: a repeat with the same one sends nothing [default: a new one]
    #[arg(long)]
    pub(crate) key: Option<String>,
}
