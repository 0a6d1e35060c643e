//! Which files and variables a method may name.

use std::{collections::BTreeSet, path::PathBuf};

use serde_json::Value;

use super::Change;
use crate::{
    issue::Issue,
    outline::Place,
    path::{Path, Step, children},
    secrets::{self, Sources},
};

/// Variables of these names are secrets by their name: whoever starts the config service gives them for this use.
const PREFIX: &str = "GATEHOUSE_SECRET_";

/// Other variables of Gatehouse are settings of its processes, its own token among them.
const OWN: &str = "GATEHOUSE_";

pub(super) fn check(change: &Change<'_>) -> Vec<Issue> {
    let mut checker = Checker {
        sources: change.sources,
        dirs: change.sources.dirs(change.before),
        allowed: allowed(change.before),
        providers: change.after.pointer("/secrets/providers").unwrap_or(&Value::Null),
        issues: Vec::new(),
    };
    checker.by_hand(
        Some(change.before),
        Some(change.after),
        &Place::root(),
        &Path::default(),
    );
    checker.place(
        Some(change.before),
        change.after,
        &Place::root(),
        &Path::default(),
    );
    checker.issues
}

fn allowed(document: &Value) -> Vec<&str> {
    let list = document.pointer("/env/allow").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn is_allowed(variable: &str, allowed: &[&str]) -> bool {
    if variable.starts_with(PREFIX) {
        return variable.len() > PREFIX.len();
    }
    !variable.starts_with(OWN) && allowed.contains(&variable)
}

struct Checker<'c> {
    sources: &'c Sources,
    dirs: Vec<PathBuf>,
    allowed: Vec<&'c str>,
    /// `secrets.providers` after the change: where its references lead.
    providers: &'c Value,
    issues: Vec<Issue>,
}

