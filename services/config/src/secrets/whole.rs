//! A reference is one value, though it is written as an object.

use serde_json::{Map, Value};

use crate::{
    outline::Place,
    path::{Path, Step},
};

/// Makes a change replace references whole. A merge would keep what the change does not name, and an `id` or a `mode` of the
/// former reference means something else beside a new `source`.
pub(crate) fn replace_whole(change: &mut Value, before: &Value) {
    fn walk(change: &mut Value, before: Option<&Value>, place: &Place, path: &Path) {
        let Some(object) = change.as_object_mut() else {
            return;
        };
        let is_whole = object.get("source").is_some_and(Value::is_string);
        if is_whole && (place.is_secret() || is_named_place(path)) {
            for key in before.and_then(Value::as_object).into_iter().flat_map(Map::keys) {
                object.entry(key.clone()).or_insert(Value::Null);
            }
            return;
        }
        for (key, child) in object {
            let step = Step::Key(key.clone());
            let before = before.and_then(|before| before.get(key));
            walk(child, before, &place.step(&step), &path.with(step));
        }
    }
    walk(change, Some(before), &Place::root(), &Path::default());
}

/// Whether this is an entry of `secrets.providers`.
fn is_named_place(path: &Path) -> bool {
    let key = |step: &Step, name: &str| matches!(step, Step::Key(key) if key == name);
    matches!(path.steps(), [secrets, providers, _] if key(secrets, "secrets") && key(providers, "providers"))
}
