//! The files themselves: where a name leads, and what stands there.

use std::{
    io,
    path::{Component, Path as FilePath, PathBuf},
};

use gatehouse_core::{NamedFile, ReadError};
use sha2::Digest;

use super::{FILES_MAX, File, Follower, KEY, NAME_BYTES_MAX, NESTED_MAX};
use crate::{issue::Issue, path::Path, text::DOCUMENT_BYTES_MAX};

impl Follower<'_> {
    /// Where a name leads: without links, within the document's folder.
    pub(super) fn path(&self, name: &str, way: &[PathBuf]) -> Result<PathBuf, String> {
        if name.is_empty() || name.contains('\0') || name.len() > NAME_BYTES_MAX {
            return Err("is not the name of a file".to_owned());
        }
        let folder = way.last().and_then(|file| file.parent()).unwrap_or(&self.root);
        let path = normal(&folder.join(name));
        if path == self.root || !path.starts_with(normal(&self.root)) {
            return Err(format!(
                "leads out of {}: an included file has to be in the folder of the configuration file",
                self.root.display()
            ));
        }
        if way.contains(&path) {
            let way: Vec<String> = way
                .iter()
                .chain([&path])
                .map(|file| file.display().to_string())
                .collect();
            return Err(format!("includes itself: {}", way.join(" -> ")));
        }
        if way.len() >= NESTED_MAX {
            return Err(format!("more than {NESTED_MAX} files include each other"));
        }
        if self.files.len() >= FILES_MAX {
            return Err(format!("more than {FILES_MAX} files are included"));
        }
        Ok(path)
    }

    /// The text, and whether everybody can read it.
    pub(super) fn read(&mut self, path: &FilePath) -> Result<(String, bool), Problem> {
        let inside = path.strip_prefix(normal(&self.root)).unwrap_or(path);
        if let Some(texts) = self.texts {
            let text = texts.get(inside).ok_or_else(Problem::absent)?;
            return Ok((text.clone(), false));
        }
        let file = NamedFile::within(&self.real.join(inside), &self.real)
            .ok_or_else(|| Problem::wrong("cannot be opened"))?;
        let left = DOCUMENT_BYTES_MAX.saturating_sub(self.bytes);
        let content = file
            .read(u64::try_from(left).unwrap_or(u64::MAX))
            .map_err(|error| match error {
                ReadError::Open(error) if error.kind() == io::ErrorKind::NotFound => Problem::absent(),
                ReadError::TooLong(_) => Problem::wrong(&format!(
                    "makes the document longer than {} MiB",
                    DOCUMENT_BYTES_MAX / 1024 / 1024
                )),
                other => Problem::wrong(&other.to_string()),
            })?;
        self.bytes += content.bytes.len();
        let text = String::from_utf8(content.bytes).map_err(|_| Problem::wrong("is not UTF-8 text"))?;
        Ok((text, content.mode & 0o004 != 0))
    }

    pub(super) fn unusable(&mut self, place: &Path, path: &FilePath, problem: Problem) {
        // Looked for, it is watched: it may come.
        self.files.push(File {
            path: path.to_owned(),
            is_open: false,
        });
        self.digest.update(b"\0");
        self.is_unfinished = true;
        self.is_wrong |= !problem.is_absent;
        let shown = path.display();
        self.issues
            .push(Issue::error(place, format!("`{KEY}`: {shown} {}", problem.words)));
    }

    pub(super) fn wrong(&mut self, place: &Path, problem: String) {
        self.is_wrong = true;
        self.issues.push(Issue::error(place, problem));
    }
}

/// Why a file is not read.
pub(super) struct Problem {
    words: String,
    is_absent: bool,
}

impl Problem {
    fn wrong(words: &str) -> Self {
        Self {
            words: words.to_owned(),
            is_absent: false,
        }
    }

    fn absent() -> Self {
        Self {
            words: "is not there: put it there, or take its name out".to_owned(),
            is_absent: true,
        }
    }
}

/// A path without `.` and `..`.
pub(super) fn normal(path: &FilePath) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}
