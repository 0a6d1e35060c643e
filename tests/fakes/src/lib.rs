//! Chat platforms that do as they are told: each speaks its platform's protocol as far as an adapter uses it, keeps what it was
//! told, and fails on demand. The adapters' tests and the scenarios of the whole gateway use the same ones.

#![allow(
    clippy::missing_panics_doc,
    reason = "a fake that cannot work ends the test that it is for"
)]

pub mod discord;
pub mod fault;
mod form;
pub mod hook;
mod markup;
pub mod signal;
pub mod slack;
mod socket;
pub mod telegram;
pub mod whatsapp;
