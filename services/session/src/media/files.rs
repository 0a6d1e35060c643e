//! The bytes of media, as files. They are written to a name of their own first and get their true one when they are whole, so that
//! what is found under a digest is what it says.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatehouse_core::{Chain, Clock, private};
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedRwLockReadGuard, RwLock};
use tokio::task;
use uuid::Uuid;

use super::sniff::{self, HEAD_BYTES};
use super::{Links, MediaId, MediaRow, MediaRows};
use crate::error::Error;

/// Bytes of all media together: what OpenClaw lets its sessions take by default.
const TOTAL_BYTES_MAX: i64 = 10 * 1024 * 1024 * 1024;

/// How long something is kept that no transcript names yet: its message is stored right after it, or waits for a busy store.
const UNNAMED_KEPT: Duration = Duration::from_secs(60 * 60);

/// Where files are written that are not whole yet.
const UNFINISHED: &str = "unfinished";

/// The media of this process. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Media {
    folder: Arc<Path>,
    rows: Arc<dyn MediaRows>,
    /// Held by whoever adds a file until its row is there, and alone by whoever takes files away.
    gate: Arc<RwLock<()>>,
    /// Held by whoever reads all of them, and alone by whoever takes files away.
    kept: Arc<RwLock<()>>,
    links: Links,
    clock: Clock,
}

/// A medium that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) id: MediaId,
    /// As its bytes say.
    pub(crate) mime_type: String,
    pub(crate) bytes: u64,
}

impl Media {
    pub(crate) fn new(folder: PathBuf, rows: Arc<dyn MediaRows>, links: Links, clock: Clock) -> Self {
        Self {
            folder: folder.into(),
            rows,
            gate: Arc::default(),
            kept: Arc::default(),
            links,
            clock,
        }
    }

    pub(crate) fn links(&self) -> &Links {
        &self.links
    }

    /// Keeps what can be read, up to `bytes_max` bytes. `declared` is what its sender takes it for.
    ///
    /// # Errors
    /// When it is larger, cannot be read, or there is no room for it.
    ///
    /// # Cancel safety
    /// What was written by then is swept like anything that no transcript names.
    pub(crate) async fn keep(
        &self,
        bytes: impl Read + Send + 'static,
        declared: Option<String>,
        bytes_max: u64,
    ) -> Result<Kept, Error> {
        self.keep_for(UNNAMED_KEPT, bytes, declared, bytes_max).await
    }

    /// The same, for at least this long although no transcript names it.
    ///
    /// # Errors
    /// As above.
    pub(crate) async fn keep_for(
        &self,
        time: Duration,
        bytes: impl Read + Send + 'static,
        declared: Option<String>,
        bytes_max: u64,
    ) -> Result<Kept, Error> {
        let _adding = self.gate.read().await;
        let folder = Arc::clone(&self.folder);
        let written = task::spawn_blocking(move || write(&folder, bytes, declared.as_deref(), bytes_max));
        let kept = written.await.map_err(Error::Engine)??;
        let row = MediaRow {
            id: kept.id.clone(),
            mime_type: kept.mime_type.clone(),
            bytes: i64::try_from(kept.bytes).unwrap_or(i64::MAX),
            // The sweep counts from here.
            kept_at: self.clock.now() + time.saturating_sub(UNNAMED_KEPT),
        };
        self.rows.keep(row, TOTAL_BYTES_MAX).await?;
        Ok(kept)
    }

