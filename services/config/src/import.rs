//! A document of OpenClaw becomes one of Gatehouse: what has an effect here is taken as it stands, and every other key is named, with the
//! reason. What can be used is judged by the same reading as at a start (`Revision::read`), so that nothing is known twice.
//!
//! Nothing is written here, and no secret is shown: references stay references, and a secret that is written out is named by its place.

mod cron;
mod forms;
mod notes;

use std::{
    collections::BTreeSet,
    path::{Path as FilePath, PathBuf},
};

use gatehouse_core::Secret;
use serde_json::{Map, Value};

use self::notes::Notes;
pub use self::{
    cron::{Jobs, jobs},
    notes::{Fate, Noted},
};
use crate::{
    check, include,
    issue::Issue,
    marker::MARKER,
    path::{Path, Step, children},
    redact,
    revision::{Refused, Revision},
    secrets::{self, Sources},
    text,
};

/// How often the rest is looked at again after something was left out. Each time at least one mistake is gone, and many at once.
const ROUNDS_MAX: usize = 200;

/// Notes in the comment at the head of the document. The report has all.
const COMMENTS_MAX: usize = 100;

/// What is known of the world around the document.
pub struct Around<'a> {
    /// The folder of the file: included files are looked for there.
    pub folder: PathBuf,
    /// An environment variable, as whoever imports has it.
    pub env: &'a (dyn Fn(&str) -> Option<String> + Sync),
    /// Where well-known providers are that OpenClaw knows by their name, by id.
    pub addresses: &'a [(&'a str, &'a str)],
    /// The name of the file, for the head of the document.
    pub name: &'a str,
}

impl std::fmt::Debug for Around<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Around")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// What became of it.
#[derive(Debug)]
pub struct Imported {
    /// The document, with comments: those that it had, and what came of it at its head. Those of included files stay where they are, in
    /// files that nobody touches.
    pub text: String,
    /// The keys that stand in it as they stood before.
    pub taken: Vec<String>,
    /// The others, each with the reason.
    pub noted: Vec<Noted>,
    /// Whether there was nothing in it: no key at all.
    pub is_empty: bool,
    /// The environment variables that the document names.
    pub named: BTreeSet<String>,
    /// Those of them that are not set here.
    pub unset: BTreeSet<String>,
}

/// Makes a document of Gatehouse out of one of OpenClaw.
///
/// # Errors
/// When the text or a file that it includes cannot be read, or when nothing of it can be used.
pub fn import(text: &str, around: &Around<'_>) -> Result<Imported, Vec<Issue>> {
    let (own, _) = text::parse(text).map_err(|error| vec![Issue::error("", error.to_string())])?;
    let included = include::follow(text, &own, &around.folder);
    if !included.issues.is_empty() {
        return Err(included.issues);
    }
    let source = included.value;
    let mut notes = Notes::default();
    for place in include::named(&own).into_keys() {
        let told = "what the files say stands in the document itself now";
        notes.add(&place.key(include::KEY), Fate::Moved, told);
    }
    let mut value = source.clone();
    forms::variables(&mut value, around.env, &mut notes);
    forms::providers(&mut value, around.addresses, &mut notes);
    let value = usable(value, &around.folder, &mut notes)?;
    let value = forms::agents(value, &mut notes);
    secrets_written_out(&value, &mut notes);
    let taken = leaves(&source)
        .into_iter()
        .filter(|(place, _)| !notes.covers(place))
        .map(|(place, _)| place.to_string())
        .collect();
    let noted = notes.all();
    let named = secrets::named_variables(&value);
    let body = body(text, &own, &value);
    Ok(Imported {
        is_empty: source.as_object().is_none_or(Map::is_empty),
        text: format!("{}{body}", head(around.name, &noted)),
        taken,
        noted,
        unset: named
            .iter()
            .filter(|name| (around.env)(name).is_none())
            .cloned()
            .collect(),
        named,
    })
}

/// Takes out what has no effect and what cannot be used, until the rest runs.
fn usable(mut value: Value, folder: &FilePath, notes: &mut Notes) -> Result<Value, Vec<Issue>> {
    // A variable that is not set here may be set for the gateway.
    let assumed = Secret::generate();
    let sources = Sources {
        env: Box::new(move |_| Some(assumed.expose().to_owned())),
        folder: folder.to_owned(),
        secrets: folder.join("secrets"),
    };
    let mut last = Vec::new();
    for _ in 0..ROUNDS_MAX {
        for issue in check::unknown(&value) {
            notes.without_counterpart(&issue);
            take_out(&mut value, issue.place());
        }
        match Revision::read(&text::render(&value, 0), &sources) {
            Ok(revision) if revision.left_out().is_empty() => {
                for warning in revision.warnings() {
                    notes.decide(warning);
                }
                return Ok(value);
            }
            Ok(revision) => {
                for warning in revision.left_out().warnings() {
                    notes.decide(&warning);
                }
                let out: Vec<Path> = revision.left_out().places().cloned().collect();
                value = revision.left_out().without(&value);
                out.iter().for_each(|place| notes.removed(place));
            }
            Err(refused) => {
                last = refused.all();
                if !leave(&mut value, &refused, notes) {
                    return Err(last);
                }
            }
        }
    }
    Err(last)
}

