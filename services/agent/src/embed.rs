//! Vectors of texts for programs: one call to the model that is named, and why it failed if it did.

use gatehouse_core::{Failure, Kind};
use gatehouse_proto::agent::v1::{EmbedTextsRequest, EmbedTextsResponse, FailureKind};

use crate::{
    config::{Config, ECHO},
    provider::{Unanswered, openai::Endpoint},
    turn::Tools,
};

/// Asks. The breaker of chats is not asked: a provider whose chat model is down may well serve this one.
pub(crate) async fn run(
    config: &Config,
    tools: &Tools,
    request: &EmbedTextsRequest,
) -> Result<EmbedTextsResponse, Failure> {
    let name = config.resolve(&request.model).map_err(failed)?;
    let Some(entry) = config.providers.get(&name.provider) else {
        let told = format!("{ECHO} makes no vectors: name a model of a provider");
        return Err(Failure::new(Kind::Invalid, told).path("/model"));
    };
    let endpoint = Endpoint::new(&name, entry, &tools.http).map_err(failed)?;
    endpoint.embed(request).await.map_err(failed)
}

/// What a program is told, in the words of what it may do about it.
fn failed(unanswered: Unanswered) -> Failure {
    let (kind, reason) = match unanswered.kind {
        FailureKind::RateLimit => (Kind::Exhausted, "model-rate-limit"),
        FailureKind::Context | FailureKind::Rejected | FailureKind::Moderation => {
            (Kind::Invalid, "model-refused-request")
        }
        FailureKind::ModelMissing => (Kind::NotFound, "model-missing"),
        FailureKind::Timeout => (Kind::Timeout, "model-timeout"),
        FailureKind::Auth => (Kind::Unavailable, "model-auth"),
        FailureKind::Config => (Kind::Precondition, "model-config"),
        FailureKind::Unspecified | FailureKind::Unavailable | FailureKind::Empty | FailureKind::Silent => {
            (Kind::Unavailable, "model-unavailable")
        }
    };
    let failure = Failure::new(kind, unanswered.message).reason(reason);
    match unanswered.retry_after {
        Some(wait) => failure.retry_after(wait),
        None => failure,
    }
}
