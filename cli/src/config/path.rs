//! Keys with dots, and the patch that changes one of them.

use serde_json::{Map, Value};

use crate::exit::{Exit, Failed};

/// Nobody nests deeper.
const DEPTH_MAX: usize = 32;

/// The keys of `a.b["c.d"].e`.
pub(super) fn segments(path: &str) -> Result<Vec<String>, Failed> {
    let wrong = |why: &str| {
        Failed::new(Exit::Usage, format!("{path:?} is not a key: {why}"))
            .next("keys look like gateway.port, or channels.irc.groups[\"#a.b\"]")
    };
    let mut keys = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix("[\"") {
            let (key, after) = quoted
                .split_once("\"]")
                .ok_or_else(|| wrong("a bracket is not closed"))?;
            keys.push(key.to_owned());
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (key, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            if key.is_empty() {
                return Err(wrong("an empty part"));
            }
            keys.push(key.to_owned());
            rest = after;
        }
        match rest.strip_prefix('.') {
            Some("") => return Err(wrong("it ends in a dot")),
            Some(after) => rest = after,
            None if rest.is_empty() || rest.starts_with("[\"") => {}
            None => return Err(wrong("brackets hold a text in double quotes")),
        }
    }
    if keys.is_empty() || keys.len() > DEPTH_MAX {
        return Err(wrong("too few or too many parts"));
    }
    Ok(keys)
}

/// The document that, merged into the running one, sets this key (RFC 7396: null takes it out).
pub(super) fn merge_patch(keys: &[String], value: Value) -> Value {
    keys.iter().rev().fold(value, |inside, key| {
        let mut object = Map::new();
        object.insert(key.clone(), inside);
        Value::Object(object)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_with_dots_go_in_brackets() {
        assert_eq!(segments("gateway.port").unwrap(), ["gateway", "port"]);
        assert_eq!(
            segments("irc.groups[\"#a.b\"].mention").unwrap(),
            ["irc", "groups", "#a.b", "mention"]
        );
        assert_eq!(segments("[\"a\"][\"b\"]").unwrap(), ["a", "b"]);
    }

    #[test]
    fn half_a_key_is_refused_with_an_example() {
        for path in ["", ".", "a.", ".a", "a..b", "a[\"b", "a[0]"] {
            let failed = segments(path).expect_err(path);
            assert!(failed.to_string().contains("gateway.port"), "{path}: {failed}");
        }
    }

    #[test]
    fn a_patch_names_one_key_and_nothing_beside_it() {
        let keys = segments("a.b.c").unwrap();

        assert_eq!(merge_patch(&keys, json!([1])), json!({"a": {"b": {"c": [1]}}}));
        assert_eq!(merge_patch(&keys, Value::Null), json!({"a": {"b": {"c": null}}}));
    }
}
