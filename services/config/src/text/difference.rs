//! What has to be merged into one value so that it becomes another.

use serde_json::{Map, Value};

/// The merge patch (RFC 7396) that makes `after` of `before`: an empty object when they are the same. `None` when a patch cannot say
/// it, because null stands in `after`, which in a patch removes a key.
pub(crate) fn difference(before: &Value, after: &Value) -> Option<Value> {
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        return (!has_null(after)).then(|| after.clone());
    };
    let mut patch = Map::new();
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in new {
        match old.get(key) {
            Some(same) if same == value => {}
            Some(old @ Value::Object(_)) if value.is_object() => {
                patch.insert(key.clone(), difference(old, value)?);
            }
            Some(_) | None if has_null(value) => return None,
            Some(_) | None => {
                patch.insert(key.clone(), value.clone());
            }
        }
    }
    Some(Value::Object(patch))
}

/// Whether a patch with this value would take something out. Nulls of a list are values like others.
fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(object) => object.values().any(has_null),
        Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::text::merge;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            (0..3i64).prop_map(Value::from),
            "[ab]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[abc]", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn object() -> impl Strategy<Value = Value> {
        prop::collection::btree_map("[abc]", value(), 0..4)
            .prop_map(|map| Value::Object(map.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn a_difference_makes_the_one_of_the_other(before in object(), after in object()) {
            let patch = difference(&before, &after).expect("no null");
            let mut merged = before;
            merge(&mut merged, &patch);

            prop_assert_eq!(merged, after);
        }
    }

    #[test]
    fn what_a_patch_cannot_say_is_no_patch() {
        assert_eq!(difference(&json!({}), &json!({"a": {"b": null}})), None);
        assert_eq!(
            difference(&json!({"a": null}), &json!({"a": null})),
            Some(json!({}))
        );
        assert_eq!(
            difference(&json!({"a": 1}), &json!({"a": [null]})),
            Some(json!({"a": [null]}))
        );
    }
}
