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
    let listed = proxied(json!({"identityScopes": {"me": ["operator.read"]}, "allowUsers": ["ME", "you"]}));
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
