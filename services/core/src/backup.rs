//! Copying a database that is in use, as others call it: a gate that holds up what passes to another database, and the copy
//! as a stream. What a database names and does not hold, files beside it, is streamed after it.
//!
//! Why a gate: a reply that session has handed over and the bridge has not yet stored must not fall between the two copies.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::Stream;
use gatehouse_proto::backup::v1::{
    HoldRequest, HoldResponse, ReadFilesRequest, ReadFilesResponse, ReleaseRequest, ReleaseResponse,
    SnapshotRequest, SnapshotResponse,
    backup_service_server::{BackupService, BackupServiceServer},
};
use tokio::{
    io::AsyncReadExt,
    sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, Semaphore, mpsc, oneshot},
    time::{sleep, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

mod files;

pub use self::files::{Files, Kept, NoFiles, Opened};
use crate::{
    drain::Drain,
    error::{Chain, Failure, Kind},
    sqlite::Database,
    store::Trouble,
};

/// A piece of a copy: small against the largest message, large against what a message costs.
const PIECE_BYTES: usize = 256 * 1024;

/// Pieces on their way to a reader.
const PIECES: usize = 4;

/// How long somebody waits at a closed gate. A hold takes milliseconds; whoever is refused comes again.
const PASS_WITHIN: Duration = Duration::from_secs(2);

/// What is stored for another service passes here, so that it can be held up. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    lock: Arc<RwLock<()>>,
    hold: Arc<Mutex<Option<Hold>>>,
}

#[derive(Debug)]
struct Hold {
    id: String,
    _closed: OwnedRwLockWriteGuard<()>,
}

impl Gate {
    /// Passes, and keeps a hold from beginning until the answer is dropped.
    ///
    /// # Errors
    /// When a hold lasts: whoever asks comes again.
    pub async fn pass(&self) -> Result<OwnedRwLockReadGuard<()>, Failure> {
        timeout(PASS_WITHIN, Arc::clone(&self.lock).read_owned())
            .await
            .map_err(|_| Failure::new(Kind::Unavailable, "held up while a backup is taken"))
    }

    /// Closes once everybody who passes is through, and opens by itself after `length`.
    async fn close(&self, id: String, length: Duration) -> Result<(), Failure> {
        let closed = timeout(length, Arc::clone(&self.lock).write_owned())
            .await
            .map_err(|_| Failure::new(Kind::Exhausted, "another backup is taken"))?;
        self.put(Some(Hold {
            id: id.clone(),
            _closed: closed,
        }));
        let gate = self.clone();
        tokio::spawn(async move {
            sleep(length).await;
            if gate.open(&id) {
                tracing::warn!(hold = id, "a hold was not released and ended by itself");
            }
        });
        Ok(())
    }

    /// Opens. False when that hold had ended.
    fn open(&self, id: &str) -> bool {
        let mut hold = self.hold.lock().unwrap_or_else(PoisonError::into_inner);
        hold.take_if(|hold| hold.id == id).is_some()
    }

    fn put(&self, new: Option<Hold>) {
        *self.hold.lock().unwrap_or_else(PoisonError::into_inner) = new;
    }
}

/// The calls.
#[derive(Debug)]
pub struct Backup {
    database: Database,
    gate: Gate,
    /// One copy at a time: each takes the room of a whole database and one of its readers.
    room: Arc<Semaphore>,
    files: Arc<dyn Files>,
    /// A backup reads one kind after the other, and begins with all of them at once.
    file_room: Arc<Semaphore>,
    drain: Drain,
}

/// Offers copies of this database, and of the files beside it.
#[must_use]
pub fn server(
    database: Database,
    gate: Gate,
    files: Arc<dyn Files>,
    drain: &Drain,
) -> BackupServiceServer<Backup> {
    BackupServiceServer::new(Backup {
        database,
        gate,
        room: Arc::new(Semaphore::new(1)),
        files,
        file_room: Arc::new(Semaphore::new(files::READ_AT_ONCE)),
        drain: drain.clone(),
    })
}

#[tonic::async_trait]
impl BackupService for Backup {
    type SnapshotStream = Pin<Box<dyn Stream<Item = Result<SnapshotResponse, Status>> + Send>>;

    async fn hold(&self, request: Request<HoldRequest>) -> Result<Response<HoldResponse>, Status> {
        let HoldRequest { hold_id, hold_ms } = request.into_inner();
        let length = Duration::from_millis(u64::try_from(hold_ms).unwrap_or_default());
        self.gate.close(hold_id, length).await?;
        Ok(Response::new(HoldResponse {}))
    }

    async fn release(&self, request: Request<ReleaseRequest>) -> Result<Response<ReleaseResponse>, Status> {
        let ReleaseRequest { hold_id } = request.into_inner();
        let held = self.gate.open(&hold_id);
        Ok(Response::new(ReleaseResponse { held }))
    }

