//! What a change through a method leaves alone: what an included file says, and that it is included. Written into the document it
//! would count instead of the file from then on, and nobody would know why an edit of the file does nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Include, KEY};
use crate::{
    issue::Issue,
    path::{Path, Step, children},
};

/// What a document includes, and what it says itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept<'k> {
    pub(crate) own: &'k Value,
    pub(crate) places: &'k [Include],
}

impl Kept<'_> {
    /// The places of a merge patch at which it would change what a file says.
    pub(crate) fn touched(&self, patch: &Value) -> Vec<Issue> {
        let touched = |include| {
            let place = self.touches(include, patch, &Path::default())?;
            let names = include.names.join(", ");
            let under = match include.place.steps() {
                [] => String::new(),
                _ => format!(" under `{}`", include.place),
            };
            let problem = format!(
                "stands in {names}, which the configuration file includes{under}: change it there; the gateway takes it over by itself"
            );
            Some(Issue::error(place, problem))
        };
        self.places.iter().filter_map(touched).collect()
    }

    fn touches(&self, include: &Include, patch: &Value, at: &Path) -> Option<Path> {
        let members = patch.as_object().filter(|members| !members.is_empty());
        if at != &include.place && include.place.is_within(at) {
            // On the way to it: what replaces the way replaces what is included.
            let Some(members) = members else {
                return Some(at.clone());
            };
            let on_the_way = |(key, inner): (&String, &Value)| {
                let next = at.key(key);
                let leads_there = include.place.is_within(&next);
                leads_there.then(|| self.touches(include, inner, &next)).flatten()
            };
            return members.iter().find_map(on_the_way);
        }
        let inside = at.steps().get(include.place.steps().len()..).unwrap_or_default();
        match said(&include.said, inside) {
            Said::Nothing => None,
            Said::Value(value) if value.is_object() && patch.is_object() => {
                let inner = |(key, inner): (&String, &Value)| self.touches(include, inner, &at.key(key));
                members.into_iter().flatten().find_map(inner)
            }
            // The document says something else than the file already.
            Said::Value(_) if self.overrides(at) && !patch.is_null() => None,
            Said::Value(_) | Said::Else => Some(at.clone()),
        }
    }

    fn overrides(&self, at: &Path) -> bool {
        at.get(self.own)
            .is_some_and(|own| !own.is_object() && !own.is_array())
    }
}

/// What a file says about a place.
enum Said<'s> {
    Nothing,
    Value(&'s Value),
    /// Something that has no such place.
    Else,
}

fn said<'s>(said: &'s Value, inside: &[Step]) -> Said<'s> {
    let mut value = said;
    for step in inside {
        let next = match (value, step) {
            (Value::Object(object), Step::Key(key)) => object.get(key),
            _ => return Said::Else,
        };
        match next {
            Some(next) => value = next,
            None => return Said::Nothing,
        }
    }
    Said::Value(value)
}

/// The `$include`s of a document by their places.
pub(crate) fn named(own: &Value) -> BTreeMap<Path, Value> {
    fn walk(value: &Value, place: &Path, found: &mut BTreeMap<Path, Value>) {
        if let Some(named) = value.get(KEY) {
            found.insert(place.clone(), named.clone());
        }
        for (step, child) in children(value) {
            walk(child, &place.with(step), found);
        }
    }
    let mut found = BTreeMap::new();
    walk(own, &Path::default(), &mut found);
    found
}
