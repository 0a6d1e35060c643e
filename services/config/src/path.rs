//! The place of a value in the document, as people write it: `models.providers.openai.models[0].id`.

use std::fmt;

use serde_json::Value;

/// One step into a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// Into an object.
    Key(String),
    /// Into an array.
    Index(usize),
}

/// The way to a value.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Path(Vec<Step>);

impl Path {
    pub(crate) fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    pub(crate) fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    /// The way to a key through objects alone. Unlike a text with dots it takes keys that have dots themselves.
    pub(crate) fn of<const N: usize>(keys: [&str; N]) -> Self {
        Self(keys.into_iter().map(|key| Step::Key(key.to_owned())).collect())
    }

    /// The first steps of it.
    pub(crate) fn first(&self, steps: usize) -> Self {
        Self(self.0.iter().take(steps).cloned().collect())
    }

    /// Whether it leads into or to what `outer` leads to.
    pub(crate) fn is_within(&self, outer: &Self) -> bool {
        self.0.starts_with(&outer.0)
    }

    pub(crate) fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The value at this place.
    pub(crate) fn get<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(root, |value, step| match step {
            Step::Key(key) => value.get(key),
            Step::Index(index) => value.get(index),
        })
    }
}

impl From<&Path> for Path {
    fn from(path: &Path) -> Self {
        path.clone()
    }
}

/// Keys with dots, list places in brackets, as [`Path`] is shown. For keys that are known to have neither.
impl From<&str> for Path {
    fn from(text: &str) -> Self {
        let mut steps = Vec::new();
        for part in text.split('.').filter(|part| !part.is_empty()) {
            let mut key = part;
            let mut places = Vec::new();
            while let Some((rest, place)) = key.strip_suffix(']').and_then(|inner| inner.rsplit_once('[')) {
                let Ok(place) = place.parse() else { break };
                places.push(Step::Index(place));
                key = rest;
            }
            steps.push(Step::Key(key.to_owned()));
            steps.extend(places.into_iter().rev());
        }
        Self(steps)
    }
}

impl From<String> for Path {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&String> for Path {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) => {
                    if place > 0 {
                        f.write_str(".")?;
                    }
                    // A key comes from the document: what could confuse a terminal or a log is shown escaped.
                    for c in key.chars().take(100) {
                        if c.is_control() {
                            write!(f, "{}", c.escape_default())?
                        } else {
                            write!(f, "{c}")?
                        }
                    }
                }
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// The children of a value with their steps.
pub(crate) fn children(value: &Value) -> Vec<(Step, &Value)> {
    match value {
        Value::Object(object) => object
            .iter()
            .map(|(key, child)| (Step::Key(key.clone()), child))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, child)| (Step::Index(index), child))
            .collect(),
        _ => Vec::new(),
    }
}

/// Reads a path without brackets, for tests.
#[cfg(test)]
pub(crate) fn parse(text: &str) -> Vec<Step> {
    text.split('.').map(|key| Step::Key(key.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_as_it_is_shown() {
        for text in [
            "",
            "gateway.port",
            "bindings[3].match.peer",
            "a[0][12].b",
            "groups.#a[b]",
        ] {
            assert_eq!(Path::from(text).to_string(), text);
        }
        assert_eq!(Path::from("a[2].b"), Path::of(["a"]).index(2).key("b"));
    }
}
