//! A certificate and its key: from the operator's files, or of our own.

use std::{os::unix::fs::MetadataExt, path::Path, sync::Arc};

use gatehouse_core::NamedFile;
use gatehouse_document::{PathInput, gateway::Tls};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use sha2::{Digest, Sha256};

use super::self_signed;

/// A chain of certificates has some KiB, a key less.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Where a certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The operator's files.
    Files { certificate: NamedFile, key: NamedFile },
    /// Made here, for these names beside those that this machine has.
    Own { names: Vec<String> },
}

/// By which a file is known to be another one than before.
pub(super) type Stamp = [(u64, i64, i64, u64); 2];

/// A certificate that can be shown.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) config: Arc<ServerConfig>,
    /// SHA-256 of the certificate, as clients show it.
    pub(super) fingerprint: String,
}

impl Source {
    /// What the configuration says. `None`: no TLS.
    pub(crate) fn of(tls: &Tls, public_origin: Option<&str>) -> Option<Self> {
        if !tls.enabled {
            return None;
        }
        Some(match (&tls.cert_path, &tls.key_path) {
            (Some(certificate), Some(key)) => Self::Files {
                certificate: named(certificate),
                key: named(key),
            },
            // A rule of the document: both or neither.
            _ => Self::Own {
                names: public_origin
                    .and_then(|origin| origin.split_once("://"))
                    .map(|(_, authority)| gatehouse_core::net::host_of(authority).to_owned())
                    .into_iter()
                    .collect(),
            },
        })
    }

    /// How the files are now. `None`: there are none to look at.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        let Self::Files { certificate, key } = self else {
            return None;
        };
        let stamp = |file: &NamedFile| {
            let facts = std::fs::metadata(file.path()).ok()?;
            Some((facts.ino(), facts.mtime(), facts.mtime_nsec(), facts.len()))
        };
        Some([
            stamp(certificate).unwrap_or_default(),
            stamp(key).unwrap_or_default(),
        ])
    }

    pub(super) fn load(&self, folder: &Path) -> Result<Loaded, String> {
        let (certificate, key) = match self {
            Self::Files { certificate, key } => (read(certificate)?, read(key)?),
            Self::Own { names } => self_signed::kept(folder, names)?,
        };
        load(&certificate, &key)
    }
}

fn named(path: &PathInput) -> NamedFile {
    match path {
        PathInput::Written(path) => NamedFile::anywhere(path),
        PathInput::Whole { path, within } => within
            .as_ref()
            .and_then(|folder| NamedFile::within(path, folder))
            .unwrap_or_else(|| NamedFile::anywhere(path)),
    }
}

fn read(file: &NamedFile) -> Result<Vec<u8>, String> {
    let content = file.read(FILE_BYTES_MAX);
    let content = content.map_err(|error| format!("{} {error}", file.path().display()))?;
    Ok(content.bytes)
}

fn load(certificate: &[u8], key: &[u8]) -> Result<Loaded, String> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("gateway.tls.certPath is no PEM certificate: {error}"))?;
    let leaf = chain
        .first()
        .ok_or("gateway.tls.certPath holds no PEM certificate")?;
    let fingerprint = fingerprint(leaf);
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|error| format!("gateway.tls.keyPath holds no PEM key: {error}"))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| format!("certificate and key do not go together: {error}"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Loaded {
        config: Arc::new(config),
        fingerprint,
    })
}

/// In the form in which Node and OpenClaw show it.
pub(super) fn fingerprint(certificate: &[u8]) -> String {
    let digest = Sha256::digest(certificate);
    let bytes: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(":")
}
