//! `$include`: other files whose content stands in the document where they are named, by OpenClaw's rules.
//!
//! The files are merged in the order in which they are named, and what stands beside `$include` over them: objects merge, lists are
//! joined, of everything else the later one counts. A name is relative to the file that it stands in, and leads nowhere outside of the
//! document's folder. A file that cannot be read refuses the document as a whole: nobody knows what it would have kept out.
//!
//! What a file says is changed in that file. A method changes the document alone, and never writes into it what a file says: see
//! [`kept`].

mod files;
mod kept;

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    path::{Path as FilePath, PathBuf},
};

use gatehouse_core::hex;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use self::files::normal;
pub(crate) use self::kept::{Kept, named};
use crate::{
    issue::Issue,
    path::{Path, Step},
    text::{self, DEPTH_MAX, Scan, TextError},
};

/// The key.
pub(crate) const KEY: &str = "$include";

/// Files that include each other, one within the other: as many as OpenClaw follows.
const NESTED_MAX: usize = 10;

/// Files that are read for one document, a file that is named twice twice: lists of files in files of lists would be millions.
const FILES_MAX: usize = 200;

/// The longest name of a file: the kernel's own bound (PATH_MAX).
const NAME_BYTES_MAX: usize = 4096;

/// A file that was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    /// Whether everybody on the machine can read it.
    pub(crate) is_open: bool,
}

/// A place of the document where files are included.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Include {
    pub(crate) place: Path,
    /// The files as they are named there.
    pub(crate) names: Vec<String>,
    /// What they say, without what stands beside them.
    pub(crate) said: Value,
    /// Whether everybody on the machine can read one of them.
    pub(crate) open: Option<PathBuf>,
}

/// A document and what it includes.
#[derive(Debug, Default)]
pub(crate) struct Included {
    /// The document with the content of all files.
    pub(crate) value: Value,
    /// Every file that was looked for, in that order.
    pub(crate) files: Vec<File>,
    /// Where the document itself includes files.
    pub(crate) places: Vec<Include>,
    /// Files that cannot be used.
    pub(crate) issues: Vec<Issue>,
    /// Whether nothing is wrong but that files are not there.
    pub(crate) only_absent: bool,
    /// Whether one of them may be half of a save.
    pub(crate) is_unfinished: bool,
    /// The text and all files' texts in one hash; of the text alone where it includes nothing.
    pub(crate) hash: String,
}

impl Included {
    /// The files, those too that are not there.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|file| file.path.clone()).collect()
    }

    /// The same, each as its way in the document's folder.
    pub(crate) fn ways(&self, folder: &FilePath) -> Vec<PathBuf> {
        let folder = normal(folder);
        let way = |file: &File| file.path.strip_prefix(&folder).ok().map(FilePath::to_owned);
        self.files.iter().filter_map(way).collect()
    }
}

/// Reads the files that a document includes. `text` is the document's, `folder` its folder.
pub(crate) fn follow(text: &str, own: &Value, folder: &FilePath) -> Included {
    follow_in(text, own, folder, None)
}

/// The same among texts that stand for the files of the folder, each under its way in it.
pub(crate) fn follow_among(text: &str, folder: &FilePath, texts: &BTreeMap<PathBuf, String>) -> Included {
    match text::parse(text) {
        Ok((own, _)) => follow_in(text, &own, folder, Some(texts)),
        Err(_) => Included::default(),
    }
}

fn follow_in(
    text: &str,
    own: &Value,
    folder: &FilePath,
    texts: Option<&BTreeMap<PathBuf, String>>,
) -> Included {
    let root = folder.to_owned();
    let mut follower = Follower {
        texts,
        real: root.canonicalize().unwrap_or_else(|_| root.clone()),
        root,
        bytes: text.len(),
        digest: Sha256::new_with_prefix(text.as_bytes()),
        files: Vec::new(),
        places: Vec::new(),
        issues: Vec::new(),
        is_wrong: false,
        is_unfinished: false,
    };
    let mut value = follower.value(own, &Path::default(), &mut Vec::new());
    if !follower.files.is_empty() {
        if !value.is_object() {
            follower.wrong(
                &Path::default(),
                "what it includes must be an object: { ... }".to_owned(),
            );
            value = Value::Object(Map::new());
        }
        if depth(&value) > DEPTH_MAX {
            let problem = format!("with what it includes it is nested deeper than {DEPTH_MAX} levels");
            follower.wrong(&Path::default(), problem);
            value = Value::Object(Map::new());
        }
    }
    Included {
        value,
        only_absent: !follower.is_wrong && !follower.issues.is_empty(),
        files: follower.files,
        places: follower.places,
        issues: follower.issues,
        is_unfinished: follower.is_unfinished,
        hash: hex::encode(&follower.digest.finalize()),
    }
}

/// A text of the document and what it includes, for whoever wants to know whether something changed.
pub(crate) fn look(text: &str, folder: &FilePath) -> Included {
    match text::parse(text) {
        Ok((own, _)) => follow(text, &own, folder),
        Err(_) => Included {
            is_unfinished: true,
            hash: hex::encode(&Sha256::digest(text.as_bytes())),
            ..Included::default()
        },
    }
}

struct Follower<'t> {
    /// What is read instead of the disk.
    texts: Option<&'t BTreeMap<PathBuf, String>>,
    /// The document's folder as it is named, and where that leads.
    root: PathBuf,
    real: PathBuf,
    /// What was read so far.
    bytes: usize,
    digest: Sha256,
    files: Vec<File>,
    places: Vec<Include>,
    issues: Vec<Issue>,
    /// Whether something is wrong that no file that comes later would mend.
    is_wrong: bool,
    is_unfinished: bool,
}

