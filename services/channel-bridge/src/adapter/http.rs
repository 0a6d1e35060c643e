//! Requests of a platform that calls us, as they came over the edge's port.

use bytes::Bytes;

/// The head of a request. Nothing about it is trusted.
#[derive(Clone, Debug)]
pub(crate) struct HttpHead {
    /// `POST`, ...
    pub(crate) method: String,
    /// The path and the query.
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The peer, as the edge trusts it.
    pub(crate) peer: String,
}

/// The whole of it.
#[derive(Clone, Debug)]
pub(crate) struct HttpRequest {
    pub(crate) head: HttpHead,
    pub(crate) body: Bytes,
}

impl HttpHead {
    /// The value of a header that occurs exactly once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self
            .headers
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.as_str());
        values.next().filter(|_| values.next().is_none())
    }

    /// Whether a header occurs at all.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(key, _)| key == name)
    }
}

/// What to answer over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    /// Seconds after which to try again.
    pub(crate) retry_after: Option<u64>,
    /// JSON.
    pub(crate) body: String,
}
