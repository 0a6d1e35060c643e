//! Microsoft Teams as a plugin of the gateway: a process of its own that knows the public contract and nothing else of the gateway.
//!
//! In reading order: [`app`] puts the parts together; [`settings`] is how an account is configured. On the way in, [`web`] is where Teams
//! calls, [`auth`] says who calls, [`activity`] what they say, [`service_url`] where answers may go, [`store`] what of it is remembered, and
//! `hear` hands it to the bridge. On the way out, [`channel`] is told what to say, [`connector`] calls Teams, and [`render`], [`card`] and
//! [`stream`] say what it is told. [`methods`] are what clients may ask beside the channel.

pub mod account;
pub mod activity;
pub mod app;
pub mod auth;
pub mod card;
pub mod channel;
pub mod connector;
pub mod contract;
mod hear;
pub mod methods;
pub mod render;
mod say;
pub mod service_url;
pub mod settings;
pub mod store;
pub mod stream;
pub mod web;

pub use gatehouse_plugin_sdk::Secret;
