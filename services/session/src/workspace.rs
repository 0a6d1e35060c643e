//! The files of agents: texts beside the document that a model is told behind the system prompt. They have fixed names in a folder for
//! each agent, so no name of a client ever becomes a path.

pub(crate) mod grpc;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use gatehouse_core::named_file::ReadError;
use gatehouse_core::{Chain, NamedFile, Timestamp, hex, private};
use sha2::{Digest, Sha256};

use crate::key::AgentId;

/// What a file may hold: what a model is told of each, and a person reads in an hour.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The files that are told to models, in this order. OpenClaw has more, for things that Gatehouse does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Agents,
    Soul,
    Identity,
    User,
    Tools,
    Memory,
    /// What is looked at with each heartbeat; told with it alone.
    Heartbeat,
}

impl Name {
    pub(crate) const ALL: [Self; 7] = [
        Self::Agents,
        Self::Soul,
        Self::Identity,
        Self::User,
        Self::Tools,
        Self::Memory,
        Self::Heartbeat,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Agents => "AGENTS.md",
            Self::Soul => "SOUL.md",
            Self::Identity => "IDENTITY.md",
            Self::User => "USER.md",
            Self::Tools => "TOOLS.md",
            Self::Memory => "MEMORY.md",
            Self::Heartbeat => "HEARTBEAT.md",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.word() == text)
    }
}

/// A file that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) text: String,
    pub(crate) size: u64,
    pub(crate) updated_at: Timestamp,
}

impl Found {
    /// SHA-256 of the text.
    pub(crate) fn hash(&self) -> String {
        hash(&self.text)
    }
}

fn hash(text: &str) -> String {
    hex::encode(&Sha256::digest(text.as_bytes()))
}

/// What became of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Done(Found),
    /// Another text is there than the one that it was to replace.
    Changed,
}

/// The folders of all agents. Everything here blocks on the disk.
#[derive(Clone, Debug)]
pub(crate) struct Workspaces {
    root: PathBuf,
}

impl Workspaces {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The folder of an agent. Its id is letters, digits, `_` and `-`.
    pub(crate) fn folder(&self, agent: &AgentId) -> PathBuf {
        self.root.join(agent.as_str())
    }

    pub(crate) fn path(&self, agent: &AgentId, name: Name) -> PathBuf {
        self.folder(agent).join(name.word())
    }

    /// Reads a file, and follows no link out of the folder: whoever can place one there could else have a model told any file of the
    /// machine.
    ///
    /// # Errors
    /// When it cannot be read, is no plain file, or is longer than a text may be.
    pub(crate) fn read(&self, agent: &AgentId, name: Name) -> io::Result<Option<Found>> {
        let path = self.path(agent, name);
        let Some(file) = NamedFile::within(&path, &self.folder(agent)) else {
            return Ok(None); // the name of a file is beneath its folder
        };
        let bytes = match file.read(FILE_BYTES_MAX) {
            Ok(content) => content.bytes,
            Err(ReadError::Open(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(ReadError::Open(error)) => return Err(error),
            Err(other) => return Err(wrong(&other.to_string())),
        };
        let changed = fs::metadata(&path)?.modified()?.duration_since(UNIX_EPOCH);
        Ok(Some(Found {
            size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            updated_at: Timestamp::EPOCH + changed.unwrap_or_default(),
            text: String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8 text"))?,
        }))
    }

    /// Writes a file, whole or not at all.
    ///
    /// # Errors
    /// When the disk does not let us.
    pub(crate) fn write(
        &self,
        agent: &AgentId,
        name: Name,
        text: &str,
        expected: Option<&str>,
    ) -> io::Result<Written> {
        if let Some(expected) = expected {
            let now = self.read(agent, name)?.map(|found| found.hash());
            if !now.is_some_and(|now| now.eq_ignore_ascii_case(expected)) {
                return Ok(Written::Changed);
            }
        }
        let folder = self.folder(agent);
        private::create_folder(&folder)?;
        let new = folder.join(format!(".{}.{}", name.word(), uuid::Uuid::new_v4()));
        let written = place(&new, text.as_bytes()).and_then(|()| fs::rename(&new, self.path(agent, name)));
        if let Err(error) = written {
            // What is left of it is of no use.
            let _ = fs::remove_file(&new);
            return Err(error);
        }
        File::open(&folder)?.sync_all()?;
        let found = self.read(agent, name)?;
        found
            .map(Written::Done)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// What a model is told: what the document says, and then each file that says something.
    pub(crate) fn prompt(&self, agent: &AgentId, configured: Option<&str>) -> Option<String> {
        let mut parts: Vec<String> = configured.map(str::to_owned).into_iter().collect();
        if self.folder(agent).is_dir() {
            let always = Name::ALL.into_iter().filter(|name| *name != Name::Heartbeat);
            parts.extend(always.filter_map(|name| self.told(agent, name)));
        }
        (!parts.is_empty()).then(|| parts.join("\n\n"))
    }

    /// What a model is told of a file. `None`: it says nothing, or cannot be read.
    pub(crate) fn told(&self, agent: &AgentId, name: Name) -> Option<String> {
        match self.read(agent, name) {
            Ok(found) => {
                let text = found?.text;
                (!text.trim().is_empty()).then(|| format!("# {}\n\n{}", name.word(), text.trim()))
            }
            Err(error) => {
                // The turn goes on: what the document says is more than nothing.
                tracing::warn!(
                    agent.id = agent.as_str(),
                    path = name.word(),
                    error = %Chain(&error),
                    "a file of an agent cannot be read, and is not told to its model"
                );
                None
            }
        }
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

fn place(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = private::create_new(path, &[])?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
