//! One file of a Control UI as an answer: packed if that is welcome, whole or in part, or not again.

use std::{
    fs::{File, Metadata},
    io::SeekFrom,
    os::unix::fs::MetadataExt,
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::{
    kind::{self, Kind},
    packed::{self, Packed},
};
use crate::{
    http::{
        range::{self, Part},
        respond::respond,
    },
    site::Mount,
};

/// What is read at once of a file that is sent.
const PIECE_BYTES: usize = 64 * 1024;

/// A year, as long as browsers keep anything.
pub(super) const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Kept, and asked for each time whether it is still right.
pub(super) const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// In which forms a client takes a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    br: bool,
    gzip: bool,
}

impl Wanted {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        // A part is one of the file itself.
        let whole = !headers.contains_key(header::RANGE);
        Self {
            br: whole && range::accepts(headers, "br"),
            gzip: whole && range::accepts(headers, "gzip"),
        }
    }
}

/// A file that is there.
#[derive(Debug)]
pub(super) struct Found {
    content: Content,
    encoding: Option<&'static str>,
    /// Whether another client may get it in another form.
    varies: bool,
    kind: Kind,
    tag: HeaderValue,
}

#[derive(Debug)]
enum Content {
    File(File, u64),
    Memory(Bytes),
}

/// Opens a file in the best form that is wanted. Reads the disk.
pub(super) fn open(mount: &Mount, name: &str, wanted: Wanted, packed: &Packed) -> Option<Found> {
    let (file, facts) = mount.file(name)?.open().ok()?;
    let kind = Kind::of(name).unwrap_or(kind::UNKNOWN);
    let found = |content, encoding: Option<&'static str>, facts: &Metadata| {
        Some(Found {
            content,
            encoding,
            varies: kind.packs,
            kind,
            tag: tag(facts, encoding)?,
        })
    };
    // Build tools put the packed forms beside a file. One that is older was made of another.
    let beside = |ending: &str| {
        let (packed, of_packed) = mount.file(&format!("{name}.{ending}"))?.open().ok()?;
        (of_packed.mtime() >= facts.mtime()).then_some((packed, of_packed))
    };
    if kind.packs {
        for (encoding, ending, is_wanted) in [("br", "br", wanted.br), ("gzip", "gz", wanted.gzip)] {
            if is_wanted && let Some((packed, of_packed)) = beside(ending) {
                return found(Content::File(packed, of_packed.len()), Some(encoding), &of_packed);
            }
        }
        if wanted.gzip && packed::is_worth_it(facts.len()) {
            let bytes = packed.of(&file, &facts)?;
            return found(Content::Memory(bytes), Some("gzip"), &facts);
        }
    }
    let length = facts.len();
    found(Content::File(file, length), None, &facts)
}

/// Names a content. The time of the last change is the kernel's own: package managers give every file of every version one date.
fn tag(facts: &Metadata, encoding: Option<&str>) -> Option<HeaderValue> {
    let (inode, changed, nanos, length) = (facts.ino(), facts.ctime(), facts.ctime_nsec(), facts.len());
    let encoding = encoding.unwrap_or_default();
    HeaderValue::try_from(format!(
        "\"{inode:x}-{changed:x}.{nanos:x}-{length:x}{encoding}\""
    ))
    .ok()
}

impl Found {
    /// The answer to a request with these headers. What a HEAD must not have is left out where it is sent.
    pub(super) fn answer(self, headers: &HeaderMap, name: &str) -> Response {
        let Self {
            content,
            encoding,
            varies,
            kind,
            tag,
        } = self;
        let length = match &content {
            Content::File(_, length) => *length,
            Content::Memory(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        };
        let mut response = if range::is_known(headers, &tag) {
            with_status(StatusCode::NOT_MODIFIED)
        } else {
            match range::part(headers, &tag, length) {
                Part::Whole => whole(content, length, kind.mime),
                Part::Bytes(part) => {
                    let (first, last) = (*part.start(), *part.end());
                    let mut response = partial(content, first, last - first + 1, kind.mime);
                    let told = format!("bytes {first}-{last}/{length}");
                    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                    insert(&mut response, header::CONTENT_RANGE, told);
                    response
                }
                Part::Outside => {
                    let mut response = with_status(StatusCode::RANGE_NOT_SATISFIABLE);
                    insert(&mut response, header::CONTENT_RANGE, format!("bytes */{length}"));
                    response
                }
            }
        };
        let answered = response.headers_mut();
        answered.insert(header::ETAG, tag);
        let kept = if kind::is_immutable(name) {
            FOR_EVER
        } else {
            ASK_AGAIN
        };
        answered.insert(header::CACHE_CONTROL, kept);
        if let Some(encoding) = encoding {
            answered.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        } else {
            answered.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        }
        if varies {
            answered.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        response
    }
}

fn whole(content: Content, length: u64, mime: &'static str) -> Response {
    match content {
        Content::Memory(bytes) => respond(StatusCode::OK, mime, bytes),
        Content::File(..) => partial(content, 0, length, mime),
    }
}

/// So many bytes from a place on, read as the client takes them.
fn partial(content: Content, first: u64, length: u64, mime: &'static str) -> Response {
    let body = match content {
        Content::Memory(bytes) => {
            let (from, count) = (usize::try_from(first), usize::try_from(length));
            let end = |from: usize| from.saturating_add(count.unwrap_or(0)).min(bytes.len());
            Body::from(from.map_or(Bytes::new(), |from| bytes.slice(from.min(bytes.len())..end(from))))
        }
        Content::File(file, _) => {
            let pieces = futures::stream::once(async move {
                let mut file = tokio::fs::File::from_std(file);
                file.seek(SeekFrom::Start(first)).await?;
                Ok::<_, std::io::Error>(ReaderStream::with_capacity(file.take(length), PIECE_BYTES))
            });
            Body::from_stream(futures::TryStreamExt::try_flatten(pieces))
        }
    };
    let mut response = respond(StatusCode::OK, mime, body);
    insert(&mut response, header::CONTENT_LENGTH, length.to_string());
    response
}

fn with_status(status: StatusCode) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

fn insert(response: &mut Response, name: header::HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}
