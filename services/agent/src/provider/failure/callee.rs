//! Whom a turn asked, for the words about how that failed.

use url::Url;

use super::clean;
use crate::provider::{Unanswered, redaction::Redaction};
use gatehouse_proto::agent::v1::FailureKind;

/// What the address of completions ends in.
const COMPLETIONS: &str = "/chat/completions";

/// A provider, as its entry names it, and one of its models.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Callee<'a> {
    pub(crate) provider: &'a str,
    pub(crate) model: &'a str,
    /// Where completions are asked for.
    pub(crate) url: &'a Url,
    /// Whether a key is sent.
    pub(crate) has_key: bool,
    pub(crate) redaction: &'a Redaction,
}

impl Callee<'_> {
    /// Scheme, host and port: what an operator recognises, without what could be a secret.
    pub(crate) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    pub(crate) fn failed(&self, kind: FailureKind, message: String) -> Unanswered {
        let mut failure = Unanswered::new(kind, message);
        failure.origin = Some(self.origin());
        failure
    }

    /// The provider's words behind a colon, for a person: one line, bounded, without anything that we sent as a secret.
    pub(crate) fn words(&self, words: &str) -> String {
        let words = clean(words, self.redaction);
        let words = words.trim_end_matches(['.', ' ', '。', '．', '，', '；']);
        if words.is_empty() {
            String::new()
        } else {
            format!(": {words}")
        }
    }

    /// What to do when nothing answers at the address: most providers serve under `/v1`, and the commonest mistake is to leave it
    /// out. A path that somebody chose is not repeated: it may hold a secret.
    pub(crate) fn no_route_advice(&self) -> String {
        let Self { provider, url, .. } = self;
        let path = url.path().trim_end_matches('/');
        let base = path.strip_suffix(COMPLETIONS).unwrap_or(path);
        if base.is_empty() {
            format!(
                "Most servers serve it under /v1: set models.providers.{provider}.baseUrl to {}/v1",
                self.origin()
            )
        } else {
            format!("Check the path of models.providers.{provider}.baseUrl")
        }
    }
}
