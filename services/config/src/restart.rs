//! Keys that a process reads when it starts: a change of one is kept, and acts from the next start on.

use std::{collections::BTreeSet, sync::LazyLock};

use serde_json::Value;

use crate::{outline, path::Path, revision::Revision};

/// Such a key, and the service that reads it.
struct AtStart {
    place: Path,
    service: &'static str,
}

/// All of them, from the schema.
static AT_START: LazyLock<Vec<AtStart>> = LazyLock::new(|| {
    fn walk(node: &'static Value, place: &Path, found: &mut Vec<AtStart>) {
        for (key, child) in outline::properties(node).into_iter().flatten() {
            let place = place.key(key);
            if let Some(service) = child.get("x-at-start").and_then(Value::as_str) {
                found.push(AtStart { place, service });
            } else {
                walk(child, &place, found);
            }
        }
    }
    let mut found = Vec::new();
    walk(outline::schema(), &Path::default(), &mut found);
    found
});

/// The services that have to be started again before everything of a revision acts, after another has run.
pub(crate) fn services(before: &Revision, after: &Revision) -> BTreeSet<&'static str> {
    let changed = |one: &&AtStart| one.place.get(before.filled()) != one.place.get(after.filled());
    AT_START.iter().filter(changed).map(|one| one.service).collect()
}
