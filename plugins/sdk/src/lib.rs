//! What a plugin in Rust needs that brings a channel, whatever the platform is: it is found and believed by the gateway, says what it is,
//! runs a stream for each account, and ends in time. The platform itself is two traits: [`Channel`] is what all accounts have in common,
//! [`Account`] is one login.
//!
//! In reading order: [`Gateway`] is what the process is told on its command line, [`Server`] listens where the gateway comes, and lets in nobody
//! else. [`Manifest`] says what the plugin is; [`Adapter`] drives the accounts, and [`Link`] is their way to the bridge. [`process`] has what
//! every `main` needs.
//!
//! A platform on which everybody is told "hello" at once, and what is said to it is forgotten:
//!
//! ```
//! use std::sync::Arc;
//!
//! use gatehouse_plugin_sdk::{Account, Channel, Link, PartOutcome, Server, Manifest, run, sent};
//! use gatehouse_proto::channel::v1::{DescribeChannelResponse, Ended, SendPart, StartAccount};
//!
//! struct Void;
//! struct Nobody;
//!
//! impl Channel for Void {
//!     type Account = Nobody;
//!     const KEY: &'static str = "void";
//!
//!     fn describe(&self) -> DescribeChannelResponse {
//!         DescribeChannelResponse { label: "The void".into(), ..Default::default() }
//!     }
//!
//!     async fn open(&self, _start: StartAccount, _link: Arc<Link>) -> Result<Nobody, Ended> {
//!         Ok(Nobody) // the platform is there
//!     }
//! }
//!
//! impl Account for Nobody {
//!     async fn send(&self, part: SendPart) -> PartOutcome {
//!         sent(part.key)
//!     }
//! }
//!
//! async fn serve(server: Server, end: impl Future<Output = ()>) {
//!     run(server, Manifest::new("The void", "1.0.0"), Void, end).await.expect("it serves");
//! }
//! ```

mod account;
mod channel;
mod gateway;
mod guard;
mod link;
mod manifest;
mod outcome;
pub mod process;
mod secret;

pub use account::{Account, Accounts, Fetched};
pub use channel::{Adapter, Channel, for_good, for_now, run};
pub use gateway::{Gateway, GatewayError, Place, Server};
pub use guard::Guard;
pub use link::{Heard, Link};
pub use manifest::Manifest;
pub use outcome::{PartOutcome, PreviewOutcome, retry, sent, words};
pub use secret::Secret;
