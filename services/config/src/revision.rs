//! One state of the document: its text, what it means, and what each service gets of it.

use std::{borrow::Cow, fmt, path::PathBuf};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use gatehouse_document::Document;

mod reader;
#[cfg(test)]
pub(crate) mod samples;
mod usable;

use self::usable::Usable;
pub(crate) use self::{reader::Reader, usable::LeftOut};
use crate::{
    include::{self, Included, Kept},
    issue::{ISSUES_MAX, Issue},
    marker::MARKER,
    outline::Place,
    path::{Path, Step, children},
    redact,
    secrets::{self, Missing, Sources},
    text,
};

/// A document that can run. It holds secrets: it is never printed.
pub(crate) struct Revision {
    text: String,
    /// The document without the content of the files that it includes. `None`: it includes none.
    own: Option<Value>,
    included: Included,
    /// As written, references included, with what the document includes.
    written: Value,
    /// References followed and defaults filled in.
    filled: Value,
    document: Document,
    warnings: Vec<Issue>,
    left_out: LeftOut,
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revision")
            .field("hash", &self.included.hash)
            .finish_non_exhaustive()
    }
}

/// Why a text is not a revision.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Everything that was found, warnings included.
    pub(crate) issues: Vec<Issue>,
    /// References that lead nowhere. With no error among the issues, they are all that is wrong.
    pub(crate) missing: Vec<Missing>,
    /// Whether nothing is wrong but that files are not there which the document includes.
    pub(crate) only_absent: bool,
}

/// What a file means that is included and is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Absent {
    Refused,
    Empty,
}

impl Refused {
    /// Every finding in one list.
    pub(crate) fn all(&self) -> Vec<Issue> {
        let missing = self
            .missing
            .iter()
            .map(|one| Issue::error(one.place(), format!("{}; {}", one.looked_for, one.remedy)));
        self.issues
            .iter()
            .cloned()
            .chain(missing)
            .take(ISSUES_MAX)
            .collect()
    }

    /// Whether nothing but secrets is missing.
    pub(crate) fn only_secrets(&self) -> bool {
        !self.missing.is_empty() && !self.issues.iter().any(Issue::is_error)
    }
}

impl Revision {
    /// Reads a text, and the files that it includes.
    pub(crate) fn read(text: &str, sources: &Sources) -> Result<Self, Refused> {
        Self::read_as(text, sources, Absent::Refused)
    }

    /// The same, as if files were empty that are not there.
    pub(crate) fn read_without_absent(text: &str, sources: &Sources) -> Result<Self, Refused> {
        Self::read_as(text, sources, Absent::Empty)
    }

    fn read_as(text: &str, sources: &Sources, absent: Absent) -> Result<Self, Refused> {
        let refused = |issues, only_absent| Refused {
            issues,
            missing: Vec::new(),
            only_absent,
        };
        let (own, found) =
            text::parse(text).map_err(|error| refused(vec![Issue::error("", error.to_string())], false))?;
        let mut included = include::follow(text, &own, &sources.folder);
        let absent_files = std::mem::take(&mut included.issues);
        if !(absent_files.is_empty() || included.only_absent && absent == Absent::Empty) {
            return Err(refused(absent_files, included.only_absent));
        }
        let written = std::mem::take(&mut included.value);
        let own = (!included.files.is_empty()).then_some(own);
        let Usable {
            value,
            document,
            mut warnings,
            left_out,
        } = usable::read(&written, secrets::resolve(&written, sources))?;
        warnings.extend(twice(found.root.as_ref()));
        warnings.truncate(ISSUES_MAX);
        let mut filled = fill(value, &document);
        name_files(&mut filled, &Place::root(), sources, &sources.dirs(&written));
        Ok(Self {
            text: text.to_owned(),
            own,
            included,
            written,
            filled,
            document,
            warnings,
            left_out,
        })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the text and of the files that it includes, lower-case hex.
    pub(crate) fn hash(&self) -> &str {
        &self.included.hash
    }

    /// The document with what it includes.
    pub(crate) fn written(&self) -> &Value {
        &self.written
    }

    /// The document as it stands in its own file.
    pub(crate) fn own(&self) -> &Value {
        self.own.as_ref().unwrap_or(&self.written)
    }

    /// What it includes.
    pub(crate) fn included(&self) -> &Included {
        &self.included
    }

    /// What no change through a method may touch.
    pub(crate) fn kept(&self) -> Kept<'_> {
        Kept {
            own: self.own(),
            places: &self.included.places,
        }
    }

