//! Channels that plugins bring, as a document names them. No type of ours knows their keys: what is named like a secret there is one.

use std::collections::BTreeMap;

use gatehouse_document::plugins::may_be_brought;
use serde_json::Value;

use crate::{
    outline::sounds_secret,
    path::{Path, Step},
};

/// The kinds of channels that are brought, each with the id of its plugin.
#[derive(Debug, Default)]
pub(crate) struct Brought(BTreeMap<String, String>);

impl Brought {
    /// Those of a document. Which of two plugins brings a kind is the rules' to say.
    pub(crate) fn of(document: &Value) -> Self {
        let entries = document.pointer("/plugins/entries").and_then(Value::as_object);
        let mut kinds = BTreeMap::new();
        for (id, entry) in entries.into_iter().flatten() {
            let is_on = entry.get("enabled").and_then(Value::as_bool) != Some(false);
            let listed = entry.get("channels").and_then(Value::as_array);
            let listed = listed.into_iter().flatten().filter_map(Value::as_str);
            for kind in listed.filter(|kind| is_on && may_be_brought(kind)) {
                kinds.entry(kind.to_owned()).or_insert_with(|| id.clone());
            }
        }
        Self(kinds)
    }

    /// Each kind with its plugin.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(kind, id)| (kind.as_str(), id.as_str()))
    }

    /// Whether a place is one of them, or within one.
    pub(crate) fn holds(&self, place: &Path) -> bool {
        match place.steps() {
            [Step::Key(section), Step::Key(kind), ..] => {
                section == "channels" && self.0.contains_key(kind.as_str())
            }
            _ => false,
        }
    }

    /// Whether a place is within one of them and is named like a secret, or is within what is.
    pub(crate) fn is_secret(&self, place: &Path) -> bool {
        let named = |step: &Step| matches!(step, Step::Key(key) if sounds_secret(key));
        self.holds(place) && place.steps().iter().skip(2).any(named)
    }
}
