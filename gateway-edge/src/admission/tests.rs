use http::{HeaderName, HeaderValue};

use super::*;
use crate::policy::{Policy, View};

const BOUND: &str = "127.0.0.1";

fn door(config: &str) -> Door {
    let view: View = serde_json::from_str(config).unwrap();
    Policy::new("h", &"00".repeat(32), &view).unwrap().door
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

fn admit(door: &Door, peer: &str, pairs: &[(&str, &str)]) -> Result<Visitor, Turned> {
    door.admit(peer.parse().unwrap(), BOUND.parse().unwrap(), &headers(pairs))
}

#[test]
fn a_host_that_somebody_else_can_own_is_refused() {
    let door = door(r#"{"gateway":{"publicOrigin":"https://home.example.org"}}"#);
    let host = |host: &str| admit(&door, "127.0.0.1", &[("host", host)]).map(|_| ());

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
    assert_eq!(admit(&door, "127.0.0.1", &[]), Err(HOST_MISSING));
    assert_eq!(
        admit(&door, "127.0.0.1", &[("host", "localhost"), ("host", "x.y")]),
        Err(HOST_MISSING)
    );
}

#[test]
fn a_browser_page_must_be_ours_or_listed() {
    let door = door(r#"{"gateway":{"controlUi":{"allowedOrigins":["https://ui.example.org/"]}}}"#);
    let origin = |origin: &str| {
        let pairs = [("host", "localhost:18789"), ("origin", origin)];
        admit(&door, "127.0.0.1", &pairs).map(|visitor| visitor.browser)
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
        admit(&door, "127.0.0.1", &rebound),
        Err(HOST_REFUSED),
        "a plain name is not for browsers"
    );
}

#[test]
fn forwarding_headers_count_only_from_a_trusted_proxy() {
    let door = door(r#"{"gateway":{"trustedProxies":["10.0.0.0/8"]}}"#);
    let forwarded = |peer: &str, value: &str| {
        admit(&door, peer, &[("host", "localhost"), ("x-forwarded-for", value)])
            .map(|visitor| visitor.ip.to_string())
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
            &door,
            "127.0.0.1",
            &[("host", "localhost"), ("x-real-ip", "127.0.0.1")]
        ),
        Err(UNTRUSTED_PROXY)
    );
}

#[test]
fn strangers_are_bounded_by_address_and_in_total_and_known_ones_free_their_place() {
    let counter = Counter::new(Bounds {
        strangers_max: 3,
        strangers_of_one_max: 2,
        sockets_max: 4,
    });
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();

    let mut first = counter.enter(ip("192.0.2.1"), false).unwrap();
    let _second = counter.enter(ip("::ffff:192.0.2.1"), false).unwrap();
    assert!(
        counter.enter(ip("192.0.2.1"), false).is_none(),
        "one address, however it is written"
    );
    let _third = counter.enter(ip("192.0.2.2"), false).unwrap();
    assert!(
        counter.enter(ip("192.0.2.3"), false).is_none(),
        "all strangers together"
    );

    first.known();
    let fourth = counter.enter(ip("192.0.2.1"), false).unwrap();
    drop(fourth);
    let mut fifth = counter.enter(ip("127.0.0.1"), false).unwrap();
    fifth.known();
    assert_eq!(counter.sockets(), 4);
    assert!(
        counter.enter(ip("127.0.0.1"), false).is_none(),
        "all sockets together"
    );
    drop(first);
    assert!(counter.enter(ip("127.0.0.1"), false).is_some());
}
