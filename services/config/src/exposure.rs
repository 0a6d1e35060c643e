//! What a document opens to others, and whom it locks out. Each is allowed, and each is easily done by mistake or by somebody
//! else's hand: a change through a method that newly does one wants `force`, and says what it does.

mod network;

use std::net::IpAddr;

use gatehouse_document::{
    Document, Gateway,
    channels::ChannelSection,
    gateway::{AuthMode, Bind, OperatorScope},
    policies::{DmPolicy, GroupPolicy, Policies},
};

use crate::{issue::Issue, path::Path};

/// Lock-outs shorter than this hardly slow anybody down who guesses.
const LOCKOUT_MS_LEAST: u64 = 10_000;

/// More wrong tokens than this in one window are not typing mistakes.
const ATTEMPTS_MOST: u32 = 1_000;

/// A lock-out longer than this, after few attempts, keeps the owner out for a working day.
const LOCKOUT_MS_LONG: u64 = 3_600_000;
const ATTEMPTS_FEW: u32 = 3;

/// One thing that a document opens or locks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exposure {
    /// The key that does it, and what it does.
    pub(crate) issue: Issue,
    /// Whether it deserves a word also when it was written by hand: it is hardly ever meant.
    pub(crate) is_warned_about: bool,
}

/// What a change newly opens or locks.
pub(crate) fn added(before: &Document, after: &Document) -> Vec<Issue> {
    let stood = of(before);
    of(after)
        .into_iter()
        .filter(|exposure| !stood.contains(exposure))
        .map(|exposure| exposure.issue)
        .chain(token_left(before, after))
        .collect()
}

/// Everything that a document opens or locks.
pub(crate) fn of(document: &Document) -> Vec<Exposure> {
    let mut found = Vec::new();
    gateway(document, &mut found);
    channels(document, &mut found);
    found
}

fn gateway(document: &Document, found: &mut Vec<Exposure>) {
    let gateway = &document.gateway;
    if let Some(scopes) = &gateway.auth.token_scopes {
        let path = "gateway.auth.tokenScopes";
        if scopes.is_empty() {
            found.push(warned(
                path,
                "locks everybody out: the gateway token may do nothing at all",
            ));
        } else if !scopes.contains(&OperatorScope::Admin) {
            let does = "takes operator.admin from the gateway token: the configuration and the token can then only be \
                        changed on the gateway's machine";
            found.push(meant(path, does));
        }
    }
    for (path, does) in network::wide(&gateway.trusted_proxies) {
        found.push(warned(path, does));
    }
    if gateway
        .control_ui
        .allowed_origins
        .iter()
        .any(|origin| origin == "*")
    {
        let does = "lets every page of the web try to connect; list the origins you use";
        found.push(warned("gateway.controlUi.allowedOrigins", does));
    }
    match gateway.auth.mode {
        AuthMode::Token | AuthMode::Password => (),
        AuthMode::None => {
            let does =
                "lets everybody and every program on this machine do everything here, and asks for nothing";
            found.push(warned("gateway.auth.mode", does));
        }
        AuthMode::TrustedProxy => {
            let does = "lets in whoever a proxy of gateway.trustedProxies names: nobody else may reach the gateway from there";
            found.push(meant("gateway.auth.mode", does));
        }
    }
    if gateway.auth.trusted_proxy.allow_loopback {
        let does = "lets every program on this machine say that it is anybody";
        found.push(meant("gateway.auth.trustedProxy.allowLoopback", does));
    }
    if !is_loopback(gateway) {
        let does =
            "opens the gateway to other machines from the next start on: the token is all that protects it";
        found.push(meant("gateway.bind", does));
    }
    let limit = &gateway.auth.rate_limit;
    if limit.max_attempts > ATTEMPTS_MOST || limit.lockout_ms < LOCKOUT_MS_LEAST {
        let does = "lets an address try tokens almost without a pause";
        found.push(meant("gateway.auth.rateLimit", does));
    }
    if limit.max_attempts <= ATTEMPTS_FEW && limit.lockout_ms > LOCKOUT_MS_LONG {
        let does = format!(
            "locks an address out for {} minutes after {} wrong tokens, yours included",
            limit.lockout_ms / 60_000,
            limit.max_attempts
        );
        found.push(meant("gateway.auth.rateLimit", &does));
    }
}

