//! Where a file is: what a message says of it, and what the gateway and the plugin call it.

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};
use whatsapp_rust::{
    download::DownloadParams,
    upload::UploadResponse,
    wacore::download::{Downloadable, MediaType},
};

/// The longest address that the gateway takes.
const ADDRESS_BYTES_MAX: usize = 8_192;

/// The kinds that WhatsApp encrypts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Image,
    Video,
    Audio,
    Document,
    Sticker,
}

impl Kind {
    /// The kind that a file of this media type is sent as.
    pub(crate) fn of(mime_type: &str) -> Self {
        match mime_type.split('/').next() {
            Some("image") if matches!(mime_type, "image/jpeg" | "image/png") => Self::Image,
            Some("video") if mime_type == "video/mp4" => Self::Video,
            Some("audio") => Self::Audio,
            _ => Self::Document,
        }
    }

    pub(super) fn media_type(self) -> MediaType {
        match self {
            Self::Image => MediaType::Image,
            Self::Video => MediaType::Video,
            Self::Audio => MediaType::Audio,
            Self::Document => MediaType::Document,
            Self::Sticker => MediaType::Sticker,
        }
    }
}

/// Where a file is and how it is opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) kind: Kind,
    path: String,
    key: String,
    hash: String,
    encrypted_hash: String,
    pub(crate) size: u64,
    /// When the key was made, seconds since 1970; of what goes out.
    #[serde(default)]
    pub(crate) made_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mime_type: Option<String>,
}

impl Stored {
    /// What a message carries. `None`: it cannot be had.
    pub(crate) fn of(kind: Kind, sent: &dyn Downloadable, mime_type: Option<&str>) -> Option<Self> {
        let path = sent.direct_path().filter(|path| is_path(path))?;
        Some(Self {
            kind,
            path: path.to_owned(),
            key: STANDARD_NO_PAD.encode(sent.media_key()?),
            hash: STANDARD_NO_PAD.encode(sent.file_sha256()?),
            encrypted_hash: STANDARD_NO_PAD.encode(sent.file_enc_sha256()?),
            size: sent.file_length().unwrap_or_default(),
            made_at: 0,
            mime_type: mime_type.map(str::to_owned),
        })
    }

    /// What was uploaded.
    pub(super) fn uploaded(kind: Kind, uploaded: UploadResponse, mime_type: &str) -> Self {
        Self {
            kind,
            path: uploaded.direct_path,
            key: STANDARD_NO_PAD.encode(uploaded.media_key),
            hash: STANDARD_NO_PAD.encode(uploaded.file_sha256),
            encrypted_hash: STANDARD_NO_PAD.encode(uploaded.file_enc_sha256),
            size: uploaded.file_length,
            made_at: uploaded.media_key_timestamp,
            mime_type: Some(mime_type.to_owned()),
        }
    }

    /// As the address that the gateway keeps. `None`: it is longer than an address may be.
    pub(crate) fn address(&self) -> Option<String> {
        let address = serde_json::to_string(self).ok()?;
        (address.len() <= ADDRESS_BYTES_MAX).then_some(address)
    }

    /// Reads such an address again.
    pub(crate) fn read(address: &str) -> Option<Self> {
        let stored: Self = serde_json::from_str(address).ok()?;
        is_path(&stored.path).then_some(stored)
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn key(&self) -> Option<Vec<u8>> {
        STANDARD_NO_PAD.decode(&self.key).ok()
    }

    pub(crate) fn hash(&self) -> Option<Vec<u8>> {
        STANDARD_NO_PAD.decode(&self.hash).ok()
    }

    pub(crate) fn encrypted_hash(&self) -> Option<Vec<u8>> {
        STANDARD_NO_PAD.decode(&self.encrypted_hash).ok()
    }

    pub(super) fn params(&self) -> Option<DownloadParams> {
        Some(DownloadParams::encrypted(
            &self.path,
            &self.key()?,
            &self.hash()?,
            &self.encrypted_hash()?,
            self.size,
            self.kind.media_type(),
        ))
    }
}

/// A path on WhatsApp's own hosts. Whoever sends a message writes it, and it comes behind the host in an address: what begins otherwise
/// would name another host.
fn is_path(path: &str) -> bool {
    path.starts_with('/') && !path.contains(|c: char| c.is_control() || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use whatsapp_rust::{prelude::wa, wacore::download::Downloadable};

    use super::{Kind, Stored};

    fn picture(path: &str) -> wa::message::ImageMessage {
        wa::message::ImageMessage {
            direct_path: Some(path.to_owned()),
            media_key: Some(vec![1; 32]),
            file_sha256: Some(vec![2; 32]),
            file_enc_sha256: Some(vec![3; 32]),
            file_length: Some(7),
            ..Default::default()
        }
    }

    #[test]
    fn a_file_is_found_again_by_its_address() {
        let sent = picture("/v/t62/1?ccb=1");
        let stored = Stored::of(Kind::Image, &sent, Some("image/jpeg")).expect("it can be had");

        let address = stored.address().expect("an address");
        assert_eq!(Stored::read(&address), Some(stored.clone()));
        let params = stored.params().expect("a key");
        assert_eq!(params.media_key(), Some(&[1; 32][..]));
        assert_eq!((params.file_length, &*params.direct_path), (7, "/v/t62/1?ccb=1"));
    }

    #[test]
    fn a_path_that_would_name_another_host_is_none() {
        for path in ["@evil.example/x", ".evil.example/", ":8080/x", "", "/a b", "/a\n"] {
            assert_eq!(Stored::of(Kind::Image, &picture(path), None), None, "{path}");
        }
        let good = Stored::of(Kind::Image, &picture("/x"), None).expect("it can be had");
        let forged = good
            .address()
            .expect("an address")
            .replace("/x", "@evil.example/x");
        assert_eq!(Stored::read(&forged), None);
        assert_eq!(Stored::read("https://evil.example/"), None);
    }

    #[test]
    fn what_whatsapp_shows_goes_as_such_and_the_rest_as_a_document() {
        for (mime_type, kind) in [
            ("image/jpeg", Kind::Image),
            ("image/svg+xml", Kind::Document),
            ("video/mp4", Kind::Video),
            ("video/quicktime", Kind::Document),
            ("audio/ogg", Kind::Audio),
            ("application/pdf", Kind::Document),
            ("", Kind::Document),
        ] {
            assert_eq!(Kind::of(mime_type), kind, "{mime_type}");
        }
    }
}
