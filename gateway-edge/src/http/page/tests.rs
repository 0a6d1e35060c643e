use base64::{Engine, engine::general_purpose::STANDARD};
use gatehouse_document::Document;
use http::HeaderValue;
use sha2::{Digest, Sha256};

use super::*;

fn address(config: &str, peer: &str, pairs: &[(&'static str, &str)]) -> Address {
    let document: Document = serde_json::from_str(config).unwrap();
    let headers = pairs
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()));
    let ends = Ends {
        peer: peer.parse().unwrap(),
        local: "127.0.0.1".parse().unwrap(),
        secure: false,
    };
    Address::of(&AdmissionPolicy::new(&document.gateway), ends, &headers.collect())
}

fn report(failing: &[&'static str], degraded: &[&'static str]) -> Report {
    Report {
        ready: failing.is_empty(),
        failing: failing.to_vec(),
        degraded: degraded.to_vec(),
        uptime_ms: 1,
    }
}

#[test]
fn the_style_is_the_one_that_the_policy_names() {
    let digest = STANDARD.encode(Sha256::digest(STYLE));

    assert!(CSP.contains(&format!("'sha256-{digest}'")), "sha256-{digest}");
}

#[test]
fn the_address_is_the_one_that_the_browser_came_by() {
    let trusting =
        r#"{"gateway":{"trustedProxies":["10.0.0.0/8"],"publicOrigin":"https://home.example.org"}}"#;
    let shown = |peer: &str, pairs: &[(&'static str, &str)]| {
        let address = address(trusting, peer, pairs);
        let scheme = if address.is_secure { "wss" } else { "ws" };
        format!("{scheme} {} {}", address.name(), address.port())
    };

    let local = ("host", "LOCALHOST:18789");
    let proto = ("x-forwarded-proto", "https");
    assert_eq!(shown("127.0.0.1", &[local]), "ws localhost 18789");
    assert_eq!(
        shown("192.0.2.1", &[local, proto]),
        "ws localhost 18789",
        "anybody can write that"
    );
    assert_eq!(
        shown("10.0.0.1", &[("host", "nas.local"), proto]),
        "wss nas.local 443"
    );
    assert_eq!(
        shown("192.0.2.1", &[("host", "home.example.org")]),
        "wss home.example.org 443"
    );
    assert_eq!(
        shown("192.0.2.1", &[("host", "[2001:db8::1]:8080")]),
        "ws 2001:db8::1 8080"
    );
    assert_eq!(
        shown("192.0.2.1", &[("host", "[2001:db8::1]")]),
        "ws 2001:db8::1 80"
    );
}

#[test]
fn it_says_how_the_gateway_is_and_no_markup_comes_from_outside() {
    let address = address("{}", "127.0.0.1", &[("host", "<script>")]);
    let page = |report: &Report| render(&address, report, 3_700_000, None);

    let well = page(&report(&[], &[]));
    assert!(
        well.contains("class=\"state good\">ready<") && well.contains("up 61 min"),
        "{well}"
    );
    assert!(
        !well.contains("<script") && well.contains("ws://&lt;script&gt;"),
        "{well}"
    );
    let in_part = page(&report(&[], &["agent"]));
    assert!(
        in_part.contains("state fair") && in_part.contains("away for now: agent."),
        "{in_part}"
    );
    let away = page(&report(&["session", "draining"], &[]));
    assert!(
        away.contains("state bad") && away.contains("not ready: session, draining."),
        "{away}"
    );
}

#[test]
fn a_phone_is_not_sent_to_an_address_that_it_does_not_reach() {
    let page = |host| {
        render(
            &address("{}", "127.0.0.1", &[("host", host)]),
            &report(&[], &[]),
            0,
            None,
        )
    };

    for here in ["localhost:18789", "127.0.0.1:18789", "[::1]:18789"] {
        assert!(page(here).contains("A phone does not reach"), "{here}");
    }
    assert!(!page("192.168.1.4:18789").contains("A phone does not reach"));
}
