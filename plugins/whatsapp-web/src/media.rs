//! Files, both ways. What somebody sent is named by all that is needed to get it: WhatsApp keeps it encrypted, and the key is in the
//! message. What goes out is encrypted into a file without a name, uploaded from there, and named in the same way.

mod stored;

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    sync::Arc,
};

use bytes::Bytes;
use futures::{StreamExt, stream, stream::BoxStream};
use gatehouse_plugin_sdk::Fetched;
use tokio::{io::AsyncReadExt, task};
use tonic::Status;
use whatsapp_rust::{
    Client,
    wacore::{
        download::DownloadWriter,
        upload::{UploadSource, encrypt_media_streaming},
    },
};

pub(crate) use stored::{Kind, Stored};

/// The largest file, in bytes, either way: what WhatsApp's own applications take of documents without asking is less.
pub(crate) const FILE_BYTES_MAX: u64 = 100 * 1024 * 1024;
/// What is read of a file at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Gets a file that somebody sent.
pub(crate) async fn fetch(client: &Arc<Client>, address: &str) -> Result<Fetched, Status> {
    let stored =
        Stored::read(address).ok_or_else(|| Status::not_found("the file has no address of WhatsApp's"))?;
    if stored.size > FILE_BYTES_MAX {
        return Err(Status::failed_precondition("the file is too large"));
    }
    let params = stored
        .params()
        .ok_or_else(|| Status::not_found("the file's key cannot be read"))?;
    let file = task::spawn_blocking(tempfile::tempfile)
        .await
        .map_err(|_| Status::unavailable("there is no place for the file"))?
        .map_err(|_| Status::unavailable("there is no place for the file"))?;
    let capped = Capped { file, at: 0 };
    let got = client.download_from_params_to_writer(&params, capped).await;
    let capped = got.map_err(|error| {
        tracing::info!(error = %error, "a file was not fetched");
        Status::unavailable("WhatsApp did not give the file")
    })?;
    let file = tokio::fs::File::from_std(capped.file);
    Ok(Fetched {
        mime_type: stored.mime_type,
        data: pieces(file),
    })
}

fn pieces(file: tokio::fs::File) -> BoxStream<'static, Result<Bytes, Status>> {
    stream::unfold(Some(file), |file| async {
        let mut file = file?;
        let mut piece = vec![0; PIECE_BYTES];
        match file.read(&mut piece).await {
            Ok(0) => None,
            Ok(read) => {
                piece.truncate(read);
                Some((Ok(Bytes::from(piece)), Some(file)))
            }
            Err(_) => Some((Err(Status::unavailable("the file broke off")), None)),
        }
    })
    .boxed()
}

/// A file that grows no further than the bound: its size is what the sender claims.
struct Capped {
    file: File,
    at: u64,
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.at.saturating_add(bytes.len() as u64) > FILE_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the file is too large",
            ));
        }
        let written = self.file.write(bytes)?;
        self.at += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Capped {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.file.seek(to)?;
        Ok(self.at)
    }
}

impl DownloadWriter for Capped {
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }
}

/// Takes a file that is to be sent, and uploads it.
pub(crate) async fn upload(
    client: &Arc<Client>,
    mime_type: &str,
    mut data: BoxStream<'static, Result<Bytes, Status>>,
) -> Result<Stored, Status> {
    let no_place = |_| Status::unavailable("there is no place for the file");
    let mut plain = task::spawn_blocking(tempfile::tempfile)
        .await
        .map_err(|_| Status::unavailable("there is no place for the file"))?
        .map_err(no_place)?;
    let mut size = 0_u64;
    while let Some(piece) = data.next().await {
        let piece = piece?;
        size = size.saturating_add(piece.len() as u64);
        if size > FILE_BYTES_MAX {
            return Err(Status::failed_precondition("the file is too large"));
        }
        plain = task::spawn_blocking(move || plain.write_all(&piece).map(|()| plain))
            .await
            .map_err(|_| Status::unavailable("there is no place for the file"))?
            .map_err(no_place)?;
    }
    let kind = Kind::of(mime_type);
    let (sealed, info) = task::spawn_blocking(move || {
        plain.rewind()?;
        let mut sealed = tempfile::tempfile()?;
        let info = encrypt_media_streaming(&plain, &mut sealed, kind.media_type())?;
        let length = sealed.stream_position()?;
        Ok::<_, anyhow::Error>((Sealed { file: sealed, length }, info))
    })
    .await
    .map_err(|_| Status::unavailable("the file was not encrypted"))?
    .map_err(|_| Status::unavailable("the file was not encrypted"))?;
    let uploaded = client.upload_stream(sealed, info, kind.media_type()).await;
    let uploaded = uploaded.map_err(|error| {
        tracing::info!(error = %error, "a file was not uploaded");
        Status::unavailable("WhatsApp did not take the file")
    })?;
    Ok(Stored::uploaded(kind, uploaded, mime_type))
}

/// An encrypted file that is being uploaded.
struct Sealed {
    file: File,
    length: u64,
}

impl UploadSource for Sealed {
    fn len(&self) -> u64 {
        self.length
    }

    fn reader_from(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        // One upload at a time reads it, so that they may share where they are.
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Box::new(file))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{Capped, FILE_BYTES_MAX};

    #[test]
    fn a_file_that_is_larger_than_its_sender_says_stops_at_the_bound() {
        let file = tempfile::tempfile().expect("a file");
        let mut capped = Capped {
            file,
            at: FILE_BYTES_MAX - 1,
        };
        capped.write_all(b"x").expect("within");
        assert!(capped.write_all(b"x").is_err());
    }
}
