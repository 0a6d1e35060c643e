//! Files and folders for their owner alone, whatever the umask: it is often 000 on storage boxes, and can take away what the
//! owner needs. The mode is set again after the making, on what this process made and on nothing that was there before.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// The mode of folders.
pub const FOLDER_MODE: u32 = 0o700;

/// The mode of files.
pub const FILE_MODE: u32 = 0o600;

/// Makes a folder and those above it. One that was there keeps its mode: it may be `/tmp`.
///
/// # Errors
/// When it cannot be made.
pub fn create_folder(path: &Path) -> io::Result<()> {
    let mut missing: Vec<&Path> = Vec::new();
    let mut next = Some(path);
    while let Some(folder) = next.filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        missing.push(folder);
        next = folder.parent();
    }
    for folder in missing.into_iter().rev() {
        match fs::DirBuilder::new().mode(FOLDER_MODE).create(folder) {
            Ok(()) => fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE))?,
            // Another process was faster, and sets the mode.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let hint = format!(
                    "{} is not a folder: name another place, or move what is there away",
                    folder.display()
                );
                return Err(io::Error::new(io::ErrorKind::NotADirectory, hint));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes the folder of a file.
///
/// # Errors
/// When it cannot be made.
pub fn create_folder_of(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), create_folder)
}

/// Opens a file for appending, and makes it if it is not there. One that was there keeps its content and its mode.
///
/// # Errors
/// When it can be neither made nor opened.
pub fn open_or_create(path: &Path) -> io::Result<File> {
    match OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)
    {
        Ok(file) => {
            file.set_permissions(Permissions::from_mode(FILE_MODE))?;
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().append(true).open(path)
        }
        Err(error) => Err(error),
    }
}

/// Makes a file that must not be there yet.
///
/// # Errors
/// When it is there, or cannot be made.
pub fn create_new(path: &Path, content: &[u8]) -> io::Result<File> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    file.write_all(content)?;
    Ok(file)
}

/// Something in a home that others on this machine can reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Where.
    pub path: PathBuf,
    /// Its permission bits.
    pub mode: u32,
    /// The bits that it should have.
    pub right: u32,
}

impl std::fmt::Display for Open {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (path, mode, right) = (self.path.display(), self.mode, self.right);
        write!(
            out,
            "others on this machine can reach {path} (mode {mode:04o}): close it with `chmod {right:04o} {path}`"
        )
    }
}

/// What is open among these paths. What is not there is not open. Reading by the group counts for folders and files that
/// nobody but the owner has business with.
pub fn open_among(paths: impl IntoIterator<Item = PathBuf>) -> Vec<Open> {
    let judge = |path: PathBuf| {
        let facts = fs::metadata(&path).ok()?;
        let right = if facts.is_dir() { FOLDER_MODE } else { FILE_MODE };
        let mode = facts.permissions().mode() & 0o7777;
        (mode & 0o077 != 0).then_some(Open { path, mode, right })
    };
    paths.into_iter().filter_map(judge).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn what_is_made_is_for_its_owner_and_what_was_there_keeps_its_mode() {
        let home = tempfile::tempdir().unwrap();
        let there = home.path().join("there");
        fs::create_dir(&there).unwrap();
        fs::set_permissions(&there, Permissions::from_mode(0o755)).unwrap();

        create_folder(&there.join("a/b")).unwrap();
        create_folder(&there.join("a/b")).unwrap();
        drop(open_or_create(&there.join("a/file")).unwrap());

        assert_eq!(mode(&there), 0o755);
        assert_eq!(mode(&there.join("a")), 0o700);
        assert_eq!(mode(&there.join("a/b")), 0o700);
        assert_eq!(mode(&there.join("a/file")), 0o600);
    }

    #[test]
    fn a_file_where_a_folder_is_to_be_is_named_with_what_to_do() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, "").unwrap();

        for path in [file.clone(), file.join("below")] {
            let refused = create_folder(&path).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::NotADirectory);
            assert!(
                refused
                    .to_string()
                    .starts_with(&format!("{} is not a folder", file.display())),
                "{refused}"
            );
        }
    }

    #[test]
    fn what_is_open_is_told_with_the_command_that_closes_it() {
        let home = tempfile::tempdir().unwrap();
        let (open, closed) = (home.path().join("open"), home.path().join("closed"));
        fs::write(&open, "").unwrap();
        fs::write(&closed, "").unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o666)).unwrap();
        fs::set_permissions(&closed, Permissions::from_mode(0o600)).unwrap();

        let found = open_among([open.clone(), closed, home.path().join("nowhere")]);

        assert_eq!(found.len(), 1);
        assert!(
            found[0]
                .to_string()
                .contains(&format!("`chmod 0600 {}`", open.display())),
            "{}",
            found[0]
        );
    }
}
