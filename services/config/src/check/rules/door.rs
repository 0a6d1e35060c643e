//! Who may come in, where the gateway listens, and how that is encrypted: rules between these keys.

use std::net::IpAddr;

use gatehouse_document::{
    Gateway, SecretInput,
    gateway::{AuthMode, Bind},
};

use crate::{
    exposure::is_loopback,
    issue::Issue,
    strength::{PASSWORD_CHARS_MIN, weakness_of_password},
};

pub(super) fn check(gateway: &Gateway, issues: &mut Vec<Issue>) {
    if let Bind::Address(address) = &gateway.bind
        && address.parse::<IpAddr>().is_err()
    {
        // Not what came instead: it may be a variable's value.
        let told = "must be \"loopback\", \"lan\", \"tailnet\", \"auto\", \"custom\" or an IP address of this machine";
        issues.push(Issue::error("gateway.bind", told));
    }
    let auth = &gateway.auth;
    if let Some(SecretInput::Text(password)) = &auth.password
        && let Some(why) = weakness_of_password(password)
    {
        let told = format!(
            "can be guessed: it {why}; use {PASSWORD_CHARS_MIN} characters or more that nobody else would choose"
        );
        issues.push(Issue::error("gateway.auth.password", told));
    }
    match auth.mode {
        AuthMode::Token => (),
        AuthMode::Password if auth.password.is_none() => {
            issues.push(Issue::error(
                "gateway.auth.password",
                "is required with `mode: \"password\"`",
            ));
        }
        AuthMode::Password => (),
        AuthMode::TrustedProxy => trusted_proxy(gateway, issues),
        AuthMode::None if !is_loopback(gateway) => {
            let told = "\"none\" is possible only while the gateway listens on this machine alone: set gateway.bind to \"loopback\", or \
                        ask for a token";
            issues.push(Issue::error("gateway.auth.mode", told));
        }
        AuthMode::None => (),
    }
    let tls = &gateway.tls;
    for (has, lacks, path) in [
        (&tls.cert_path, &tls.key_path, "gateway.tls.keyPath"),
        (&tls.key_path, &tls.cert_path, "gateway.tls.certPath"),
    ] {
        if has.is_some() && lacks.is_none() {
            let told = "is missing: a certificate and its key come together; without both, the gateway makes its own";
            issues.push(Issue::error(path, told));
        }
    }
}

fn trusted_proxy(gateway: &Gateway, issues: &mut Vec<Issue>) {
    let proxy = &gateway.auth.trusted_proxy;
    if gateway.trusted_proxies.is_empty() {
        let told = "is required with `mode: \"trusted-proxy\"`: the addresses of the proxies that say who a caller is";
        issues.push(Issue::error("gateway.trustedProxies", told));
    }
    let place = "gateway.auth.trustedProxy.userHeader";
    match proxy.user_header.as_deref().map(str::trim) {
        None | Some("") => {
            let told = "is required with `mode: \"trusted-proxy\"`: the header in which the proxy names who it let in";
            issues.push(Issue::error(place, told));
        }
        Some(name) if !super::is_header(name) => {
            issues.push(Issue::error(place, "is not the name of an HTTP header"))
        }
        Some(_) => (),
    }
    for (index, name) in proxy.required_headers.iter().enumerate() {
        if !super::is_header(name) {
            let place = format!("gateway.auth.trustedProxy.requiredHeaders[{index}]");
            issues.push(Issue::error(place, "is not the name of an HTTP header"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn found(gateway: Value) -> Vec<String> {
        let mut issues = Vec::new();
        check(&serde_json::from_value(gateway).expect("a gateway"), &mut issues);
        issues.into_iter().map(|issue| issue.path).collect()
    }

    #[test]
    fn each_mode_needs_what_it_asks_for_and_none_stays_on_this_machine() {
        for good in [
            json!({}),
            json!({"auth": {"mode": "password", "password": "rL4$wX7qN2"}}),
            json!({"auth": {"mode": "none"}}),
            json!({"auth": {"mode": "none"}, "bind": "127.0.0.2"}),
            json!({"auth": {"mode": "trusted-proxy", "trustedProxy": {"userHeader": "x-user"}}, "trustedProxies": ["10.0.0.1"]}),
            json!({"bind": "tailnet"}),
            json!({"bind": "192.168.1.7"}),
            json!({"bind": "fd00::1", "tls": {"enabled": true}}),
        ] {
            assert_eq!(found(good.clone()), [] as [&str; 0], "{good}");
        }
        for (bad, place) in [
            (json!({"auth": {"mode": "password"}}), "gateway.auth.password"),
            (json!({"auth": {"password": "short"}}), "gateway.auth.password"),
            (
                json!({"auth": {"password": "passwordpassword"}}),
                "gateway.auth.password",
            ),
            (
                json!({"auth": {"mode": "none"}, "bind": "lan"}),
                "gateway.auth.mode",
            ),
            (
                json!({"auth": {"mode": "none"}, "bind": "tailnet"}),
                "gateway.auth.mode",
            ),
            (
                json!({"auth": {"mode": "none"}, "bind": "0.0.0.0"}),
                "gateway.auth.mode",
            ),
            (
                json!({"auth": {"mode": "trusted-proxy", "trustedProxy": {"userHeader": "x-user"}}}),
                "gateway.trustedProxies",
            ),
            (
                json!({"auth": {"mode": "trusted-proxy"}, "trustedProxies": ["10.0.0.1"]}),
                "gateway.auth.trustedProxy.userHeader",
            ),
            (
                json!({"auth": {"mode": "trusted-proxy", "trustedProxy": {"userHeader": "x user"}}, "trustedProxies": ["10.0.0.1"]}),
                "gateway.auth.trustedProxy.userHeader",
            ),
            (json!({"bind": "everywhere"}), "gateway.bind"),
            (json!({"tls": {"certPath": "/a"}}), "gateway.tls.keyPath"),
            (json!({"tls": {"keyPath": "/a"}}), "gateway.tls.certPath"),
        ] {
            assert_eq!(found(bad.clone()), [place], "{bad}");
        }
    }
}