/// A token that was written into the document and is taken out of it: the one in the file beside it counts from then on.
fn token_left(before: &Document, after: &Document) -> Option<Issue> {
    let left = before.gateway.auth.token.is_some() && after.gateway.auth.token.is_none();
    left.then(|| {
        let does = "locks out everybody who has this token: the one in config/token of the data folder counts instead";
        Issue::warning("gateway.auth.token", does)
    })
}

fn channels(document: &Document, found: &mut Vec<Exposure>) {
    let default = document.channels.defaults.group_policy;
    let brought = document.brought();
    let brought = brought
        .iter()
        .map(|(kind, section)| (*kind, section as &dyn ChannelSection));
    for (channel, section) in document.channels.sections().chain(brought) {
        let base = section.base().policies();
        policies(&format!("channels.{channel}"), base, None, default, found);
        for (id, account) in section.accounts() {
            let path = format!("channels.{channel}.accounts.{id}");
            policies(&path, account.policies(), Some(base), default, found);
        }
    }
}

fn policies(
    path: &str,
    own: &Policies,
    base: Option<&Policies>,
    default: Option<GroupPolicy>,
    found: &mut Vec<Exposure>,
) {
    let everybody = |list: Option<&Vec<gatehouse_document::policies::Sender>>| {
        list.is_some_and(|senders| senders.iter().any(|sender| sender.0 == "*"))
    };
    let dm = own
        .dm_policy
        .or(base.and_then(|base| base.dm_policy))
        .unwrap_or_default();
    let from = own
        .allow_from
        .as_ref()
        .or(base.and_then(|base| base.allow_from.as_ref()));
    if dm != DmPolicy::Disabled && everybody(from) {
        let does = "lets everybody on this network talk to the assistant, at the cost of your model";
        found.push(meant(format!("{path}.allowFrom"), does));
    }
    let group = own
        .group_policy
        .or(base.and_then(|base| base.group_policy))
        .or(default)
        .unwrap_or_default();
    let groups = own.groups.as_ref().or(base.and_then(|base| base.groups.as_ref()));
    let senders = own
        .group_allow_from
        .as_ref()
        .or(base.and_then(|base| base.group_allow_from.as_ref()));
    let every_group = groups.is_some_and(|groups| groups.contains_key("*"));
    if group == GroupPolicy::Open || (group == GroupPolicy::Allowlist && every_group && everybody(senders)) {
        let does = "lets everybody in every group that the account is in talk to the assistant";
        found.push(meant(format!("{path}.groupPolicy"), does));
    }
    let by_name = own
        .dangerously_allow_name_matching
        .or(base.and_then(|base| base.dangerously_allow_name_matching));
    if by_name == Some(true) {
        let does = "lets whoever takes an allowed name talk to the assistant";
        found.push(meant(format!("{path}.dangerouslyAllowNameMatching"), does));
    }
}

fn warned(path: impl Into<Path>, does: impl Into<String>) -> Exposure {
    Exposure {
        issue: Issue::warning(path, does),
        is_warned_about: true,
    }
}

fn meant(path: impl Into<Path>, does: &str) -> Exposure {
    Exposure {
        issue: Issue::warning(path, does),
        is_warned_about: false,
    }
}

/// Whether the gateway listens where only this machine reaches it.
pub(crate) fn is_loopback(gateway: &Gateway) -> bool {
    let is_loopback = |text: &str| {
        text.parse::<IpAddr>()
            .is_ok_and(|ip| ip.to_canonical().is_loopback())
    };
    match &gateway.bind {
        Bind::Loopback | Bind::Auto => true,
        Bind::Lan | Bind::Tailnet => false,
        Bind::Custom => gateway.custom_bind_host.as_deref().is_some_and(is_loopback),
        Bind::Address(address) => is_loopback(address),
    }
}

#[cfg(test)]
mod tests;