impl Checker<'_> {
    /// Keys that decide what a method may do are not changed by one: nor added, nor taken out.
    fn by_hand(&mut self, before: Option<&Value>, after: Option<&Value>, place: &Place, path: &Path) {
        if place.is_by_hand() {
            if before != after {
                let problem = "can only be changed by editing the configuration file: it decides what changes through a \
                               method may name, or what is run on this machine";
                self.issues.push(Issue::error(path, problem));
            }
            return;
        }
        // Those that the schema names, and the names that people choose: entries of plugins.
        let chosen = [before, after].into_iter().flatten().filter_map(Value::as_object);
        let chosen = chosen.flat_map(|object| object.keys().cloned());
        let keys: BTreeSet<String> = place.keys().map(str::to_owned).chain(chosen).collect();
        for key in &keys {
            let step = Step::Key(key.clone());
            let inner = place.step(&step);
            if inner.is_unknown() {
                continue;
            }
            let (before, after) = (before.and_then(|v| v.get(key)), after.and_then(|v| v.get(key)));
            if before.is_some() || after.is_some() {
                self.by_hand(before, after, &inner, &path.with(step));
            }
        }
    }

    /// Checks what stands at a place and is not what stood there before.
    fn place(&mut self, before: Option<&Value>, after: &Value, place: &Place, path: &Path) {
        if before == Some(after) {
            return;
        }
        match after {
            Value::String(text) if place.names_file() => self.file(text, path),
            Value::String(text) if place.is_secret() || place.is_unknown() => self.text(text, path),
            Value::Object(object) if is_reference_like(after) => {
                let before = before.filter(|before| is_reference_like(before));
                self.reference(before, after, place, path);
                // Whatever else stands in it is checked as anything else is.
                for (key, child) in object {
                    if !matches!(key.as_str(), "source" | "path" | "id" | "provider") {
                        let step = Step::Key(key.clone());
                        let stood = before.and_then(|before| before.get(key));
                        self.place(stood, child, &place.step(&step), &path.with(step));
                    }
                }
            }
            Value::Array(items) => {
                let stood = before.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                for (index, item) in items.iter().enumerate() {
                    let step = Step::Index(index);
                    // A list is replaced whole: what moved inside it is not new.
                    let same = stood.iter().find(|old| *old == item).or_else(|| stood.get(index));
                    self.place(same, item, &place.step(&step), &path.with(step));
                }
            }
            _ => {
                for (step, child) in children(after) {
                    let stood = match &step {
                        Step::Key(key) => before.and_then(|before| before.get(key)),
                        Step::Index(_) => None,
                    };
                    self.place(stood, child, &place.step(&step), &path.with(step));
                }
            }
        }
    }

    /// `${NAME}` where a secret belongs, or where a later version may find that one belongs.
    fn text(&mut self, text: &str, path: &Path) {
        for name in secrets::variables(text) {
            self.variable(name, path);
        }
    }

    fn variable(&mut self, name: &str, path: &Path) {
        if !is_allowed(name, &self.allowed) {
            let remedy = if name.starts_with(OWN) {
                format!("give the secret to the config service in a variable that begins with {PREFIX}")
            } else {
                format!(
                    "rename it so that it begins with {PREFIX}, or list it in env.allow by editing the configuration file"
                )
            };
            let problem = format!("the variable {name} cannot be named through a method: {remedy}");
            self.issues.push(Issue::error(path, problem));
        }
    }

    fn file(&mut self, file: &str, path: &Path) {
        if !self.sources.is_within(file, &self.dirs) {
            let dirs: Vec<String> = self.dirs.iter().map(|dir| dir.display().to_string()).collect();
            let problem = format!(
                "a file named through a method must be within {}: put it there, or name this one by editing the \
                 configuration file",
                if dirs.is_empty() {
                    "secrets.dirs, which is empty".to_owned()
                } else {
                    dirs.join(" or ")
                }
            );
            self.issues.push(Issue::error(path, problem));
        }
    }

    /// `{ source: ... }`, judged by its shape: under a key that only a later version knows as well. Every part that names
    /// something is judged, whatever the source is.
    fn reference(&mut self, before: Option<&Value>, after: &Value, place: &Place, path: &Path) {
        let part = |key: &str| after.get(key).filter(|value| !value.is_null());
        let source = part("source").and_then(Value::as_str).unwrap_or_default();
        let known = matches!(source, "env" | "file");
        if ["path", "id", "provider"]
            .iter()
            .any(|key| part(key).is_some_and(|value| !value.is_string()))
            || (!known && place.is_unknown())
        {
            return self.strange(path); // nobody knows yet what it would reach
        }
        let text = |key: &str| part(key).and_then(Value::as_str);
        if let ("env", Some(name)) = (source, text("id")) {
            self.variable(name, &path.key("id"));
        }
        if let Some(file) = text("path") {
            let inner = path.key("path");
            // An entry of `secrets.providers` may get another mode and keep its file: what a reference may take from it is
            // judged where the reference stands.
            let is_entry = place.step(&Step::Key("path".to_owned())).names_file() && !place.is_secret();
            let stood = before
                .and_then(|before| before.get("path"))
                .and_then(Value::as_str);
            if !(is_entry && stood == Some(file)) {
                self.file(file, &inner);
            }
        }
        if let ("file", Some(provider)) = (source, text("provider")) {
            match self
                .providers
                .get(provider)
                .and_then(|entry| entry.get("path"))
                .and_then(Value::as_str)
            {
                Some(file) => self.file(file, path),
                None => {
                    let problem =
                        format!("there is no `secrets.providers.{provider}` with a `path` to read from");
                    self.issues.push(Issue::error(path, problem));
                }
            }
        }
    }

    fn strange(&mut self, path: &Path) {
        let problem = "a reference of this form cannot be set through a method: use { source: \"env\", id: \"NAME\" } or \
                       { source: \"file\", path: \"...\" }";
        self.issues.push(Issue::error(path, problem));
    }
}

/// Whether a value may be taken for a reference, by this version or a later one.
fn is_reference_like(value: &Value) -> bool {
    let Some(object) = value.as_object() else {
        return false;
    };
    match object.get("source").and_then(Value::as_str) {
        Some("env" | "file" | "exec" | "store") => true,
        Some(_) => object.contains_key("id") || object.contains_key("path"),
        None => false,
    }
}
