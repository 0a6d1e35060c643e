//! The plugin against a stand-in of Microsoft's services, in one process; and behind a gateway of real processes.

#![expect(clippy::panic, reason = "helpers of tests: a panic is the failure")]

mod contract;
mod gateway;
mod identity;
mod inbound;
mod judged;
mod microsoft;
mod outbound;
mod teams;
mod tokens;
mod whole;
