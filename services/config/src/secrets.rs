//! Resolves references to secrets, all of them before anything else starts, and reports every one that is missing at once.

mod file;
mod variables;
mod whole;

use std::{
    fmt,
    path::{Path as FilePath, PathBuf},
};

use gatehouse_core::NamedFile;
use serde_json::{Map, Value, json};

use crate::{
    brought::Brought,
    issue::Issue,
    outline::Place,
    path::{Path, Step},
};

use self::variables::{Part, parts};
pub(crate) use self::{
    variables::{is_variable, is_whole_reference, named_variables, variables},
    whole::replace_whole,
};

/// Reads an environment variable.
type Variables = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Where references are looked up.
pub(crate) struct Sources {
    /// Reads an environment variable.
    pub(crate) env: Box<Variables>,
    /// Where relative paths start: the folder of the configuration file. Absolute.
    pub(crate) folder: PathBuf,
    /// `secrets.dirs` of a document that says nothing about it. Absolute.
    pub(crate) secrets: PathBuf,
}

impl Sources {
    /// The folders that files named through a method have to stay within.
    pub(crate) fn dirs(&self, written: &Value) -> Vec<PathBuf> {
        match written.pointer("/secrets/dirs").and_then(Value::as_array) {
            Some(dirs) => dirs
                .iter()
                .filter_map(Value::as_str)
                .map(|dir| self.folder.join(dir))
                .collect(),
            None => vec![self.secrets.clone()],
        }
    }

    /// A file that the document names. Within one of `dirs` it has to stay there, whoever named it: only then may a method
    /// have named it. Outside of them somebody wrote it into the file by hand, because no method can.
    pub(crate) fn file(&self, path: &str, dirs: &[PathBuf]) -> NamedFile {
        let path = self.folder.join(path);
        Self::within(&path, dirs).unwrap_or_else(|| NamedFile::anywhere(path))
    }

    /// Whether a file that the document names is within one of `dirs`, as its path is written.
    pub(crate) fn is_within(&self, path: &str, dirs: &[PathBuf]) -> bool {
        Self::within(&self.folder.join(path), dirs).is_some()
    }

    fn within(path: &FilePath, dirs: &[PathBuf]) -> Option<NamedFile> {
        dirs.iter().find_map(|dir| NamedFile::within(path, dir))
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// A reference that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Where in the document it stands.
    pub path: String,
    /// What was looked for.
    pub looked_for: String,
    /// How to set it.
    pub remedy: String,
    /// The same as `path`.
    place: Path,
}

impl Missing {
    /// Where in the document it stands.
    pub(crate) fn place(&self) -> &Path {
        &self.place
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.path, self.looked_for, self.remedy)
    }
}

/// A document with its references followed. It holds secrets: it is never printed.
#[derive(Default)]
pub(crate) struct Resolved {
    pub(crate) value: Value,
    pub(crate) missing: Vec<Missing>,
    /// References that cannot be right, and warnings.
    pub(crate) issues: Vec<Issue>,
}

impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolved")
            .field("missing", &self.missing)
            .field("issues", &self.issues)
            .finish_non_exhaustive()
    }
}

/// Whether a value has the shape of a reference.
pub(crate) fn is_reference(value: &Value) -> bool {
    value.as_object().is_some_and(|object| {
        object.get("source").is_some_and(Value::is_string)
            && object
                .keys()
                .all(|key| matches!(key.as_str(), "source" | "provider" | "id" | "path"))
    })
}

/// Follows every reference of the document. They are followed where the types say that a secret belongs, and nowhere else:
/// what is not a secret is shown to everybody who may read the configuration.
pub(crate) fn resolve(written: &Value, sources: &Sources) -> Resolved {
    let mut resolver = Resolver {
        sources,
        providers: written.get("secrets").unwrap_or(&Value::Null),
        dirs: sources.dirs(written),
        brought: Brought::of(written),
        unused: unused(written),
        out: Resolved::default(),
    };
    let value = resolver.value(written, &Place::root(), &Path::default(), true);
    Resolved {
        value,
        ..resolver.out
    }
}

struct Resolver<'s> {
    sources: &'s Sources,
    /// The section `secrets`.
    providers: &'s Value,
    dirs: Vec<PathBuf>,
    /// Where names say what is a secret, because no type does.
    brought: Brought,
    /// Secrets that nothing asks for as the document stands.
    unused: Vec<Path>,
    out: Resolved,
}

