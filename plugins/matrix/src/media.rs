//! Files in both directions. A file of an encrypted room is encrypted by itself, and its key stands in its event, which only this device can
//! read: so a file is named by its event, and its key is told to nobody.

use std::io::{Cursor, Read};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use gatehouse_plugin_sdk::Fetched;
use gatehouse_proto::channel::v1::MediaHead;
use matrix_sdk::{
    reqwest,
    ruma::{EventId, RoomId, events::room::EncryptedFile},
};
use matrix_sdk_base::crypto::AttachmentDecryptor;
use serde_json::{Value, json};
use tonic::Status;

use crate::{
    account::Account,
    outcome::Trouble,
    say,
    seal::{Seal, seal},
};

/// The largest file, in bytes. One that is encrypted is in memory as a whole: its end says whether it is what was sent.
pub(crate) const MEDIA_BYTES_MAX: u64 = 32 * 1_024 * 1_024;
/// How long the server may take for a file: the contract's two minutes, without what the gateway needs itself.
const FILE_WITHIN: std::time::Duration = std::time::Duration::from_secs(110);

/// How a file is named that somebody sent. `|` is in no room's id.
pub(crate) fn address(room: &RoomId, event: &str) -> String {
    format!("{room}|{event}")
}

/// The bytes of a file that somebody sent, decrypted.
pub(crate) async fn fetch(account: &Account, address: &str) -> Result<Fetched, Status> {
    let event = event(account, address).await?;
    let content = &event["content"];
    let mime_type = content["info"]["mimetype"].as_str().map(str::to_owned);
    let Some(encrypted) = content.get("file").filter(|file| file.is_object()) else {
        let answer = download(account, content["url"].as_str()).await?;
        let data = bounded(answer);
        return Ok(Fetched { mime_type, data });
    };
    let file: EncryptedFile = serde_json::from_value(encrypted.clone())
        .map_err(|_| Status::failed_precondition("the file's key is none"))?;
    let answer = download(account, Some(file.url.as_str())).await?;
    let pieces: Vec<Bytes> = bounded(answer).try_collect().await?;
    let decrypted = tokio::task::spawn_blocking(move || decrypted(&pieces.concat(), file))
        .await
        .map_err(|_| Status::internal("the file was not decrypted"))?;
    let bytes = decrypted
        .map_err(|error| Status::failed_precondition(format!("the file is not what was sent: {error}")))?;
    Ok(Fetched {
        mime_type,
        data: stream::iter([Ok(Bytes::from(bytes))]).boxed(),
    })
}

fn decrypted(bytes: &[u8], file: EncryptedFile) -> std::io::Result<Vec<u8>> {
    let mut encrypted = Cursor::new(bytes);
    let mut reader = AttachmentDecryptor::new(&mut encrypted, file.into()).map_err(std::io::Error::other)?;
    let mut decrypted = Vec::with_capacity(bytes.len());
    reader.read_to_end(&mut decrypted)?; // the hash is compared at the end
    Ok(decrypted)
}

/// The event that an address names, decrypted.
async fn event(account: &Account, address: &str) -> Result<Value, Status> {
    let unknown = || Status::not_found("there is no such file");
    let (room, event) = address.split_once('|').ok_or_else(unknown)?;
    let room = RoomId::parse(room).map_err(|_| unknown())?;
    let event = EventId::parse(event).map_err(|_| unknown())?;
    let room = account.room(&room).ok_or_else(unknown)?;
    let event = room
        .event(&event, None)
        .await
        .map_err(|error| Trouble::from(error).status())?;
    if event.kind.is_utd() {
        return Err(Status::unavailable("the file's key has not come"));
    }
    serde_json::from_str(event.raw().json().get()).map_err(|_| unknown())
}

/// Asks the account's own server for a file, which fetches it from the sender's.
async fn download(account: &Account, url: Option<&str>) -> Result<reqwest::Response, Status> {
    let (server, id) = url
        .and_then(parts)
        .ok_or_else(|| Status::failed_precondition("the file's address is none of Matrix's"))?;
    let home = account.client.homeserver();
    let home = home.as_str().trim_end_matches('/');
    let token = account
        .client
        .access_token()
        .ok_or_else(|| Status::unavailable("the session is over"))?;
    let request = account
        .client
        .http_client()
        .get(format!("{home}/_matrix/client/v1/media/download/{server}/{id}"))
        .bearer_auth(token)
        .timeout(FILE_WITHIN);
    let answer = request
        .send()
        .await
        .map_err(|_| Status::unavailable("the homeserver did not answer"))?;
    match answer.status().as_u16() {
        200 if answer
            .content_length()
            .is_some_and(|bytes| bytes > MEDIA_BYTES_MAX) =>
        {
            Err(too_large())
        }
        200 => Ok(answer),
        404 => Err(Status::not_found("the server does not have the file (any more)")),
        status @ (400 | 403 | 413) => Err(Status::failed_precondition(format!(
            "the server does not give the file: {status}"
        ))),
        status => Err(Status::unavailable(format!(
            "the server does not give the file now: {status}"
        ))),
    }
}

