//! Media of conversations, by a link.

use gatehouse_core::{Failure, Kind};
use gatehouse_proto::session::v1::{MediaHead, OpenMediaRequest, OpenMediaResponse};
use prost::Message;

use crate::{
    gateway::{Gateway, Reply},
    plain_http::{ask, get},
};

const OPEN: &str = "/gatehouse.session.v1.MediaService/OpenMedia";

fn medium(mime_type: &str, inline: bool, parts: &[&str]) -> Reply {
    let size = parts.iter().map(|part| part.len()).sum::<usize>();
    let head = MediaHead {
        mime_type: mime_type.to_owned(),
        size_bytes: i64::try_from(size).unwrap(),
        inline,
    };
    let first = OpenMediaResponse {
        head: Some(head),
        data: Vec::new().into(),
    };
    let data = parts.iter().map(|part| OpenMediaResponse {
        head: None,
        data: (*part).to_owned().into(),
    });
    Reply::Many(
        std::iter::once(first)
            .chain(data)
            .map(|part| part.encode_to_vec())
            .collect(),
    )
}

fn link() -> String {
    format!("/__openclaw__/media/{}?e=12&s=sig", "a".repeat(64))
}

#[tokio::test]
async fn whoever_has_a_link_is_shown_the_medium_and_a_browser_may_do_nothing_else_with_it() {
    let gateway = Gateway::start().await;
    gateway.answers_path(OPEN, medium("image/png", true, &["one ", "two"]));

    let shown = get(&gateway.http, &link()).await.to_ascii_lowercase();

    assert!(
        shown.starts_with("http/1.1 200") && shown.ends_with("one two"),
        "{shown}"
    );
    for header in [
        "content-type: image/png",
        "content-length: 7",
        "content-disposition: inline",
        "x-content-type-options: nosniff",
        "content-security-policy: default-src 'none'",
        "sandbox",
    ] {
        assert!(shown.contains(header), "{header}: {shown}");
    }
    let calls = gateway.calls(OPEN);
    let asked = OpenMediaRequest::decode(calls[0].body.clone()).unwrap();
    assert_eq!((asked.expires_at, asked.signature.as_str()), (12, "sig"));
    assert!(calls[0].caller.is_none(), "the link speaks for itself");

    gateway.answers_path(OPEN, medium("text/html", false, &["<script>"]));
    let saved = get(&gateway.http, &link()).await.to_ascii_lowercase();
    assert!(saved.contains("content-disposition: attachment"), "{saved}");
}

#[tokio::test]
async fn a_link_that_is_none_is_refused_and_what_the_session_service_says_is_repeated() {
    let gateway = Gateway::start().await;
    for (kind, status) in [
        (Kind::Forbidden, "403"),
        (Kind::NotFound, "404"),
        (Kind::Internal, "500"),
    ] {
        gateway.answers_path(OPEN, Reply::Failure(Failure::new(kind, "this link is over")));
        let refused = get(&gateway.http, &link()).await;
        assert!(refused.starts_with(&format!("HTTP/1.1 {status}")), "{refused}");
    }
    let before = gateway.calls(OPEN).len();

    for path in [
        "/__openclaw__/media/short?e=1&s=x".to_owned(),
        link().replace("&s=sig", ""),
    ] {
        let refused = get(&gateway.http, &path).await;
        assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    }
    assert_eq!(gateway.calls(OPEN).len(), before, "nobody was asked");
}

/// What whoever asks with these headers is answered, in lower case, when the session service answers with this in turn.
async fn answered(gateway: &Gateway, method: &str, headers: &str, replies: &[&[&str]]) -> String {
    // The size is that of the whole whichever part is sent.
    let replies = replies.iter().map(|parts| {
        let Reply::Many(mut messages) = medium("audio/mpeg", true, &["0123456789"]) else {
            unreachable!("it is many messages");
        };
        messages.truncate(1);
        messages.extend(parts.iter().map(|part| {
            let part = OpenMediaResponse {
                head: None,
                data: (*part).to_owned().into(),
            };
            part.encode_to_vec()
        }));
        Reply::Many(messages)
    });
    gateway.answers_path(OPEN, Reply::Each(replies.collect()));
    let request = format!(
        "{method} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n",
        link()
    );
    ask(&gateway.http, &request).await.to_ascii_lowercase()
}

