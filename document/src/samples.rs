//! Documents for the tests of everybody who reads the configuration: what the one may not exceed, the other may not fall
//! below. The config service takes both, and each reader shows that it applies what stands in them.

/// Every key of the document, each number at its upper bound. Secrets are written out, as a service is sent them.
pub const MAXIMAL: &str = include_str!("samples/maximal.json5");

/// Nothing but numbers at their lower bound.
pub const MINIMAL: &str = include_str!("samples/minimal.json5");

/// Accounts of channels, right and wrong ones: a list of objects with a channel's section, `wrong`: the places of what is wrong
/// with it, and `waits` where it needs a secret that is not there.
pub const ACCOUNTS: &str = include_str!("samples/accounts.json5");

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::{Document, json_schema};

    /// Which bound a sample has to reach.
    #[derive(Clone, Copy)]
    enum Side {
        /// The upper one, with every key there.
        Upper,
        /// The lower one, of the numbers that are there.
        Lower,
    }

    /// What is wrong with a sample: keys that it lacks, and numbers that are not at their bound.
    fn lacking(node: &Value, value: &Value, path: &str, side: Side, found: &mut Vec<String>) {
        for form in ["anyOf", "oneOf"]
            .into_iter()
            .filter_map(|word| node.get(word)?.as_array())
            .flatten()
        {
            let fits = match form.get("type").and_then(Value::as_str) {
                Some("object") => value.is_object(),
                Some("string") | None => false,
                Some(_) => !value.is_object(),
            };
            if fits {
                lacking(form, value, path, side, found);
            }
        }
        let bound = match side {
            Side::Upper => node.get("maximum"),
            Side::Lower => node.get("minimum"),
        };
        if let Some(bound) = bound
            && bound.as_f64() != value.as_f64()
        {
            found.push(format!("{path} is {value} and its bound {bound}"));
        }
        for (key, child) in node
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let inner = format!("{path}.{key}");
            match (value.get(key), side) {
                (Some(value), _) => lacking(child, value, &inner, side, found),
                (None, Side::Upper) => found.push(format!("{inner} is not there")),
                (None, Side::Lower) => {}
            }
        }
        if let (Some(rest), Some(object)) = (node.get("additionalProperties"), value.as_object()) {
            let named = node.get("properties");
            let free = object
                .iter()
                .filter(|(key, _)| named.is_none_or(|named| named.get(key).is_none()));
            for (key, value) in free {
                lacking(rest, value, &format!("{path}.{key}"), side, found);
            }
            if object.is_empty() && matches!(side, Side::Upper) {
                found.push(format!("{path} has no entry"));
            }
        }
        if let (Some(items), Some(list)) = (node.get("items"), value.as_array()) {
            for value in list {
                lacking(items, value, &format!("{path}[]"), side, found);
            }
            if list.is_empty() && matches!(side, Side::Upper) {
                found.push(format!("{path} has no item"));
            }
        }
    }

    fn parsed(sample: &str) -> Value {
        json5::from_str(sample).unwrap()
    }

    #[test]
    fn the_maximal_sample_has_every_key_at_its_upper_bound_and_the_minimal_one_its_numbers_at_the_lower() {
        let schema = json_schema();
        for (sample, side) in [(MAXIMAL, Side::Upper), (MINIMAL, Side::Lower)] {
            let mut found = Vec::new();

            lacking(&schema, &parsed(sample), "", side, &mut found);

            assert_eq!(found, [] as [&str; 0]);
        }
    }

    #[test]
    fn what_the_types_read_of_a_sample_they_write_again() {
        for sample in [MAXIMAL, MINIMAL] {
            let document: Document = serde_json::from_value(parsed(sample)).unwrap();
            let again: Document = serde_json::from_value(serde_json::to_value(&document).unwrap()).unwrap();

            assert_eq!(
                serde_json::to_value(&again).unwrap(),
                serde_json::to_value(&document).unwrap()
            );
        }
    }
}
