//! What a provider's refusal means, by what somebody would do about it: its kind, and words for an operator that name the provider, where
//! it is, its own reason, and the next step.

mod advice;
pub(crate) mod bounds;
mod callee;
mod meaning;
mod rules;
mod said;
mod transport;

use std::time::SystemTime;

use gatehouse_proto::agent::v1::FailureKind;
use reqwest::{StatusCode, header::HeaderMap};

pub(crate) use self::{callee::Callee, rules::rules, said::Said, transport::from_transport};
use super::{Unanswered, charset::Charset, json, redaction::Redaction, retry_after};

/// The most of a provider's words that is shown.
const PREVIEW_CHARS: usize = 300;

/// Reads a refusal.
pub(crate) fn from_response(
    callee: &Callee<'_>,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Unanswered {
    if status.is_redirection() {
        return redirected(callee, status, headers);
    }
    let said = Said::of_text(&Charset::of(headers).whole(body));
    let mut failure = refused(callee, Some(status), &said);
    failure.retry_after = retry_after::read(headers, SystemTime::now()).or(failure.retry_after);
    failure.status = Some(status.as_u16());
    failure
}

/// Reads an error that came where an answer was expected.
pub(crate) fn in_answer(callee: &Callee<'_>, said: &Said) -> Unanswered {
    refused(callee, None, said)
}

/// Reads what came behind the words of an answer and says why there are no more of them.
pub(crate) fn behind_words(callee: &Callee<'_>, said: &Said) -> Unanswered {
    let said = Said {
        is_page: false, // nothing of the address: it answered
        ..said.clone()
    };
    let kind = meaning::kind(None, &said);
    if !matches!(kind, FailureKind::Rejected | FailureKind::Unavailable) {
        return refused(callee, None, &said);
    }
    let (provider, origin, words) = (callee.provider, callee.origin(), callee.words(&said.words));
    callee.failed(
        FailureKind::Unavailable,
        format!(
            "provider {provider} gave up in the middle of its answer (an error inside the answer of {origin}){words}. Look into its log"
        ),
    )
}

/// Reads the body of a success that holds no answer.
pub(crate) fn in_success(callee: &Callee<'_>, status: StatusCode, said: &Said) -> Unanswered {
    refused(callee, Some(status), said)
}

fn refused(callee: &Callee<'_>, status: Option<StatusCode>, said: &Said) -> Unanswered {
    let (provider, model, origin) = (callee.provider, callee.model, callee.origin());
    let how = match status {
        Some(status) => format!("HTTP {} from {origin}", status.as_u16()),
        None => format!("an error inside the answer of {origin}"),
    };
    if is_no_route(status, said) {
        let advice = callee.no_route_advice();
        let words = callee.words(&said.words);
        return callee.failed(
            FailureKind::Config,
            format!(
                "provider {provider} serves no chat completions at this address ({how}){words}. {advice}"
            ),
        );
    }
    let kind = meaning::kind(status.map(|status| status.as_u16()), said);
    let own = advice::of(callee, kind, status, said);
    let entry = format!("models.providers.{provider}");
    let (what, advice) = match kind {
        _ if own.is_some() => own.unwrap_or_default(),
        FailureKind::Auth if callee.has_key => (
            format!("provider {provider} refused the key"),
            format!("Check {entry}.apiKey, and what the key may do"),
        ),
        FailureKind::Auth => (
            format!("provider {provider} wants a key"),
            format!("Set {entry}.apiKey"),
        ),
        FailureKind::RateLimit => (
            format!("provider {provider} takes no more requests for now"),
            "Wait, or check the account's limits and credit".to_owned(),
        ),
        FailureKind::Context => (
            format!("the conversation is too long for model {model} of provider {provider}"),
            "Start a new one (/new), or choose a model with a larger window".to_owned(),
        ),
        FailureKind::Moderation => (
            format!("provider {provider} will not answer this"),
            "Say it in another way, or choose another model".to_owned(),
        ),
        FailureKind::ModelMissing => (
            format!("provider {provider} does not offer model {model}"),
            "Check the model's name, and that it is loaded there".to_owned(),
        ),
        FailureKind::Timeout => (
            format!("provider {provider} gave up waiting for its model"),
            "Try again, or ask a faster model".to_owned(),
        ),
        FailureKind::Unavailable => (
            format!("provider {provider} is out of order"),
            "Try again later, or look into its log".to_owned(),
        ),
        FailureKind::Rejected
        | FailureKind::Config
        | FailureKind::Empty
        | FailureKind::Silent
        | FailureKind::Unspecified => (
            format!("provider {provider} refused the request"),
            "Check what it is sent, or look into its log".to_owned(),
        ),
    };
    let words = callee.words(&said.words);
    let mut failure = callee.failed(kind, format!("{what} ({how}){words}. {advice}"));
    failure.retry_after = said.wait;
    failure
}

/// Whether nothing answers completions at the address: the words of the servers and routers that people run.
fn is_no_route(status: Option<StatusCode>, said: &Said) -> bool {
    let words = said.words.to_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    if says(&[
        "unexpected endpoint",
        "cannot post ",
        "invalid url (post",
        "unknown request url",
    ]) {
        return true; // LM Studio says so with status 200
    }
    match status.map(|status| status.as_u16()) {
        Some(404 | 405) => {
            said.is_page
                || words.is_empty() && said.codes.is_empty()
                || matches!(
                    words.as_str(),
                    "not found" | "file not found" | "method not allowed"
                )
                || says(&[
                    "page not found",
                    "no route",
                    "path not found",
                    "resource not found",
                ])
        }
        // A page for a browser: somebody's front end, or a log-in.
        Some(200..=299) | None => said.is_page,
        _ => false,
    }
}

/// A key follows no redirect: it belongs to the address that somebody wrote down.
fn redirected(callee: &Callee<'_>, status: StatusCode, headers: &HeaderMap) -> Unanswered {
    let (provider, origin) = (callee.provider, callee.origin());
    let place = headers
        .get("location")
        .and_then(|place| callee.url.join(place.to_str().ok()?).ok())
        .map(|place| format!(" to {}", place.origin().ascii_serialization()))
        .unwrap_or_default();
    callee.failed(
        FailureKind::Rejected,
        format!(
            "provider {provider} redirects{place} (HTTP {} from {origin}), and a key follows no redirect. Set \
             models.providers.{provider}.baseUrl to the address that serves it",
            status.as_u16()
        ),
    )
}

/// A provider's words for a person: one line, bounded, and without anything we sent as a secret.
fn clean(words: &str, redaction: &Redaction) -> String {
    let words = redaction.clean(&json::without_halves(words));
    let mut line = String::new();
    let mut words = words
        .split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|word| !word.is_empty());
    // One space between words: a page or a trace is full of indentation.
    if let Some(word) = words.next() {
        line.push_str(word);
    }
    for word in words {
        line.push(' ');
        line.push_str(word);
    }
    if let Some((end, _)) = line.char_indices().nth(PREVIEW_CHARS) {
        line.truncate(end);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests;