/// Takes out what refuses the document as a whole. False: there is nothing to take out.
fn leave(value: &mut Value, refused: &Refused, notes: &mut Notes) -> bool {
    let mistakes: Vec<Issue> = refused.all().into_iter().filter(Issue::is_error).collect();
    // One at a time where lists become shorter: the places of the others hold until the next look.
    for issue in &mistakes {
        let Some(place) = nearest(value, issue.place()) else {
            continue;
        };
        notes.decide_at(&place, issue);
        if place == Path::of(["session", "dmScope"]) {
            // Without the key everybody shares one conversation, which whoever wrote another word did not want.
            value["session"]["dmScope"] = Value::from("per-channel-peer");
        } else {
            take_out(value, &place);
            notes.removed(&place);
        }
        return true;
    }
    false
}

/// The place itself, or the nearest one around it that is there.
fn nearest(value: &Value, place: &Path) -> Option<Path> {
    let lengths = (1..=place.steps().len()).rev();
    lengths
        .map(|length| place.first(length))
        .find(|place| place.get(value).is_some())
}

fn take_out(value: &mut Value, place: &Path) {
    let Some((last, outer)) = place.steps().split_last() else {
        return;
    };
    let around = outer.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Index(index) => value.get_mut(index),
    });
    match (around, last) {
        (Some(Value::Object(object)), Step::Key(key)) => {
            object.shift_remove(key);
        }
        (Some(Value::Array(items)), Step::Index(index)) if *index < items.len() => {
            items.remove(*index);
        }
        _ => {}
    }
}

/// Names secrets that stand in the document themselves.
fn secrets_written_out(value: &Value, notes: &mut Notes) {
    let shown = redact::redact(value);
    for (place, leaf) in leaves(&shown) {
        if leaf.as_str().is_some_and(|text| text.contains(MARKER)) {
            notes.secret(&place);
        }
    }
}

/// Every value that holds no other, with its place.
fn leaves(value: &Value) -> Vec<(Path, &Value)> {
    fn walk<'v>(value: &'v Value, place: &Path, out: &mut Vec<(Path, &'v Value)>) {
        let inside = children(value);
        if inside.is_empty() {
            out.push((place.clone(), value));
        }
        for (step, child) in inside {
            walk(child, &place.with(step), out);
        }
    }
    let mut out = Vec::new();
    walk(value, &Path::default(), &mut out);
    out
}

/// The text of the document: what was written, changed where it has to be, so that comments stay.
fn body(text: &str, own: &Value, value: &Value) -> String {
    let edited = text::difference(own, value).and_then(|patch| text::merge_text(text, &patch));
    // What was edited has to say what was meant.
    let edited = edited.filter(|edited| text::parse(edited).is_ok_and(|(made, _)| made == *value));
    edited.unwrap_or_else(|| text::render(value, 0) + "\n")
}

fn head(name: &str, noted: &[Noted]) -> String {
    let mut lines = vec![
        format!(
            "Made of {name} by `gatehouse config import`. All keys: docs/configuration.md, or `gatehouse config schema"
        ),
        "--markdown`. Check an edit with `gatehouse config validate`.".to_owned(),
    ];
    for (fate, title) in [
        (Fate::Decision, "Needs a decision:"),
        (
            Fate::Secret,
            "Secrets that are written out (better a reference, or a file):",
        ),
        (Fate::NoCounterpart, "Has no counterpart yet:"),
        (Fate::Moved, "Stands elsewhere or in another form:"),
    ] {
        let of_it: Vec<&Noted> = noted.iter().filter(|one| one.fate == fate).collect();
        if of_it.is_empty() {
            continue;
        }
        lines.extend([String::new(), title.to_owned()]);
        lines.extend(of_it.iter().take(COMMENTS_MAX).map(|one| format!("  {one}")));
        if of_it.len() > COMMENTS_MAX {
            lines.push(format!("  and {} more", of_it.len() - COMMENTS_MAX));
        }
    }
    let lines = lines
        .into_iter()
        .map(|line| format!("// {line}").trim_end().to_owned() + "\n");
    lines.collect()
}

#[cfg(test)]
mod tests;
