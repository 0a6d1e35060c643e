//! What of this service a backup takes beside the database: the media that transcripts name, and the texts of agents.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use gatehouse_core::backup::{Files, Kept, Opened};
use gatehouse_core::{Home, Service};
use gatehouse_proto::backup::v1::FileKind;

use crate::media::{Media, MediaId};

/// A text of an agent that somebody put there by hand may be longer than one that is told; what is longer than this is no text.
const TEXT_BYTES_MAX: u64 = 1024 * 1024;

type Listed = Box<dyn Iterator<Item = io::Result<Opened>> + Send>;

/// Where the media of a home are.
#[must_use]
pub fn media_folder(home: &Home) -> PathBuf {
    home.folder(Service::Session).join("media")
}

/// The files of a home, as they stand on its disk: for whoever holds its database.
#[must_use]
pub fn list(home: &Home, kind: FileKind) -> Listed {
    match kind {
        FileKind::Medium => media(media_folder(home)),
        FileKind::Workspace => workspaces(&home.workspaces()),
        FileKind::Unspecified => Box::new(std::iter::empty()),
    }
}

/// The files of this process.
#[derive(Debug)]
pub(crate) struct RunningFiles {
    media: Media,
    workspaces: PathBuf,
}

impl RunningFiles {
    pub(crate) fn new(media: Media, workspaces: PathBuf) -> Self {
        Self { media, workspaces }
    }
}

#[async_trait]
impl Files for RunningFiles {
    async fn keep(&self) -> Kept {
        Box::new(self.media.keep_all().await)
    }

    fn list(&self, kind: FileKind) -> Listed {
        match kind {
            FileKind::Medium => media(self.media.folder().to_owned()),
            FileKind::Workspace => workspaces(&self.workspaces),
            FileKind::Unspecified => Box::new(std::iter::empty()),
        }
    }
}

/// One shelf after the other: what is listed is never more than a 256th of all.
fn media(folder: PathBuf) -> Listed {
    let shelves = (0..=u8::MAX).map(move |shelf| folder.join(format!("{shelf:02x}")));
    Box::new(shelves.flat_map(|shelf| {
        let (paths, failed) = match inside(&shelf) {
            Ok(paths) => (paths, None),
            Err(error) => (Vec::new(), Some(Err(error))),
        };
        let media = paths.into_iter().filter_map(|path| {
            let name = MediaId::parse(path.file_name()?.to_str()?)?.to_string();
            Some(File::open(path).map(|file| Opened { name, file }))
        });
        media.chain(failed)
    }))
}

/// The texts in the folder of each agent. Names that begin with a dot are of texts that are being written.
fn workspaces(root: &Path) -> Listed {
    let root = root.to_owned();
    let agents = std::iter::once_with(move || inside(&root)).flat_map(spread);
    Box::new(agents.flat_map(|agent| -> Listed {
        let agent = match agent {
            Ok(agent) if fs::symlink_metadata(&agent).is_ok_and(|found| found.is_dir()) => agent,
            Ok(_) => return Box::new(std::iter::empty()),
            Err(error) => return Box::new(std::iter::once(Err(error))),
        };
        let texts = spread(inside(&agent)).filter_map(move |path| {
            let path = match path {
                Ok(path) => path,
                Err(error) => return Some(Err(error)),
            };
            let (agent, name) = (agent.file_name()?.to_str()?, path.file_name()?.to_str()?);
            let is_text = fs::symlink_metadata(&path)
                .is_ok_and(|found| found.is_file() && found.len() <= TEXT_BYTES_MAX);
            let name = (is_text && !name.starts_with('.')).then(|| format!("{agent}/{name}"))?;
            match File::open(&path) {
                Ok(file) => Some(Ok(Opened { name, file })),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None, // removed a moment ago
                Err(error) => Some(Err(error)),
            }
        });
        Box::new(texts)
    }))
}

fn spread(paths: io::Result<Vec<PathBuf>>) -> impl Iterator<Item = io::Result<PathBuf>> + Send {
    let (paths, failed) = match paths {
        Ok(paths) => (paths, None),
        Err(error) => (Vec::new(), Some(Err(error))),
    };
    paths.into_iter().map(Ok).chain(failed)
}

/// What is in a folder, in order. A folder that is not there has nothing in it.
fn inside(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read;

    use super::*;

    fn read(listed: Listed) -> BTreeMap<String, String> {
        let texts = listed.map(|opened| {
            let Opened { name, mut file } = opened.unwrap();
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            (name, text)
        });
        texts.collect()
    }

    #[test]
    fn a_backup_takes_media_and_texts_and_nothing_that_is_not_whole_or_is_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let (shelves, agents) = (folder.path().join("media"), folder.path().join("workspace"));
        let medium = "ab".repeat(32);
        for (path, text) in [
            (shelves.join("ab").join(&medium), "picture"),
            (shelves.join("ab").join("notes.txt"), "no medium"),
            (shelves.join("unfinished").join("1"), "half"),
            (agents.join("main/SOUL.md"), "be kind"),
            (agents.join("main/.SOUL.md.1"), "half"),
            (agents.join("loose.md"), "of nobody"),
        ] {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", agents.join("main/USER.md")).unwrap();

        let (media, texts) = (read(media(shelves)), read(workspaces(&agents)));

        assert_eq!(media, BTreeMap::from([(medium, "picture".to_owned())]));
        assert_eq!(
            texts,
            BTreeMap::from([("main/SOUL.md".to_owned(), "be kind".to_owned())])
        );
        assert!(read(super::media(folder.path().join("nowhere"))).is_empty());
        assert!(read(workspaces(&folder.path().join("nowhere"))).is_empty());
    }
}
