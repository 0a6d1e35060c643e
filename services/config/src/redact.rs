//! Takes secrets out of what leaves the config service, and puts them back into what comes in again. References stay as
//! they are written; a secret that is written out becomes [`MARKER`]; a change that sends the marker back keeps the secret.

use std::ops::Range;

use serde_json::Value;

use crate::{
    address,
    issue::Issue,
    marker::MARKER,
    outline::{Place, sounds_secret},
    path::{Path, Step, children},
    secrets::{is_reference, is_whole_reference},
    text::{self, Kind, Node, Scan},
};

/// Secrets shorter than this are not looked for in comments: they would be found everywhere.
const COMMENT_SECRET_BYTES_MIN: usize = 6;

/// A place on the way through a document: what the schema knows, and what the names say where it knows nothing.
#[derive(Clone)]
struct Here {
    place: Place,
    secret: bool,
}

impl Here {
    fn root() -> Self {
        Self {
            place: Place::root(),
            secret: false,
        }
    }

    fn step(&self, step: &Step) -> Self {
        let place = self.place.step(step);
        let named = match step {
            Step::Key(key) => place.is_unknown() && sounds_secret(key),
            Step::Index(_) => false,
        };
        Self {
            secret: self.secret || place.is_secret() || named,
            place,
        }
    }
}

/// Whether a secret belongs at this place: by the types, and by its name where the types say nothing.
pub(crate) fn is_secret_place(path: &Path) -> bool {
    path.steps()
        .iter()
        .fold(Here::root(), |here, step| here.step(step))
        .secret
}

/// Whether a text carries a secret wherever it stands: an address with a password in it.
pub(crate) fn holds_secret(text: &str) -> bool {
    !address::secrets(text, false).is_empty()
}

/// The document with secrets replaced.
pub(crate) fn redact(value: &Value) -> Value {
    let mut value = value.clone();
    redact_here(&mut value, &Here::root());
    value
}

fn redact_here(value: &mut Value, here: &Here) {
    if let Some(shown) = shown_instead(value, here) {
        *value = Value::from(shown);
        return;
    }
    if here.secret && is_reference(value) {
        return;
    }
    match value {
        Value::Object(object) => {
            for (key, child) in object.iter_mut() {
                redact_here(child, &here.step(&Step::Key(key.clone())));
            }
        }
        Value::Array(items) => {
            for (index, child) in items.iter_mut().enumerate() {
                redact_here(child, &here.step(&Step::Index(index)));
            }
        }
        _ => {}
    }
}

/// What is shown in place of this value, when it is or holds a secret that is written out. Not of what is inside it.
fn shown_instead(value: &Value, here: &Here) -> Option<String> {
    let whole = || Some(MARKER.to_owned());
    match value {
        Value::String(text) if here.secret && (is_whole_reference(text) || text.is_empty()) => None,
        Value::String(_) if here.secret => whole(),
        Value::String(text) => address::hide(text, here.place.is_address()),
        Value::Number(_) if here.secret => whole(),
        _ => None,
    }
}

/// The secrets that this value, not one inside it, writes out.
fn secrets_of<'v>(value: &'v Value, here: &Here) -> Vec<&'v str> {
    match value {
        Value::String(text) if here.secret => shown_instead(value, here)
            .map(|_| text.as_str())
            .into_iter()
            .collect(),
        Value::String(text) => {
            let spans = address::secrets(text, here.place.is_address());
            spans.into_iter().filter_map(|span| text.get(span)).collect()
        }
        _ => Vec::new(),
    }
}

/// The text of a document with secrets replaced where they stand; comments stay, unless they look like a secret that was
/// commented out.
pub(crate) fn redact_text(text: &str, found: &Scan, value: &Value) -> String {
    let mut spans: Vec<(Range<usize>, String)> = Vec::new();
    if let Some(root) = &found.root {
        secret_spans(root, Some(value), text, &Here::root(), &mut spans);
    }
    let mut secrets = Vec::new();
    literals(value, &Here::root(), &mut secrets);
    for span in &found.comments {
        let comment = text.get(span.clone()).unwrap_or_default();
        if let Some(clean) = clean_comment(comment, &secrets) {
            spans.push((span.clone(), clean));
        }
    }
    replaced(text, spans)
}

