//! The words of `gatehouse service`.

use clap::{Args, Subcommand};

/// `service`
#[derive(Debug, Args)]
pub(crate) struct Unit {
    /// Of the machine, started with it: root's to do. Without it, your own, started when you log in
    #[arg(long, global = true)]
    pub(crate) system: bool,
    #[command(subcommand)]
    pub(crate) verb: UnitVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UnitVerb {
    /// Write the unit, and start it now and with every start
    Install {
        /// Only show what would be written
        #[arg(long)]
        print: bool,
    },
    /// Stop it and remove the unit; the home stays
    Uninstall,
    /// Whether it is there and runs; ends with 69 where it does not
    Status,
}