fn asked(gateway: &Gateway) -> (Option<i64>, Option<i64>) {
    let calls = gateway.calls(OPEN);
    let asked = OpenMediaRequest::decode(calls.last().unwrap().body.clone()).unwrap();
    (asked.offset_bytes, asked.length_bytes)
}

#[tokio::test]
async fn a_player_is_sent_the_part_that_it_asks_for_and_told_where_it_is() {
    let gateway = Gateway::start().await;
    let tag = format!("\"{}\"", "a".repeat(64));

    let whole = answered(&gateway, "GET", "", &[&["0123456789"]]).await;
    assert!(whole.contains("accept-ranges: bytes"), "{whole}");
    assert!(whole.contains(&format!("etag: {tag}")), "{whole}");
    assert!(whole.contains("cache-control: private, no-cache"), "{whole}");
    assert_eq!(asked(&gateway), (None, None));

    let of_this = format!("Range: bytes=3-5\r\nIf-Range: {tag}\r\n");
    for (range, part, told, bytes) in [
        ("Range: bytes=3-5\r\n", (3, 3), "bytes 3-5/10", "345"),
        ("Range: bytes=7-\r\n", (7, 3), "bytes 7-9/10", "789"),
        ("Range: bytes=-4\r\n", (6, 4), "bytes 6-9/10", "6789"),
        (&of_this, (3, 3), "bytes 3-5/10", "345"),
    ] {
        let shown = answered(&gateway, "GET", range, &[&[], &[bytes]]).await;

        assert!(
            shown.starts_with("http/1.1 206") && shown.ends_with(bytes),
            "{range}: {shown}"
        );
        assert!(
            shown.contains(&format!("content-range: {told}")),
            "{range}: {shown}"
        );
        assert!(
            shown.contains(&format!("content-length: {}", bytes.len())),
            "{shown}"
        );
        assert_eq!(asked(&gateway), (Some(part.0), Some(part.1)), "{range}");
    }

    let outside = answered(&gateway, "GET", "Range: bytes=10-\r\n", &[&[]]).await;
    assert!(outside.starts_with("http/1.1 416"), "{outside}");
    assert!(outside.contains("content-range: bytes */10"), "{outside}");

    // Several parts, and a part of what it was before: the whole, which every player can do with.
    for range in [
        "Range: bytes=0-1,4-5\r\n",
        "Range: bytes=0-1\r\nIf-Range: \"old\"\r\n",
    ] {
        let shown = answered(&gateway, "GET", range, &[&[], &["0123456789"]]).await;
        assert!(
            shown.starts_with("http/1.1 200") && shown.ends_with("0123456789"),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn whoever_has_a_medium_already_is_told_so_and_no_byte_is_read() {
    let gateway = Gateway::start().await;
    let tag = format!("\"{}\"", "a".repeat(64));
    let nothing = (Some(0), Some(0));

    let known = answered(&gateway, "GET", &format!("If-None-Match: {tag}\r\n"), &[&[]]).await;
    assert!(
        known.starts_with("http/1.1 304") && known.ends_with("\r\n\r\n"),
        "{known}"
    );
    assert!(known.contains(&format!("etag: {tag}")), "{known}");
    assert_eq!(asked(&gateway), nothing);

    let other = answered(&gateway, "GET", "If-Match: \"b\"\r\n", &[&[]]).await;
    assert!(other.starts_with("http/1.1 412"), "{other}");

    let head = answered(&gateway, "HEAD", "Range: bytes=0-1\r\n", &[&[]]).await;
    assert!(
        head.starts_with("http/1.1 200") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    assert!(
        head.contains("content-length: 10") && head.contains("audio/mpeg"),
        "{head}"
    );
    assert_eq!(asked(&gateway), nothing);

    gateway.answers_path(
        OPEN,
        Reply::Failure(Failure::new(Kind::Forbidden, "this link is over")),
    );
    let over = format!(
        "GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nIf-None-Match: {tag}\r\n\r\n",
        link()
    );
    let over = ask(&gateway.http, &over).await;
    assert!(
        over.starts_with("HTTP/1.1 403"),
        "a link that is over is over: {over}"
    );
}
