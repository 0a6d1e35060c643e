//! Runs one turn: asks a model, and streams what happens. Owns nothing durable and decides nothing about who may talk.
//!
//! A turn is a gRPC stream. Dropping the stream drops the task that reads the provider, and with it the provider's
//! connection: cancelling needs no message. The stream ends with exactly one `completed` or `failed`.

mod answer;
mod app;
mod auth;
mod breaker;
mod catalog;
mod config;
mod embed;
mod error;
mod failing;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod grpc;
mod history;
mod http;
mod lessons;
mod metrics;
mod program;
mod provider;
mod request;
mod tokens;
mod trial;
mod turn;
mod unanswered;
mod window;

pub use app::App;
pub use provider::openai::Offered;
pub use trial::{offered_models, try_model};