fn bounded(answer: reqwest::Response) -> BoxStream<'static, Result<Bytes, Status>> {
    let pieces = answer.bytes_stream().scan(0_u64, |read, piece| {
        let piece = piece
            .map_err(|_| Status::unavailable("the file broke off"))
            .and_then(|piece| {
                *read = read.saturating_add(piece.len() as u64);
                if *read > MEDIA_BYTES_MAX {
                    Err(too_large())
                } else {
                    Ok(piece)
                }
            });
        std::future::ready(Some(piece))
    });
    pieces.boxed()
}

fn too_large() -> Status {
    Status::failed_precondition(format!("the file is larger than {MEDIA_BYTES_MAX} bytes"))
}

/// The server and the file of an `mxc:` address. It is a stranger's: nothing but names passes into the path of a request.
fn parts(url: &str) -> Option<(&str, &str)> {
    let (server, id) = url.strip_prefix("mxc://")?.split_once('/')?;
    let is_name = |text: &str, more: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || more.contains(letter))
    };
    (is_name(server, ".-:[]") && !server.contains("..") && is_name(id, "-_")).then_some((server, id))
}

/// Takes a file of the assistant's: it is uploaded at once, encrypted where the room that it is for is.
pub(crate) async fn take(
    account: &Account,
    head: MediaHead,
    data: BoxStream<'static, Result<Bytes, Status>>,
) -> Result<String, Status> {
    if u64::try_from(head.size_bytes).is_ok_and(|bytes| bytes > MEDIA_BYTES_MAX) {
        return Err(too_large());
    }
    let pieces: Vec<Bytes> = data.try_collect().await?; // as many as the head says
    let bytes = pieces.concat();
    let room = say::room(account, &head.to).await.map_err(Trouble::status)?;
    let seal = seal(account, &room).await.map_err(Trouble::status)?;
    let trouble = |error: matrix_sdk::Error| Trouble::from(error).status();
    let source = match seal {
        Seal::Encrypted => {
            let mut reader = Cursor::new(bytes);
            let file = account
                .client
                .upload_encrypted_file(&mut reader)
                .await
                .map_err(trouble)?;
            json!({ "file": file })
        }
        Seal::Plain => {
            let mime = head.mime_type.parse().unwrap_or(mime::APPLICATION_OCTET_STREAM);
            let upload = account.client.media().upload(&mime, bytes, None).await;
            let uploaded = upload.map_err(|error| Trouble::from(error).status())?;
            json!({ "url": uploaded.content_uri })
        }
    };
    Ok(source.to_string())
}

/// A file that was taken, as the message names it.
#[derive(Debug)]
pub(crate) struct Handle(Value);

impl Handle {
    pub(crate) fn read(handle: &str) -> Result<Self, Trouble> {
        let source: Value = serde_json::from_str(handle).unwrap_or_default();
        if source["url"].is_string() || source["file"].is_object() {
            Ok(Self(source))
        } else {
            Err(Trouble::Never("the file was not taken by this account".into()))
        }
    }

    /// Whether it may go into a room like this: a file that everybody with its address can read is plain text.
    pub(crate) fn fits(&self, seal: Seal) -> Result<(), Trouble> {
        match seal {
            Seal::Encrypted if !self.0["file"].is_object() => Err(Trouble::Never(
                "the room has been encrypted since the file was uploaded without encryption".into(),
            )),
            _ => Ok(()),
        }
    }

    pub(crate) fn source(&self) -> &Value {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{Handle, parts};
    use crate::seal::Seal;

    #[test]
    fn an_address_of_a_stranger_names_a_file_and_no_path() {
        assert_eq!(
            parts("mxc://example.org:8448/aB-_9"),
            Some(("example.org:8448", "aB-_9"))
        );
        for wrong in [
            "https://example.org/x",
            "mxc://example.org",
            "mxc://example.org/",
            "mxc://example.org/a/b",
            "mxc://example.org/a?b=c",
            "mxc://../a",
            "mxc://a%2fb/c",
            "mxc:///a",
        ] {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_file_without_encryption_does_not_go_into_an_encrypted_room() {
        let plain = Handle::read(r#"{"url": "mxc://x/1"}"#).expect("a file");
        let encrypted = Handle::read(r#"{"file": {"url": "mxc://x/1"}}"#).expect("a file");

        assert!(plain.fits(Seal::Plain).is_ok());
        assert!(plain.fits(Seal::Encrypted).is_err());
        assert!(encrypted.fits(Seal::Encrypted).is_ok());
        assert!(Handle::read("nonsense").is_err());
    }
}