fn secret_spans(
    node: &Node,
    value: Option<&Value>,
    text: &str,
    here: &Here,
    spans: &mut Vec<(Range<usize>, String)>,
) {
    if here.secret && value.is_some_and(is_reference) {
        return;
    }
    match &node.kind {
        Kind::Leaf => {
            // The value is read from the text and not from the parsed document: of a key that is given twice, the parsed
            // document has only the last.
            let raw = text.get(node.span.clone()).unwrap_or_default();
            let own: Value = json5::from_str(raw).unwrap_or_else(|_| Value::from(raw));
            if let Some(shown) = shown_instead(&own, here) {
                spans.push((node.span.clone(), Value::from(shown).to_string()));
            }
        }
        Kind::Object(members) => {
            for member in members {
                let step = Step::Key(member.key.clone());
                secret_spans(
                    &member.value,
                    value.and_then(|v| v.get(&member.key)),
                    text,
                    &here.step(&step),
                    spans,
                );
            }
        }
        Kind::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let step = Step::Index(index);
                secret_spans(
                    item,
                    value.and_then(|v| v.get(index)),
                    text,
                    &here.step(&step),
                    spans,
                );
            }
        }
    }
}

/// Every secret that is written out in the document.
fn literals(value: &Value, here: &Here, found: &mut Vec<String>) {
    let long = |secret: &&str| secret.len() >= COMMENT_SECRET_BYTES_MIN;
    found.extend(
        secrets_of(value, here)
            .into_iter()
            .filter(long)
            .map(str::to_owned),
    );
    for (step, child) in children(value) {
        literals(child, &here.step(&step), found);
    }
}

/// A comment without what looks like a secret; `None` when nothing does.
fn clean_comment(comment: &str, secrets: &[String]) -> Option<String> {
    let suspicious = |line: &str| {
        secrets.iter().any(|secret| line.contains(secret.as_str()))
            || holds_secret(line)
            || assigns_secret(line)
    };
    if !comment.lines().any(suspicious) {
        return None;
    }
    let (open, body, close) = match comment.strip_prefix("/*") {
        Some(rest) => ("/*", rest.strip_suffix("*/").unwrap_or(rest), "*/"),
        None => ("//", comment.strip_prefix("//").unwrap_or(comment), ""),
    };
    let lines: Vec<String> = body
        .split('\n')
        .map(|line| {
            if suspicious(line) {
                format!(" {MARKER} ")
            } else {
                line.to_owned()
            }
        })
        .collect();
    Some(format!(
        "{open}{}{close}",
        lines.join("\n").trim_end_matches([' '])
    ))
}

/// Whether a line looks like `apiKey: "..."` with something other than a reference behind it.
fn assigns_secret(line: &str) -> bool {
    line.match_indices([':', '=']).any(|(at, _)| {
        let (Some(before), Some(after)) = (line.get(..at), line.get(at + 1..)) else {
            return false;
        };
        let key = before.trim_end().trim_end_matches(['"', '\'']);
        let word = key
            .rsplit(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')))
            .next();
        let value = after.trim_start();
        let quoted = value.trim_start_matches(['"', '\'']);
        let written_out = !quoted.starts_with("${") && !value.starts_with('{') && !value.is_empty();
        written_out && word.is_some_and(|word| !word.is_empty() && sounds_secret(word))
    })
}

/// Puts the secrets of `current` back where `patch` has the marker.
///
/// # Errors
/// When there is no secret at such a place.
pub(crate) fn restore(patch: &mut Value, current: &Value) -> Result<(), Vec<Issue>> {
    let mut issues = Vec::new();
    restore_here(patch, Some(current), &Path::default(), &Here::root(), &mut issues);
    if issues.is_empty() { Ok(()) } else { Err(issues) }
}

fn restore_here(
    value: &mut Value,
    current: Option<&Value>,
    path: &Path,
    here: &Here,
    issues: &mut Vec<Issue>,
) {
    match value {
        Value::String(text) if text.contains(MARKER) => match current {
            // An address whose secret is hidden comes back as it was shown, or with its secret written out: the secret does
            // not go into another one.
            Some(kept) if shown_instead(kept, here).as_ref() == Some(text) => *value = kept.clone(),
            _ => issues.push(Issue::error(
                path,
                "is the mark of a hidden secret, but no secret is kept here; write it out",
            )),
        },
        Value::Object(object) => {
            for (key, child) in object.iter_mut() {
                let step = Step::Key(key.clone());
                let kept = current.and_then(|current| current.get(key));
                restore_here(child, kept, &path.with(step.clone()), &here.step(&step), issues);
            }
        }
        Value::Array(items) => {
            let kept = current.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            for (index, child) in items.iter_mut().enumerate() {
                if !has_marker(child) {
                    continue;
                }
                // A list is replaced whole, so its elements may have moved: an element gets its secrets back only when it
                // is recognised, never by its place alone, and not when two look the same.
                let here = here.step(&Step::Index(index));
                let looks_same = |old: &&Value| {
                    let mut shown = (*old).clone();
                    redact_here(&mut shown, &here);
                    shown == *child
                };
                let only = || {
                    let mut alike = kept.iter().filter(looks_same);
                    alike.next().filter(|_| alike.next().is_none())
                };
                let same = kept.get(index).filter(looks_same).or_else(only);
                let named = || {
                    let id = child.get("id")?;
                    kept.iter().find(|old| old.get("id") == Some(id))
                };
                match same {
                    Some(same) => *child = same.clone(),
                    None => {
                        let named = named();
                        restore_here(child, named, &path.index(index), &here, issues);
                    }
                }
            }
        }
        _ => {}
    }
}

fn has_marker(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.contains(MARKER))
        || children(value).into_iter().any(|(_, child)| has_marker(child))
}

