//! Channels, pairing and messages.

use std::path::PathBuf;

use super::*;

/// `channels`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gatehouse channels                        every account, and how it is
  gatehouse channels list --probe           the platforms are asked anew
  gatehouse channels add telegram           says what to click, tries it, connects
  gatehouse channels login telegram         takes another token, and connects with it
  gatehouse channels login whatsapp-web     shows the code that links it
  gatehouse channels show irc
  gatehouse channels test telegram
  gatehouse channels logs telegram -f
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
    /// Set an account of Telegram up: what to click, what to copy from there, whether it works. Others are written into the configuration
    Add(ChannelsAdd),
    /// Give an account of Telegram other credentials, or link one of a plugin (whatsapp-web) by a code that a phone scans
    Login(ChannelsLogin),
    /// Take an account out of the configuration
    #[command(visible_alias = "rm")]
    Remove(ChannelsRemove),
    /// Ask the platform whether an account works; say something there
    Test(ChannelsTest),
    /// What the log says of a channel
    Logs(ChannelsLogs),
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

/// `channels login`
#[derive(Debug, Args)]
pub(crate) struct ChannelsLogin {
    /// Which account
    #[command(flatten)]
    pub(crate) of: ChannelsAdd,
    /// How many seconds somebody has to scan or type a code
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u16).range(1..=3_600))]
    pub(crate) timeout: u16,
}

/// `channels add`, and what `channels login` has of it
#[derive(Debug, Args)]
pub(crate) struct ChannelsAdd {
    /// The channel: telegram. To log in also one of a plugin, for example whatsapp-web
    pub(crate) channel: String,
    /// The account [default: default]
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// A key of the account with its value. A secret given so is seen by whoever sees the command
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) set: Vec<(String, String)>,
    /// A key of the account with the file that holds its value
    #[arg(long, value_name = "KEY=FILE", value_parser = pair_with_file)]
    pub(crate) file: Vec<(String, std::path::PathBuf)>,
    /// Write it without asking the platform
    #[arg(long)]
    pub(crate) force: bool,
    /// Do not wait until it is connected
    #[arg(long)]
    pub(crate) no_wait: bool,
}

/// `channels remove`
#[derive(Debug, Args)]
pub(crate) struct ChannelsRemove {
    /// The channel
    pub(crate) channel: String,
    /// The account [default: default]
    pub(crate) account: Option<String>,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
}

/// `channels test`
#[derive(Debug, Args)]
pub(crate) struct ChannelsTest {
    /// The channel
    pub(crate) channel: String,
    /// The account [default: the channel's]
    pub(crate) account: Option<String>,
    /// Say something there as well: a conversation on the platform
    #[arg(long)]
    pub(crate) to: Option<String>,
}

/// `channels logs`
#[derive(Debug, Args)]
pub(crate) struct ChannelsLogs {
    /// The channel
    pub(crate) channel: String,
    /// Only this account
    pub(crate) account: Option<String>,
    /// How many lines
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    pub(crate) lines: usize,
    /// Go on with what comes
    #[arg(long, short)]
    pub(crate) follow: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("KEY=VALUE is wanted")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

fn pair_with_file(text: &str) -> Result<(String, std::path::PathBuf), String> {
    let (key, file) = text.split_once('=').ok_or("KEY=FILE is wanted")?;
    Ok((key.trim().to_owned(), file.into()))
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
  gatehouse message send --to anna --file report.pdf --file chart.png \"this month\"
  gatehouse message send --to anna --choice Yes --choice \"No=/deny 7\" \"shall I?\"

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
    #[arg(required_unless_present_any = ["file", "choice"])]
    pub(crate) text: Vec<String>,
    /// A file that goes with it; may be given several times
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Vec<PathBuf>,
    /// A button below it, and what whoever presses it says [default: the label]; may be given several times
    #[arg(long, value_name = "LABEL[=VALUE]")]
    pub(crate) choice: Vec<String>,
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
