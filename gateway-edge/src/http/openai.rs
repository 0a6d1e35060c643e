//! OpenAI's API for programs that know it: the edge translates, and the services do what they do for everybody.
//!
//! A request becomes one call of `chat.stream`, through the same room as a frame on a socket: the same credential, the same scope, the
//! same durable turn. `target` reads whom a request means, `messages` what it says, `turn` makes the call and reads what comes back,
//! `driver` leads from one to the other, and each endpoint has its own form of an answer. Nothing is paced or merged here: a piece of the model's answer is a piece of this one.
//!
//! Each endpoint is off until the configuration switches it on. A refusal has OpenAI's form (`refusal`).

mod calls;
pub(super) mod chat;
mod driver;
pub(super) mod embeddings;
mod media;
mod messages;
pub(super) mod models;
mod params;
mod parts;
mod places;
pub(super) mod refusal;
pub(super) mod responses;
mod sse;
mod steering;
mod target;
mod teller;
mod turn;

pub(super) use self::turn::ask;

use gatehouse_core::Kind;
use gatehouse_document::http::Endpoints;

use super::context::Http;
use crate::error::Refusal;

/// Refuses what is not switched on.
fn enabled(http: &Http, key: &str, is_on: impl Fn(&Endpoints) -> bool) -> Result<(), Refusal> {
    if http.edge.policy().is_some_and(|policy| is_on(&policy.endpoints)) {
        return Ok(());
    }
    let message = format!(
        "this endpoint is off: `gatehouse config set gateway.http.endpoints.{key}.enabled true` switches it on"
    );
    Err(Refusal::new(Kind::NotFound, message).detail("code", "ENDPOINT_DISABLED"))
}
