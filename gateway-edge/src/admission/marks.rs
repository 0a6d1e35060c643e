//! By which headers a request shows that a proxy stands before it.
//!
//! There is no full list of them: every proxy, tunnel and log-in in front has names of its own. So they are known by how they are made,
//! and a program on this machine that sends one by chance loses nothing but what is given to programs on this machine alone.

use http::HeaderMap;

/// Headers by which a proxy says for whom it asks. They count from listed proxies alone, and are refused from others.
const FORWARDING: [&str; 4] = ["x-forwarded-for", "forwarded", "x-real-ip", "x-forwarded-host"];

/// Whole names.
const NAMES: [&str; 8] = [
    "via",
    "x-scheme",
    "x-url-scheme",
    "x-request-start",
    "x-cloud-trace-context",
    "front-end-https",
    "remote-user",
    "remote-groups",
];

/// How names begin: those that are made by many proxies, then those of single ones.
const BEGINNINGS: [&str; 29] = [
    "x-forwarded",
    "x-original-",
    "x-proxy",
    "proxy-",
    "x-remote-",
    "x-cluster-",
    "cdn-",
    "x-auth-request-",
    "akamai-",
    "cf-",
    "fastly-",
    "fly-",
    "ngrok-",
    "tailscale-",
    "wl-proxy-",
    "x-akamai-",
    "x-amz-cf-",
    "x-amzn-",
    "x-appengine-",
    "x-arr-",
    "x-authentik-",
    "x-azure-",
    "x-envoy-",
    "x-goog-authenticated-",
    "x-goog-iap-",
    "x-haproxy-",
    "x-nf-",
    "x-varnish",
    "x-vercel-",
];

/// What stands in names of headers that carry the client's address.
const PARTS: [&str; 7] = [
    "forwarded",
    "client-ip",
    "clientip",
    "connecting-ip",
    "real-ip",
    "remote-addr",
    "user-ip",
];

/// Whether the request says for whom it is.
pub(super) fn says_for_whom(headers: &HeaderMap) -> bool {
    FORWARDING.iter().any(|name| headers.contains_key(*name))
}

/// Whether anything in it is of a proxy.
pub(super) fn has_any(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| is_mark(name.as_str()))
}

fn is_mark(name: &str) -> bool {
    NAMES.contains(&name)
        || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
        || PARTS.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_proxies_are_known_by_how_they_are_made() {
        for name in [
            "x-forwarded-port",
            "x-forwarded",
            "forwarded-for",
            "x-original-forwarded-for",
            "x-cluster-client-ip",
            "x-client-ip",
            "true-client-ip",
            "cf-connecting-ip",
            "cf-ray",
            "cdn-loop",
            "do-connecting-ip",
            "fastly-client-ip",
            "fly-client-ip",
            "tailscale-user-login",
            "x-azure-clientip",
            "x-appengine-user-ip",
            "x-envoy-external-address",
            "x-proxyuser-ip",
            "proxy-client-ip",
            "x-remote-addr",
            "x-somebody-real-ip",
            "x-amzn-trace-id",
            "via",
        ] {
            assert!(is_mark(name), "{name}");
        }
    }

    #[test]
    fn headers_of_programs_and_browsers_are_none() {
        for name in [
            "host",
            "origin",
            "user-agent",
            "accept-language",
            "authorization",
            "x-openclaw-scopes",
            "gatehouse-scopes",
            "x-stainless-lang",
            "x-requested-with",
            "x-request-id",
            "x-client-version",
            "sec-websocket-key",
            "sec-ch-ua-platform",
            "traceparent",
            "idempotency-key",
            "if-none-match",
            "openai-organization",
        ] {
            assert!(!is_mark(name), "{name}");
        }
    }
}
