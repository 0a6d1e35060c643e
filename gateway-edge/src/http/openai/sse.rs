//! One event of an event stream (HTML, 9.2).

use bytes::Bytes;
use serde::Serialize;

use super::refusal;
use crate::error::{Refusal, to_bytes};

/// Keeps a silent stream open: proxies close what is silent.
pub(super) const KEEP_ALIVE: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// What ends a stream.
pub(super) const DONE: Bytes = Bytes::from_static(b"data: [DONE]\n\n");

/// An event with a name, or none.
pub(super) fn event(name: Option<&str>, data: &impl Serialize) -> Bytes {
    raw(name, &to_bytes(data))
}

/// What is told in the middle of a stream that cannot go on.
pub(super) fn refused(refusal: &Refusal) -> Bytes {
    raw(None, &refusal::body(refusal))
}

/// The same of JSON text that has no line ends, as ours never has.
fn raw(name: Option<&str>, json: &[u8]) -> Bytes {
    let mut event = Vec::with_capacity(json.len() + 64);
    if let Some(name) = name {
        event.extend_from_slice(b"event: ");
        event.extend_from_slice(name.as_bytes());
        event.push(b'\n');
    }
    event.extend_from_slice(b"data: ");
    event.extend_from_slice(json);
    event.extend_from_slice(b"\n\n");
    event.into()
}
