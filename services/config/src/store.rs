//! The files of the configuration: every write is durable and whole, whatever moment the machine dies at.
//!
//! A write goes to a new file beside the old one, is flushed to the disk, takes the old one's name, and the folder is
//! flushed. So a name always leads to one whole text: the old one or the new one. Where no file can take the name, the document is
//! written in place, and what was cut off is ended by the next start.

mod disk;
mod failed;
mod history;
mod in_place;

use std::{
    io,
    path::{Path, PathBuf},
};

use gatehouse_core::{
    Secret, Timestamp, private,
    settings::{PLUGIN_TOKENS, plugin_token_in},
};

pub(crate) use disk::{Disk, Real};
pub use failed::WriteError;
pub(crate) use history::Former;

use crate::revision::hash;

/// The end of a name that is being written. Left over after a crash, it is overwritten by the next write.
const TEMPORARY: &str = "gatehouse-new";

/// The mode of files that may hold secrets: for their owner alone.
const PRIVATE: u32 = 0o600;

/// The files of one installation.
#[derive(Debug)]
pub(crate) struct Store<D = Real> {
    disk: D,
    document: PathBuf,
    folder: PathBuf,
    /// Where plugins may have folders of their own for their credentials.
    credentials: Option<PathBuf>,
    /// What nobody but the owner may reach.
    private: Vec<PathBuf>,
}

impl<D: Disk> Store<D> {
    /// `document` is the configuration file, `folder` holds what the service keeps beside it.
    pub(crate) fn new(disk: D, document: PathBuf, folder: PathBuf) -> Self {
        Self {
            disk,
            document,
            folder,
            credentials: None,
            private: Vec::new(),
        }
    }

    /// The same, with an eye on what nobody but the owner may reach.
    pub(crate) fn with_private(mut self, paths: Vec<PathBuf>) -> Self {
        self.private = paths;
        self
    }

    /// The same, with the folder in which a plugin may have one of its own for its credential.
    pub(crate) fn with_credentials(mut self, folder: PathBuf) -> Self {
        self.credentials = Some(folder);
        self
    }

    /// What others on this machine can reach and should not.
    pub(crate) fn open_paths(&self) -> Vec<private::Open> {
        private::open_among(self.private.iter().cloned())
    }

    pub(crate) fn document(&self) -> &Path {
        &self.document
    }

    pub(crate) fn token_path(&self) -> PathBuf {
        self.folder.join("token")
    }

    pub(crate) fn credentials_path(&self) -> PathBuf {
        self.folder.join("credentials.json")
    }

    fn last_valid_path(&self) -> PathBuf {
        self.folder.join("last-valid.json5")
    }

    fn history_path(&self) -> PathBuf {
        self.folder.join("history")
    }

    /// Makes the folders.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        if let Some(parent) = self.document.parent() {
            self.disk.create_folder(parent)?;
        }
        self.disk.create_folder(&self.folder)?;
        self.disk.create_folder(&self.history_path())
    }

    /// The configuration file's text. `None` when there is no file.
    pub(crate) fn read_document(&self) -> io::Result<Option<String>> {
        self.read_text(&self.document)
    }

    /// Whether everybody on the machine can read the configuration file.
    pub(crate) fn document_is_open(&self) -> bool {
        self.disk
            .mode(&self.document)
            .ok()
            .flatten()
            .is_some_and(|mode| mode & 0o004 != 0)
    }

    fn read_text(&self, path: &Path) -> io::Result<Option<String>> {
        let Some(bytes) = self.disk.read(path)? else {
            return Ok(None);
        };
        String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the file is not UTF-8"))
    }

    /// Writes the configuration file, and keeps the text that stood there before.
    pub(crate) fn write_document(
        &self,
        text: &str,
        time: Timestamp,
        note: Option<&str>,
    ) -> Result<(), WriteError> {
        let previous = self.disk.read(&self.document);
        let previous = previous.map_err(WriteError::at(&self.document))?;
        // A file that is not text cannot be a document, but it is somebody's work: it is kept as it is.
        if let Some(previous) = &previous {
            self.keep(previous, time, note)?;
        }
        let target = self.disk.resolve(&self.document); // a link stays a link
        match (self.try_replace(&target, text.as_bytes()), previous) {
            (Err(error), Some(previous)) if in_place::is_called_for(&error) => {
                self.write_in_place(&previous, text.as_bytes())
            }
            (written, _) => written.map_err(WriteError::at(&target)),
        }
    }

    /// Keeps the text of a revision that runs, with its hash in the first line, so that a torn or edited copy is noticed.
    pub(crate) fn write_last_valid(&self, text: &str) -> Result<(), WriteError> {
        let content = format!("// revision {}\n{text}", hash(text));
        self.replace(&self.last_valid_path(), content.as_bytes())
    }

    /// The text of the last revision that ran. `None` when there is none, or when it is not what was written.
    pub(crate) fn read_last_valid(&self) -> io::Result<Option<String>> {
        let Some(content) = self.read_text(&self.last_valid_path())? else {
            return Ok(None);
        };
        Ok(content.split_once('\n').and_then(|(first, text)| {
            let known = first.strip_prefix("// revision ")?;
            (known == hash(text)).then(|| text.to_owned())
        }))
    }

    pub(crate) fn read_token(&self) -> io::Result<Option<String>> {
        Ok(self
            .read_text(&self.token_path())?
            .map(|text| text.trim().to_owned())
            .filter(|token| !token.is_empty()))
    }

    /// The credential of a plugin. One is made where there is none.
    pub(crate) fn plugin_token(&self, id: &str) -> io::Result<Secret> {
        let own = self.credentials.as_deref();
        let path = own.and_then(|credentials| plugin_token_in(credentials, id));
        let path = path.unwrap_or_else(|| self.folder.join(PLUGIN_TOKENS).join(format!("{id}.token")));
        let kept = self.read_text(&path)?.map(|text| text.trim().to_owned());
        if let Some(token) = kept.filter(|token| !token.is_empty()) {
            return Ok(Secret::new(token));
        }
        let token = Secret::generate();
        if let Some(folder) = path.parent() {
            self.disk.create_folder(folder)?;
        }
        self.try_replace(&path, format!("{}\n", token.expose()).as_bytes())?;
        Ok(token)
    }

    /// The credentials beside the gateway token. `None` when there is no file.
    pub(crate) fn read_credentials(&self) -> io::Result<Option<String>> {
        self.read_text(&self.credentials_path())
    }

    pub(crate) fn write_token(&self, token: &str) -> Result<(), WriteError> {
        self.replace(&self.token_path(), format!("{token}\n").as_bytes())
    }

    /// Puts a whole new content under a name.
    fn replace(&self, path: &Path, content: &[u8]) -> Result<(), WriteError> {
        self.try_replace(path, content).map_err(WriteError::at(path))
    }

    fn try_replace(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let temporary = folder.join(format!(".{name}.{TEMPORARY}"));
        // Somebody may have opened the file to a group on purpose: that stays. To everybody it never is.
        let mode = self
            .disk
            .mode(path)?
            .map_or(PRIVATE, |mode| mode & 0o770 | PRIVATE);
        let written = self.disk.write(&temporary, content, mode);
        self.disk.give_owner(&temporary, path); // who wrote the file goes on reading it when root's gateway changed it
        if let Err(error) = written.and_then(|()| self.disk.rename(&temporary, path)) {
            let _ = self.disk.remove(&temporary); // on a full disk it would keep the room that it has
            return Err(error);
        }
        self.disk.sync_folder(folder)
    }
}

#[cfg(test)]
pub(crate) mod tests;
