//! The figures of the protocol that clients are told, or count on.

use std::time::Duration;

use gatehouse_contract::{Access, Grants};

/// The version that clients and operators are told.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The one version of the protocol that is spoken here.
pub(crate) const PROTOCOL: u64 = 4;

/// Largest head of an HTTP request: more than any browser and proxy add, less than an attacker would like.
pub(crate) const HEADERS_BYTES_MAX: usize = 16 * 1024;

/// Largest request of a caller that may write (v4); clients are told in `policy.maxPayload`.
pub(crate) const PAYLOAD_MAX: usize = 25 * 1024 * 1024;

/// Largest attachment of a message, so that it fits into the largest request as base64 with its message beside it; clients are told in
/// `policy.attachments`. The session service may be told to take less (`agents.defaults.mediaMaxMb`).
pub(crate) const ATTACHMENT_BYTES_MAX: usize = (PAYLOAD_MAX - 256 * 1024) / 4 * 3;

/// Largest picture that clients send without making it smaller: what providers take.
pub(crate) const IMAGE_BYTES_MAX: usize = 6 * 1024 * 1024;

/// The same for a caller that may not: a hundred times what the methods that are open to it take.
pub(crate) const PAYLOAD_SMALL_MAX: usize = 512 * 1024;

/// What may wait for one connection: clients are told in `policy.maxBufferedBytes`.
pub(crate) const BUFFERED_BYTES_MAX: usize = 50 * 1024 * 1024;

/// How often a connection is sent a tick: clients are told in `policy.tickIntervalMs`.
pub(crate) const TICK: Duration = Duration::from_secs(30);

/// The largest request that a caller may send: only methods that write take large ones (the largest text that any other method
/// takes is 512 bytes).
pub(crate) fn payload_max(grants: &Grants) -> usize {
    let wide = Access::Write.allows(grants) || Access::Node.allows(grants);
    if wide { PAYLOAD_MAX } else { PAYLOAD_SMALL_MAX }
}
