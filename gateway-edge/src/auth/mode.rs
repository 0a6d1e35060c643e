//! What counts as a login beside a credential: the word of a proxy that is listed, or being on this machine where nothing is asked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use gatehouse_contract::{Grants, Role};
use gatehouse_document::gateway::{AuthMode, GatewayAuth, OperatorScope};
use http::{HeaderMap, HeaderName};

use super::{Denied, Identity, Proof};
use crate::{
    admission::{Client, Reach},
    error::Refusal,
};

/// The longest name that a proxy may give. It is written into logs.
const USER_BYTES_MAX: usize = 200;

/// The name of who comes where nothing is asked for.
const ANYBODY: &str = "anybody-here";

/// Begins the credential of whom a proxy names. Services look up by that name what a credential is good for, and people choose theirs:
/// it must be no row of the table.
const PROXIED: &str = "proxy/";

/// Names that stand for somebody else than a person of a proxy: whoever holds the gateway token.
const TAKEN: [&str; 1] = ["gateway-owner"];

/// What a revision asks callers for.
#[derive(Debug, Clone, Default)]
pub(crate) enum Mode {
    #[default]
    Token,
    Password,
    Proxy(Box<Proxy>),
    /// Nothing, on this machine.
    Open(Arc<Identity>),
}

/// How a proxy says who it let in.
#[derive(Debug, Clone)]
pub(crate) struct Proxy {
    user: HeaderName,
    required: Vec<HeaderName>,
    /// In lower case. Empty: everybody.
    allowed: BTreeSet<Box<str>>,
    believes_loopback: bool,
    /// What people may, by their names in lower case. `None`: all that the gateway token may.
    scopes: Option<BTreeMap<Box<str>, Grants>>,
    all: Grants,
}

impl Mode {
    pub(crate) fn of(auth: &GatewayAuth) -> Self {
        let all = grants(auth.token_scopes.as_deref().unwrap_or(&OperatorScope::ALL));
        match auth.mode {
            AuthMode::Token => Self::Token,
            AuthMode::Password => Self::Password,
            AuthMode::None => Self::Open(Arc::new(Identity::proved(ANYBODY, all, Proof::Here))),
            AuthMode::TrustedProxy => {
                let proxy = &auth.trusted_proxy;
                let header = |name: &String| name.trim().parse::<HeaderName>().ok();
                let required: Option<Vec<_>> = proxy.required_headers.iter().map(header).collect();
                // A rule of the document: they are names. Without all of them nobody is believed.
                let Some((user, required)) = proxy.user_header.as_ref().and_then(header).zip(required) else {
                    return Self::Token;
                };
                let lower = |name: &String| name.trim().to_lowercase().into_boxed_str();
                let scopes = auth.identity_scopes.as_ref().map(|people| {
                    let people = people.iter();
                    people
                        .map(|(name, scopes)| (lower(name), grants(scopes)))
                        .collect()
                });
                Self::Proxy(Box::new(Proxy {
                    user,
                    required,
                    allowed: proxy.allow_users.iter().map(lower).collect(),
                    believes_loopback: proxy.allow_loopback,
                    scopes,
                    all,
                }))
            }
        }
    }

    /// Who a proxy says that it let in. `is_proxy`: the sender is listed. Headers of anybody else are nobody's word.
    pub(crate) fn user(&self, is_proxy: bool, peer: IpAddr, headers: &HeaderMap) -> Option<Box<str>> {
        let Self::Proxy(proxy) = self else { return None };
        if !is_proxy || (peer.to_canonical().is_loopback() && !proxy.believes_loopback) {
            return None;
        }
        let single = |name: &HeaderName| {
            let mut values = headers.get_all(name).iter();
            let value = values.next()?.to_str().ok()?.trim();
            // Two of them: one may be the caller's own.
            (values.next().is_none() && !value.is_empty()).then_some(value)
        };
        let user = single(&proxy.user)?;
        let is_name = user.len() <= USER_BYTES_MAX && !user.contains(char::is_control);
        (is_name && proxy.required.iter().all(|name| single(name).is_some())).then(|| user.into())
    }

    /// Who comes without a credential, if that is enough. `alone`: only this machine reaches the listener.
    pub(crate) fn admit(&self, user: Option<&str>, client: Client, alone: bool) -> Option<Arc<Identity>> {
        match self {
            Self::Token | Self::Password => None,
            Self::Proxy(proxy) => {
                let user = user?;
                let may = proxy.grants(user)?;
                let credential = format!("{PROXIED}{user}");
                Some(Arc::new(Identity::proved(
                    &credential,
                    may,
                    Proof::Named(user.into()),
                )))
            }
            Self::Open(identity) => (alone && client.reach == Reach::Local).then(|| Arc::clone(identity)),
        }
    }

    /// What somebody is told who is not let in, where it is something else than a token that was asked for.
    pub(crate) fn told(&self, denied: Denied) -> Option<(Refusal, &'static str)> {
        let refusal = |code: &'static str, message: &'static str, step: &'static str| {
            Refusal::invalid(message)
                .detail("code", code)
                .detail("recommendedNextStep", step)
        };
        match (self, denied) {
            (Self::Password, Denied::Unknown) => {
                let message = "unauthorized: the gateway password does not match";
                let told = refusal("AUTH_PASSWORD_MISMATCH", message, "update_auth_credentials");
                Some((
                    told.detail("authReason", "password_mismatch"),
                    "password-mismatch",
                ))
            }
            (Self::Proxy(_), Denied::Missing) => {
                let message = "unauthorized: no proxy of gateway.trustedProxies says who this is; come through the proxy, or with \
                               the gateway token";
                let code = "AUTH_IDENTITY_HEADER_REQUIRED";
                Some((refusal(code, message, "review_auth_configuration"), "no-identity"))
            }
            _ => None,
        }
    }

    /// Whether who came so may still do what it was granted. `None`: it came with a credential.
    pub(crate) fn still_allows(&self, identity: &Identity, granted: &Grants) -> Option<bool> {
        let bound = match (&identity.proof, self) {
            (Proof::Shown(_), _) => return None,
            (Proof::Named(user), Self::Proxy(proxy)) => proxy.grants(user),
            (Proof::Here, Self::Open(open)) => Some(open.bound),
            (Proof::Named(_) | Proof::Here, _) => None,
        };
        Some(bound.is_some_and(|bound| bound.covers(granted)))
    }
}

impl Proxy {
    /// What somebody may. `None`: not let in.
    fn grants(&self, user: &str) -> Option<Grants> {
        let user = user.to_lowercase();
        let is_allowed = self.allowed.contains(&*user);
        if TAKEN.contains(&&*user) || (!self.allowed.is_empty() && !is_allowed) {
            return None;
        }
        // Two headers may come joined by a comma (RFC 9110, 5.3), and one of them may be the caller's own. A name that has one, as those
        // of certificates do, is believed where it is listed as it stands.
        let is_listed = self
            .scopes
            .as_ref()
            .is_some_and(|people| people.contains_key(&*user));
        if user.contains(',') && !is_allowed && !is_listed {
            return None;
        }
        match &self.scopes {
            None => Some(self.all),
            Some(people) => Some(people.get(&*user).copied().unwrap_or(grants(&[]))),
        }
    }
}

fn grants(scopes: &[OperatorScope]) -> Grants {
    Grants::new(Role::Operator, scopes.iter().map(|scope| scope.as_str()))
}

#[cfg(test)]
mod tests;
