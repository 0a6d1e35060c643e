//! The gateway's own page, as the edge serves it.

use std::io::Read;

use flate2::read::GzDecoder;
use futures::StreamExt;
use tokio_tungstenite::connect_async;

use crate::{
    control_ui::{Answer, ask, get},
    gateway::{Gateway, TOKEN},
};

/// The addresses in a page that begin with this.
fn addresses<'a>(page: &'a str, with: &str) -> Vec<&'a str> {
    page.split('"').filter(|part| part.starts_with(with)).collect()
}

fn unpacked(answer: &Answer) -> String {
    let mut text = String::new();
    GzDecoder::new(&*answer.body).read_to_string(&mut text).unwrap();
    text
}

#[tokio::test]
async fn the_page_of_the_gateway_stands_at_its_address_and_at_every_place_inside() {
    let gateway = Gateway::start().await;

    for place in ["/", "/chat/agent%3Amain%3Amain", "/now", "/gateway/devices"] {
        let page = get(&gateway, place).await;

        assert_eq!(page.status, 200, "{place}");
        let policy = page.header("content-security-policy").unwrap();
        for rule in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(rule), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("cache-control"), Some("no-cache"));
    }
    for nothing in ["/nothing", "/main.js", "/chatter", "/assets/0/main.js"] {
        assert_eq!(get(&gateway, nothing).await.status, 404, "{nothing}");
    }
}

#[tokio::test]
async fn all_that_the_page_loads_is_kept_for_ever_and_packed() {
    let gateway = Gateway::start().await;
    let page = get(&gateway, "/").await;
    let named = addresses(page.text(), "/assets/");

    assert!(named.len() > 20, "{named:?}");
    for address in named {
        let file = ask(&gateway, "GET", address, "Accept-Encoding: gzip\r\n").await;
        assert_eq!(
            (file.status, file.header("cache-control")),
            (200, Some("public, max-age=31536000, immutable")),
            "{address}"
        );
        assert_eq!(file.header("content-encoding"), Some("gzip"), "{address}");
        let plain = get(&gateway, address).await;
        assert_eq!(unpacked(&file), plain.text(), "{address}");
        assert_ne!(
            file.header("etag"),
            plain.header("etag"),
            "another form is another thing"
        );
        let tag = format!(
            "Accept-Encoding: gzip\r\nIf-None-Match: {}\r\n",
            file.header("etag").unwrap()
        );
        assert_eq!(ask(&gateway, "GET", address, &tag).await.status, 304, "{address}");
    }
}

#[tokio::test]
async fn what_browsers_know_by_one_name_is_asked_for_each_time() {
    let gateway = Gateway::start().await;
    for (path, kind) in [
        ("/sw.js", "text/javascript; charset=utf-8"),
        ("/manifest.webmanifest", "application/manifest+json"),
        ("/icon.svg", "image/svg+xml"),
    ] {
        let file = get(&gateway, path).await;
        assert_eq!(
            (
                file.status,
                file.header("content-type"),
                file.header("cache-control")
            ),
            (200, Some(kind), Some("no-cache")),
            "{path}"
        );
    }
    let worker = get(&gateway, "/sw.js").await;
    let policy = worker.header("content-security-policy").unwrap();
    assert!(
        policy.contains("connect-src 'self'"),
        "it asks for the files that it keeps: {policy}"
    );
}

#[tokio::test]
async fn below_a_base_path_it_is_whole_and_the_address_leads_there() {
    let gateway = Gateway::configured(r#"{"gateway":{"controlUi":{"basePath":"/claw"}}}"#).await;

    let front = get(&gateway, "/").await;
    assert_eq!((front.status, front.header("location")), (302, Some("/claw/")));
    let page = get(&gateway, "/claw/").await;
    assert!(page.text().contains(r#"base-path="/claw""#), "{}", page.text());
    let named = addresses(page.text(), "/claw/assets/");
    assert!(named.len() > 20, "{named:?}");
    assert_eq!(get(&gateway, named[0]).await.status, 200);
    assert_eq!(get(&gateway, "/claw/sw.js").await.status, 200);
    assert_eq!(get(&gateway, "/now").await.status, 404);
    let (mut socket, _) = connect_async(format!("ws://{}/claw/", gateway.http))
        .await
        .unwrap();
    let challenge = socket.next().await.unwrap().unwrap().into_text().unwrap();
    assert!(challenge.contains("connect.challenge"), "{challenge}");
    socket.close(None).await.unwrap();
    assert!(
        !TOKEN.is_empty() && !page.text().contains(TOKEN),
        "the page is for everybody"
    );
}

#[tokio::test]
async fn who_turns_it_off_is_told_how_to_connect_and_so_is_who_asks() {
    let off = Gateway::configured(r#"{"gateway":{"controlUi":{"enabled":false}}}"#).await;
    let on = Gateway::start().await;

    assert!(get(&off, "/").await.text().contains("From a terminal"));
    assert_eq!(get(&off, "/now").await.status, 404);
    assert!(get(&on, "/connect").await.text().contains("From a terminal"));
}
