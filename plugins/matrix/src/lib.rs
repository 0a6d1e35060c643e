//! Matrix as a plugin of the gateway: a process of its own that knows the public contract and nothing else of the gateway.
//!
//! In reading order: [`settings`] is how an account is configured, [`login`] makes a session of it whose keys stay on this disk, [`account`] is one
//! that is connected. On the way in, [`sync`] reads what is new and keeps the place behind what the bridge has committed, [`event`] says what an
//! event means. On the way out, [`say`] is told what to say, [`content`] and [`render`] make an event of it, and [`seal`] is why no plain text
//! goes into an encrypted room. [`media`] are files in both directions.

pub mod account;
pub mod channel;
pub mod content;
pub mod event;
mod inbound;
mod invites;
pub mod login;
pub mod media;
mod outcome;
pub mod position;
mod recent;
pub mod render;
pub mod say;
pub mod seal;
pub mod settings;
pub mod sync;
