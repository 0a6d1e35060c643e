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
mod tests {
    use http::HeaderValue;
    use serde_json::{Value, json};

    use super::*;

    fn mode(auth: Value) -> Mode {
        Mode::of(&serde_json::from_value(auth).unwrap())
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn client(reach: Reach) -> Client {
        let ip = "10.0.0.1".parse().unwrap();
        Client { ip, reach }
    }

    fn proxied(more: Value) -> Mode {
        let mut auth = json!({"mode": "trusted-proxy", "trustedProxy": {"userHeader": "X-User", "requiredHeaders": ["x-proof"]}});
        for (key, value) in more.as_object().unwrap() {
            match key.as_str() {
                "identityScopes" => auth[key] = value.clone(),
                _ => auth["trustedProxy"][key] = value.clone(),
            }
        }
        mode(auth)
    }

    #[test]
    fn only_a_listed_proxy_is_believed_and_only_with_all_its_headers_once() {
        let (far, here) = ("10.0.0.1".parse().unwrap(), "127.0.0.1".parse().unwrap());
        let good = headers(&[("x-user", " Me@Example.org "), ("x-proof", "1")]);
        let mode = proxied(json!({}));

        assert_eq!(mode.user(true, far, &good).as_deref(), Some("Me@Example.org"));
        assert_eq!(mode.user(false, far, &good), None, "anybody can write that");
        assert_eq!(mode.user(true, here, &good), None, "any program here could");
        assert!(
            proxied(json!({"allowLoopback": true}))
                .user(true, here, &good)
                .is_some()
        );
        for bad in [
            headers(&[("x-user", "me")]),
            headers(&[("x-user", "  "), ("x-proof", "1")]),
            headers(&[("x-user", "me"), ("x-proof", "")]),
            headers(&[("x-user", "me"), ("x-user", "you"), ("x-proof", "1")]),
            headers(&[("x-proof", "1")]),
        ] {
            assert_eq!(mode.user(true, far, &bad), None, "{bad:?}");
        }
        assert_eq!(Mode::Token.user(true, far, &good), None);
    }

    #[test]
    fn people_get_what_is_listed_for_them_and_lose_it_with_the_list() {
        let everybody = proxied(json!({}));
        let listed =
            proxied(json!({"identityScopes": {"me": ["operator.read"]}, "allowUsers": ["ME", "you"]}));
        let scopes = |mode: &Mode, user: &str| {
            let identity = mode.admit(Some(user), client(Reach::Own), false)?;
            Some(identity.bound.scopes().count())
        };

        assert_eq!(scopes(&everybody, "me"), Some(OperatorScope::ALL.len()));
        assert_eq!(scopes(&listed, "Me"), Some(1));
        assert_eq!(scopes(&listed, "you"), Some(0), "let in, and listed for nothing");
        assert_eq!(scopes(&listed, "another"), None);
        assert!(everybody.admit(None, client(Reach::Own), false).is_none());
        for joined in ["me, you", "me,me", ",me"] {
            assert_eq!(
                scopes(&everybody, joined),
                None,
                "{joined}: whose words are these?"
            );
        }
        let certificate = proxied(json!({"identityScopes": {"CN=Me,O=Home": ["operator.read"]}}));
        assert_eq!(scopes(&certificate, "cn=me,o=home"), Some(1));
        assert_eq!(scopes(&certificate, "cn=me,o=home,cn=you"), None);

        let me = everybody.admit(Some("me"), client(Reach::Own), false).unwrap();
        assert_eq!(scopes(&everybody, "Gateway-Owner"), None, "that is somebody else");
        for name in ["shared", "device/4f/operator", "user/ann/1"] {
            let named = everybody.admit(Some(name), client(Reach::Own), false).unwrap();
            assert_eq!(
                *named.credential,
                format!("proxy/{name}"),
                "no row of the table has it"
            );
        }
        let still = |mode: &Mode| mode.still_allows(&me, &me.bound).unwrap();
        assert!(still(&everybody) && !still(&listed) && !still(&Mode::Token));
    }

    #[test]
    fn nothing_is_asked_only_of_this_machine_and_only_where_nobody_else_can_come() {
        let open = mode(json!({"mode": "none", "tokenScopes": ["operator.read"]}));

        let here = open.admit(None, client(Reach::Local), true).unwrap();
        assert_eq!(here.bound.scopes().collect::<Vec<_>>(), ["operator.read"]);
        assert!(open.admit(None, client(Reach::Local), false).is_none());
        for reach in [Reach::Own, Reach::Shared] {
            assert!(open.admit(None, client(reach), true).is_none());
        }
        assert_eq!(open.still_allows(&here, &here.bound), Some(true));
        assert_eq!(Mode::Token.still_allows(&here, &here.bound), Some(false));
        assert!(mode(json!({})).admit(None, client(Reach::Local), true).is_none());
    }
}
