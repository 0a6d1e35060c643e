//! What belongs to a message beside its words, as clients send it: base64 in a frame.

use std::io::{self, Read};

use data_encoding::{BASE64, BASE64_NOPAD};
use gatehouse_core::Content;
use gatehouse_core::content::{Block, Media as MediaBlock, MediaSource};
use gatehouse_proto::session::v1 as proto;

use super::Media;
use super::sniff::{self, HEAD_BYTES};
use crate::error::Error;

/// The longest name that is kept, in characters: more than people read.
const NAME_CHARS_MAX: usize = 200;

/// Base64 that is decoded at a time; a multiple of four.
const PART: usize = 64 * 1024;

/// The attachments of one message.
#[derive(Debug, Default)]
pub(crate) struct Attachments(Vec<Attachment>);

#[derive(Debug)]
struct Attachment {
    base64: String,
    declared: Option<String>,
    name: Option<String>,
}

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
            let (declared, base64) = match data_url(&content) {
                Some((mime_type, base64)) => (Some(mime_type.to_owned()), base64.to_owned()),
                None => (None, content),
            };
            if base64.trim().is_empty() {
                return Err(Error::Attachment {
                    index,
                    problem: "has no content: send its bytes as base64 in `content`".to_owned(),
                });
            }
            Ok(Attachment {
                base64,
                declared: mime_type.filter(|mime| !mime.trim().is_empty()).or(declared),
                name: file_name.as_deref().and_then(name),
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
            let Attachment {
                base64,
                declared,
                name,
            } = attachment;
            let kept = media
                .keep(Decoder::new(base64), declared, bytes_max)
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

/// The media type and the base64 of `data:<type>;base64,<base64>`.
fn data_url(content: &str) -> Option<(&str, &str)> {
    let (head, base64) = content.trim_start().strip_prefix("data:")?.split_once(',')?;
    Some((head.strip_suffix(";base64")?, base64))
}

/// A name that is one, and no way to somewhere: the last part of a path, on one line.
fn name(given: &str) -> Option<String> {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let printed = last.chars().filter(|c| !c.is_control());
    let name: String = printed.take(NAME_CHARS_MAX).collect();
    let name = name.trim();
    (!name.is_empty() && name != "." && name != "..").then(|| name.to_owned())
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

/// Base64 as the bytes that it stands for, a part at a time.
struct Decoder {
    base64: Vec<u8>,
    /// Up to where it was decoded.
    at: usize,
    decoded: Vec<u8>,
    /// Up to where that was read.
    read: usize,
}

impl Decoder {
    fn new(base64: String) -> Self {
        let mut base64 = base64.into_bytes();
        base64.retain(|byte| !byte.is_ascii_whitespace());
        // Padding says nothing that the length does not; without it every part is decoded in one way.
        while base64.last() == Some(&b'=') {
            base64.pop();
        }
        for byte in &mut base64 {
            *byte = match *byte {
                b'-' => b'+', // the spelling for URLs
                b'_' => b'/',
                other => other,
            };
        }
        Self {
            base64,
            at: 0,
            decoded: Vec::new(),
            read: 0,
        }
    }
}

impl Read for Decoder {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.read == self.decoded.len() && self.at < self.base64.len() {
            let end = self.base64.len().min(self.at + PART);
            let part = self.base64.get(self.at..end).unwrap_or_default();
            let encoding = if part.len().is_multiple_of(4) {
                BASE64
            } else {
                BASE64_NOPAD
            };
            self.decoded = encoding
                .decode(part)
                .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
            (self.at, self.read) = (end, 0);
        }
        let left = self.decoded.get(self.read..).unwrap_or_default();
        let count = left.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..count), left.get(..count)) {
            to.copy_from_slice(from);
        }
        self.read += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(base64: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        Decoder::new(base64.to_owned())
            .read_to_end(&mut bytes)
            .map(|_| bytes)
    }

    #[test]
    fn base64_is_read_in_every_spelling_and_of_every_length() {
        for length in [1, 2, 3, 4, 5, PART - 1, PART, PART + 1, 3 * PART + 2] {
            let bytes: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
            for spelled in [
                BASE64.encode(&bytes),
                BASE64_NOPAD.encode(&bytes),
                data_encoding::BASE64URL.encode(&bytes),
                format!(" {}\r\n", BASE64.encode(&bytes)),
            ] {
                assert_eq!(decoded(&spelled).unwrap(), bytes, "{length}");
            }
        }
        for wrong in ["a", "ab*d", "é", "abcde"] {
            assert_eq!(
                decoded(wrong).unwrap_err().kind(),
                io::ErrorKind::InvalidData,
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_name_from_outside_is_a_name_and_no_path() {
        assert_eq!(name("../../etc/passwd"), Some("passwd".to_owned()));
        assert_eq!(name("C:\\Users\\a\\cat.png"), Some("cat.png".to_owned()));
        assert_eq!(name("a\nb\u{1b}[31m.png"), Some("ab[31m.png".to_owned()));
        for nothing in ["", "..", "a/", " ", "\u{7}"] {
            assert_eq!(name(nothing), None, "{nothing:?}");
        }
    }

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
