//! Moving files in place: unpacked beside their place, so that putting them there is one rename, and durable.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::backup::archive::{self, Part};

/// Folders that were made on the way. Unless they are kept, those go again in which nothing is.
#[derive(Debug, Default)]
pub(super) struct Folders(Vec<PathBuf>);

impl Folders {
    /// Makes a folder that is for its owner alone, and those above it.
    pub(super) fn create(&mut self, folder: &Path) -> io::Result<()> {
        let missing = folder
            .ancestors()
            .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        self.0
            .extend(missing.map(Path::to_owned).collect::<Vec<_>>().into_iter().rev());
        DirBuilder::new().recursive(true).mode(0o700).create(folder)
    }

    /// They stay.
    pub(super) fn keep(&mut self) {
        self.0.clear();
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        for folder in self.0.iter().rev() {
            // The files that held it: empty, unless there is a database to be expected.
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let is_lock = entry.path().extension().is_some_and(|ending| ending == "lock");
                if is_lock && entry.metadata().is_ok_and(|found| found.len() == 0) {
                    let _ = fs::remove_file(entry.path());
                }
            }
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Parts that are unpacked and not yet in place. What is not put there is removed.
#[derive(Debug, Default)]
pub(super) struct Staged {
    pub(super) parts: BTreeMap<String, StagedPart>,
    /// Media are a folder of their own until all are there: it takes the place of the other as a whole, so that what stood there is
    /// kept and no file is left that nothing names.
    media: Option<PathBuf>,
}

#[derive(Debug)]
pub(super) struct StagedPart {
    pub(super) name: String,
    pub(super) staged: PathBuf,
    pub(super) target: PathBuf,
    pub(super) part: Part,
}

impl Staged {
    pub(super) fn unpack(
        &mut self,
        name: &str,
        target: PathBuf,
        folders: &mut Folders,
        from: &mut impl Read,
    ) -> io::Result<()> {
        if self.parts.contains_key(name) {
            return Err(io::Error::other(format!("{name} stands in it twice")));
        }
        if let Some(folder) = target.parent() {
            folders.create(folder)?;
        }
        let staged = with_suffix(&target, "restore");
        self.write(name, staged, target, from)
    }

    /// The same for a medium, whose place is in the folder of media.
    pub(super) fn unpack_medium(
        &mut self,
        name: &str,
        target: PathBuf,
        media: &Path,
        folders: &mut Folders,
        from: &mut impl Read,
    ) -> io::Result<()> {
        if self.parts.contains_key(name) {
            return Err(io::Error::other(format!("{name} stands in it twice")));
        }
        let staging = with_suffix(media, "restore");
        if self.media.is_none() {
            media.parent().map_or(Ok(()), |folder| folders.create(folder))?;
            // Of a restore that was interrupted.
            match fs::remove_dir_all(&staging) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
            self.media = Some(staging.clone());
        }
        let inside = target.strip_prefix(media).map_err(io::Error::other)?;
        let staged = staging.join(inside);
        if let Some(shelf) = staged.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(shelf)?;
        }
        self.write(name, staged, target, from)
    }

    /// Takes a part out again. Its file stays when it is another part's as well.
    pub(super) fn leave_out(&mut self, name: &str) {
        let Some(part) = self.parts.remove(name) else {
            return;
        };
        if self.parts.values().all(|other| other.staged != part.staged) {
            let _ = fs::remove_file(&part.staged);
        }
    }

    pub(super) fn has_media(&self) -> bool {
        self.media.is_some()
    }

    /// Renames the folder of media to where it belongs; nothing stands there.
    pub(super) fn put_media_in_place(&mut self, media: &Path) -> io::Result<()> {
        let Some(staging) = &self.media else { return Ok(()) };
        for shelf in fs::read_dir(staging)? {
            File::open(shelf?.path())?.sync_all()?;
        }
        fs::rename(staging, media)?;
        self.media = None;
        media
            .parent()
            .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }

    fn write(
        &mut self,
        name: &str,
        staged: PathBuf,
        target: PathBuf,
        from: &mut impl Read,
    ) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&staged)?;
        // Known from here on, so that it is removed whatever happens.
        let mut entry = StagedPart {
            name: name.to_owned(),
            staged,
            target,
            part: Part {
                bytes: 0,
                sha256: String::new(),
            },
        };
        let copied = archive::copy(from, &mut file).and_then(|part| file.sync_all().map(|()| part));
        let result = copied.map(|part| entry.part = part);
        self.parts.insert(name.to_owned(), entry);
        result
    }
}

impl StagedPart {
    pub(super) fn is_medium(&self) -> bool {
        self.name.starts_with(archive::MEDIA)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(media) = &self.media {
            let _ = fs::remove_dir_all(media);
        }
        for part in self.parts.values().filter(|part| !part.is_medium()) {
            for suffix in ["", "-wal", "-shm", "-journal"] {
                let mut path = part.staged.clone().into_os_string();
                path.push(suffix);
                // Those that were put in place are not here any more.
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// Renames what stands there. False when nothing does.
pub(super) fn put_aside(path: &Path, moment: i64) -> io::Result<bool> {
    match fs::rename(path, with_suffix(path, &format!("before-restore-{moment}"))) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Renames a part to where it belongs.
pub(super) fn put_in_place(part: &StagedPart) -> io::Result<()> {
    fs::rename(&part.staged, &part.target)?;
    match part.target.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}
