//! Holds a document against the schema: every wrong value and every unknown key at once, each with its path and with what
//! would be right. What the schema cannot say is in [`rules`].

mod nearest;
pub(crate) mod rules;

use serde_json::Value;

use crate::{
    address,
    brought::Brought,
    issue::{ISSUES_MAX, Issue},
    outline::{self, Place},
    path::{Path, Step, children},
};

/// The longest piece of a wrong value that is shown.
const SHOWN_CHARS_MAX: usize = 60;

/// Where the search ends: warnings about keys without effect are many, and become one for each section.
const FOUND_MAX: usize = 100 * ISSUES_MAX;

/// Holds `value`, whose references are resolved, against the schema. Values are shown as `written` has them: a resolved
/// reference never gets into a message.
pub(crate) fn check(value: &Value, written: &Value) -> Vec<Issue> {
    let mut issues = nearest::by_section(found(value, written));
    issues.truncate(ISSUES_MAX);
    issues
}

/// The keys that the schema does not know, each by itself, without those of what has a mistake.
pub(crate) fn unknown(value: &Value) -> Vec<Issue> {
    let mut issues = found(value, value);
    issues.retain(|issue| !issue.is_error());
    issues
}

fn found(value: &Value, written: &Value) -> Vec<Issue> {
    let mut issues = Vec::new();
    let brought = Brought::of(value);
    Checker { written, brought }.place(&Place::root(), value, &Path::default(), &mut issues);
    issues
}

struct Checker<'w> {
    written: &'w Value,
    /// What no schema of ours describes, and is known all the same.
    brought: Brought,
}

impl Checker<'_> {
    fn place(&self, place: &Place, value: &Value, path: &Path, issues: &mut Vec<Issue>) {
        if place.is_unknown() || issues.len() >= FOUND_MAX {
            return;
        }
        let fitting: Vec<&'static Value> = place
            .forms()
            .iter()
            .copied()
            .filter(|form| has_type(form, value))
            .collect();
        // The first form without a mistake wins; if there is none, the only form of the right type tells its mistakes.
        let mut tried: Vec<Vec<Issue>> = Vec::new();
        for form in &fitting {
            let mut found = Vec::new();
            self.form(form, place, value, path, &mut found);
            if !found.iter().any(Issue::is_error) {
                issues.append(&mut found);
                return;
            }
            tried.push(found);
        }
        match tried.as_mut_slice() {
            [only] => issues.append(only),
            _ => issues.push(Issue::error(path, self.wrong(place, path))),
        }
    }

    fn form(&self, form: &'static Value, place: &Place, value: &Value, path: &Path, issues: &mut Vec<Issue>) {
        if !in_bounds(form, value) {
            issues.push(Issue::error(path, self.wrong(place, path)));
            return;
        }
        if let Some(required) = form.get("required").and_then(Value::as_array) {
            for key in required
                .iter()
                .filter_map(Value::as_str)
                .filter(|key| value.get(key).is_none())
            {
                issues.push(Issue::error(path.key(key), "is required here"));
            }
        }
        for (step, child) in children(value) {
            let inner = path.with(step.clone());
            let next = place.narrowed(form).step(&step);
            if let (Step::Key(key), true) = (&step, next.is_unknown()) {
                if !outline::is_open(form) && !self.brought.holds(&inner) {
                    issues.push(Issue::warning(&inner, nearest::unknown_key(path, place, key)));
                }
                continue;
            }
            self.place(&next, child, &inner, issues);
        }
    }

    /// What is wrong with the value at a place and what would be right.
    fn wrong(&self, place: &Place, path: &Path) -> String {
        let secret = place.is_secret() || crate::redact::is_secret_place(path);
        let right = describe(place);
        match path.get(self.written) {
            Some(_) if secret => {
                format!("must be {right}; it is something else (not shown: a secret belongs here)")
            }
            Some(value) => {
                let hint = nearest::hint(path, value).unwrap_or_default();
                format!("must be {right}; it is {}{hint}", show(value, place))
            }
            None => format!("must be {right}"),
        }
    }
}

fn has_type(form: &Value, value: &Value) -> bool {
    let is = |word: &str| match word {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    match form.get("type") {
        Some(Value::String(word)) => is(word),
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).any(is),
        _ => form.get("const").is_none_or(|only| only == value),
    }
}

fn in_bounds(form: &Value, value: &Value) -> bool {
    if let Some(only) = form.get("const")
        && only != value
    {
        return false;
    }
    // A form that may also be null lists its words without null.
    if let Some(words) = form.get("enum").and_then(Value::as_array)
        && !value.is_null()
        && !words.contains(value)
    {
        return false;
    }
    if let Some(number) = value.as_f64() {
        let bound = |word: &str| form.get(word).and_then(Value::as_f64);
        if bound("minimum").is_some_and(|least| number < least)
            || bound("maximum").is_some_and(|most| number > most)
        {
            return false;
        }
    }
    if let Some(text) = value.as_str() {
        let least = form
            .get("minLength")
            .and_then(Value::as_u64)
            .and_then(|n| usize::try_from(n).ok());
        if least.is_some_and(|least| text.chars().count() < least) {
            return false;
        }
    }
    true
}

/// What would be right at a place, in words.
pub(crate) fn describe(place: &Place) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut options: Vec<String> = Vec::new();
    for form in place.forms() {
        if let Some(only) = form.get("const") {
            options.push(only.to_string());
        } else if let Some(listed) = form.get("enum").and_then(Value::as_array) {
            options.extend(listed.iter().filter(|word| !word.is_null()).map(Value::to_string));
        } else {
            let names: Vec<&str> = match form.get("type") {
                Some(Value::String(name)) => vec![name],
                Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
                _ => Vec::new(),
            };
            for name in names.into_iter().filter(|name| *name != "null") {
                let word = in_words(name, form);
                if !words.contains(&word) {
                    words.push(word);
                }
            }
        }
    }
    match options.as_slice() {
        [] => {}
        [only] => words.insert(0, only.clone()),
        many => words.insert(0, format!("one of {}", many.join(", "))),
    }
    if words.is_empty() {
        "something else".to_owned()
    } else {
        words.join(" or ")
    }
}

fn in_words(name: &str, form: &Value) -> String {
    match name {
        "integer" | "number" => {
            let noun = if name == "integer" {
                "a whole number"
            } else {
                "a number"
            };
            match (form.get("minimum"), form.get("maximum")) {
                (Some(least), Some(most)) => format!("{noun} from {least} to {most}"),
                (Some(least), None) => format!("{noun}, at least {least}"),
                (None, Some(most)) => format!("{noun}, at most {most}"),
                (None, None) => noun.to_owned(),
            }
        }
        "boolean" => "true or false".to_owned(),
        "string" if form.get("minLength").is_some() => "a text that is not empty".to_owned(),
        "string" => "a text".to_owned(),
        "array" => "a list".to_owned(),
        "object"
            if form.pointer("/properties/source").is_some() && form.pointer("/properties/id").is_some() =>
        {
            "a reference like { source: \"env\", id: \"NAME\" }".to_owned()
        }
        "object" => "an object".to_owned(),
        other => other.to_owned(),
    }
}

/// A wrong value, short. What is inside a list or an object is not shown: a secret may be.
fn show(value: &Value, place: &Place) -> String {
    match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::String(text) if !address::secrets(text, place.is_address()).is_empty() => {
            "a text (not shown)".to_owned()
        }
        Value::String(text) => {
            let mut shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
            if shown.len() < text.len() {
                shown.push('…');
            }
            Value::from(shown).to_string()
        }
        other => other.to_string(),
    }
}
