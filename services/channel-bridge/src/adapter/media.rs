//! Pictures, recordings and files that a platform keeps, on their way to be kept here. A message that comes in names them by an
//! address that only its adapter reads; nothing is fetched before it is known that its sender may talk.

use std::fmt;

use bytes::Bytes;
use futures::stream::BoxStream;

/// A medium as the platform gives it.
pub(crate) struct Remote {
    /// Its media type, as the platform says.
    pub(crate) declared: Option<String>,
    /// The most bytes that it may have.
    pub(crate) bytes_max: u64,
    /// Never more than `bytes_max`: it fails instead.
    pub(crate) bytes: BoxStream<'static, Result<Bytes, FetchError>>,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("declared", &self.declared)
            .field("bytes_max", &self.bytes_max)
            .finish_non_exhaustive()
    }
}

/// Why there are no bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FetchError {
    /// It may work later.
    #[error("{0}")]
    Retry(String),
    /// It never will.
    #[error("{0}")]
    Never(String),
}