    /// What is known of a medium, and its bytes to be read. `None`: it is not kept.
    pub(crate) async fn open(&self, id: &MediaId) -> Result<Option<(MediaRow, File)>, Error> {
        let Some(row) = self.rows.find(id).await? else {
            return Ok(None);
        };
        let path = path_of(&self.folder, id);
        let opened = task::spawn_blocking(move || File::open(path))
            .await
            .map_err(Error::Engine)?;
        match opened {
            Ok(file) => Ok(Some((row, file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                tracing::warn!(media.id = %id, "a medium is listed and its file is gone");
                Ok(None)
            }
            Err(error) => Err(Error::Media(error)),
        }
    }

    /// All bytes of a medium, when they are at most so many.
    pub(crate) async fn read(
        &self,
        id: &MediaId,
        bytes_max: u64,
    ) -> Result<Option<(MediaRow, Bytes)>, Error> {
        let Some((row, file)) = self.open(id).await? else {
            return Ok(None);
        };
        if u64::try_from(row.bytes).unwrap_or(u64::MAX) > bytes_max {
            return Ok(None);
        }
        let read = task::spawn_blocking(move || {
            let mut bytes = Vec::new();
            file.take(bytes_max).read_to_end(&mut bytes).map(|_| bytes)
        });
        let bytes = read.await.map_err(Error::Engine)?.map_err(Error::Media)?;
        Ok(Some((row, bytes.into())))
    }

    /// Nothing is taken away until the answer is dropped.
    pub(crate) async fn keep_all(&self) -> OwnedRwLockReadGuard<()> {
        Arc::clone(&self.kept).read_owned().await
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Takes away what nobody names.
    pub(crate) async fn sweep(&self) -> Result<usize, Error> {
        // Not waited for: whoever comes to read behind us would wait as well. The next sweep is minutes away.
        let Ok(_taking) = self.kept.try_write() else {
            return Ok(0);
        };
        let _alone = self.gate.write().await;
        let forgotten = self.rows.forget_unnamed(self.clock.now() - UNNAMED_KEPT).await?;
        for id in &forgotten {
            let path = path_of(&self.folder, id);
            if let Err(error) = tokio::fs::remove_file(&path).await {
                tracing::warn!(media.id = %id, error = %Chain(&error), "a medium that nobody names could not be removed");
            }
        }
        Ok(forgotten.len())
    }

    /// Takes away what an earlier process did not finish. Called before anything is kept.
    pub(crate) fn clear_unfinished(folder: &Path) {
        if let Err(error) = fs::remove_dir_all(folder.join(UNFINISHED))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(error = %Chain(&error), "media of an earlier start could not be cleared away");
        }
    }
}

/// Where the bytes of a medium are: 256 folders, so that none holds more files than a person can list.
fn path_of(folder: &Path, id: &MediaId) -> PathBuf {
    let (shelf, _) = id.as_str().split_at_checked(2).unwrap_or((id.as_str(), ""));
    folder.join(shelf).join(id.as_str())
}

fn write(folder: &Path, mut bytes: impl Read, declared: Option<&str>, bytes_max: u64) -> Result<Kept, Error> {
    let unfinished = folder.join(UNFINISHED);
    private::create_folder(&unfinished).map_err(Error::Media)?;
    let path = unfinished.join(Uuid::new_v4().to_string());
    let file = private::create_new(&path, b"").map_err(Error::Media)?;
    let written = copy(&mut bytes, file, declared, bytes_max)
        .and_then(|kept| put(folder, &path, &kept.id).map(|()| kept).map_err(Error::Media));
    if written.is_err() {
        drop(fs::remove_file(&path)); // cleared away at the next start otherwise
    }
    written
}

fn copy(
    bytes: &mut impl Read,
    mut file: File,
    declared: Option<&str>,
    bytes_max: u64,
) -> Result<Kept, Error> {
    let (mut digest, mut head, mut size) = (Sha256::new(), Vec::new(), 0_u64);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = match bytes.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(Error::MediaGarbled),
            Err(error) => return Err(Error::Media(error)),
        };
        let part = buffer.get(..count).unwrap_or_default();
        size += part.len() as u64;
        if size > bytes_max {
            return Err(Error::MediaTooLarge { bytes_max });
        }
        let room = HEAD_BYTES.saturating_sub(head.len()).min(part.len());
        head.extend_from_slice(part.get(..room).unwrap_or_default());
        digest.update(part);
        file.write_all(part).map_err(Error::Media)?;
    }
    if size == 0 {
        return Err(Error::MediaEmpty);
    }
    file.sync_all().map_err(Error::Media)?;
    Ok(Kept {
        id: MediaId::of(&digest.finalize()),
        mime_type: sniff::mime_type(&head, size == head.len() as u64, declared),
        bytes: size,
    })
}

/// Gives a whole file its true name, durably. One that is there already has the same bytes.
fn put(folder: &Path, from: &Path, id: &MediaId) -> io::Result<()> {
    let to = path_of(folder, id);
    let shelf = to.parent().unwrap_or(folder);
    private::create_folder(shelf)?;
    fs::rename(from, &to)?;
    File::open(shelf)?.sync_all()
}

#[cfg(test)]
mod tests;
