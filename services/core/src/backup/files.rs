//! The files beside a database, as a stream. A database that is copied at one moment names files; none of them may be taken away
//! until it was read, and those that came later do no harm.

use std::{
    any::Any,
    fmt::Debug,
    fs::File,
    io::{self, Read},
};

use async_trait::async_trait;
use gatehouse_proto::backup::v1::{FileKind, ReadFilesResponse};
use tokio::sync::mpsc;
use tonic::Status;

use super::PIECE_BYTES;
use crate::error::{Failure, Kind};

/// Streams of files that are open at once: one backup, all kinds.
pub(super) const READ_AT_ONCE: usize = 2;

/// As long as this is not dropped, no file is taken away.
pub type Kept = Box<dyn Any + Send>;

/// A file: its name in the backup, and its content.
#[derive(Debug)]
pub struct Opened {
    /// Its name among those of its kind.
    pub name: String,
    /// Its content, from the first byte.
    pub file: File,
}

/// The files of a service.
#[async_trait]
pub trait Files: Debug + Send + Sync {
    /// Keeps all that is there from being taken away.
    async fn keep(&self) -> Kept;

    /// The files of a kind, opened one by one. It blocks on the disk.
    fn list(&self, kind: FileKind) -> Box<dyn Iterator<Item = io::Result<Opened>> + Send>;
}

/// A service that keeps no files beside its database.
#[derive(Clone, Copy, Debug)]
pub struct NoFiles;

#[async_trait]
impl Files for NoFiles {
    async fn keep(&self) -> Kept {
        Box::new(())
    }

    fn list(&self, _: FileKind) -> Box<dyn Iterator<Item = io::Result<Opened>> + Send> {
        Box::new(std::iter::empty())
    }
}

type Pieces = mpsc::Sender<Result<ReadFilesResponse, Status>>;

pub(super) async fn send(files: &dyn Files, kind: FileKind, pieces: Pieces) {
    let _kept = files.keep().await;
    let first = ReadFilesResponse {
        kept: true,
        ..ReadFilesResponse::default()
    };
    if pieces.send(Ok(first)).await.is_err() {
        return;
    }
    let listed = files.list(kind);
    // A reader that is gone ends it at its next piece.
    let sent = tokio::task::spawn_blocking(move || {
        if let Err(error) = stream(listed, &pieces) {
            tracing::error!(%error, "a file could not be read for a backup");
            let failure = Failure::new(Kind::Unavailable, format!("a file could not be read: {error}"));
            let _ = pieces.blocking_send(Err(failure.into()));
        }
    });
    let _ = sent.await;
}

fn stream(files: impl Iterator<Item = io::Result<Opened>>, pieces: &Pieces) -> io::Result<()> {
    let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
    let ended: io::Result<()> = files.into_iter().try_for_each(|opened| {
        let Opened { name, mut file } = opened?;
        let bytes = file.metadata()?.len();
        let head = ReadFilesResponse {
            name: Some(name),
            total_bytes: i64::try_from(bytes).ok(),
            ..ReadFilesResponse::default()
        };
        pieces.blocking_send(Ok(head)).map_err(gone)?;
        let mut left = bytes;
        while left > 0 {
            let mut data = Vec::new();
            let piece = left.min(PIECE_BYTES as u64);
            Read::by_ref(&mut file).take(piece).read_to_end(&mut data)?;
            let read = data.len() as u64;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            left -= read;
            let piece = ReadFilesResponse {
                data,
                ..ReadFilesResponse::default()
            };
            pieces.blocking_send(Ok(piece)).map_err(gone)?;
        }
        Ok(())
    });
    match ended {
        Ok(()) => {
            let done = ReadFilesResponse {
                done: true,
                ..ReadFilesResponse::default()
            };
            pieces.blocking_send(Ok(done)).map_err(gone)
        }
        Err(error) => Err(error),
    }
    .or_else(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(()), // nobody reads any more
        _ => Err(error),
    })
}