    /// A text that says the same without another file.
    pub(crate) fn whole_text(&self) -> Cow<'_, str> {
        match self.own {
            None => Cow::from(&self.text),
            Some(_) => Cow::from(text::render(&self.written, 0) + "\n"),
        }
    }

    pub(crate) fn document(&self) -> &Document {
        &self.document
    }

    pub(crate) fn warnings(&self) -> &[Issue] {
        &self.warnings
    }

    /// References followed and defaults filled in. It holds secrets.
    pub(crate) fn filled(&self) -> &Value {
        &self.filled
    }

    /// The entries that cannot be used.
    pub(crate) fn left_out(&self) -> &LeftOut {
        &self.left_out
    }

    /// Whether others read the same from it. The text alone does not say so: a secret may have come that was missing.
    pub(crate) fn means_the_same_as(&self, other: &Self) -> bool {
        self.filled == other.filled
    }

    /// For people: defaults filled in, references as written, secrets redacted.
    pub(crate) fn shown(&self) -> Value {
        let mut shown = self.filled.clone();
        overlay(&mut shown, &self.written);
        redact::redact(&shown)
    }

    /// The document as it is written, secrets redacted.
    pub(crate) fn source(&self) -> Value {
        redact::redact(&self.written)
    }

    /// For one service: its parts as JSON, with the secrets that it needs and no other.
    pub(crate) fn cut(&self, reader: Reader) -> String {
        let mut out = Value::Object(Map::new());
        for (way, with_secrets) in reader.parts() {
            let Some(mut part) = way
                .iter()
                .try_fold(&self.filled, |value, key| value.get(key))
                .cloned()
            else {
                continue;
            };
            let left_out = self.left_out.providers();
            if reader == Reader::Agent && *way == ["models"] && !left_out.is_empty() {
                part["leftOut"] = Value::Object(left_out);
            }
            if !with_secrets {
                redact::without_secrets(&mut part, way);
            }
            let place = way.iter().fold(Place::root(), |place, key| {
                place.step(&Step::Key((*key).to_owned()))
            });
            drop_nulls(&mut part, &place);
            let mut nested = part;
            for key in way.iter().rev() {
                nested = Value::Object(Map::from_iter([((*key).to_owned(), nested)]));
            }
            overlay(&mut out, &nested);
        }
        if reader == Reader::Session {
            // Where an answer can go, without how to get there.
            out["channelAccounts"] = serde_json::to_value(self.document.accounts()).unwrap_or_default();
        }
        out.to_string()
    }
}

/// SHA-256, lower-case hex.
pub(crate) fn hash(text: &str) -> String {
    gatehouse_core::hex::encode(&Sha256::digest(text.as_bytes()))
}

/// The paths whose values differ, shortest that say everything, at most `max`; then one more, `...`.
pub(crate) fn changed_paths(old: &Value, new: &Value, max: usize) -> Vec<String> {
    fn walk(old: &Value, new: &Value, path: &Path, max: usize, out: &mut Vec<String>) {
        if old == new || out.len() > max {
            return;
        }
        let (Some(before), Some(after)) = (old.as_object(), new.as_object()) else {
            out.push(path.to_string());
            return;
        };
        let gone = before.keys().filter(|key| !after.contains_key(*key));
        for key in after.keys().chain(gone) {
            match (before.get(key), after.get(key)) {
                (Some(before), Some(after)) => walk(before, after, &path.key(key), max, out),
                _ => out.push(path.key(key).to_string()),
            }
        }
    }
    let mut out = Vec::new();
    walk(old, new, &Path::default(), max, &mut out);
    if out.len() > max {
        out.truncate(max);
        out.push("...".to_owned());
    }
    out
}

/// The last guard: the schema has found nothing wrong, so the types must read it. A difference between the two still ends
/// in a message with a path, and never in a value.
fn typed(value: &Value) -> Result<Document, Issue> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        Issue::error(
            place_of(error.path()),
            "has a value that cannot be used here; see the configuration reference",
        )
    })
}

