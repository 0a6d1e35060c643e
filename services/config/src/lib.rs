//! Owns the configuration document, its revisions and its schema, the references to secrets, and the table of credentials. The
//! only writer of the file. It restarts nobody: services watch and apply what concerns them.
//!
//! In reading order: the crate `gatehouse-document` says what the document may hold; `text` reads JSON5 and changes it in
//! place; `outline` asks the schema; `include` reads the files that it
//! names; `brought` knows which channels plugins bring; `check` finds mistakes; `entry` says what is
//! left out for one; `secrets` follows references; `redact` hides secrets and puts
//! them back; `authority` says what a method may not change, `exposure` what it changes only with `force`; a `revision` is a
//! document that can run; the `store` keeps files durably; `credential` says who may come in, `devices` which devices may; the `configuration` puts these
//! together and the `registry` is its task; `pace` says how often clients may change it; the `roster` makes changes of
//! agents changes of the document; `grpc` answers; `import` makes a document of one of OpenClaw's; `form` brings
//! a document of an earlier release to the form of this one.

mod address;
mod app;
mod authority;
mod brought;
mod check;
mod configuration;
mod credential;
mod devices;
mod entry;
mod error;
mod exposure;
mod form;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod grpc;
pub mod import;
mod include;
mod issue;
mod marker;
mod metrics;
pub mod offline;
mod outline;
mod pace;
mod path;
mod plugin_token;
mod preflight;
mod redact;
mod reference;
mod refusal;
mod registry;
mod restart;
mod revision;
mod roster;
mod secrets;
mod store;
mod strength;
mod text;
mod token;
mod watcher;

pub use app::App;
pub use configuration::Runs;
pub use devices::SCHEMA as DEVICES_SCHEMA;
pub use error::Error;
pub use error::RosterError;
pub use form::{Migrated, migrate};
pub use gatehouse_document::json_schema;
pub use issue::{Issue, Severity};
pub use marker::MARKER;
pub use preflight::{Preflight, check_document, gateway_token, preflight};
pub use reference::reference_markdown;
pub use refusal::{ConfigError, EXIT_CONFIG};
pub use secrets::Missing;
pub use store::WriteError;
