//! The harness: real processes in a temporary home, the people who talk to them, and the platforms around them.
//!
//! Everything here stands outside the gateway. It knows the wire and the files that an operator knows, and nothing of the
//! services' insides, so that a test fails when a user would notice.

pub mod bindings;
pub mod collector;
pub mod findings;
pub mod gateway;
pub mod http;
pub mod irc;
pub mod model;
pub mod ngircd;
pub mod platform;
pub mod process;
pub mod socket;
pub mod tmux;
pub mod wait;

pub use findings::Findings;
pub use gateway::Gateway;
pub use socket::Client;
pub use wait::{DEADLINE, until};
