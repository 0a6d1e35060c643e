//! Fans events out to every edge, and keeps what a restart may lose: who is connected, how every process is, and a bounded
//! ring of events, so that an edge that reconnects misses nothing or knows that it did.
//!
//! Nothing here is a fact. Whoever publishes an event has stored what it tells; after a restart the stream begins a new
//! epoch, presence and health are reported anew within seconds, and clients read their state from its owners.

mod app;
mod conversations;
mod error;
mod grpc;
mod health;
mod hub;
mod living;
mod metrics;
mod plugins;
mod presence;
mod system;

pub use app::App;
