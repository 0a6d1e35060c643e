//! What belongs to a message beside its words, as clients send it: base64 in a frame.

use std::io::Read;

use gatehouse_core::Content;
use gatehouse_core::content::attachment::{Attachment, Decoder};
use gatehouse_core::content::{Block, Media as MediaBlock, MediaSource};
use gatehouse_proto::session::v1 as proto;

use super::Media;
use super::sniff::{self, HEAD_BYTES};
use crate::error::Error;

/// The attachments of one message.
#[derive(Debug, Default)]
pub(crate) struct Attachments(Vec<Attachment>);

impl Attachments {
    /// Reads them; their bytes are looked at when they are kept.
    ///
    /// # Errors
    /// When one has no content.
    pub(crate) fn read(attachments: Vec<proto::Attachment>) -> Result<Self, Error> {
        let read = attachments.into_iter().enumerate().map(|(index, attachment)| {
            let proto::Attachment {
                r#type: _, // what it is, its bytes say
                mime_type,
                file_name,
                content,
            } = attachment;
            let content = content.unwrap_or_default();
            let read = Attachment::read(content, mime_type, file_name.as_deref());
            read.ok_or_else(|| Error::Attachment {
                index,
                problem: "has no content: send its bytes as base64 in `content`".to_owned(),
            })
        });
        read.collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps them, and names them behind the words of their message.
    ///
    /// # Errors
    /// When one is too large, is no base64, or cannot be kept. The message is not said then.
    pub(crate) async fn keep(self, text: String, media: &Media, bytes_max: u64) -> Result<Content, Error> {
        if self.is_empty() {
            return Ok(Content::text(text));
        }
        let words = (!text.trim().is_empty()).then(|| Block::text(text));
        let mut content: Content = words.into_iter().collect();
        for (index, attachment) in self.0.into_iter().enumerate() {
            let (declared, name) = (attachment.declared.clone(), attachment.name.clone());
            let kept = media
                .keep(attachment.into_bytes(), declared, bytes_max)
                .await
                .map_err(|error| error.of_attachment(index))?;
            content.push(Block::Media(MediaBlock {
                source: MediaSource::Id(kept.id.to_string()),
                mime_type: Some(kept.mime_type),
                name,
                size_bytes: i64::try_from(kept.bytes).ok(),
            }));
        }
        Ok(content)
    }
}

/// Base64 as the bytes that it stands for.
pub(crate) fn decoded(base64: String) -> impl Read + Send + 'static {
    Decoder::new(base64)
}

/// Whether base64 stands for a picture, a recording or a video, as its first bytes say.
pub(crate) fn is_seen_or_heard(base64: &str) -> bool {
    let end = base64.len().min(HEAD_BYTES);
    let Some(head) = base64.get(..end / 4 * 4) else {
        return false;
    };
    let mut bytes = Vec::new();
    if Decoder::new(head.to_owned()).read_to_end(&mut bytes).is_err() {
        return false;
    }
    let mime_type = sniff::mime_type(&bytes, false, None);
    ["image/", "audio/", "video/"]
        .iter()
        .any(|kind| mime_type.starts_with(kind))
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64;

    use super::*;

    #[test]
    fn what_is_seen_or_heard_is_told_by_its_first_bytes() {
        let is_seen = |bytes: &[u8]| is_seen_or_heard(&BASE64.encode(bytes));

        assert!(is_seen(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR") && is_seen(b"ID3\x03 and a song"));
        assert!(is_seen(&[&b"\xff\xd8\xff\xe0"[..], &[7; 100_000]].concat()));
        for other in [&b"words"[..], b"%PDF-1.7", b"", b"\0\x01\xfe"] {
            assert!(!is_seen(other), "{other:?}");
        }
        assert!(!is_seen_or_heard("no base64 at all") && !is_seen_or_heard("\u{e9}\u{e9}"));
    }

    #[test]
    fn what_has_no_bytes_is_refused_by_its_place() {
        let with = |content: Option<&str>| proto::Attachment {
            content: content.map(str::to_owned),
            ..proto::Attachment::default()
        };

        assert!(Attachments::read(vec![with(Some("aGk="))]).is_ok());
        for nothing in [None, Some(""), Some(" "), Some("data:image/png;base64,")] {
            let refused = Attachments::read(vec![with(Some("aGk=")), with(nothing)]).unwrap_err();
            assert!(
                matches!(refused, Error::Attachment { index: 1, .. }),
                "{nothing:?}"
            );
        }
    }
}
