//! `OpenMedia`: parse, ask, answer.

use std::fs::File;
use std::io::Read;
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

    async fn open(&self, request: OpenMediaRequest) -> Result<(MediaHead, File), Error> {
        let OpenMediaRequest {
            id,
            expires_at,
            signature,
        } = request;
        let id = MediaId::parse(&id).ok_or(Error::LinkForged)?;
        self.0.links().check(&id, expires_at, &signature)?;
        let (row, file) = self.0.open(&id).await?.ok_or(Error::NoMedia)?;
        let head = MediaHead {
            inline: sniff::is_inline(&row.mime_type),
            mime_type: row.mime_type,
            size_bytes: row.bytes,
        };
        Ok((head, file))
    }
}

#[tonic::async_trait]
impl MediaService for MediaGrpc {
    type OpenMediaStream = Pin<Box<dyn Stream<Item = Result<OpenMediaResponse, Status>> + Send>>;

    async fn open_media(
        &self,
        request: Request<OpenMediaRequest>,
    ) -> Result<Response<Self::OpenMediaStream>, Status> {
        let (head, file) = self.open(request.into_inner()).await?;
        let first = OpenMediaResponse {
            head: Some(head),
            data: Bytes::new(),
        };
        let parts = stream::unfold(Some(file), |file| async move {
            match next(file?).await {
                Ok((data, _)) if data.is_empty() => None,
                Ok((data, file)) => Some((Ok(OpenMediaResponse { head: None, data }), Some(file))),
                Err(error) => Some((Err(Status::from(error)), None)),
            }
        });
        Ok(Response::new(Box::pin(
            stream::once(async { Ok(first) }).chain(parts),
        )))
    }
}

/// The next part of a file. Empty: there is none.
async fn next(file: File) -> Result<(Bytes, File), Error> {
    let read = task::spawn_blocking(move || {
        let mut part = Vec::new();
        (&file)
            .take(PART_BYTES)
            .read_to_end(&mut part)
            .map(|_| (Bytes::from(part), file))
    });
    read.await.map_err(Error::Engine)?.map_err(Error::Media)
}