impl Resolver<'_> {
    /// `active` is false inside what is switched off: a reference there may lead nowhere.
    fn value(&mut self, value: &Value, place: &Place, path: &Path, active: bool) -> Value {
        let active = active && !self.unused.contains(path);
        let needed = active && (!place.is_unknown() || self.brought.holds(path));
        let is_secret = self.is_secret(place, path);
        match value {
            Value::String(text) => Value::from(self.text(text, is_secret, path, needed)),
            Value::Object(_) if is_secret && value.get("source").is_some() => {
                Value::from(self.reference(value, path, needed))
            }
            Value::Object(object) => {
                let on = value.get("enabled").and_then(Value::as_bool) != Some(false) || acts_without(path);
                let child = |this: &mut Self, key: &String, child: &Value| {
                    let step = Step::Key(key.clone());
                    this.value(child, &place.step(&step), &path.with(step), active && on)
                };
                let mut followed: Map<String, Value> = object
                    .iter()
                    .map(|(key, inner)| (key.clone(), child(self, key, inner)))
                    .collect();
                self.read_files(object, place, path, active && on, &mut followed);
                Value::Object(followed)
            }
            Value::Array(items) => {
                let item = |this: &mut Self, index: usize, item: &Value| {
                    let step = Step::Index(index);
                    this.value(item, &place.step(&step), &path.with(step), active)
                };
                Value::Array(
                    items
                        .iter()
                        .enumerate()
                        .map(|(index, inner)| item(self, index, inner))
                        .collect(),
                )
            }
            other => other.clone(),
        }
    }

    /// Whether a secret belongs here.
    fn is_secret(&self, place: &Place, path: &Path) -> bool {
        place.is_secret() || self.brought.is_secret(path)
    }

    /// The secrets of keys that are not there themselves, but beside which a key names the file.
    fn read_files(
        &mut self,
        object: &Map<String, Value>,
        place: &Place,
        path: &Path,
        active: bool,
        followed: &mut Map<String, Value>,
    ) {
        for (key, file) in object {
            let step = Step::Key(key.clone());
            let of = place.step(&step).file_of();
            let Some(of) = of.filter(|of| file.is_string() && object.get(*of).is_none_or(Value::is_null))
            else {
                continue;
            };
            let reference = json!({"source": "file", "path": file});
            let secret = self.reference(&reference, &path.with(step), active);
            followed.insert(of.to_owned(), Value::from(secret));
        }
    }

    /// Replaces each `${NAME}` where a secret belongs; `$${NAME}` stands for itself.
    fn text(&mut self, text: &str, is_secret: bool, path: &Path, needed: bool) -> String {
        let mut out = String::new();
        let mut left = false;
        parts(text, |part| match part {
            Part::Literal(piece) => out.push_str(piece),
            Part::Escaped(name) => out.push_str(&format!("${{{name}}}")),
            Part::Variable(name) => match is_secret.then(|| self.variable(name, path, needed)) {
                Some(Some(found)) => out.push_str(&found),
                Some(None) => out.push_str(&format!("${{{name}}}")),
                None => {
                    left = true;
                    out.push_str(&format!("${{{name}}}"));
                }
            },
        });
        if left && needed {
            let problem = "${NAME} is followed only where a secret belongs; here it stays as it is: write the value itself";
            self.out.issues.push(Issue::warning(path, problem));
        }
        out
    }

    fn variable(&mut self, name: &str, path: &Path, needed: bool) -> Option<String> {
        let state = match (self.sources.env)(name) {
            Some(value) if !value.trim().is_empty() => return Some(value),
            Some(_) => "is empty",
            None => "is not set",
        };
        self.miss(
            path,
            format!("the environment variable {name} {state}"),
            format!("set {name} in the environment of the config service and start again, or write another reference"),
            needed,
        );
        None
    }

    fn reference(&mut self, reference: &Value, path: &Path, needed: bool) -> String {
        let part = |key: &str| reference.get(key).and_then(Value::as_str);
        let unresolved = String::from("unresolved");
        match part("source") {
            Some("env") => match part("id") {
                Some(name) if is_variable(name) => self.variable(name, path, needed).unwrap_or(unresolved),
                _ => {
                    self.wrong(
                        path,
                        "a reference with `source: \"env\"` needs `id`: the name of an upper-case variable",
                    );
                    unresolved
                }
            },
            Some("file") => match file::read(
                part("path"),
                part("provider"),
                part("id"),
                self.providers,
                |path| self.sources.file(path, &self.dirs),
            ) {
                Ok(found) => {
                    if let Some(warning) = found.warning {
                        self.out.issues.push(Issue::warning(path, warning));
                    }
                    found.secret
                }
                Err(file::Error::Missing { looked_for, remedy }) => {
                    self.miss(path, looked_for, remedy, needed);
                    unresolved
                }
                Err(file::Error::Wrong(problem)) => {
                    self.wrong(path, problem);
                    unresolved
                }
            },
            Some(later @ ("exec" | "store")) => {
                let problem = format!(
                    "Gatehouse cannot follow a reference with `source: \"{later}\"` yet; use \"env\" or \"file\""
                );
                if needed {
                    self.wrong(path, problem);
                } else {
                    self.out.issues.push(Issue::warning(path, problem));
                }
                unresolved
            }
            _ => {
                self.wrong(path, "`source` must be \"env\" or \"file\"");
                unresolved
            }
        }
    }

    fn wrong(&mut self, path: &Path, problem: impl Into<String>) {
        self.out.issues.push(Issue::error(path, problem));
    }

    /// A reference that leads nowhere stops the start, unless nothing uses it.
    fn miss(&mut self, path: &Path, looked_for: String, remedy: String, needed: bool) {
        if needed {
            self.out.missing.push(Missing {
                path: path.to_string(),
                looked_for,
                remedy,
                place: path.clone(),
            });
        } else {
            self.out.issues.push(Issue::warning(
                path,
                format!("{looked_for}; nothing uses it yet, so it is left as it is"),
            ));
        }
    }
}

/// Whether something inside acts although the whole is switched off: a job can be run by hand.
fn acts_without(path: &Path) -> bool {
    *path == Path::of(["cron"])
}

/// What is not asked for although nobody switched it off: the password while another credential is asked for, and everything of hooks
/// while nobody switched them on.
fn unused(written: &Value) -> Vec<Path> {
    let mut unused = Vec::new();
    if written.pointer("/gateway/auth/mode").and_then(Value::as_str) != Some("password") {
        unused.push(Path::of(["gateway", "auth", "password"]));
    }
    if written.pointer("/hooks/enabled").and_then(Value::as_bool) != Some(true) {
        unused.push(Path::of(["hooks"]));
    }
    unused
}

#[cfg(test)]
mod tests;
