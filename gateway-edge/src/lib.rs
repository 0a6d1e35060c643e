//! The edge: WebSocket and HTTP in, gRPC out.
//!
//! It owns sockets, handshakes, the decision whether this caller may call this method, and one outbox per connection. It
//! stores no fact and does not know what any method means: names, access, fields, deadlines and subscriptions are read from
//! the contracts. What it is asked goes to the service that owns it, as bytes; what happens comes back as one stream of
//! events, each rendered once for everybody who may see it.
//!
//! In the order of a request's life: [`accept`](self) takes a socket, `admission` and `policy` decide whether it may speak,
//! `tls` is ended, `http` answers or upgrades, `serve` leads a connection through its life, `handshake` (with `dialect`, `device`, `auth`, `paired`, `host`, `throttle` and `hello`) finds out who it is, `connection` (with
//! `frame` and `outbox`) carries frames, `route`, `call` and `backend` carry requests, `hub`, `nodes`, `plugins`, `presence` and `sweep` the rest.

mod accept;
mod admission;
mod announce;
mod app;
mod auth;
mod backend;
mod budget;
mod call;
mod client;
mod close;
mod connection;
mod device;
mod dialect;
mod edge;
mod ends;
mod error;
mod event;
mod feed;
mod frame;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod handshake;
mod hello;
mod host;
mod http;
mod hub;
mod limits;
mod metrics;
mod nodes;
mod outbox;
mod paired;
mod pending;
mod permits;
mod plugin_board;
mod plugins;
mod policy;
mod presence;
mod profile;
mod ready;
mod revision;
mod revoke;
mod route;
mod serve;
mod settings;
mod site;
mod step;
mod stop;
mod sweep;
mod throttle;
mod tls;

pub use app::App;
pub use backend::offer::Offer;
pub use settings::{Limits, Settings};

use error::Error;
