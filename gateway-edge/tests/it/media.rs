//! Media of conversations, by a link.

use gatehouse_core::{Failure, Kind};
use gatehouse_proto::session::v1::{MediaHead, OpenMediaRequest, OpenMediaResponse};
use prost::Message;

use crate::{
    gateway::{Gateway, Reply},
    plain_http::get,
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
