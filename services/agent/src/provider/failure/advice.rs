//! What to do about refusals of which more is known than their kind.

use gatehouse_proto::agent::v1::FailureKind;
use reqwest::StatusCode;

use super::{bounds, callee::Callee, said::Said};

/// What it is, and the next step. `None`: what its kind says is all there is to say.
pub(super) fn of(
    callee: &Callee<'_>,
    kind: FailureKind,
    status: Option<StatusCode>,
    said: &Said,
) -> Option<(String, String)> {
    let (provider, model) = (callee.provider, callee.model);
    let words = said.words.to_lowercase();
    let holds = |parts: &[&str]| parts.iter().all(|part| words.contains(part));
    match kind {
        FailureKind::Context if bounds::room_for_answer(&words).is_some() => Some((
            format!(
                "the conversation and the longest answer together are too long for model {model} of provider {provider}"
            ),
            format!(
                "Lower maxTokens of the model in models.providers.{provider}.models, or start a new conversation (/new)"
            ),
        )),
        FailureKind::Rejected if holds(&["https", "http request"]) => Some((
            format!("provider {provider} is asked over http and wants https"),
            format!("Write https:// in models.providers.{provider}.baseUrl"),
        )),
        FailureKind::Rejected if holds(&["country"]) || holds(&["location is not supported"]) => Some((
            format!("provider {provider} does not serve the place that this machine is in"),
            "Choose another provider, or one that passes its models on".to_owned(),
        )),
        FailureKind::Rejected if said.is_page && status == Some(StatusCode::FORBIDDEN) => Some((
            format!("a guard in front of provider {provider} lets this machine not through"),
            "Look at the network that it asks from: a proxy, a VPN or an address that is blocked there"
                .to_owned(),
        )),
        FailureKind::Rejected
            if holds(&["stream"]) && (holds(&["verified"]) || holds(&["does not support true"])) =>
        {
            Some((
                format!("provider {provider} does not stream model {model} to this account"),
                "Every answer is streamed: do there what it asks for, or choose another model".to_owned(),
            ))
        }
        FailureKind::Rejected if bounds::names_bound(&words) => Some((
            format!("provider {provider} refused the bound of the answer"),
            format!("Lower maxTokens of the model in models.providers.{provider}.models"),
        )),
        _ => None,
    }
}
