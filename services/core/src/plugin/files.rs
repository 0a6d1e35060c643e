//! Descriptors as files: put together in an order in which each stands behind what it imports. What the gateway itself has is taken from
//! the gateway, whoever sends it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use prost::{Message, bytes::Bytes};

use super::DESCRIPTORS_BYTES_MAX;

/// Files of a plugin, with what they import.
pub(super) const FILES_MAX: usize = 200;

/// An encoded `FileDescriptorSet` as the bytes of its files: decoded to types, they would lose their options.
#[derive(Clone, PartialEq, prost::Message)]
struct Set {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    files: Vec<Bytes>,
}

/// What is needed of a file to put it in its place.
#[derive(Clone, PartialEq, prost::Message)]
struct Head {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, repeated, tag = "3")]
    imports: Vec<String>,
}

struct File {
    imports: Vec<String>,
    bytes: Bytes,
}

/// The gateway's own contracts, and what they import.
static OWN: LazyLock<BTreeMap<String, File>> = LazyLock::new(|| {
    let files = Files::of_set(gatehouse_proto::DECLARATIONS);
    files.map(|files| files.0).unwrap_or_default()
});

/// Files by their names.
#[derive(Default)]
pub(super) struct Files(BTreeMap<String, File>);

impl Files {
    /// The files of an encoded set.
    pub(super) fn of_set(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > DESCRIPTORS_BYTES_MAX {
            return Err(too_large());
        }
        let set = Set::decode(bytes).map_err(|_| unreadable())?;
        let mut files = Self::default();
        for file in set.files {
            files.add(file)?;
        }
        Ok(files)
    }

    /// Adds an encoded file.
    pub(super) fn add(&mut self, bytes: Bytes) -> Result<(), String> {
        let Head { name, imports } = Head::decode(bytes.clone()).map_err(|_| unreadable())?;
        self.0.insert(name, File { imports, bytes });
        if self.0.len() > FILES_MAX {
            return Err(format!("are more than {FILES_MAX} files"));
        }
        let size: usize = self.0.values().map(|file| file.bytes.len()).sum();
        if size > DESCRIPTORS_BYTES_MAX {
            return Err(too_large());
        }
        Ok(())
    }

    /// A file that is imported and not there yet.
    pub(super) fn missing(&self) -> Option<String> {
        let imports = self.0.values().flat_map(|file| &file.imports);
        let mut missing = imports.filter(|name| !self.0.contains_key(*name) && !OWN.contains_key(*name));
        missing.next().cloned()
    }

    /// All of them as one set.
    pub(super) fn encode(&self) -> Result<Vec<u8>, String> {
        let mut set = Set::default();
        let mut seen = BTreeSet::new();
        for name in self.0.keys() {
            self.place(name, &mut seen, &mut set)?;
        }
        Ok(set.encode_to_vec())
    }

    /// The plugin's own files, as a set that lacks what they import.
    #[cfg(test)]
    pub(super) fn without_imports(&self) -> Vec<u8> {
        let own = self.0.iter().filter(|(name, _)| !OWN.contains_key(*name));
        let files = own.map(|(_, file)| file.bytes.clone()).collect();
        Set { files }.encode_to_vec()
    }

    /// Puts a file behind what it imports. The depth is that of the chain of imports, which the number of files bounds.
    fn place<'a>(&'a self, name: &'a str, seen: &mut BTreeSet<&'a str>, set: &mut Set) -> Result<(), String> {
        if !seen.insert(name) {
            return Ok(());
        }
        let Some(file) = OWN.get(name).or_else(|| self.0.get(name)) else {
            return Err(format!(
                "import {name:?}, which is not among them: make them with `gatehouse plugins compile`, or with `protoc \
                 --include_imports`"
            ));
        };
        for import in &file.imports {
            self.place(import, seen, set)?;
        }
        set.files.push(file.bytes.clone());
        Ok(())
    }
}

pub(super) fn too_large() -> String {
    format!("are larger than {DESCRIPTORS_BYTES_MAX} bytes")
}

fn unreadable() -> String {
    "cannot be read: they are not an encoded FileDescriptorSet".to_owned()
}
