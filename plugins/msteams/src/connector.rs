//! The way out: the connector of Teams, called with the bot's own token.

mod client;
mod credential;
mod error;
mod pace;
mod retry;

pub use self::{
    client::{Connector, Member, Members, Posted},
    credential::{Credential, Managed, Tokens},
    error::ConnectorError,
    pace::Pace,
    retry::{patiently, pause},
};
