//! The files: one secret for each identity, and the digests by which services know them.
//!
//! A place may also be a folder, with the file in it: containers mount a volume for each secret, so that a service sees its
//! own alone, and a volume is a folder.

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use gatehouse_contract::Identity;

use super::{Credential, CredentialError, directory, file};
use crate::{secret::Secret, settings::Home};

const DIGESTS: &str = "digests";

/// The file in a place that is a folder.
const SECRET: &str = "secret";

/// Until version 0.1 all services showed this one.
const SHARED: &str = "service";

/// Readable by its user alone.
const PRIVATE: u32 = 0o600;

/// Digests of 256 random bits tell nothing; services may run as other users than the one who makes them.
const PUBLIC: u32 = 0o644;

pub(super) fn secret_path(folder: &Path, identity: Identity) -> PathBuf {
    inside(folder.join(identity.name()), SECRET)
}

pub(super) fn digests_path(folder: &Path) -> PathBuf {
    inside(folder.join(DIGESTS), DIGESTS)
}

fn inside(place: PathBuf, name: &str) -> PathBuf {
    if place.is_dir() { place.join(name) } else { place }
}

pub(super) fn load(path: &Path) -> Result<Secret, CredentialError> {
    let text = fs::read_to_string(path).map_err(|source| file(path, source))?;
    let secret = Secret::new(text.trim());
    if secret.is_empty() {
        Err(CredentialError::Empty(path.display().to_string()))
    } else {
        Ok(secret)
    }
}

/// Makes every secret that is not there, and the digests of all. Two processes that do so at once end with the same ones.
///
/// # Errors
/// When something can be neither read nor made.
pub fn make_all(home: &Home) -> Result<(), CredentialError> {
    let folder = &home.credentials;
    make_folder(folder).map_err(|source| file(folder, source))?;
    let mut credentials = Vec::new();
    for identity in Identity::ALL {
        let path = secret_path(folder, identity);
        let secret = load_or_create(&path)?;
        close(&path).map_err(|source| file(&path, source))?;
        credentials.push(Credential::new(identity, secret));
    }
    let (path, text) = (digests_path(folder), directory::written(&credentials));
    if fs::read_to_string(&path).is_ok_and(|current| current == text) {
        return Ok(());
    }
    replace(&path, &text).map_err(|source| file(&path, source))
}

/// Removes the secret that all services shared before each had its own. It opens nothing any more, so one that cannot be
/// removed is only told.
pub fn remove_shared(home: &Home) {
    let path = home.credentials.join(SHARED);
    if !path.exists() {
        return; // in containers the folder cannot be written
    }
    match fs::remove_file(&path) {
        Ok(()) => {
            tracing::info!(path = %path.display(), "removed the credential that all services shared; each has its own now");
        }
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the credential that all services shared opens nothing any more; remove it");
        }
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o700)) // whatever the umask
}

fn load_or_create(path: &Path) -> Result<Secret, CredentialError> {
    if !path.exists() {
        let linked = draft(path, Secret::generate().expose(), PRIVATE).and_then(|draft| {
            let linked = fs::hard_link(&draft, path);
            let _ = fs::remove_file(&draft);
            linked
        });
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(file(path, error)),
            _ => {} // made, by us or by somebody who was faster
        }
    }
    load(path)
}

/// A secret that others can read is none.
fn close(path: &Path) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), mode = format!("{mode:o}"), "others could read a credential; its mode is 600 now");
        fs::set_permissions(path, Permissions::from_mode(PRIVATE))?;
    }
    Ok(())
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let draft = draft(path, text.trim_end(), PUBLIC)?;
    fs::rename(&draft, path).inspect_err(|_| {
        let _ = fs::remove_file(&draft);
    })
}

/// Writes a file beside its place, so that nobody ever reads half of it there.
fn draft(path: &Path, text: &str, mode: u32) -> io::Result<PathBuf> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let draft = folder.join(format!(".draft-{}", uuid::Uuid::new_v4()));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(PRIVATE)
        .open(&draft)?;
    let written = writeln!(file, "{text}")
        .and_then(|()| file.set_permissions(Permissions::from_mode(mode))) // whatever the umask
        .and_then(|()| file.sync_all());
    if let Err(error) = written {
        let _ = fs::remove_file(&draft);
        return Err(error);
    }
    Ok(draft)
}