/// The text with the secrets of `value`, which it says, in place of the marks, and with the comments of `former` where a comment
/// stands as it was shown.
pub(crate) fn put_back(text: &str, found: &Scan, value: &Value, former: &str) -> String {
    let mut spans = Vec::new();
    let old = text::parse(former).ok().and_then(|(_, found)| found.root);
    if let Some(root) = &found.root {
        let texts = (text, former);
        marked_spans(root, Some(value), old.as_ref(), texts, &mut spans);
    }
    let hidden = hidden_comments(former);
    for span in &found.comments {
        let shown = text.get(span.clone()).unwrap_or_default();
        if let Some((_, comment)) = hidden.iter().find(|(hidden, _)| hidden == shown) {
            spans.push((span.clone(), comment.clone()));
        }
    }
    replaced(text, spans)
}

/// `old` is what stood at the same place in the text before: a secret is written as it was there.
fn marked_spans(
    node: &Node,
    value: Option<&Value>,
    old: Option<&Node>,
    texts: (&str, &str),
    spans: &mut Vec<(Range<usize>, String)>,
) {
    let (text, former) = texts;
    match &node.kind {
        Kind::Leaf => {
            let is_marked = text
                .get(node.span.clone())
                .is_some_and(|raw| raw.contains(MARKER));
            let Some(value) = value.filter(|_| is_marked) else {
                return;
            };
            let written = old
                .and_then(|old| former.get(old.span.clone()))
                .filter(|raw| json5::from_str::<Value>(raw).is_ok_and(|read| read == *value));
            let written = written.map_or_else(|| value.to_string(), str::to_owned);
            spans.push((node.span.clone(), written));
        }
        Kind::Object(members) => {
            for member in members {
                let old = old.and_then(|old| match &old.kind {
                    Kind::Object(olds) => olds.iter().rfind(|old| old.key == member.key),
                    Kind::Array(_) | Kind::Leaf => None,
                });
                let value = value.and_then(|value| value.get(&member.key));
                marked_spans(&member.value, value, old.map(|old| &old.value), texts, spans);
            }
        }
        Kind::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let old = old.and_then(|old| match &old.kind {
                    Kind::Array(olds) => olds.get(index),
                    Kind::Object(_) | Kind::Leaf => None,
                });
                let value = value.and_then(|value| value.get(index));
                marked_spans(item, value, old, texts, spans);
            }
        }
    }
}

/// The comments of a text that are shown otherwise than they stand there, each with how it is shown.
fn hidden_comments(text: &str) -> Vec<(String, String)> {
    let Ok((value, found)) = text::parse(text) else {
        return Vec::new();
    };
    let mut secrets = Vec::new();
    literals(&value, &Here::root(), &mut secrets);
    let comments = found.comments.iter().filter_map(|span| text.get(span.clone()));
    comments
        .filter_map(|comment| Some((clean_comment(comment, &secrets)?, comment.to_owned())))
        .collect()
}

fn replaced(text: &str, mut spans: Vec<(Range<usize>, String)>) -> String {
    spans.sort_by_key(|(span, _)| span.start);
    let mut text = text.to_owned();
    for (span, replacement) in spans.into_iter().rev() {
        text.replace_range(span, &replacement);
    }
    text
}

/// Takes every secret out, key and all, for services that have no use for it.
pub(crate) fn without_secrets(value: &mut Value, at: &[&str]) {
    let here = at
        .iter()
        .fold(Here::root(), |here, key| here.step(&Step::Key((*key).to_owned())));
    drop_here(value, &here);
}

fn drop_here(value: &mut Value, here: &Here) {
    match value {
        Value::Object(object) => {
            object.retain(|key, child| {
                let next = here.step(&Step::Key(key.clone()));
                let holds = |text: &str| !address::secrets(text, next.place.is_address()).is_empty();
                let dropped = next.secret || child.as_str().is_some_and(holds);
                if !dropped {
                    drop_here(child, &next);
                }
                !dropped
            });
        }
        Value::Array(items) => {
            for (index, child) in items.iter_mut().enumerate() {
                drop_here(child, &here.step(&Step::Index(index)));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
