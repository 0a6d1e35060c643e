//! What one key means, for a client that asks about a key at a time.

use gatehouse_proto::config::v1::{ConfigSchemaChild, LookUpConfigSchemaResponse};
use serde_json::{Map, Value};

use super::{Place, SCHEMA, hint, properties};
use crate::path::Step;

/// Words of a schema that say what is inside a value, which the children of an answer do.
const INSIDE: [&str; 6] = [
    "properties",
    "required",
    "additionalProperties",
    "patternProperties",
    "items",
    "$schema",
];

/// Keys that a path may lead through: the schema has eight levels, plugins' settings a few more.
const STEPS_MAX: usize = 32;

/// A place on the way to a key.
#[derive(Clone)]
struct Here {
    place: Place,
    node: &'static Value,
    /// The path of it as it was asked for, and as hints have it.
    path: String,
    hint_path: String,
    /// Its name and its number among its neighbours.
    name: Option<(String, usize)>,
    acts_at_start: bool,
}

impl Here {
    fn root() -> Self {
        Self {
            place: Place::root(),
            node: &SCHEMA,
            path: String::new(),
            hint_path: String::new(),
            name: None,
            acts_at_start: false,
        }
    }

    /// One step further in. `*` is any name and any place of a list.
    fn step(&self, key: &str) -> Option<Self> {
        let joined = |path: &str, key: &str| match path {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        };
        let is_place = key == "*" || key.parse::<usize>().is_ok();
        self.place.forms().iter().find_map(|form| {
            let named = properties(form).and_then(|map| {
                let (order, (name, node)) = map.iter().enumerate().find(|(_, (name, _))| *name == key)?;
                Some((node, Step::Key(name.clone()), order, name.as_str()))
            });
            let every = |word: &str| form.get(word).filter(|node| node.is_object());
            let (node, step, order, hinted) = named
                .or_else(|| Some((every("additionalProperties")?, Step::Key(key.to_owned()), 0, "*")))
                .or_else(|| Some((every("items").filter(|_| is_place)?, Step::Index(0), 0, "*")))?;
            Some(Self {
                place: self.place.narrowed(form).step(&step),
                node,
                path: joined(&self.path, key),
                hint_path: joined(&self.hint_path, hinted),
                name: Some((key.to_owned(), order)),
                acts_at_start: self.acts_at_start || node.get("x-at-start").is_some(),
            })
        })
    }

    fn reload_kind(&self) -> String {
        if self.acts_at_start { "restart" } else { "hot" }.to_owned()
    }

    fn hint(&self) -> Option<gatehouse_proto::config::v1::ConfigHint> {
        let (name, order) = self.name.as_ref()?;
        Some(hint::hint(
            &self.path,
            name,
            self.node,
            self.place.is_secret(),
            *order,
        ))
    }

    fn hint_path(&self) -> Option<String> {
        Some(self.hint_path.clone()).filter(|path| !path.is_empty())
    }

    /// What stands inside it, each once.
    fn children(&self) -> Vec<(Self, bool)> {
        let mut found: Vec<(Self, bool)> = Vec::new();
        for form in self.place.forms() {
            let required = form.get("required").and_then(Value::as_array);
            let named = properties(form)
                .into_iter()
                .flatten()
                .map(|(key, _)| key.as_str());
            let is_map = form.get("additionalProperties").is_some_and(Value::is_object);
            let is_list = form.get("items").is_some_and(Value::is_object);
            let every = (is_map || is_list).then_some("*");
            for key in named.chain(every) {
                let is_required = required.is_some_and(|all| all.iter().any(|one| one == key));
                let is_known = found
                    .iter()
                    .any(|(child, _)| child.name.as_ref().is_some_and(|(name, _)| name == key));
                if let (Some(child), false) = (self.step(key), is_known) {
                    found.push((child, is_required));
                }
            }
        }
        found
    }

    fn kind(&self) -> Option<String> {
        let mut kinds: Vec<&Value> = Vec::new();
        for form in self.place.forms() {
            match form.get("type") {
                Some(Value::Array(all)) => kinds.extend(all),
                Some(one) => kinds.push(one),
                None => {}
            }
        }
        let mut once: Vec<&Value> = Vec::new();
        for kind in kinds {
            if !once.contains(&kind) {
                once.push(kind);
            }
        }
        match once.as_slice() {
            [] => None,
            [one] => Some(one.to_string()),
            all => Some(Value::from(all.iter().map(|one| (*one).clone()).collect::<Vec<_>>()).to_string()),
        }
    }
}

/// The steps of a path: keys with dots or slashes between, places of lists in brackets, where `[]` is any; no step for the whole
/// document. `None`: it is no path.
fn read(path: &str) -> Option<Vec<&str>> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if matches!(path, "" | ".") {
        return Some(Vec::new());
    }
    let mut steps = Vec::new();
    for part in path.split(['.', '/']) {
        let (mut key, mut places) = (part, Vec::new());
        while let Some((rest, place)) = key.strip_suffix(']').and_then(|inner| inner.rsplit_once('[')) {
            places.push(match place {
                "" | "*" => "*",
                place if place.parse::<usize>().is_ok() => place,
                _ => break, // a part of the key's name
            });
            key = rest;
        }
        if key.is_empty() {
            return None;
        }
        steps.push(key);
        steps.extend(places.into_iter().rev());
        if steps.len() > STEPS_MAX {
            return None;
        }
    }
    Some(steps)
}

/// What the key at a path means. `None`: the document has no such key.
pub(crate) fn look_up(path: &str) -> Option<LookUpConfigSchemaResponse> {
    let keys = read(path)?;
    let here = keys
        .into_iter()
        .try_fold(Here::root(), |here, key| here.step(key));
    let here = here?;
    let children = here
        .children()
        .into_iter()
        .map(|(child, required)| ConfigSchemaChild {
            key: child
                .name
                .as_ref()
                .map(|(name, _)| name.clone())
                .unwrap_or_default(),
            path: child.path.clone(),
            r#type: child.kind(),
            required,
            has_children: !child.children().is_empty(),
            reload_kind: child.reload_kind(),
            hint: child.hint(),
            hint_path: child.hint_path(),
        });
    Some(LookUpConfigSchemaResponse {
        path: if here.path.is_empty() {
            ".".to_owned()
        } else {
            here.path.clone()
        },
        schema: shallow(here.node).to_string(),
        reload_kind: here.reload_kind(),
        hint: here.hint(),
        hint_path: here.hint_path(),
        children: children.collect(),
    })
}

/// A schema without what is inside the value.
fn shallow(node: &Value) -> Value {
    let Value::Object(node) = node else {
        return node.clone();
    };
    let kept = node.iter().filter(|(word, _)| !INSIDE.contains(&word.as_str()));
    let kept: Map<String, Value> = kept
        .map(|(word, value)| match value {
            Value::Array(forms) if ["anyOf", "oneOf", "allOf"].contains(&word.as_str()) => {
                (word.clone(), forms.iter().map(shallow).collect())
            }
            value => (word.clone(), value.clone()),
        })
        .collect();
    Value::Object(kept)
}

#[cfg(test)]
mod tests;
