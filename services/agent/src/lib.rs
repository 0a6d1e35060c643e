//! Runs one turn: asks a model, and streams what happens. Owns nothing durable and decides nothing about who may talk.
//!
//! A turn is a gRPC stream. Dropping the stream drops the task that reads the provider, and with it the provider's
//! connection: cancelling needs no message. The stream ends with exactly one `completed` or `failed`.

mod answer;
mod app;
mod breaker;
mod config;
mod error;
mod failing;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod grpc;
mod http;
mod metrics;
mod provider;
mod request;
mod turn;

pub use app::App;
