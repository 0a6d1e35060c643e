//! Files on their way out: their names, their bytes, and what is said of one that cannot be sent.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use gatehouse_core::content::Media;
use reqwest::{Body, multipart::Part};

use crate::{
    adapter::{FetchError, SendError, SendPart},
    media::{Kept, MediaReader},
};

/// The whole of one call that carries a file: fifty megabytes over a slow line.
pub(in crate::platform) const UPLOAD_WITHIN: Duration = Duration::from_secs(110);
/// How Opus begins (RFC 7845, section 5.1).
const OPUS: &[u8] = b"OpusHead";
/// It stands behind the head of the first page, which has 28 bytes.
const OPUS_WITHIN: usize = 64;
/// The longest name of a file, in characters.
const NAME_CHARS_MAX: usize = 120;

/// Opens a medium that is to be sent. The inner error says why it never can be: then it is named.
pub(in crate::platform) async fn open(
    reader: &MediaReader,
    medium: &Media,
) -> Result<Result<Kept, String>, SendError> {
    match reader.open(medium).await {
        Ok(kept) => Ok(Ok(kept)),
        Err(FetchError::Retry(reason)) => Err(SendError::retry(reason)),
        Err(FetchError::Never(reason)) => Ok(Err(reason)),
    }
}

/// Whether a file is a recording as platforms make voice notes: Opus in Ogg, which says so within its first page.
pub(in crate::platform) async fn is_voice(kept: &mut Kept) -> bool {
    if kept.mime_type != "audio/ogg" {
        return false;
    }
    // What is over is asked again below.
    let mut bytes = std::mem::replace(&mut kept.bytes, stream::empty().boxed()).fuse();
    let (mut parts, mut begins) = (Vec::new(), Vec::new());
    while begins.len() < OPUS_WITHIN
        && let Some(part) = bytes.next().await
    {
        begins.extend_from_slice(part.as_deref().unwrap_or_default());
        let is_over = part.is_err();
        parts.push(part);
        if is_over {
            break;
        }
    }
    kept.bytes = stream::iter(parts).chain(bytes).boxed();
    begins.windows(OPUS.len()).any(|window| window == OPUS)
}

/// Why the bytes of a file broke off on our side, if they did: then they are whole on nobody's.
#[derive(Clone, Debug, Default)]
pub(in crate::platform) struct Broken(Arc<OnceLock<String>>);

impl Broken {
    pub(in crate::platform) fn reason(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

/// The bytes of a file as the body of a request.
pub(in crate::platform) fn body(bytes: BoxStream<'static, Result<Bytes, FetchError>>) -> (Body, Broken) {
    let broken = Broken::default();
    let noted = broken.clone();
    let bytes = bytes.inspect(move |part| {
        if let Err(error) = part {
            let _ = noted.0.set(error.to_string());
        }
    });
    (Body::wrap_stream(bytes), broken)
}

/// A file as a field of a form.
pub(in crate::platform) fn field(medium: &Media, kept: Kept) -> Result<(Part, Broken), SendError> {
    let Kept {
        mime_type,
        size_bytes,
        bytes,
        ..
    } = kept;
    let (body, broken) = body(bytes);
    let field = Part::stream_with_length(body, size_bytes)
        .file_name(name(medium, &mime_type))
        .mime_str(&mime_type)
        .map_err(|_| SendError::permanent(format!("{mime_type:?} is no media type")))?;
    Ok((field, broken))
}

/// What is said instead of a medium that cannot be sent.
pub(in crate::platform) fn named(part: &SendPart, medium: &Media, reason: &str) -> SendPart {
    tracing::warn!(
        delivery.key = part.delivery.as_str(),
        reason,
        "a medium is named and not sent"
    );
    SendPart {
        text: format!("{}{} ({reason})", part.text, medium.label()),
        media: Vec::new(),
        ..part.clone()
    }
}

/// The name under which a file is saved.
pub(in crate::platform) fn name(medium: &Media, mime_type: &str) -> String {
    let given = medium.name.as_deref().unwrap_or_default();
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = last
        .chars()
        .filter(|c| !c.is_control() && *c != '"')
        .take(NAME_CHARS_MAX)
        .collect();
    if !name.trim().is_empty() {
        return name;
    }
    let end = match mime_type {
        "image/jpeg" => "jpg",
        "audio/mpeg" => "mp3",
        "text/plain" => "txt",
        other => other.rsplit(['/', '+']).next().unwrap_or("bin"),
    };
    format!("{}.{end}", medium.kind().word())
}

#[cfg(test)]
mod tests {
    use gatehouse_core::content::MediaSource;

    use super::*;

    #[test]
    fn the_name_of_a_file_is_never_a_path_and_never_blank() {
        let medium = |name: Option<&str>| Media {
            source: MediaSource::Id("1".into()),
            mime_type: None,
            name: name.map(str::to_owned),
            size_bytes: None,
        };
        assert_eq!(
            name(&medium(Some("../../etc/pass\"wd\n")), "text/plain"),
            "passwd"
        );
        assert_eq!(
            name(&medium(Some("Bericht ü.pdf")), "application/pdf"),
            "Bericht ü.pdf"
        );
        assert_eq!(name(&medium(Some("a/")), "image/jpeg"), "file.jpg");
        assert_eq!(name(&medium(None), "image/svg+xml"), "file.xml");
    }
}
