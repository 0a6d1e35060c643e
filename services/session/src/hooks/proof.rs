//! What the head of a request shows: judged before one byte of the body is read.

use gatehouse_core::{Secret, Timestamp};
use gatehouse_proto::session::v1::HookAnswer;

use super::answer::{not_found, text, unauthorized};
use super::head::Head;
use super::rules::Rules;
use super::signature::Shown;

/// Why a request is believed, if its body agrees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// It shows the token.
    Token,
    /// It shows signatures that mappings want, by their places among the mappings.
    Signed(Vec<(usize, Shown)>),
}

impl Head {
    /// What it shows, if that can be right.
    pub(super) fn judged(&self, rules: &Rules, now: Timestamp) -> Result<Proof, HookAnswer> {
        if !rules.enabled {
            return Err(not_found());
        }
        if self.query("token").is_some() {
            let told = "Hook token must be provided via Authorization: Bearer <token> or X-OpenClaw-Token header (query parameters \
                 are not allowed).";
            return Err(text(400, told));
        }
        let is_token = |token: &Secret| self.token().is_some_and(|shown| token.matches(shown));
        if rules.token.as_ref().is_some_and(is_token) {
            return Ok(Proof::Token);
        }
        let signed: Vec<_> = rules
            .mappings
            .iter()
            .enumerate()
            .filter(|(_, mapping)| mapping.is_at(&self.name))
            .filter_map(|(place, mapping)| Some((place, mapping.signature.as_ref()?.shown(self, now)?)))
            .collect();
        if signed.is_empty() {
            return Err(unauthorized());
        }
        Ok(Proof::Signed(signed))
    }
}