    async fn snapshot(&self, _: Request<SnapshotRequest>) -> Result<Response<Self::SnapshotStream>, Status> {
        let room = Arc::clone(&self.room)
            .try_acquire_owned()
            .map_err(|_| Failure::new(Kind::Exhausted, "another snapshot is read"))?;
        let (pieces, stream) = mpsc::channel(PIECES);
        let (database, files) = (self.database.clone(), Arc::clone(&self.files));
        self.drain.spawn_work("snapshot", async move {
            let _room = room;
            let _kept = files.keep().await; // before the moment: what the copy names is there until it was read
            if let Err(failure) = send(&database, &pieces).await {
                // The reader may be gone, which is the usual failure.
                let _ = pieces.send(Err(failure.into())).await;
            }
        });
        let stream = self.drain.end_stream(ReceiverStream::new(stream));
        Ok(Response::new(Box::pin(stream)))
    }

    type ReadFilesStream = Pin<Box<dyn Stream<Item = Result<ReadFilesResponse, Status>> + Send>>;

    async fn read_files(
        &self,
        request: Request<ReadFilesRequest>,
    ) -> Result<Response<Self::ReadFilesStream>, Status> {
        let kind = request.into_inner().kind();
        let room = Arc::clone(&self.file_room)
            .try_acquire_owned()
            .map_err(|_| Failure::new(Kind::Exhausted, "another backup reads the files"))?;
        let (pieces, stream) = mpsc::channel(PIECES);
        let files = Arc::clone(&self.files);
        self.drain.spawn_work("files of a backup", async move {
            let _room = room;
            files::send(&*files, kind, pieces).await;
        });
        let stream = self.drain.end_stream(ReceiverStream::new(stream));
        Ok(Response::new(Box::pin(stream)))
    }
}

type Piece = Result<SnapshotResponse, Status>;

async fn send(database: &Database, pieces: &mpsc::Sender<Piece>) -> Result<(), Failure> {
    let gone = |_| Failure::new(Kind::Unavailable, "the reader of the snapshot is gone");
    let (pinned, is_pinned) = oneshot::channel();
    let told = async {
        if is_pinned.await.is_ok() {
            let first = SnapshotResponse {
                pinned: true,
                ..SnapshotResponse::default()
            };
            pieces.send(Ok(first)).await.map_err(gone)?;
        }
        Ok::<_, Failure>(())
    };
    let (snapshot, told) = tokio::join!(database.snapshot(pinned), told);
    let snapshot = snapshot.map_err(|error| {
        tracing::error!(error = %Chain(&error), "the database could not be copied");
        let mut why = format!("the database could not be copied: {}", Chain(&error));
        if error.trouble() == Some(Trouble::DiskFull) {
            why += "; it is copied beside itself first: make room for it once more on the disk of the home";
        }
        Failure::new(error.kind(), why)
    })?;
    told?;
    let unreadable = |error: std::io::Error| {
        tracing::error!(%error, "the copy of the database could not be read");
        Failure::new(Kind::Unavailable, format!("the copy could not be read: {error}"))
    };
    let mut file = tokio::fs::File::open(snapshot.path()).await.map_err(unreadable)?;
    let bytes = file.metadata().await.map_err(unreadable)?.len();
    let mut next = SnapshotResponse {
        total_bytes: Some(i64::try_from(bytes).unwrap_or(i64::MAX)),
        ..SnapshotResponse::default()
    };
    loop {
        pieces.send(Ok(next)).await.map_err(gone)?;
        let mut data = vec![0; PIECE_BYTES];
        let read = file.read(&mut data).await.map_err(unreadable)?;
        if read == 0 {
            return Ok(());
        }
        data.truncate(read);
        next = SnapshotResponse {
            data,
            ..SnapshotResponse::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_hold_waits_for_who_passes_and_holds_up_who_comes_until_it_is_released() {
        let gate = Gate::default();
        let passing = gate.pass().await.unwrap();
        let closing = tokio::spawn({
            let gate = gate.clone();
            async move { gate.close("a".into(), Duration::from_secs(10)).await }
        });
        sleep(Duration::from_secs(1)).await;
        assert!(!closing.is_finished(), "somebody passes");
        drop(passing);
        closing.await.unwrap().unwrap();

        let refused = gate.pass().await.unwrap_err();

        assert_eq!(refused.kind, Kind::Unavailable);
        assert!(!gate.open("another"));
        assert!(gate.open("a"), "it lasted");
        gate.pass().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_hold_whose_owner_died_ends_by_itself_and_says_so() {
        let gate = Gate::default();
        gate.close("a".into(), Duration::from_secs(1)).await.unwrap();

        let passed = gate.pass().await;

        assert!(passed.is_ok());
        assert!(!gate.open("a"), "what was pinned after its end does not count");
    }
}
