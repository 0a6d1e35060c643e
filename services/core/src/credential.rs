//! The credential that services show each other: made at the first start, readable by this user only.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use crate::secret::Secret;

/// Why there is no credential.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The file cannot be read or written.
    #[error("the service credential {path} cannot be used")]
    File {
        /// Where it should be.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is empty: nothing may be opened by nothing.
    #[error("the service credential {0} is empty: remove the file, the config service makes a new one")]
    Empty(String),
}

/// Reads the credential.
///
/// # Errors
/// When there is none.
pub fn load(path: &Path) -> Result<Secret, CredentialError> {
    let text = fs::read_to_string(path).map_err(|source| file(path, source))?;
    let secret = Secret::new(text.trim());
    if secret.is_empty() {
        Err(CredentialError::Empty(path.display().to_string()))
    } else {
        Ok(secret)
    }
}

/// Reads the credential, or makes it. Two processes that do so at once end with the same one.
///
/// # Errors
/// When it can be neither read nor made.
pub fn load_or_create(path: &Path) -> Result<Secret, CredentialError> {
    match write_new(path, &Secret::generate()) {
        Ok(()) => load(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => load(path),
        Err(error) => Err(file(path, error)),
    }
}

/// Writes a secret beside its place and links it there, so that nobody ever reads half of one.
fn write_new(path: &Path, secret: &Secret) -> io::Result<()> {
    if path.exists() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let draft = folder.join(format!(".draft-{}", uuid::Uuid::new_v4()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| {
            writeln!(file, "{}", secret.expose())?;
            file.sync_all()
        });
    let linked = written.and_then(|()| fs::hard_link(&draft, path));
    let _ = fs::remove_file(&draft);
    linked
}

fn file(path: &Path, source: io::Error) -> CredentialError {
    CredentialError::File {
        path: path.display().to_string(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_made_once_and_readable_by_its_user_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credential/service");

        let made = load_or_create(&path).unwrap();

        assert_eq!(load_or_create(&path).unwrap(), made);
        assert_eq!(load(&path).unwrap(), made);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn an_empty_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("service");
        fs::write(&path, "\n").unwrap();

        assert!(matches!(load(&path), Err(CredentialError::Empty(_))));
    }
}
