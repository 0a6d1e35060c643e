//! Files that somebody sends are kept by the session service first, as those of answers are.

use std::{io::Read, time::Duration};

use bytes::Bytes;
use gatehouse_core::{
    Failure, Kind,
    content::{Media, MediaSource, attachment::Attachment},
};
use gatehouse_proto::session::v1::{KeepMediaHead, KeepMediaRequest};
use tokio::{sync::mpsc, time};

use super::MediaReader;
use crate::inbox::Parts;

/// The largest file: what fits into a request, which holds it as base64, has fewer bytes.
const FILE_BYTES_MAX: i64 = 25 * 1024 * 1024;
/// Bytes of one part on their way: the contract's figure.
const PART_BYTES: usize = 64 * 1024;
/// Parts that wait for the session service.
const PARTS_MAX: usize = 4;
/// The session service writes a file of that size within a second or two; this long means that it is not there.
const KEEP_WITHIN: Duration = Duration::from_secs(60);

impl MediaReader {
    /// Keeps a file for at least this long.
    ///
    /// # Errors
    /// When it is no base64 or empty, there is no room for it, or the session service is away.
    pub(crate) async fn keep(&self, file: Attachment, time: Duration) -> Result<Media, Failure> {
        let (declared, name) = (file.declared.clone(), file.name.clone());
        let (parts, waiting) = mpsc::channel(PARTS_MAX);
        let head = KeepMediaRequest {
            head: Some(KeepMediaHead {
                declared_mime_type: declared,
                max_bytes: FILE_BYTES_MAX,
                keep_seconds: i64::try_from(time.as_secs()).ok(),
            }),
            data: Bytes::new(),
        };
        let feed = async move {
            let mut bytes = file.into_bytes();
            let mut next = Some(head);
            while let Some(part) = next {
                // Whoever keeps it has seen enough, and says why.
                if parts.send(part).await.is_err() {
                    break;
                }
                next = part_of(&mut bytes)?;
            }
            Ok(())
        };
        let kept = time::timeout(KEEP_WITHIN, self.session.keep(Parts(waiting)));
        let kept = async { kept.await.unwrap_or_else(|_| Err(super::away())) };
        let (kept, ()) = tokio::try_join!(kept, feed)?;
        Ok(Media {
            source: MediaSource::Id(kept.id),
            mime_type: Some(kept.mime_type),
            name,
            size_bytes: Some(kept.size_bytes),
        })
    }
}

fn part_of(bytes: &mut impl Read) -> Result<Option<KeepMediaRequest>, Failure> {
    let mut part = Vec::with_capacity(PART_BYTES);
    let read = bytes.take(PART_BYTES as u64).read_to_end(&mut part);
    read.map_err(|_| Failure::new(Kind::Invalid, "the file is not base64"))?;
    Ok((!part.is_empty()).then(|| KeepMediaRequest {
        head: None,
        data: part.into(),
    }))
}
