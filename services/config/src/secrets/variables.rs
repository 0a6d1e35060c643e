//! `${NAME}` in a text.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::path::children;

/// Whether a text is one `${NAME}` and nothing else, so that showing it shows no part of a secret.
pub(crate) fn is_whole_reference(text: &str) -> bool {
    text.strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .is_some_and(is_variable)
}

pub(crate) fn is_variable(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_uppercase() || c == '_')
        && chars.all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// The variables that a text refers to, in order.
pub(crate) fn variables(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    parts(text, |part| {
        if let Part::Variable(name) = part {
            names.push(name);
        }
    });
    names
}

/// Every variable that a document names anywhere, in one form or the other.
pub(crate) fn named_variables(value: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, names: &mut BTreeSet<String>) {
        if let Some(text) = value.as_str() {
            names.extend(variables(text).into_iter().map(str::to_owned));
        }
        if value.get("source").and_then(Value::as_str) == Some("env") {
            names.extend(value.get("id").and_then(Value::as_str).map(str::to_owned));
        }
        children(value)
            .into_iter()
            .for_each(|(_, child)| walk(child, names));
    }
    let mut names = BTreeSet::new();
    walk(value, &mut names);
    names
}

/// A piece of a text.
pub(super) enum Part<'t> {
    Literal(&'t str),
    /// `$${NAME}`, which stands for `${NAME}` itself.
    Escaped(&'t str),
    /// `${NAME}`.
    Variable(&'t str),
}

/// Takes a text apart. Only upper-case names are references, as in OpenClaw.
pub(super) fn parts<'t>(text: &'t str, mut take: impl FnMut(Part<'t>)) {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, tail)) = after.split_once('}').filter(|(name, _)| is_variable(name)) else {
            take(Part::Literal(before));
            take(Part::Literal("${"));
            rest = after;
            continue;
        };
        if let Some(escaped) = before.strip_suffix('$') {
            take(Part::Literal(escaped));
            take(Part::Escaped(name));
        } else {
            take(Part::Literal(before));
            take(Part::Variable(name));
        }
        rest = tail;
    }
    take(Part::Literal(rest));
}