impl Follower<'_> {
    /// `way` leads from the document to the file in which the value stands; it is empty in the document itself.
    fn value(&mut self, value: &Value, place: &Path, way: &mut Vec<PathBuf>) -> Value {
        match value {
            Value::Array(items) => {
                let item = |(index, item)| self.value(item, &place.index(index), way);
                Value::Array(items.iter().enumerate().map(item).collect())
            }
            Value::Object(object) => {
                let mut beside = Map::new();
                for (key, inner) in object.iter().filter(|(key, _)| *key != KEY) {
                    beside.insert(key.clone(), self.value(inner, &place.key(key), way));
                }
                match object.get(KEY) {
                    Some(named) => self.include(named, beside, place, way),
                    None => Value::Object(beside),
                }
            }
            other => other.clone(),
        }
    }

    fn include(
        &mut self,
        named: &Value,
        beside: Map<String, Value>,
        place: &Path,
        way: &mut Vec<PathBuf>,
    ) -> Value {
        let names: Option<Vec<&str>> = match named {
            Value::String(name) => Some(vec![name]),
            Value::Array(names) => names.iter().map(Value::as_str).collect(),
            _ => None,
        };
        let Some(names) = names else {
            let problem = format!("`{KEY}` must be the name of a file, or a list of names");
            self.wrong(place, problem);
            return Value::Object(beside);
        };
        let first = self.files.len();
        let mut said = match named {
            Value::Array(_) => Some(Value::Object(Map::new())),
            _ => None,
        };
        for name in &names {
            let Some(content) = self.file(name, place, way) else {
                continue;
            };
            match &mut said {
                Some(said) => merge(said, content),
                None => said = Some(content),
            }
        }
        let said = said.unwrap_or_else(|| Value::Object(Map::new()));
        if way.is_empty() {
            let mut read = self.files.get(first..).unwrap_or_default().iter();
            let open = read.find(|file| file.is_open).map(|file| file.path.clone());
            self.places.push(Include {
                place: place.clone(),
                names: names.iter().map(|name| (*name).to_owned()).collect(),
                said: said.clone(),
                open,
            });
        }
        if beside.is_empty() {
            return said;
        }
        if !said.is_object() {
            let problem = format!("keys stand beside `{KEY}`, so that what it includes must be an object");
            self.wrong(place, problem);
            return Value::Object(beside);
        }
        let mut merged = said;
        merge(&mut merged, Value::Object(beside));
        merged
    }

    /// The content of a file, and of what that includes.
    fn file(&mut self, name: &str, place: &Path, way: &mut Vec<PathBuf>) -> Option<Value> {
        let path = match self.path(name, way) {
            Ok(path) => path,
            Err(problem) => {
                self.wrong(place, format!("`{KEY}` {name:?}: {problem}"));
                return None;
            }
        };
        let (content, is_open) = match self.read(&path) {
            Ok(read) => read,
            Err(problem) => {
                self.unusable(place, &path, problem);
                return None;
            }
        };
        self.files.push(File {
            path: path.clone(),
            is_open,
        });
        for part in [
            path.as_os_str().as_encoded_bytes(),
            b"\0",
            content.as_bytes(),
            b"\0",
        ] {
            self.digest.update(part);
        }
        let value = match text::parse_value(&content) {
            Ok((value, Scan { root: Some(_), .. })) => value,
            Ok(_) => {
                self.is_unfinished = true;
                let problem = format!("{} is empty, or holds nothing but comments", path.display());
                self.wrong(place, problem);
                return None;
            }
            Err(error) => {
                self.is_unfinished |= matches!(error, TextError::Syntax { .. });
                self.wrong(place, format!("{}: {error}", path.display()));
                return None;
            }
        };
        way.push(path);
        let value = self.value(&value, place, way);
        way.pop();
        Some(value)
    }
}

/// Puts `over` on `base`: objects merge, lists are joined, of everything else `over` counts.
fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                match base.get_mut(&key) {
                    Some(kept) => merge(kept, value),
                    None => {
                        base.insert(key, value);
                    }
                }
            }
        }
        (Value::Array(base), Value::Array(over)) => base.extend(over),
        (base, over) => *base = over,
    }
}

/// How deep a value is nested, counted no further than it may be.
fn depth(value: &Value) -> usize {
    let mut level: Vec<&Value> = vec![value];
    let count = (1..=DEPTH_MAX + 1).try_for_each(|depth| {
        level = level
            .iter()
            .flat_map(|value| crate::path::children(value))
            .map(|(_, child)| child)
            .collect();
        if level.is_empty() {
            ControlFlow::Break(depth)
        } else {
            ControlFlow::Continue(())
        }
    });
    match count {
        ControlFlow::Break(depth) => depth,
        ControlFlow::Continue(()) => DEPTH_MAX + 1,
    }
}

/// The value that stands at a place without the files there.
pub(crate) fn at(place: &Path, value: &Value) -> Value {
    place
        .steps()
        .iter()
        .rev()
        .fold(value.clone(), |inner, step| match step {
            Step::Key(key) => Value::Object(Map::from_iter([(key.clone(), inner)])),
            Step::Index(index) => Value::Array((0..*index).map(|_| Value::Null).chain([inner]).collect()),
        })
}

#[cfg(test)]
mod tests;
