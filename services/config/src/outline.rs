//! The JSON Schema of the document as something to ask: what is right at a place, which keys are known there, and whether
//! a secret stands there. It is generated without references, so a place is found by walking.

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
mod tests {
    use super::*;
    use crate::path;

    fn place(text: &str) -> Place {
        path::parse(text)
            .iter()
            .fold(Place::root(), |place, step| place.step(step))
    }

    #[test]
    fn every_key_of_the_document_is_described() {
        fn walk(node: &Value, at: &str) {
            if let Some(properties) = node.get("properties").and_then(Value::as_object) {
                for (key, child) in properties {
                    assert!(
                        child.get("description").is_some(),
                        "{at}.{key} has no description: {child}"
                    );
                    walk(child, &format!("{at}.{key}"));
                }
            }
            for word in ["items", "additionalProperties"] {
                if let Some(child) = node.get(word) {
                    walk(child, at);
                }
            }
            for word in ["anyOf", "oneOf"] {
                node.get(word)
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                    .for_each(|child| walk(child, at));
            }
        }
        walk(schema(), "");
    }

    /// A key that sounds like one for a file must be of the type that keeps it within bounds, or say here why not.
    #[test]
    fn no_key_that_names_a_file_is_forgotten() {
        fn walk(node: &Value, at: &str, found: &mut usize) {
            for (key, child) in node
                .get("properties")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
            {
                let words = key.to_ascii_lowercase();
                let sounds = [
                    "file", "path", "dir", "dirs", "folder", "cert", "certfile", "keyfile", "socket",
                ]
                .iter()
                .any(|word| words.ends_with(word));
                if sounds {
                    let text = child.to_string();
                    assert!(
                        text.contains("x-path"),
                        "{at}.{key} names a file: give it the type PathInput"
                    );
                    *found += 1;
                }
                walk(child, &format!("{at}.{key}"), found);
            }
            for word in ["items", "additionalProperties"] {
                node.get(word)
                    .into_iter()
                    .for_each(|child| walk(child, at, found));
            }
            for word in ["anyOf", "oneOf"] {
                let forms = node.get(word).and_then(Value::as_array).into_iter().flatten();
                forms.for_each(|child| walk(child, at, found));
            }
        }
        let mut found = 0;
        walk(schema(), "", &mut found);
        assert!(
            found >= 4,
            "{found}: secrets.dirs, a provider's path, a reference's path, tlsCaFile"
        );
    }

    #[test]
    fn marks_of_the_types_are_found_at_their_places() {
        assert!(place("channels.irc.tlsCaFile").names_file());
        assert!(place("channels.irc.accounts.a.tlsCaFile").names_file());
        assert!(place("secrets.providers.a.path").names_file());
        assert!(place("secrets.dirs").is_by_hand() && place("env.allow").is_by_hand());
        assert!(!place("secrets.providers").is_by_hand());
        assert!(place("models.providers.a.baseUrl").is_address());
        assert!(place("channels.webhook.accounts.a.callbackUrl").is_address());
        assert!(!place("agents.entries.a.name").is_address());
    }

    #[test]
    fn secrets_are_where_the_types_say() {
        for secret in [
            "gateway.auth.token",
            "models.providers.openai.apiKey",
            "models.providers.openai.headers.X-Key",
            "channels.irc.password",
            "channels.irc.accounts.home.sasl.password",
            "channels.webhook.accounts.shop.callbackSecret",
        ] {
            assert!(place(secret).is_secret(), "{secret}");
        }
        assert!(!place("gateway.port").is_secret());
        assert!(!place("channels.irc.sasl.account").is_secret());
        assert!(place("channels.irc.host").forms().len() == place("channels.irc.server").forms().len());
        assert!(place("channels.telegram").is_unknown());
    }
}
