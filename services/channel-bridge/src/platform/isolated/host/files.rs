//! Files in both directions. What is to be sent waits on the disk, in the folder of the process, until the message that names it is
//! answered: a process that may take little memory can send a large file.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use futures::{
    StreamExt,
    stream::{BoxStream, try_unfold},
};
use gatehouse_core::{Failure, Kind};
use gatehouse_proto::{
    channel::v1::{FetchMediaResponse, MediaHead as SentHead, TakeMediaRequest},
    session::v1::{
        DeliverMessageRequest, DeliverMessageResponse, KeepMediaResponse, MediaHead, MessageKey,
        ReadMediaResponse, StopChatRequest, StopChatResponse,
    },
};
use tokio::{
    fs::{self, File},
    io::{AsyncReadExt, AsyncWriteExt},
};
use tonic::{Status, Streaming};

use crate::{
    adapter::{FetchError, Remote},
    inbox::{Parts, Reading, SessionClient, Writing},
};

/// Files that wait. A message has ten at most, and few are sent at a time; what nobody came for goes with the next one.
const FILES_MAX: usize = 256;
/// Bytes of one piece, as the session service has them.
const PIECE_BYTES: usize = 64 * 1024;

/// The files of one process.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    last: AtomicU64,
    kept: Mutex<BTreeMap<u64, MediaHead>>,
}

impl Files {
    pub(super) fn of(folder: PathBuf) -> Self {
        Self {
            folder,
            last: AtomicU64::new(0),
            kept: Mutex::default(),
        }
    }

    /// Takes a file that the next message is to carry. What is answered names it.
    pub(super) async fn take(&self, mut pieces: Streaming<TakeMediaRequest>) -> Result<String, Status> {
        let first = pieces.message().await?.unwrap_or_default();
        let head = first
            .head
            .ok_or_else(|| Status::aborted("the first piece has no head"))?;
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let path = self.path(number);
        let written = write(&path, &head, first.data, pieces).await;
        if let Err(status) = written {
            drop(fs::remove_file(&path).await); // it may not even be there
            return Err(status);
        }
        let overdue = {
            let mut kept = self.lock();
            let head = MediaHead {
                mime_type: head.mime_type,
                size_bytes: head.size_bytes,
                inline: false,
            };
            kept.insert(number, head);
            (kept.len() > FILES_MAX).then(|| kept.pop_first()).flatten()
        };
        if let Some((number, _)) = overdue {
            drop(fs::remove_file(self.path(number)).await);
        }
        Ok(number.to_string())
    }

    /// The message that named it is answered.
    pub(super) async fn forget(&self, handle: &str) {
        let Ok(number) = handle.parse() else { return };
        if self.lock().remove(&number).is_some() {
            drop(fs::remove_file(self.path(number)).await); // the folder goes as a whole in any case
        }
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(number.to_string())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, MediaHead>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write(
    path: &Path,
    head: &SentHead,
    first: bytes::Bytes,
    mut pieces: Streaming<TakeMediaRequest>,
) -> Result<(), Status> {
    let full = |error: std::io::Error| Status::unavailable(format!("the file cannot be kept: {error}"));
    let mut file = File::create_new(path).await.map_err(full)?;
    let mut left = u64::try_from(head.size_bytes).unwrap_or(0);
    let mut next = Some(first);
    while let Some(data) = next {
        left = left
            .checked_sub(data.len() as u64)
            .ok_or_else(|| Status::aborted("the file is longer than its head says"))?;
        file.write_all(&data).await.map_err(full)?;
        next = pieces.message().await?.map(|piece| piece.data);
    }
    if left > 0 {
        return Err(Status::aborted("the file is shorter than its head says"));
    }
    file.flush().await.map_err(full)
}

/// What the bridge is given of a file that somebody sent.
pub(super) fn pieces(remote: Remote) -> BoxStream<'static, Result<FetchMediaResponse, Status>> {
    let Remote {
        declared,
        bytes_max: _,
        bytes,
    } = remote;
    // The type is in the first piece, also of a file without any bytes.
    let first = futures::stream::iter([Ok(FetchMediaResponse {
        mime_type: declared,
        data: bytes::Bytes::new(),
    })]);
    let rest = gatehouse_core::pieces::of_size(bytes, PIECE_BYTES).map(|piece| match piece {
        Ok(data) => Ok(FetchMediaResponse {
            mime_type: None,
            data,
        }),
        Err(error) => Err(missed(&error)),
    });
    first.chain(rest).boxed()
}

pub(super) fn missed(error: &FetchError) -> Status {
    match error {
        FetchError::Retry(reason) => Status::unavailable(reason),
        FetchError::Never(reason) => Status::not_found(reason),
    }
}

/// The adapter reads files as it does in the bridge, where the session service keeps them. It asks nothing else of it.
#[async_trait]
impl SessionClient for Files {
    async fn read(&self, id: String) -> Result<Reading, Failure> {
        let known = id
            .parse()
            .ok()
            .and_then(|number| Some((number, self.lock().get(&number)?.clone())));
        let (number, head) =
            known.ok_or_else(|| Failure::new(Kind::NotFound, "the file is not kept here"))?;
        let file = File::open(self.path(number)).await;
        let file = file
            .map_err(|error| Failure::new(Kind::Unavailable, format!("the file cannot be read: {error}")))?;
        let first = futures::stream::iter([Ok(ReadMediaResponse {
            head: Some(head),
            ..ReadMediaResponse::default()
        })]);
        let rest = try_unfold(file, async |mut file| {
            let mut data = vec![0; PIECE_BYTES];
            let read = file.read(&mut data).await;
            let read = read.map_err(|error| {
                Failure::new(Kind::Unavailable, format!("the file cannot be read: {error}"))
            })?;
            data.truncate(read);
            let piece = ReadMediaResponse {
                data: data.into(),
                ..ReadMediaResponse::default()
            };
            Ok((read > 0).then_some((piece, file)))
        });
        Ok(first.chain(rest).boxed())
    }

    async fn deliver(&self, _: DeliverMessageRequest) -> Result<DeliverMessageResponse, Failure> {
        Err(elsewhere())
    }

    async fn keep(&self, _: Parts) -> Result<KeepMediaResponse, Failure> {
        Err(elsewhere())
    }

    async fn stop(&self, _: StopChatRequest) -> Result<StopChatResponse, Failure> {
        Err(elsewhere())
    }

    async fn follow(&self, _: String, _: bool) -> Result<Writing, Failure> {
        Err(elsewhere())
    }

    async fn unknown(&self, _: Vec<MessageKey>) -> Result<Vec<u32>, Failure> {
        Err(elsewhere())
    }
}

fn elsewhere() -> Failure {
    Failure::new(Kind::Unavailable, "an isolated account has no session service")
}
