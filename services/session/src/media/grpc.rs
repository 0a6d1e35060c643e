//! `OpenMedia` and `KeepMedia`: parse, ask, answer.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use gatehouse_proto::session::v1::media_service_server::MediaService;
use gatehouse_proto::session::v1::{
    KeepMediaHead, KeepMediaRequest, KeepMediaResponse, MediaHead, OpenMediaRequest, OpenMediaResponse,
    ReadMediaRequest, ReadMediaResponse,
};
use tokio::{sync::mpsc, task};
use tonic::{Request, Response, Status, Streaming};

use super::{Media, MediaId, sniff};
use crate::error::Error;

/// Bytes of one part: the contract's figure.
const PART_BYTES: u64 = 64 * 1024;
/// Parts that wait to be written: the disk is faster than what brings them.
const PARTS_MAX: usize = 4;

/// The methods about media.
#[derive(Debug)]
pub(crate) struct MediaGrpc(Media);

impl MediaGrpc {
    pub(crate) fn new(media: Media) -> Self {
        Self(media)
    }

    async fn open(&self, request: OpenMediaRequest) -> Result<(MediaHead, Reading), Error> {
        let OpenMediaRequest {
            id,
            expires_at,
            signature,
            offset_bytes,
            length_bytes,
        } = request;
        let id = MediaId::parse(&id).ok_or(Error::LinkForged)?;
        self.0.links().check(&id, expires_at, &signature)?;
        let (head, file) = self.find(&id).await?;
        let reading = Reading {
            file,
            // No file system seeks as far as a caller can count.
            from: offset_bytes.map_or(0, |offset| offset.min(head.size_bytes).unsigned_abs()),
            left: length_bytes.map_or(u64::MAX, i64::unsigned_abs),
        };
        Ok((head, reading))
    }

    async fn find(&self, id: &MediaId) -> Result<(MediaHead, File), Error> {
        let (row, file) = self.0.open(id).await?.ok_or(Error::NoMedia)?;
        let head = MediaHead {
            inline: sniff::is_inline(&row.mime_type),
            mime_type: row.mime_type,
            size_bytes: row.bytes,
        };
        Ok((head, file))
    }
}

impl MediaGrpc {
    async fn keep(
        &self,
        mut parts: impl Stream<Item = Result<KeepMediaRequest, Status>> + Send + Unpin,
    ) -> Result<KeepMediaResponse, Status> {
        let first = parts.next().await.transpose()?.unwrap_or_default();
        let KeepMediaHead {
            declared_mime_type,
            max_bytes,
            keep_seconds,
        } = first.head.unwrap_or_default();
        let (bytes, read) = mpsc::channel(PARTS_MAX);
        let incoming = Incoming {
            parts: read,
            part: first.data,
        };
        let feed = async move {
            while let Some(part) = parts.next().await {
                let part = part.map(|part| part.data);
                let is_broken = part.is_err();
                // Who reads has seen enough: it says why.
                if bytes.send(part).await.is_err() || is_broken {
                    break;
                }
            }
        };
        let bytes_max = u64::try_from(max_bytes).unwrap_or(0);
        let time = Duration::from_secs(keep_seconds.map_or(0, i64::unsigned_abs));
        let keep = self.0.keep_for(time, incoming, declared_mime_type, bytes_max);
        let (kept, ()) = tokio::join!(keep, feed);
        let kept = kept.map_err(Status::from)?;
        Ok(KeepMediaResponse {
            id: kept.id.to_string(),
            mime_type: kept.mime_type,
            size_bytes: i64::try_from(kept.bytes).unwrap_or(i64::MAX),
        })
    }
}

/// What comes in over a call, for a thread that reads.
#[derive(Debug)]
struct Incoming {
    parts: mpsc::Receiver<Result<Bytes, Status>>,
    part: Bytes,
}

impl Read for Incoming {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.part.is_empty() {
            match self.parts.blocking_recv() {
                Some(Ok(part)) => self.part = part,
                // What broke off is not whole.
                Some(Err(status)) => return Err(io::Error::other(status)),
                None => return Ok(0),
            }
        }
        let taken = self.part.split_to(self.part.len().min(out.len()));
        if let Some(room) = out.get_mut(..taken.len()) {
            room.copy_from_slice(&taken);
        }
        Ok(taken.len())
    }
}

#[tonic::async_trait]
impl MediaService for MediaGrpc {
    type OpenMediaStream = Pin<Box<dyn Stream<Item = Result<OpenMediaResponse, Status>> + Send>>;
    type ReadMediaStream = Pin<Box<dyn Stream<Item = Result<ReadMediaResponse, Status>> + Send>>;

    async fn read_media(
        &self,
        request: Request<ReadMediaRequest>,
    ) -> Result<Response<Self::ReadMediaStream>, Status> {
        let ReadMediaRequest { id } = request.into_inner();
        let id = MediaId::parse(&id).ok_or(Error::NoMedia)?;
        let (head, file) = self.find(&id).await?;
        let first = ReadMediaResponse {
            head: Some(head),
            data: Bytes::new(),
            path: Some(self.0.links().to(&id)),
        };
        let reading = Reading {
            file,
            from: 0,
            left: u64::MAX,
        };
        let parts = reading.parts().map_ok(|data| ReadMediaResponse {
            data,
            ..ReadMediaResponse::default()
        });
        Ok(Response::new(Box::pin(
            stream::once(async { Ok(first) }).chain(parts),
        )))
    }

    async fn keep_media(
        &self,
        request: Request<Streaming<KeepMediaRequest>>,
    ) -> Result<Response<KeepMediaResponse>, Status> {
        self.keep(request.into_inner()).await.map(Response::new)
    }

    async fn open_media(
        &self,
        request: Request<OpenMediaRequest>,
    ) -> Result<Response<Self::OpenMediaStream>, Status> {
        let (head, reading) = self.open(request.into_inner()).await?;
        let first = OpenMediaResponse {
            head: Some(head),
            data: Bytes::new(),
        };
        let parts = reading
            .parts()
            .map_ok(|data| OpenMediaResponse { head: None, data });
        Ok(Response::new(Box::pin(
            stream::once(async { Ok(first) }).chain(parts),
        )))
    }
}

/// A part of a file that is being sent.
#[derive(Debug)]
struct Reading {
    file: File,
    /// Where to begin; zero once it has begun.
    from: u64,
    /// Bytes that are still wanted.
    left: u64,
}

impl Reading {
    /// All that is wanted.
    fn parts(self) -> impl Stream<Item = Result<Bytes, Status>> + Send {
        stream::unfold(Some(self), |reading| async move {
            match reading?.next().await {
                Ok((data, _)) if data.is_empty() => None,
                Ok((data, reading)) => Some((Ok(data), Some(reading))),
                Err(error) => Some((Err(Status::from(error)), None)),
            }
        })
    }

    /// The next bytes. Empty: there are none.
    async fn next(mut self) -> Result<(Bytes, Self), Error> {
        let read = task::spawn_blocking(move || {
            let mut part = Vec::new();
            if self.left > 0 {
                if self.from > 0 {
                    self.file.seek(SeekFrom::Start(self.from))?;
                    self.from = 0;
                }
                let count = (&self.file)
                    .take(PART_BYTES.min(self.left))
                    .read_to_end(&mut part)?;
                self.left -= u64::try_from(count).unwrap_or(self.left);
            }
            Ok((Bytes::from(part), self))
        });
        read.await.map_err(Error::Engine)?.map_err(Error::Media)
    }
}

#[cfg(test)]
mod tests;
