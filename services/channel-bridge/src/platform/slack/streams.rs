//! Messages that show answers, and how far those are that Slack streams.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
};

use serde::Deserialize;

/// Messages that were begun as streams and are still there. Beyond it all are forgotten: then a stream is ended once too often.
const STREAMS_MAX: usize = 512;
/// What the id of a message ends with that was begun as a stream.
const STREAM: &str = "stream";

/// Where a message stands.
#[derive(Deserialize)]
pub(super) struct Posted {
    pub(super) ts: String,
    pub(super) channel: String,
}

/// How far a stream is.
#[derive(Clone, Debug)]
pub(super) enum Stream {
    /// This was said in it.
    Open(String),
    Ended,
}

/// The streams of one account, by `ts`. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams {
    known: Arc<Mutex<HashMap<String, Stream>>>,
    /// Slack streams nothing of this app.
    pub(super) none: Arc<AtomicBool>,
}

impl Streams {
    pub(super) fn of(&self, ts: &str) -> Option<Stream> {
        self.lock().get(ts).cloned()
    }

    pub(super) fn keep(&self, ts: &str, stream: Stream) {
        let mut known = self.lock();
        if known.len() >= STREAMS_MAX {
            known.clear();
        }
        known.insert(ts.to_owned(), stream);
    }

    pub(super) fn forget(&self, ts: &str) {
        self.lock().remove(ts);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Stream>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A message that shows an answer: `<channel>/<ts>`, or `<channel>/<ts>/stream`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) channel: String,
    pub(super) ts: String,
    pub(super) is_stream: bool,
}

impl Standing {
    pub(super) fn new(posted: Posted, is_stream: bool) -> Self {
        let Posted { ts, channel } = posted;
        Self {
            channel,
            ts,
            is_stream,
        }
    }

    pub(super) fn read(id: &str) -> Option<Self> {
        let mut parts = id.split('/');
        let (channel, ts) = (parts.next()?, parts.next()?);
        Some(Self {
            channel: channel.to_owned(),
            ts: ts.to_owned(),
            is_stream: parts.next() == Some(STREAM),
        })
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.channel, self.ts)?;
        if self.is_stream {
            write!(f, "/{STREAM}")?;
        }
        Ok(())
    }
}

pub(super) fn standing(id: &str) -> Result<Standing, String> {
    Standing::read(id).ok_or_else(|| format!("{id:?} is not a message of Slack"))
}

#[cfg(test)]
mod tests {
    use super::Standing;

    #[test]
    fn a_message_says_whether_it_was_begun_as_a_stream() {
        for id in ["C1/1.2", "C1/1.2/stream"] {
            assert_eq!(Standing::read(id).unwrap().to_string(), id);
        }
        assert_eq!(Standing::read("C1"), None);
    }
}
