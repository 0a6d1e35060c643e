//! What every service of the gateway needs and none of them owns.
//!
//! The life of a process is in [`service`]: it reads its [`settings`], loads its [`credential`], connects lazily to its peers
//! ([`client`]), binds a [`server`], follows the [`config`], publishes events ([`publish`]), tells how it is ([`health`],
//! [`report`]) and ends in order ([`drain`]). What belongs together across processes is told by its [`trace`]. Errors are decided once ([`error`]). Facts are kept in [`sqlite`]. This crate
//! knows the contracts, and no service.

pub mod address;
pub mod attach;
pub mod backoff;
pub mod backup;
pub mod beat;
pub mod bus;
pub mod caller;
pub mod case;
pub mod client;
pub mod clock;
pub mod config;
pub mod content;
pub mod credential;
pub mod drain;
pub mod error;
pub mod health;
pub mod hex;
mod histograms;
pub mod json;
pub mod metrics;
pub mod named_file;
pub mod net;
pub mod notice;
pub mod pieces;
pub mod plugin;
pub mod private;
pub mod publish;
pub mod raw;
pub mod report;
pub mod secret;
pub mod server;
pub mod service;
pub mod session_key;
pub mod settings;
pub mod sqlite;
pub mod store;
pub mod telemetry;
pub mod trace;

pub use address::{Address, Listener};
pub use caller::Caller;
pub use case::Case;
pub use clock::{Clock, Timestamp};
pub use content::Content;
pub use credential::Credentials;
pub use drain::Drain;
pub use error::{Chain, Failure, Kind};
pub use gatehouse_contract::{Access, Identity};
pub use health::Health;
pub use named_file::{NamedFile, ReadError};
pub use notice::{ForPeople, Notice};
pub use secret::Secret;
pub use settings::{Env, Home, Service, ServiceSettings};
