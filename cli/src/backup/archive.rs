//! The file of a backup: a tar with a manifest at its end that names every part with its digest. Parts of two backups put
//! into one file, and a file that was cut or changed, do not fit their manifest.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The format that this version writes and reads.
pub(crate) const FORMAT: u32 = 1;

/// The last entry.
pub(crate) const MANIFEST: &str = "manifest.json";

/// The databases.
pub(crate) const SESSION: &str = "session/session.db";
/// The bridge's.
pub(crate) const BRIDGE: &str = "channel-bridge/bridge.db";
/// Paired devices and named users; not in backups of earlier versions.
pub(crate) const DEVICES: &str = "config/devices.db";
/// The key that tokens of devices are derived from.
pub(crate) const DEVICE_KEY: &str = "config/device-tokens.key";
/// The configuration document.
pub(crate) const DOCUMENT: &str = "config/document";
/// What the files begin with that the document includes: their way from its folder follows.
pub(crate) const INCLUDED: &str = "config/included/";
/// The gateway token, unless the document has it.
pub(crate) const TOKEN: &str = "config/token";
/// The credentials beside the gateway token, as digests.
pub(crate) const CREDENTIALS: &str = "config/credentials.json";
/// The last document that ran.
pub(crate) const LAST_VALID: &str = "config/last-valid.json5";
/// What the files of the folder of secrets begin with.
pub(crate) const SECRETS: &str = "secrets/";
/// What media of conversations begin with: the SHA-256 of their bytes follows.
pub(crate) const MEDIA: &str = "session/media/";
/// What the files of agents begin with: the agent and the name follow.
pub(crate) const WORKSPACES: &str = "session/workspace/";

/// A manifest is five lines for each part, 260 bytes for a medium; a larger one is none of ours.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// A block of a tar: headers take one, contents are filled up to whole ones.
const BLOCK_BYTES: usize = 512;

/// What a file holds.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Manifest {
    /// [`FORMAT`].
    pub(crate) format: u32,
    /// The version of Gatehouse that made it.
    pub(crate) version: String,
    /// When, milliseconds since 1970.
    pub(crate) created_ms: i64,
    /// Every part by its name.
    pub(crate) parts: BTreeMap<String, Part>,
}

/// One part.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Part {
    /// Its length.
    pub(crate) bytes: u64,
    /// The SHA-256 of its content, as hexadecimal digits.
    pub(crate) sha256: String,
}

/// A file that is being written.
pub(crate) struct Archive<W> {
    out: W,
    manifest: Manifest,
}

impl<W: Write> Archive<W> {
    pub(crate) fn new(out: W, created_ms: i64) -> Self {
        let manifest = Manifest {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            created_ms,
            parts: BTreeMap::new(),
        };
        Self { out, manifest }
    }

    /// Begins a part of a known length. What follows is written to the answer.
    pub(crate) fn part<'a>(&'a mut self, name: &str, bytes: u64) -> io::Result<PartWriter<'a, W>> {
        header(&mut self.out, name, bytes, self.manifest.created_ms)?;
        Ok(PartWriter {
            name: name.to_owned(),
            left: bytes,
            bytes,
            digest: Sha256::new(),
            archive: self,
        })
    }

    /// A part as a whole.
    pub(crate) fn add(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut part = self.part(name, content.len() as u64)?;
        part.write(content)?;
        part.end()
    }

    /// Writes the manifest and the end, and answers what it was written to.
    pub(crate) fn finish(mut self) -> io::Result<(W, Manifest)> {
        let text = serde_json::to_vec_pretty(&self.manifest)?;
        header(
            &mut self.out,
            MANIFEST,
            text.len() as u64,
            self.manifest.created_ms,
        )?;
        self.out.write_all(&text)?;
        fill(&mut self.out, text.len() as u64)?;
        self.out.write_all(&[0; 2 * BLOCK_BYTES])?;
        self.out.flush()?;
        Ok((self.out, self.manifest))
    }
}

/// A part that is being written.
pub(crate) struct PartWriter<'a, W> {
    archive: &'a mut Archive<W>,
    name: String,
    bytes: u64,
    left: u64,
    digest: Sha256,
}

impl<W: Write> PartWriter<'_, W> {
    pub(crate) fn write(&mut self, data: &[u8]) -> io::Result<()> {
        self.left = self
            .left
            .checked_sub(data.len() as u64)
            .ok_or_else(|| io::Error::other(format!("{} is longer than was said", self.name)))?;
        self.digest.update(data);
        self.archive.out.write_all(data)
    }

    pub(crate) fn end(self) -> io::Result<()> {
        if self.left > 0 {
            return Err(io::Error::other(format!("{} ended early", self.name)));
        }
        fill(&mut self.archive.out, self.bytes)?;
        let part = Part {
            bytes: self.bytes,
            sha256: gatehouse_core::hex::encode(&self.digest.finalize()),
        };
        self.archive.manifest.parts.insert(self.name, part);
        Ok(())
    }
}

fn header(out: &mut impl Write, name: &str, bytes: u64, created_ms: i64) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name)?;
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_mtime(u64::try_from(created_ms / 1000).unwrap_or_default());
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    out.write_all(header.as_bytes())
}

fn fill(out: &mut impl Write, bytes: u64) -> io::Result<()> {
    let over = usize::try_from(bytes % BLOCK_BYTES as u64).unwrap_or_default();
    let missing = (BLOCK_BYTES - over) % BLOCK_BYTES;
    out.write_all(&[0; BLOCK_BYTES][..missing])
}

/// Copies a part to where it is checked, and answers what it was.
pub(crate) fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<Part> {
    let (mut digest, mut bytes) = (Sha256::new(), 0_u64);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = from.read(&mut buffer)?;
        let Some(data) = buffer.get(..read).filter(|data| !data.is_empty()) else {
            return Ok(Part {
                bytes,
                sha256: gatehouse_core::hex::encode(&digest.finalize()),
            });
        };
        digest.update(data);
        to.write_all(data)?;
        bytes += data.len() as u64;
    }
}
