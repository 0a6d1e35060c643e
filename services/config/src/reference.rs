//! The configuration reference, written from the schema, so that it cannot say anything else than the types.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{
    check::describe,
    outline::{self, Place, properties},
    path::Step,
};

const HEAD: &str = include_str!("reference/head.md");

/// The configuration reference as Markdown.
pub fn reference_markdown() -> String {
    let mut out = HEAD.to_owned();
    let root = Place::root();
    for section in root.keys().filter(|key| *key != "$schema") {
        let place = root.step(&Step::Key(section.to_owned()));
        let _ = write!(out, "\n## `{section}`\n\n{}\n", summary(&place, section));
        let mut rows = String::new();
        inside(&place, section, &mut rows);
        if !rows.is_empty() {
            let _ = write!(
                out,
                "\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n{rows}"
            );
        }
    }
    out
}

/// The rows of everything inside a place.
fn inside(place: &Place, path: &str, rows: &mut String) {
    for form in place.forms() {
        for (key, child) in properties(form).into_iter().flatten() {
            let next = place.narrowed(form).step(&Step::Key(key.clone()));
            let required = form
                .get("required")
                .and_then(Value::as_array)
                .is_some_and(|all| all.contains(&Value::from(key.as_str())));
            row(&next, child, &format!("{path}.{key}"), required, rows);
        }
        let named = place.narrowed(form).step(&Step::Key("*".to_owned()));
        if form.get("additionalProperties").is_some_and(Value::is_object) && !named.is_secret() {
            inside(&named, &format!("{path}.<name>"), rows);
        }
        let item = place.narrowed(form).step(&Step::Index(0));
        if form.get("items").is_some_and(Value::is_object) && !item.is_secret() {
            inside(&item, &format!("{path}[]"), rows);
        }
    }
}

fn row(place: &Place, child: &'static Value, path: &str, required: bool, rows: &mut String) {
    let value = if place.is_secret() {
        "a secret: a text or a reference".to_owned()
    } else {
        value_of(place)
    };
    let default = match child.get("default") {
        _ if required => "required".to_owned(),
        Some(default) if is_plain(default) => format!("`{default}`"),
        _ => String::new(),
    };
    let meaning = child
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let at_start = if child.get("x-at-start").is_some() {
        " A change acts from the next start on."
    } else {
        ""
    };
    let same = child.get("x-same-as").and_then(Value::as_str);
    let same = same
        .map(|other| format!(" Each with the keys of `{other}`."))
        .unwrap_or_default();
    let _ = writeln!(
        rows,
        "| `{path}` | {} | {default} | {}{at_start}{same}{} |",
        cell(&value),
        cell(meaning),
        cell(&words(place))
    );
    if !place.is_secret() && child.get("x-same-as").is_none() {
        inside(place, path, rows);
    }
}

fn is_plain(value: &Value) -> bool {
    match value {
        Value::Null | Value::Object(_) => false,
        Value::Array(items) => !items.is_empty(),
        _ => true,
    }
}

/// What may stand here, in few words.
fn value_of(place: &Place) -> String {
    let is = |form: &Value, word: &str| match form.get("type") {
        Some(Value::Array(words)) => words.iter().all(|one| one == word || one == "null"),
        other => other.is_some_and(|one| one == word),
    };
    let only = |word: &str| {
        place
            .forms()
            .iter()
            .all(|form| is(form, word) || is(form, "null"))
    };
    let first = place.forms().first();
    if only("array") && !place.forms().is_empty() {
        let item = place.step(&Step::Index(0));
        return if item.is_unknown() {
            "a list".to_owned()
        } else if item.is_secret() {
            "a list of: secrets".to_owned()
        } else {
            format!("a list of: {}", value_of(&item))
        };
    }
    if only("object")
        && first.is_some_and(|form| form.get("additionalProperties").is_some_and(Value::is_object))
    {
        let item = place.step(&Step::Key("*".to_owned()));
        return format!(
            "an object by name of: {}",
            if item.is_secret() {
                "secrets".to_owned()
            } else {
                value_of(&item)
            }
        );
    }
    describe(place)
}

/// The meaning of each word that may stand here.
fn words(place: &Place) -> String {
    let mut out = String::new();
    for form in place.forms() {
        if let (Some(word), Some(meaning)) =
            (form.get("const"), form.get("description").and_then(Value::as_str))
        {
            let _ = write!(out, "<br>`{word}`: {meaning}");
        }
    }
    out
}

/// Text for one cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn summary(place: &Place, section: &str) -> String {
    let own = outline::schema()
        .pointer(&format!("/properties/{section}/description"))
        .and_then(Value::as_str);
    let text = own
        .or_else(|| place.forms().first()?.get("description")?.as_str())
        .unwrap_or_default();
    cell(text)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn the_committed_reference_is_current() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
        let now = reference_markdown();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&file, &now).expect("docs can be written");
        }

        let committed = fs::read_to_string(&file).expect("docs/configuration.md is there");

        assert!(
            committed == now,
            "docs/configuration.md is out of date: run this test with UPDATE_DOCS=1"
        );
    }

    #[test]
    fn every_section_and_its_secrets_are_described() {
        let text = reference_markdown();

        for line in [
            "## `gateway`",
            "| `gateway.port` | a whole number from 1 to 65535 | `18789` |",
            "| `models.providers.<name>.apiKey` | a secret: a text or a reference |",
            "| `bindings[].agentId` | a text that is not empty | required |",
        ] {
            assert!(text.contains(line), "{line} is not in:\n{text}");
        }
    }
}
