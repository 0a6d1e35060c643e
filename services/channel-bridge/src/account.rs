//! Accounts: each in a task tree of its own, so that what befalls one is not felt by the others.

pub(crate) mod asked;
pub(crate) mod folded;
pub(crate) mod grpc;
pub(crate) mod lease;
pub(crate) mod linking;
pub(crate) mod login;
pub(crate) mod manager;
pub(crate) mod progress;
pub(crate) mod room;
pub(crate) mod state;
pub(crate) mod status;
pub(crate) mod store;
pub(crate) mod supervisor;

pub(crate) use self::{
    manager::{Entry, Manager, View},
    progress::State,
    state::AccountState,
};
