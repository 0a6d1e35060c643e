//! The JSON Schema of the document as something to ask: what is right at a place, which keys are known there, and whether
//! a secret stands there. It is generated without references, so a place is found by walking.

mod hint;
mod lookup;

pub(crate) use self::{hint::hints, lookup::look_up};

use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::path::Step;

/// The schema, generated once: it is the same for every document.
static SCHEMA: LazyLock<Value> = LazyLock::new(gatehouse_document::json_schema);

/// The JSON Schema of the document.
pub(crate) fn schema() -> &'static Value {
    &SCHEMA
}

/// What the schema knows about one place: all the forms that a value may have there. No form: an unknown place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    forms: Vec<&'static Value>,
    /// A secret stands here or above.
    secret: bool,
    /// Only somebody who edits the file may change what stands here or above.
    by_hand: bool,
    /// A file or folder is named here.
    names_file: bool,
    /// An address stands here.
    address: bool,
    /// The key beside this one whose secret is in the file that is named here.
    file_of: Option<&'static str>,
}

impl Place {
    /// The whole document.
    pub(crate) fn root() -> Self {
        let mut place = Self::default();
        place.collect(&SCHEMA);
        place
    }

    /// Takes `anyOf` and `oneOf` apart.
    fn collect(&mut self, node: &'static Value) {
        let has = |mark: &str| node.get(mark).and_then(Value::as_bool) == Some(true);
        self.secret |= has("x-sensitive");
        self.by_hand |= has("x-by-hand");
        self.names_file |= has("x-path");
        self.address |= has("x-address");
        self.file_of = self
            .file_of
            .or_else(|| node.get("x-file-of").and_then(Value::as_str));
        let alternatives = ["anyOf", "oneOf"]
            .into_iter()
            .find_map(|word| node.get(word)?.as_array());
        match alternatives {
            Some(alternatives) => alternatives.iter().for_each(|form| self.collect(form)),
            None => self.forms.push(node),
        }
    }

    /// The place one step further in.
    pub(crate) fn step(&self, step: &Step) -> Self {
        let mut next = Self {
            secret: self.secret,
            by_hand: self.by_hand,
            ..Self::default()
        };
        for form in &self.forms {
            let child = match step {
                Step::Key(key) => member(form, key),
                Step::Index(_) => form.get("items"),
            };
            if let Some(child) = child {
                next.collect(child);
            }
        }
        next
    }

    /// The place with one of its forms only.
    pub(crate) fn narrowed(&self, form: &'static Value) -> Self {
        Self {
            forms: vec![form],
            ..self.clone()
        }
    }

    /// Whether the schema says nothing about this place.
    pub(crate) fn is_unknown(&self) -> bool {
        self.forms.is_empty()
    }

    /// Whether the schema says that a secret stands here.
    pub(crate) fn is_secret(&self) -> bool {
        self.secret
    }

    /// Whether only somebody who edits the file may change what stands here.
    pub(crate) fn is_by_hand(&self) -> bool {
        self.by_hand
    }

    /// Whether a file or folder is named here.
    pub(crate) fn names_file(&self) -> bool {
        self.names_file
    }

    /// Whether an address stands here.
    pub(crate) fn is_address(&self) -> bool {
        self.address
    }

    /// The key beside this one whose secret is in the file that is named here.
    pub(crate) fn file_of(&self) -> Option<&'static str> {
        self.file_of
    }

    pub(crate) fn forms(&self) -> &[&'static Value] {
        &self.forms
    }

    /// The name that a key has besides the one that is written.
    pub(crate) fn real_name(&self, key: &str) -> Option<&'static str> {
        let named = |map: &'static Map<String, Value>| {
            let other = |child: &Value| child.get("x-alias").and_then(Value::as_str) == Some(key);
            map.iter()
                .find(|(_, child)| other(child))
                .map(|(name, _)| name.as_str())
        };
        self.forms
            .iter()
            .filter_map(|form| properties(form))
            .find_map(named)
    }

    /// The keys that are known here.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static str> + use<> {
        let keys: Vec<&'static str> = self
            .forms
            .iter()
            .filter_map(|form| properties(form))
            .flat_map(|map| map.keys().map(String::as_str))
            .collect();
        keys.into_iter()
    }
}

/// The keys that a form names.
pub(crate) fn properties(form: &'static Value) -> Option<&'static Map<String, Value>> {
    form.get("properties")?.as_object()
}

/// Whether a form takes any key.
pub(crate) fn is_open(form: &Value) -> bool {
    match form.get("additionalProperties") {
        Some(Value::Bool(open)) => *open,
        Some(_) => true,
        None => form.get("properties").is_none(),
    }
}

fn member(form: &'static Value, key: &str) -> Option<&'static Value> {
    if let Some(named) = properties(form).and_then(|map| {
        map.get(key).or_else(|| {
            map.values()
                .find(|child| child.get("x-alias").and_then(Value::as_str) == Some(key))
        })
    }) {
        return Some(named);
    }
    form.get("additionalProperties").filter(|rest| rest.is_object())
}

/// Whether a key that the schema does not know sounds like one for a secret.
pub(crate) fn sounds_secret(key: &str) -> bool {
    let key: String = key
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_ascii_lowercase();
    [
        "token",
        "password",
        "passwd",
        "passphrase",
        "secret",
        "apikey",
        "privatekey",
        "credential",
        "credentials",
    ]
    .into_iter()
    .any(|word| key.ends_with(word))
        || matches!(key.as_str(), "headers" | "authorization" | "cookie" | "key")
}

#[cfg(test)]
mod tests;
