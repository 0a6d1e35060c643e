use gatehouse_document::Document;
use http::{HeaderName, HeaderValue};

use super::*;

const BOUND: &str = "127.0.0.1";

fn policy(config: &str) -> AdmissionPolicy {
    let document: Document = serde_json::from_str(config).unwrap();
    AdmissionPolicy::new(&document.gateway)
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (
            HeaderName::try_from(*name).unwrap(),
            HeaderValue::try_from(*value).unwrap(),
        )
    };
    pairs.iter().map(pair).collect()
}

fn admit(policy: &AdmissionPolicy, peer: &str, pairs: &[(&str, &str)]) -> Result<Sender, Rejection> {
    admit_to(policy, peer, "/", pairs)
}

fn admit_to(
    policy: &AdmissionPolicy,
    peer: &str,
    target: &str,
    pairs: &[(&str, &str)],
) -> Result<Sender, Rejection> {
    let way = Way {
        peer: peer.parse().unwrap(),
        local: "198.51.100.1".parse().unwrap(),
        bound: BOUND.parse().unwrap(),
        gateways: &Gateways::default(),
    };
    policy.admit(way, &target.parse().unwrap(), &headers(pairs))
}

#[test]
fn a_host_that_somebody_else_can_own_is_refused() {
    let policy = policy(r#"{"gateway":{"publicOrigin":"https://home.example.org"}}"#);
    let host = |host: &str| admit(&policy, "127.0.0.1", &[("host", host)]).map(|_| ());

    for good in [
        "localhost",
        "localhost:18789",
        "127.0.0.1:18789",
        "[::1]:18789",
        "192.168.1.4",
        "home.example.org",
        "HOME.example.org:443",
        "edge:18789",
        "ui.localhost:1",
        "raspberrypi.local:18789",
        "NAS.lan",
        "gate.fritz.box:18789",
        "pi.home.arpa",
    ] {
        assert_eq!(host(good), Ok(()), "{good}");
    }
    for bad in [
        "evil.example",
        "127.evil.example",
        "localhost.evil.example",
        "home.example.org.evil",
        "0.0.0.0",
        "",
    ] {
        assert_eq!(host(bad), Err(HOST_REFUSED), "{bad}");
    }
    assert_eq!(admit(&policy, "127.0.0.1", &[]), Err(HOST_MISSING));
    assert_eq!(
        admit(&policy, "127.0.0.1", &[("host", "localhost"), ("host", "x.y")]),
        Err(HOST_MISSING)
    );
    let absolute =
        |target: &str| admit_to(&policy, "127.0.0.1", target, &[("host", "localhost")]).map(|_| ());
    assert_eq!(absolute("http://localhost:1/"), Ok(()));
    assert_eq!(
        absolute("http://evil.example/"),
        Err(HOST_REFUSED),
        "the target names a host too"
    );
    let page = [("host", "edge"), ("sec-fetch-site", "same-origin")];
    assert_eq!(
        admit(&policy, "127.0.0.1", &page),
        Err(HOST_REFUSED),
        "pages have no business there"
    );
}

#[test]
fn a_name_of_the_home_network_is_for_programs_and_for_who_writes_it_and_not_for_pages() {
    let policy = policy("{}");
    let asked = |host: &str, marks: &[(&str, &str)]| {
        admit(&policy, "192.0.2.1", &[&[("host", host)], marks].concat()).map(|_| ())
    };

    for host in ["raspberrypi", "nas.local:18789", "nas.lan", "gate.fritz.box"] {
        let written = [
            ("sec-fetch-site", "none"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        assert_eq!(asked(host, &[]), Ok(()), "{host}");
        assert_eq!(asked(host, &written), Ok(()), "{host}");
        for page in [
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "navigate")][..],
            &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")],
            &[("sec-fetch-site", "none"), ("sec-fetch-mode", "cors")],
            &[("sec-fetch-mode", "navigate")],
            &[("origin", "http://nas.local:18789")],
        ] {
            assert_eq!(asked(host, page), Err(HOST_REFUSED), "{host} {page:?}");
        }
    }
}

#[test]
fn a_browser_page_must_be_ours_or_listed() {
    let policy = policy(r#"{"gateway":{"controlUi":{"allowedOrigins":["https://ui.example.org/"]}}}"#);
    let origin = |origin: &str| {
        let pairs = [("host", "localhost:18789"), ("origin", origin)];
        admit(&policy, "127.0.0.1", &pairs).map(|sender| sender.browser)
    };

    for good in [
        "http://localhost:18789",
        "https://localhost:18789",
        "https://ui.example.org",
        "HTTPS://UI.example.org",
    ] {
        assert_eq!(origin(good), Ok(true), "{good}");
    }
    for bad in [
        "null",
        "http://localhost",
        "http://localhost:8080",
        "https://evil.example",
        "http://ui.example.org",
        "",
    ] {
        assert_eq!(origin(bad), Err(ORIGIN_REFUSED), "{bad}");
    }
    let rebound = [("host", "edge"), ("origin", "http://edge")];
    assert_eq!(
        admit(&policy, "127.0.0.1", &rebound),
        Err(HOST_REFUSED),
        "a plain name is not for browsers"
    );
}

#[test]
fn forwarding_headers_count_only_from_a_trusted_proxy() {
    let policy = policy(r#"{"gateway":{"trustedProxies":["10.0.0.0/8"]}}"#);
    let forwarded = |peer: &str, value: &str| {
        admit(
            &policy,
            peer,
            &[("host", "localhost"), ("x-forwarded-for", value)],
        )
        .map(|sender| sender.client.ip.to_string())
    };

    assert_eq!(forwarded("127.0.0.1", "192.0.2.1"), Err(UNTRUSTED_PROXY));
    assert_eq!(forwarded("10.0.0.1", "192.0.2.1"), Ok("192.0.2.1".to_owned()));
    assert_eq!(
        forwarded("::ffff:10.0.0.1", "192.0.2.1"),
        Ok("192.0.2.1".to_owned())
    );
    assert_eq!(
        forwarded("10.0.0.1", "127.0.0.1, 192.0.2.9, 10.1.1.1"),
        Ok("192.0.2.9".to_owned())
    );
    assert_eq!(
        forwarded("10.0.0.1", "[2001:db8::1]:443"),
        Ok("2001:db8::1".to_owned())
    );
    assert_eq!(forwarded("10.0.0.1", "unknown"), Err(BAD_FORWARDING));
    assert_eq!(
        admit(
            &policy,
            "127.0.0.1",
            &[("host", "localhost"), ("x-real-ip", "127.0.0.1")]
        ),
        Err(UNTRUSTED_PROXY)
    );
}

#[test]
fn only_a_program_on_this_machine_that_came_without_a_proxy_is_local() {
    let policy = policy(r#"{"gateway":{"trustedProxies":["10.0.0.0/8"]}}"#);
    let local_proxy = self::policy(r#"{"gateway":{"trustedProxies":["127.0.0.1", "10.0.0.0/8"]}}"#);
    let client = |policy: &AdmissionPolicy, peer: &str, name: &str, value: &str| {
        let sender = admit(policy, peer, &[("host", "localhost"), (name, value)]).unwrap();
        (sender.client.ip.to_string(), sender.client.reach)
    };
    let shared = |ip: &str| (ip.to_owned(), Reach::Shared);
    let own = |ip: &str| (ip.to_owned(), Reach::Own);

    assert_eq!(
        client(&policy, "127.0.0.1", "x-other", "1"),
        ("127.0.0.1".to_owned(), Reach::Local)
    );
    assert_eq!(client(&policy, "::1", "x-other", "1").1, Reach::Local);
    for (name, value) in [
        ("via", "1.1 tunnel"),
        ("cdn-loop", "cloudflare"),
        ("x-original-forwarded-for", "192.0.2.1"),
        ("fastly-client-ip", "192.0.2.1"),
        ("tailscale-user-login", "anna@example.org"),
        ("x-forwarded-port", "443"),
    ] {
        assert_eq!(
            client(&policy, "127.0.0.1", name, value),
            shared("127.0.0.1"),
            "{name}"
        );
    }
    assert_eq!(
        client(&local_proxy, "127.0.0.1", "x-other", "1"),
        shared("127.0.0.1")
    );
    for (name, value) in [
        ("x-other", "says nothing"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-for", "::1"),
        ("x-forwarded-for", "::ffff:127.0.0.1"),
        ("x-forwarded-for", "10.9.9.9"),
        ("x-forwarded-for", "0.0.0.0"),
        ("x-forwarded-for", "203.0.113.1, 127.0.0.1"),
        ("forwarded", "for=127.0.0.1"),
        ("x-real-ip", "127.0.0.1"),
    ] {
        assert_eq!(
            client(&policy, "10.0.0.1", name, value),
            shared("10.0.0.1"),
            "{name}: {value}"
        );
        if value != "203.0.113.1, 127.0.0.1" {
            assert_eq!(
                client(&local_proxy, "127.0.0.1", name, value),
                shared("127.0.0.1"),
                "{name}: {value}"
            );
        }
    }
    assert_eq!(
        client(
            &local_proxy,
            "127.0.0.1",
            "x-forwarded-for",
            "203.0.113.1, 127.0.0.1"
        ),
        own("203.0.113.1")
    );
    assert_eq!(client(&policy, "192.0.2.1", "x-other", "1"), own("192.0.2.1"));
    assert_eq!(
        client(&policy, "198.51.100.1", "x-other", "1"),
        shared("198.51.100.1"),
        "our own address"
    );
}
