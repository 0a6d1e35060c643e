//! Media of conversations, for whoever shows a link to one: handed through from the session service as they come.
//!
//! The link is the credential: it was given to somebody who may read the conversation, names one medium and holds for hours. What
//! it leads to is bytes from outside, so a browser may do nothing with them but show pictures, play recordings and save the rest.
//! Players ask for parts, and whoever has a medium already asks whether it is still that one: both are answered from what it is,
//! before any byte of it is read.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Path, RawQuery, State},
    response::Response,
};
use bytes::Bytes;
use futures::StreamExt;
use gatehouse_core::{Failure, Kind, Service, client::PeerService};
use gatehouse_proto::session::v1::{
    MediaHead, OpenMediaRequest, OpenMediaResponse, media_service_client::MediaServiceClient,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tonic::Streaming;

use super::{
    context::Http,
    range::{self, Part},
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
    method: Method,
    headers: HeaderMap,
) -> Response {
    let Some(link) = link(id, query.as_deref().unwrap_or_default()) else {
        return plain(StatusCode::FORBIDDEN, "this is not a link of this gateway");
    };
    let Ok(permit) = Arc::clone(&http.readers.0).try_acquire_owned() else {
        return refusal(&busy("MEDIA_BUSY", "too many media are read at once"));
    };
    let session = MediaServiceClient::new(http.edge.backend.peer(Service::Session).service());
    let wanted = Wanted {
        session,
        link,
        permit,
    };
    let is_plain = method == Method::GET && !CONDITIONS.iter().any(|name| headers.contains_key(name));
    let answered = if is_plain {
        wanted.whole().await
    } else {
        wanted.judged(&method, &headers).await
    };
    answered.unwrap_or_else(|refused| refusal(&refused))
}

/// What makes a request one that is judged by what the medium is.
const CONDITIONS: [HeaderName; 4] = [
    header::RANGE,
    header::IF_RANGE,
    header::IF_NONE_MATCH,
    header::IF_MATCH,
];

/// A medium that somebody may read.
struct Wanted {
    session: MediaServiceClient<PeerService>,
    link: OpenMediaRequest,
    permit: OwnedSemaphorePermit,
}

impl Wanted {
    async fn whole(self) -> Result<Response, Refusal> {
        let tag = self.tag();
        let (head, body) = self.open(None).await?;
        Ok(answer(StatusCode::OK, &head, &tag, head.size_bytes, body))
    }

    /// RFC 9110, 13.2.2: first what the client has, then which part it wants.
    async fn judged(mut self, method: &Method, headers: &HeaderMap) -> Result<Response, Refusal> {
        let tag = self.tag();
        let (head, _) = self.first(Some((0, 0))).await?;
        let size = u64::try_from(head.size_bytes).unwrap_or_default();
        let without = |status| answer(status, &head, &tag, head.size_bytes, Body::empty());
        if range::is_another(headers, &tag) {
            return Ok(bare(without(StatusCode::PRECONDITION_FAILED)));
        }
        if range::is_known(headers, &tag) {
            return Ok(bare(without(StatusCode::NOT_MODIFIED)));
        }
        if method == Method::HEAD {
            return Ok(without(StatusCode::OK)); // parts are of GET alone (14.2)
        }
        match range::part(headers, &tag, size) {
            Part::Whole => self.whole().await,
            Part::Bytes(part) => {
                let (first, last) = (*part.start(), *part.end());
                let count = last - first + 1;
                let (head, body) = self.open(Some((first, count))).await?;
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                let part = answer(StatusCode::PARTIAL_CONTENT, &head, &tag, count, body);
                Ok(of(part, &format!("bytes {first}-{last}/{size}")))
            }
            Part::Outside => {
                let none = bare(without(StatusCode::RANGE_NOT_SATISFIABLE));
                Ok(of(none, &format!("bytes */{size}")))
            }
        }
    }

    /// A medium is named by its digest, so that is what tells one content from another.
    fn tag(&self) -> HeaderValue {
        HeaderValue::try_from(format!("\"{}\"", self.link.id))
            .unwrap_or_else(|_| HeaderValue::from_static("\"\""))
    }

    /// What it is, and so many of its bytes from a place on.
    async fn open(mut self, part: Option<(u64, u64)>) -> Result<(MediaHead, Body), Refusal> {
        let (head, parts) = self.first(part).await?;
        let permit = self.permit;
        let parts = parts.map(move |part| {
            let _reading = &permit; // until the last part is sent, or nobody wants it
            part.map(|OpenMediaResponse { data, .. }: OpenMediaResponse| -> Bytes { data })
        });
        Ok((head, Body::from_stream(parts)))
    }

    async fn first(
        &mut self,
        part: Option<(u64, u64)>,
    ) -> Result<(MediaHead, Streaming<OpenMediaResponse>), Refusal> {
        let mut link = self.link.clone();
        if let Some((offset, length)) = part {
            link.offset_bytes = i64::try_from(offset).ok();
            link.length_bytes = i64::try_from(length).ok();
        }
        let opened = async {
            let mut parts = self.session.open_media(link).await?.into_inner();
            let first = parts.message().await?;
            Ok::<_, tonic::Status>((first, parts))
        };
        let (first, parts) = match timeout(OPEN_WITHIN, opened).await {
            Ok(opened) => opened.map_err(|status| told(&status))?,
            Err(_) => {
                return Err(Refusal::new(
                    Kind::Timeout,
                    "the medium could not be read in time",
                ));
            }
        };
        let head = first.and_then(|first| first.head);
        Ok((
            head.ok_or_else(|| Refusal::new(Kind::Internal, "internal failure"))?,
            parts,
        ))
    }
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
        offset_bytes: None,
        length_bytes: None,
    })
}

/// Kept by who asked alone, and asked for each time: a link that is over shows nothing any more.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("private, no-cache");

fn answer(status: StatusCode, head: &MediaHead, tag: &HeaderValue, length: i64, body: Body) -> Response {
    let mut response = respond(status, "application/octet-stream", body);
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::try_from(&head.mime_type) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    let disposition = if head.inline { "inline" } else { "attachment" };
    for (name, value) in [
        (header::CONTENT_LENGTH, HeaderValue::from(length.max(0))),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static(disposition)),
        (header::ETAG, tag.clone()),
        (header::ACCEPT_RANGES, HeaderValue::from_static("bytes")),
        (header::CACHE_CONTROL, ASK_AGAIN),
    ] {
        headers.insert(name, value);
    }
    response
}

/// The same without what only bytes have.
fn bare(mut response: Response) -> Response {
    for name in [
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::CONTENT_DISPOSITION,
    ] {
        response.headers_mut().remove(name);
    }
    response
}

/// The same, as a part of something.
fn of(mut response: Response, part: &str) -> Response {
    if let Ok(part) = HeaderValue::try_from(part) {
        response.headers_mut().insert(header::CONTENT_RANGE, part);
    }
    response
}

/// What the session service said on purpose is repeated.
fn told(status: &tonic::Status) -> Refusal {
    let failure = Failure::from_status(status);
    match failure.kind {
        Kind::Forbidden | Kind::NotFound | Kind::Unavailable | Kind::Exhausted => Refusal::from(failure),
        Kind::Invalid => Refusal::new(Kind::Forbidden, "this is not a link of this gateway"),
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
