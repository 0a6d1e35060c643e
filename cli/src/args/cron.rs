//! `cron`: jobs that begin by the clock.

use clap::{Args, Subcommand};

/// `cron`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gatehouse cron                            the jobs, the next one first
  gatehouse cron add tea --at 20m --event \"the tea is ready\"
  gatehouse cron add news --cron \"0 8 * * 1-5\" --tz Europe/Berlin --message \"What is new?\" --announce
  gatehouse cron add garden --every 6h --message \"Is it dry?\" --announce --channel irc --to anna
  gatehouse cron run news --wait            now, and tells how it went
  gatehouse cron runs news                  what became of each of its times
  gatehouse cron edit news --cron \"0 9 * * *\" --missed skip
  gatehouse cron disable news

A job is named by its id, the beginning of it, or its name. docs/schedules.md says more.")]
pub(crate) struct Cron {
    /// What to do [default: list]
    #[command(subcommand)]
    pub(crate) verb: Option<CronVerb>,
}

/// `cron ...`
#[derive(Debug, Subcommand)]
pub(crate) enum CronVerb {
    /// The jobs, the next one first
    #[command(visible_alias = "ls")]
    List(CronList),
    /// Everything about one
    Show {
        /// The job
        job: String,
    },
    /// Add one
    Add(CronAdd),
    /// Change one
    Edit(CronEdit),
    /// Remove one; what it did stays in the list of all runs, `cron runs`
    #[command(visible_alias = "rm")]
    Remove {
        /// The job
        job: String,
    },
    /// Run one now, beside its schedule
    Run {
        /// The job
        job: String,
        /// Wait for its end; ends with 1 when it went wrong
        #[arg(long)]
        wait: bool,
        /// Give up waiting after so many seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u16).range(1..=7200))]
        timeout: u16,
    },
    /// What became of each time that was due, the newest first
    Runs {
        /// The job [default: all]
        job: Option<String>,
        /// How many
        #[arg(long, short = 'n', value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u8).range(1..=200))]
        limit: u8,
        /// Only those that ended so
        #[arg(long, value_parser = ["ok", "error", "skipped"])]
        status: Option<String>,
    },
    /// Switch one on
    Enable {
        /// The job
        job: String,
    },
    /// Switch one off
    Disable {
        /// The job
        job: String,
    },
}

/// `cron list`
#[derive(Debug, Default, Args)]
pub(crate) struct CronList {
    /// Also those that are off
    #[arg(long, short)]
    pub(crate) all: bool,
    /// Only those of this agent
    #[arg(long)]
    pub(crate) agent: Option<String>,
    /// Only those whose name, description or id contains this
    #[arg(long)]
    pub(crate) search: Option<String>,
}

/// `cron add`
#[derive(Debug, Args)]
pub(crate) struct CronAdd {
    /// Its name
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) when: When,
    #[command(flatten)]
    pub(crate) what: What,
    /// Do not switch it on yet
    #[arg(long)]
    pub(crate) disabled: bool,
}

/// `cron edit`
#[derive(Debug, Args)]
pub(crate) struct CronEdit {
    /// The job
    pub(crate) job: String,
    /// Another name
    #[arg(long)]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) when: When,
    #[command(flatten)]
    pub(crate) what: What,
}

/// When a job is due.
#[derive(Debug, Default, Args)]
#[group(id = "when", multiple = true)]
pub(crate) struct When {
    /// Once: a time such as 2027-02-01T16:00:00Z, or from now on such as 20m, 2h or 3d
    #[arg(long, value_name = "TIME", conflicts_with_all = ["every", "cron"])]
    pub(crate) at: Option<String>,
    /// Again and again: 30s, 10m, 6h, 1d
    #[arg(long, value_name = "INTERVAL", conflicts_with = "cron")]
    pub(crate) every: Option<String>,
    /// A cron expression of 5 fields, or of 6 with the seconds first
    #[arg(long, value_name = "EXPRESSION")]
    pub(crate) cron: Option<String>,
    /// The time zone of the expression, or of a time without one, such as Europe/Berlin [default: that of the gateway; of a time, UTC]
    #[arg(long, value_name = "ZONE", conflicts_with = "every")]
    pub(crate) tz: Option<String>,
    /// Spread over so long after the time [default: 5m for what is due at each full hour]
    #[arg(long, value_name = "DURATION", requires = "cron")]
    pub(crate) stagger: Option<String>,
    /// To the second
    #[arg(long, requires = "cron", conflicts_with = "stagger")]
    pub(crate) exact: bool,
    /// Of times that were missed: skip, or run the last one if it is no more than so late, such as 60m
    #[arg(long, value_name = "skip|DURATION")]
    pub(crate) missed: Option<String>,
}

/// What a job does.
#[derive(Debug, Default, Args)]
#[group(id = "what", multiple = true)]
pub(crate) struct What {
    /// Ask an agent this, in a session of its own
    #[arg(long, short, value_name = "TEXT", conflicts_with = "event")]
    pub(crate) message: Option<String>,
    /// Say this in the main session
    #[arg(long, visible_alias = "system-event", value_name = "TEXT")]
    pub(crate) event: Option<String>,
    /// Where it runs: main, isolated, or session:KEY
    #[arg(long)]
    pub(crate) session: Option<String>,
    /// The agent
    #[arg(long)]
    pub(crate) agent: Option<String>,
    /// PROVIDER/MODEL
    #[arg(long, conflicts_with = "event")]
    pub(crate) model: Option<String>,
    /// How hard the model thinks
    #[arg(long, conflicts_with = "event")]
    pub(crate) thinking: Option<String>,
    /// The longest it may take, in seconds
    #[arg(long, value_name = "SECONDS", conflicts_with = "event")]
    pub(crate) limit: Option<u32>,
    /// Tell the chat that spoke last, or that of --channel and --to; without a chat the run has failed
    #[arg(long, conflicts_with = "quiet")]
    pub(crate) announce: bool,
    /// Tell no chat
    #[arg(long, visible_alias = "no-deliver")]
    pub(crate) quiet: bool,
    /// The channel to tell
    #[arg(long, conflicts_with = "quiet")]
    pub(crate) channel: Option<String>,
    /// The chat, room or person to tell
    #[arg(long, requires = "channel")]
    pub(crate) to: Option<String>,
    /// The account to tell it from
    #[arg(long, requires = "channel")]
    pub(crate) account: Option<String>,
    /// Tell a program at this address of each run
    #[arg(long, value_name = "URL", conflicts_with_all = ["quiet", "announce", "channel", "event"])]
    pub(crate) webhook: Option<String>,
    /// What it is for
    #[arg(long)]
    pub(crate) description: Option<String>,
    /// Keep a job that runs once after it did, switched off
    #[arg(long)]
    pub(crate) keep: bool,
}
