//! How a form shows each key: its name for people, what it means, and its place among its neighbours. All of it is in the schema,
//! which has it from the types.

use std::sync::LazyLock;

use gatehouse_proto::config::v1::ConfigHint;
use serde_json::{Map, Value};

use super::{SCHEMA, properties};

/// All hints by path. Lists and names are one step, `*`.
static HINTS: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    let mut hints = Map::new();
    collect(&SCHEMA, "", false, &mut hints);
    hints
});

/// Words of keys that are written otherwise in a sentence.
const WRITTEN: [(&str, &str); 12] = [
    ("dm", "DM"),
    ("id", "ID"),
    ("url", "URL"),
    ("api", "API"),
    ("ui", "UI"),
    ("tls", "TLS"),
    ("ip", "IP"),
    ("irc", "IRC"),
    ("ms", "(ms)"),
    ("sasl", "SASL"),
    ("ttl", "TTL"),
    ("http", "HTTP"),
];

/// All hints as JSON.
pub(crate) fn hints() -> &'static Map<String, Value> {
    &HINTS
}

fn collect(node: &'static Value, path: &str, is_secret: bool, hints: &mut Map<String, Value>) {
    let is_secret = is_secret || is_marked(node, "x-sensitive");
    for word in ["anyOf", "oneOf"] {
        for form in node.get(word).and_then(Value::as_array).into_iter().flatten() {
            collect(form, path, is_secret, hints);
        }
    }
    let inside = |key: &str| match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    };
    for (order, (key, child)) in properties(node).into_iter().flatten().enumerate() {
        let path = inside(key);
        // The forms of one key may name the same keys; the first says what it means.
        if !hints.contains_key(&path) {
            hints.insert(path.clone(), json(&hint(&path, key, child, is_secret, order)));
        }
        collect(child, &path, is_secret, hints);
    }
    for every in ["additionalProperties", "items"] {
        if let Some(child) = node.get(every).filter(|child| child.is_object()) {
            collect(child, &inside("*"), is_secret, hints);
        }
    }
}

/// How the key is shown that stands at a path in its parent.
pub(super) fn hint(path: &str, key: &str, node: &Value, is_secret: bool, order: usize) -> ConfigHint {
    let group = path.split('.').next().unwrap_or_default();
    ConfigHint {
        label: Some(label(key)),
        help: node
            .get("description")
            .and_then(Value::as_str)
            .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")),
        group: Some(group.to_owned()),
        order: i64::try_from(order).ok(),
        sensitive: (is_secret || is_marked_somewhere(node, "x-sensitive")).then_some(true),
        advanced: is_marked(node, "x-by-hand").then_some(true),
    }
}

fn is_marked(node: &Value, mark: &str) -> bool {
    node.get(mark).and_then(Value::as_bool) == Some(true)
}

/// A secret may be one of several forms.
fn is_marked_somewhere(node: &Value, mark: &str) -> bool {
    let forms = ["anyOf", "oneOf"]
        .into_iter()
        .filter_map(|word| node.get(word)?.as_array());
    is_marked(node, mark) || forms.flatten().any(|form| is_marked_somewhere(form, mark))
}

/// `controlUi` -> `Control UI`.
fn label(key: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for c in key.chars() {
        match words.last_mut() {
            Some(word) if !c.is_uppercase() => word.push(c),
            _ => words.push(c.to_lowercase().collect()),
        }
    }
    let words = words.into_iter().enumerate().map(|(place, word)| {
        let written = WRITTEN.iter().find(|(plain, _)| *plain == word);
        match (written, place) {
            (Some((_, written)), _) => (*written).to_owned(),
            (None, 0) => word
                .chars()
                .take(1)
                .flat_map(char::to_uppercase)
                .chain(word.chars().skip(1))
                .collect(),
            (None, _) => word,
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn json(hint: &ConfigHint) -> Value {
    let ConfigHint {
        label,
        help,
        group,
        order,
        sensitive,
        advanced,
    } = hint;
    let all = serde_json::json!({
        "label": label, "help": help, "group": group, "order": order, "sensitive": sensitive, "advanced": advanced,
    });
    let mut all = all.as_object().cloned().unwrap_or_default();
    all.retain(|_, value| !value.is_null());
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_knows_each_key_by_name_meaning_and_order() {
        let port = &hints()["gateway.port"];

        assert_eq!(port["label"], "Port");
        assert_eq!(port["group"], "gateway");
        assert!(
            port["help"]
                .as_str()
                .is_some_and(|help| help.contains("TCP port")),
            "{port}"
        );
        let order = |key: &str| hints()[key]["order"].as_i64();
        assert!(
            order("gateway.mode") < order("gateway.port") && order("gateway.port") < order("gateway.bind")
        );
        assert_eq!(hints()["gateway.controlUi"]["label"], "Control UI");
        assert_eq!(hints()["session.dmScope"]["label"], "DM scope");
    }

    #[test]
    fn secrets_are_marked_wherever_they_stand_and_nothing_else_is() {
        for secret in [
            "gateway.auth.token",
            "models.providers.*.apiKey",
            "channels.irc.accounts.*.password",
        ] {
            assert_eq!(hints()[secret]["sensitive"], true, "{secret}");
        }
        for open in ["gateway.port", "models.providers.*.baseUrl"] {
            assert_eq!(hints()[open].get("sensitive"), None, "{open}");
        }
        assert_eq!(hints()["secrets.dirs"]["advanced"], true);
    }

    #[test]
    fn every_key_of_the_reference_has_a_hint() {
        for path in [
            "agents.entries.*.name",
            "bindings.*.match",
            "agents.list.*.id",
            "models.providers.*.models.*.id",
        ] {
            assert!(hints()[path]["help"].is_string(), "{path}");
        }
    }
}
