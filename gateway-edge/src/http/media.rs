//! Media of conversations, for whoever shows a link to one: handed through from the session service as they come.
//!
//! The link is the credential: it was given to somebody who may read the conversation, names one medium and holds for hours. What
//! it leads to is bytes from outside, so a browser may do nothing with them but show pictures, play recordings and save the rest.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Path, RawQuery, State},
    response::Response,
};
use bytes::Bytes;
use futures::StreamExt;
use gatehouse_core::{Failure, Kind, Service};
use gatehouse_proto::session::v1::{
    MediaHead, OpenMediaRequest, OpenMediaResponse, media_service_client::MediaServiceClient,
};
use http::{HeaderValue, StatusCode, header};
use tokio::{sync::Semaphore, time::timeout};

use super::{
    context::Http,
    respond::{plain, refusal, respond},
};
use crate::{call::busy, error::Refusal};

/// The session service looks into its files before it says what a medium is.
const OPEN_WITHIN: Duration = Duration::from_secs(5);

/// Media that are read at once: a page draws a few together, and each holds one part of 64 KiB.
const READ_AT_ONCE: usize = 64;

/// What a page of a medium may do, when somebody opens one in a window of its own.
pub(super) const CSP: &str =
    "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox";

/// What media share.
#[derive(Debug)]
pub(crate) struct Readers(Arc<Semaphore>);

impl Default for Readers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(READ_AT_ONCE)))
    }
}

/// Answers one.
pub(super) async fn serve(
    State(http): State<Arc<Http>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(link) = link(id, query.as_deref().unwrap_or_default()) else {
        return plain(StatusCode::FORBIDDEN, "this is no link of this gateway");
    };
    let Ok(permit) = Arc::clone(&http.readers.0).try_acquire_owned() else {
        return refusal(&busy("MEDIA_BUSY", "too many media are read at once"));
    };
    let mut session = MediaServiceClient::new(http.edge.backend.peer(Service::Session).service());
    let opened = async {
        let mut parts = session.open_media(link).await?.into_inner();
        let first = parts.message().await?;
        Ok::<_, tonic::Status>((first, parts))
    };
    let (first, parts) = match timeout(OPEN_WITHIN, opened).await {
        Ok(Ok(opened)) => opened,
        Ok(Err(status)) => return refusal(&told(&status)),
        Err(_) => {
            return refusal(&Refusal::new(
                Kind::Timeout,
                "the medium could not be read in time",
            ));
        }
    };
    let Some(head) = first.and_then(|first| first.head) else {
        return refusal(&Refusal::new(Kind::Internal, "internal failure"));
    };
    let parts = parts.map(move |part| {
        let _reading = &permit; // until the last part is sent, or nobody wants it
        part.map(|OpenMediaResponse { data, .. }: OpenMediaResponse| -> Bytes { data })
    });
    answer(&head, Body::from_stream(parts))
}

fn link(id: String, query: &str) -> Option<OpenMediaRequest> {
    let value = |name: &str| {
        query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            (key == name).then_some(value)
        })
    };
    let is_plain = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let signature = value("s").filter(|signature| !signature.is_empty() && signature.len() <= 128)?;
    is_plain.then_some(OpenMediaRequest {
        id,
        expires_at: value("e")?.parse().ok()?,
        signature: signature.to_owned(),
    })
}

fn answer(head: &MediaHead, body: Body) -> Response {
    let mut response = respond(StatusCode::OK, "application/octet-stream", body);
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::try_from(&head.mime_type) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(head.size_bytes.max(0)));
    let disposition = if head.inline { "inline" } else { "attachment" };
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(disposition));
    response
}

/// What the session service said on purpose is repeated.
fn told(status: &tonic::Status) -> Refusal {
    let failure = Failure::from_status(status);
    match failure.kind {
        Kind::Forbidden | Kind::NotFound | Kind::Unavailable | Kind::Exhausted => Refusal::from(failure),
        Kind::Invalid => Refusal::new(Kind::Forbidden, "this is no link of this gateway"),
        _ => {
            tracing::error!(error = %status, "a medium could not be read");
            Refusal::new(Kind::Internal, "internal failure")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_letter_by_letter_and_nothing_else_is_one() {
        let id = "a".repeat(64);
        let read = |id: &str, query: &str| link(id.to_owned(), query);

        let link = read(&id, "e=12&s=abc").unwrap();
        assert_eq!((link.expires_at, link.signature.as_str()), (12, "abc"));
        assert!(read(&id, "s=abc&x=1&e=12").is_some());
        for (id, query) in [
            (id.as_str(), ""),
            (&id, "e=12"),
            (&id, "s=abc"),
            (&id, "e=x&s=abc"),
            (&id, "e=12&s="),
            ("short", "e=12&s=abc"),
            (&"/".repeat(64), "e=12&s=abc"),
        ] {
            assert!(read(id, query).is_none(), "{id} {query}");
        }
    }
}
