//! A file that the configuration names: a secret, a certificate. What is read is a regular file with a bounded content; where
//! the file must stay within a folder, the kernel resolves the path beneath it, so that no link leads out at any component and
//! nothing can be exchanged between the check and the reading.

use std::{
    ffi::OsStr,
    fs::{File, Metadata},
    io::{self, Read},
    os::{fd::OwnedFd, unix::fs::MetadataExt},
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags, fstatfs, openat, openat2},
    io::Errno,
};
use serde::{Deserialize, Deserializer, Serialize};

/// `statfs.f_type` of file systems whose regular files are the kernel's own: statfs(2).
const KERNEL_FILE_SYSTEMS: [u64; 2] = [
    0x9fa0,      // proc: the environment and memory of every process
    0x6265_6572, // sysfs
];

/// How every file is opened. `NONBLOCK`: a FIFO without a writer must not hold us up before we see that it is none of ours.
const OPEN: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);

/// A file by its path. In JSON a text, or an object when the file has to stay within a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NamedFile {
    path: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    within: Option<PathBuf>,
}

/// A file that was read.
pub struct Content {
    /// All of it.
    pub bytes: Vec<u8>,
    /// The permission bits.
    pub mode: u32,
}

/// Why a file is not read. Never says what is in it.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It cannot be opened or read.
    #[error("cannot be opened ({})", .0.kind())]
    Open(#[source] io::Error),
    /// A link leads out of the folder.
    #[error("leads out of {} by a link", .0.display())]
    LeadsOut(PathBuf),
    /// The folder that it has to stay within is itself a link.
    #[error("is in {}, which is a link: name the folder it leads to in secrets.dirs", .0.display())]
    FolderIsLink(PathBuf),
    /// A folder, a device, a FIFO, a socket.
    #[error("is not a regular file")]
    NotRegular,
    /// A file of the kernel's own, such as those in `/proc`.
    #[error("belongs to the kernel and holds no secret of yours")]
    Kernel,
    /// It is longer than may be read.
    #[error("is longer than {} KiB", .0 / 1024)]
    TooLong(u64),
}

impl NamedFile {
    /// A file that may be anywhere.
    pub fn anywhere(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            within: None,
        }
    }

    /// A file that has to stay within the folder.
    ///
    /// Returns nothing when the path, as it is written, is not beneath the folder.
    pub fn within(path: &Path, folder: &Path) -> Option<Self> {
        let (path, folder) = (normal(path), normal(folder));
        let inside = path.strip_prefix(&folder).ok()?;
        (inside.components().next().is_some()).then_some(Self {
            path,
            within: Some(folder),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the whole file, if it is at most `bytes_max` long.
    ///
    /// # Errors
    /// When it is not there, leads out of its folder, is no regular file, or is too long.
    pub fn read(&self, bytes_max: u64) -> Result<Content, ReadError> {
        let (file, facts) = self.open()?;
        let mut bytes = Vec::new();
        file.take(bytes_max.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(ReadError::Open)?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > bytes_max {
            return Err(ReadError::TooLong(bytes_max));
        }
        Ok(Content {
            bytes,
            mode: facts.mode() & 0o7777,
        })
    }

    /// Opens it, with what is known about the file that was opened.
    ///
    /// # Errors
    /// When it is not there, leads out of its folder, or is no regular file.
    pub fn open(&self) -> Result<(File, Metadata), ReadError> {
        let file = File::from(self.resolve()?);
        // Everything is asked of the open file: the name may mean another one by now.
        let facts = file.metadata().map_err(ReadError::Open)?;
        if !facts.is_file() {
            return Err(ReadError::NotRegular);
        }
        let system = fstatfs(&file).map_err(|error| ReadError::Open(error.into()))?;
        if u64::try_from(system.f_type).is_ok_and(|kind| KERNEL_FILE_SYSTEMS.contains(&kind)) {
            return Err(ReadError::Kernel);
        }
        Ok((file, facts))
    }

    fn resolve(&self) -> Result<OwnedFd, ReadError> {
        let Some(folder) = &self.within else {
            return openat(CWD, &self.path, OPEN, Mode::empty())
                .map_err(|error| ReadError::Open(error.into()));
        };
        let inside = self
            .path
            .strip_prefix(folder)
            .map_err(|_| ReadError::LeadsOut(folder.clone()))?;
        let root = openat(
            CWD,
            folder,
            OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY | OFlags::NOFOLLOW,
            Mode::empty(),
        )
        .map_err(|error| match error {
            Errno::LOOP => ReadError::FolderIsLink(folder.clone()),
            Errno::NOTDIR if folder.is_symlink() => ReadError::FolderIsLink(folder.clone()),
            other => ReadError::Open(other.into()),
        })?;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let opened = match openat2(&root, inside, OPEN, Mode::empty(), resolve) {
            // Kernels before 5.6, and seccomp filters that do not know the call.
            Err(Errno::NOSYS | Errno::PERM) => open_without_links(root, inside),
            other => other,
        };
        opened.map_err(|error| match error {
            Errno::XDEV | Errno::LOOP => ReadError::LeadsOut(folder.clone()),
            other => ReadError::Open(other.into()),
        })
    }
}

/// The same component by component, and stricter: no link at all.
fn open_without_links(root: OwnedFd, inside: &Path) -> Result<OwnedFd, Errno> {
    let mut names: Vec<&OsStr> = inside.iter().collect();
    let file = names.pop().ok_or(Errno::ISDIR)?;
    let mut folder = root;
    for name in names {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY | OFlags::NOFOLLOW;
        folder = openat(&folder, name, flags, Mode::empty()).map_err(|error| match error {
            Errno::NOTDIR => Errno::LOOP, // a link is no folder
            other => other,
        })?;
    }
    openat(&folder, file, OPEN | OFlags::NOFOLLOW, Mode::empty())
}

/// The path as text, without `.` and with each `..` taken back. It is also what is opened, so it cannot mean another file
/// than the one that was judged.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                if !out.pop() {
                    out.push("..");
                }
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => out.push(component),
        }
    }
    out
}

impl<'de> Deserialize<'de> for NamedFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Text(PathBuf),
            Confined { path: PathBuf, within: Option<PathBuf> },
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Text(path) => Self::anywhere(path),
            Form::Confined { path, within } => Self { path, within },
        })
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Content").finish_non_exhaustive() // it may be a secret
    }
}

#[cfg(test)]
mod tests;
