//! `OpenMedia`: parse, ask, answer.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::pin::Pin;

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use gatehouse_proto::session::v1::media_service_server::MediaService;
use gatehouse_proto::session::v1::{MediaHead, OpenMediaRequest, OpenMediaResponse};
use tokio::task;
use tonic::{Request, Response, Status};

use super::{Media, MediaId, sniff};
use crate::error::Error;

/// Bytes of one part: the contract's figure.
const PART_BYTES: u64 = 64 * 1024;

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
        let (row, file) = self.0.open(&id).await?.ok_or(Error::NoMedia)?;
        let head = MediaHead {
            inline: sniff::is_inline(&row.mime_type),
            mime_type: row.mime_type,
            size_bytes: row.bytes,
        };
        let reading = Reading {
            file,
            // No file system seeks as far as a caller can count.
            from: offset_bytes.map_or(0, |offset| offset.min(row.bytes).unsigned_abs()),
            left: length_bytes.map_or(u64::MAX, i64::unsigned_abs),
        };
        Ok((head, reading))
    }
}

#[tonic::async_trait]
impl MediaService for MediaGrpc {
    type OpenMediaStream = Pin<Box<dyn Stream<Item = Result<OpenMediaResponse, Status>> + Send>>;

    async fn open_media(
        &self,
        request: Request<OpenMediaRequest>,
    ) -> Result<Response<Self::OpenMediaStream>, Status> {
        let (head, reading) = self.open(request.into_inner()).await?;
        let first = OpenMediaResponse {
            head: Some(head),
            data: Bytes::new(),
        };
        let parts = stream::unfold(Some(reading), |reading| async move {
            match reading?.next().await {
                Ok((data, _)) if data.is_empty() => None,
                Ok((data, reading)) => Some((Ok(OpenMediaResponse { head: None, data }), Some(reading))),
                Err(error) => Some((Err(Status::from(error)), None)),
            }
        });
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