/// A place as the types name it.
fn place_of(path: &serde_path_to_error::Path) -> Path {
    use serde_path_to_error::Segment;
    path.iter().fold(Path::default(), |place, segment| match segment {
        Segment::Seq { index } => place.index(*index),
        Segment::Map { key } => place.key(key),
        Segment::Enum { .. } | Segment::Unknown => place, // as far as it is known
    })
}

/// Adds the defaults. What the types know wins, so that readers find one form; what they do not know stays.
fn fill(resolved: Value, document: &Document) -> Value {
    let mut filled = resolved;
    use_real_names(&mut filled, &Place::root());
    let known =
        serde_json::to_value(document).expect("the document's types have string keys and finite numbers");
    overlay(&mut filled, &known);
    filled
}

/// Makes files that the document names whole: absolute, and with the folder that they have to stay within.
fn name_files(value: &mut Value, place: &Place, sources: &Sources, dirs: &[PathBuf]) {
    match value {
        Value::String(path) if place.names_file() => {
            *value = serde_json::to_value(sources.file(path, dirs)).unwrap_or_default(); // a path of a document is UTF-8
        }
        Value::Object(object) => {
            for (key, child) in object {
                name_files(child, &place.step(&Step::Key(key.clone())), sources, dirs);
            }
        }
        Value::Array(items) => {
            for (index, child) in items.iter_mut().enumerate() {
                name_files(child, &place.step(&Step::Index(index)), sources, dirs);
            }
        }
        _ => {}
    }
}

/// Gives keys that were written with their other name the one that readers look for.
fn use_real_names(value: &mut Value, place: &Place) {
    match value {
        Value::Object(object) => {
            for (key, mut child) in std::mem::take(object) {
                use_real_names(&mut child, &place.step(&Step::Key(key.clone())));
                let name = place.real_name(&key).map_or(key, ToOwned::to_owned);
                object.insert(name, child);
            }
        }
        Value::Array(items) => {
            for (index, child) in items.iter_mut().enumerate() {
                use_real_names(child, &place.step(&Step::Index(index)));
            }
        }
        _ => {}
    }
}

/// Puts `over` on `base`: objects merge, lists of one length merge element by element, everything else is replaced.
fn overlay(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                match base.get_mut(key) {
                    Some(kept) => overlay(kept, value),
                    None => {
                        base.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (Value::Array(base), Value::Array(over)) if base.len() == over.len() => {
            for (kept, value) in base.iter_mut().zip(over) {
                overlay(kept, value);
            }
        }
        (base, over) => *base = over.clone(),
    }
}

/// Takes out the keys that are null, which is how a key is not set. Where the schema knows no keys the writer says what null means: a field
/// of `params` is not sent.
fn drop_nulls(value: &mut Value, place: &Place) {
    match value {
        Value::Object(object) => object.retain(|key, child| {
            let place = place.step(&Step::Key(key.clone()));
            drop_nulls(child, &place);
            place.is_unknown() || !child.is_null()
        }),
        Value::Array(items) => {
            for (index, child) in items.iter_mut().enumerate() {
                drop_nulls(child, &place.step(&Step::Index(index)));
            }
        }
        _ => {}
    }
}

/// Keys that are given twice in one object.
fn twice(root: Option<&text::Node>) -> Vec<Issue> {
    fn walk(node: &text::Node, path: &Path, issues: &mut Vec<Issue>) {
        match &node.kind {
            text::Kind::Object(members) => {
                for (place, member) in members.iter().enumerate() {
                    let inner = path.key(&member.key);
                    if members
                        .iter()
                        .take(place)
                        .any(|earlier| earlier.key == member.key)
                    {
                        issues.push(Issue::warning(&inner, "is given twice; the last one counts"));
                    }
                    walk(&member.value, &inner, issues);
                }
            }
            text::Kind::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    walk(item, &path.with(Step::Index(index)), issues);
                }
            }
            text::Kind::Leaf => {}
        }
    }
    let mut issues = Vec::new();
    if let Some(root) = root {
        walk(root, &Path::default(), &mut issues);
    }
    issues
}

/// Whether a secret stands in the text itself, at a place that the types or the names call secret.
pub(crate) fn has_written_secret(written: &Value) -> bool {
    fn has_marker(value: &Value) -> bool {
        value.as_str().is_some_and(|text| text.contains(MARKER))
            || children(value).into_iter().any(|(_, child)| has_marker(child))
    }
    has_marker(&redact::redact(written))
}

#[cfg(test)]
mod tests;
