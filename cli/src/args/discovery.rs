//! The words about the local network.

use std::net::IpAddr;

use clap::Args;

/// `discovery`
#[derive(Debug, Args)]
pub(crate) struct Discovery {
    /// Say it on this interface only [default: those of a household: no tunnels, no bridges of containers]
    #[arg(long, value_name = "NAME")]
    pub(crate) interface: Option<String>,
    /// The one address that the gateway listens on [default: those of the machine, followed as they change]
    #[arg(long, value_name = "IP")]
    pub(crate) address: Option<IpAddr>,
}

/// `discover`
#[derive(Debug, Args)]
pub(crate) struct Discover {
    /// How long to look
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=60))]
    pub(crate) seconds: u8,
    /// Look on this interface only
    #[arg(long, value_name = "NAME")]
    pub(crate) interface: Option<String>,
}
