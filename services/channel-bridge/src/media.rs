//! Media that the gateway keeps, on their way out: read from the session service where a platform shows files, else named by a link to
//! the gateway that holds for an hour or two.

mod keep;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use gatehouse_core::{
    Failure, Kind,
    content::{Media, MediaSource},
};
use gatehouse_proto::session::v1::ReadMediaResponse;
use tokio::time;

use crate::{adapter::FetchError, inbox::SessionClient};

/// The session service looks a medium up within milliseconds; this long means that it is not there.
const OPEN_WITHIN: Duration = Duration::from_secs(10);
/// The same for each part of it.
const PART_WITHIN: Duration = Duration::from_secs(30);

/// A medium that is kept.
pub(crate) struct Kept {
    /// Its media type, as its bytes say.
    pub(crate) mime_type: String,
    pub(crate) size_bytes: u64,
    /// Where it is on the gateway for a while, from its root.
    path: Option<String>,
    /// As many as `size_bytes` says, or an error.
    pub(crate) bytes: BoxStream<'static, Result<Bytes, FetchError>>,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("mime_type", &self.mime_type)
            .field("size_bytes", &self.size_bytes)
            .finish_non_exhaustive()
    }
}

/// Reads media that are kept. Clones share it.
#[derive(Clone)]
pub(crate) struct MediaReader {
    session: Arc<dyn SessionClient>,
    /// The origin under which people reach the gateway.
    origin: Arc<Mutex<Option<String>>>,
}

impl fmt::Debug for MediaReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MediaReader")
    }
}

impl MediaReader {
    pub(crate) fn new(session: Arc<dyn SessionClient>) -> Self {
        Self {
            session,
            origin: Arc::default(),
        }
    }

    /// Where people reach the gateway from now on. `None`: nobody has said so.
    pub(crate) fn reached_at(&self, origin: Option<String>) {
        *self.origin.lock().unwrap_or_else(PoisonError::into_inner) = origin;
    }

    /// Where people reach the gateway, if somebody has said so.
    pub(crate) fn origin(&self) -> Option<String> {
        self.origin.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Opens a medium.
    ///
    /// # Errors
    /// When it is not kept here (any more), or the session service is away.
    pub(crate) async fn open(&self, media: &Media) -> Result<Kept, FetchError> {
        let id = media
            .source
            .id()
            .ok_or_else(|| FetchError::Never("it is not kept by the gateway".into()))?;
        let opened = time::timeout(OPEN_WITHIN, async {
            let mut parts = self.session.read(id.to_owned()).await?;
            Ok((parts.next().await.transpose()?, parts))
        });
        let (first, parts) = opened.await.unwrap_or_else(|_| Err(away())).map_err(missed)?;
        let ReadMediaResponse { head, data, path } = first.unwrap_or_default();
        let head = head.ok_or_else(|| FetchError::Retry("the session service broke off".into()))?;
        let first = futures::stream::iter((!data.is_empty()).then_some(Ok(data)));
        let rest = futures::stream::unfold(Some(parts), async |parts| {
            let mut parts = parts?;
            match time::timeout(PART_WITHIN, parts.next()).await {
                Ok(Some(Ok(part))) => Some((Ok(part.data), Some(parts))),
                Ok(Some(Err(failure))) => Some((Err(missed(failure)), None)),
                Ok(None) => None,
                Err(_) => Some((Err(missed(away())), None)),
            }
        });
        Ok(Kept {
            mime_type: head.mime_type,
            size_bytes: u64::try_from(head.size_bytes).unwrap_or(0),
            path,
            bytes: first.chain(rest).boxed(),
        })
    }

    /// An address under which people see a medium, if there is one.
    pub(crate) async fn link(&self, media: &Media) -> Option<String> {
        if let MediaSource::Url(url) = &media.source {
            let is_web = url.starts_with("https://") || url.starts_with("http://");
            return Some(url.clone()).filter(|_| is_web);
        }
        let origin = self.origin()?;
        let path = self.open(media).await.ok()?.path?;
        Some(format!("{}{path}", origin.trim_end_matches('/')))
    }
}

fn away() -> Failure {
    Failure::new(Kind::Timeout, "the session service did not answer in time")
}

fn missed(failure: Failure) -> FetchError {
    match failure.kind {
        Kind::NotFound | Kind::Invalid | Kind::Forbidden | Kind::Conflict | Kind::Precondition => {
            FetchError::Never("it is not kept any more".into())
        }
        Kind::Unauthenticated | Kind::Exhausted | Kind::Unavailable | Kind::Timeout | Kind::Internal => {
            FetchError::Retry(failure.message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Memory;

    fn medium(id: &str) -> Media {
        Media {
            source: MediaSource::Id(id.to_owned()),
            mime_type: Some("image/png".into()),
            name: Some("cat.png".into()),
            size_bytes: None,
        }
    }

    fn reader(files: &[(&str, &[u8])]) -> MediaReader {
        let session = Memory::default();
        for (id, bytes) in files {
            session
                .files
                .lock()
                .unwrap()
                .insert((*id).to_owned(), bytes.to_vec());
        }
        MediaReader::new(Arc::new(session))
    }

    #[tokio::test]
    async fn a_medium_is_read_whole_and_one_that_is_gone_is_never_asked_for_again() {
        let reader = reader(&[("one", b"a picture")]);

        let kept = reader.open(&medium("one")).await.unwrap();
        let parts: Vec<Bytes> = kept.bytes.map(Result::unwrap).collect().await;

        assert_eq!(parts.concat(), b"a picture");
        assert_eq!((kept.mime_type.as_str(), kept.size_bytes), ("image/png", 9));
        let gone = reader.open(&medium("two")).await.unwrap_err();
        assert!(matches!(gone, FetchError::Never(_)), "{gone}");
    }

    #[tokio::test]
    async fn a_link_needs_an_origin_and_a_medium_that_is_there() {
        let reader = reader(&[("one", b"a picture")]);
        assert_eq!(reader.link(&medium("one")).await, None, "nobody said where");

        reader.reached_at(Some("https://home.example/".into()));

        assert_eq!(
            reader.link(&medium("one")).await.as_deref(),
            Some("https://home.example/media/one?for=a-while")
        );
        assert_eq!(reader.link(&medium("two")).await, None);
        let elsewhere = |url: &str| Media {
            source: MediaSource::Url(url.to_owned()),
            ..medium("")
        };
        assert!(
            reader
                .link(&elsewhere("https://a.example/cat.png"))
                .await
                .is_some()
        );
        assert_eq!(reader.link(&elsewhere("file:///etc/passwd")).await, None);
    }
}
