//! Templates: the operator's words with places in them for what a request says. A place names a value and computes nothing.

use serde_json::Value;

use super::head::Head;
use super::marks::Marks;

/// The longest text that comes of a template, in bytes: what a job may say.
pub(super) const TEXT_BYTES_MAX: usize = 256 * 1024;

/// Parts of a place at most, `a.b[0]` has three.
const STEPS_MAX: usize = 32;

/// A template, read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Words(String),
    Place(Place),
}

/// Where a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

/// What a template reads from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) head: &'a Head,
    pub(super) body: &'a Value,
    /// The element of the list that the event is of.
    pub(super) item: Option<&'a Value>,
}

impl Place {
    /// Reads `a.b[0].c`. `None`: it is no place.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        for part in text.trim().split('.') {
            let (key, indexes) = match part.split_once('[') {
                Some((key, rest)) => (key, Some(rest)),
                None => (part, None),
            };
            if key.contains(['{', '}', ']']) {
                return None;
            }
            if !key.is_empty() {
                steps.push(Step::Key(key.trim().to_owned()));
            } else if indexes.is_none() || !steps.is_empty() {
                return None;
            }
            let mut rest = indexes;
            while let Some(text) = rest {
                let (index, behind) = text.split_once(']')?;
                steps.push(Step::Index(index.trim().parse().ok()?));
                rest = match behind.strip_prefix('[') {
                    Some(more) => Some(more),
                    None if behind.is_empty() => None,
                    None => return None,
                };
            }
        }
        (!steps.is_empty() && steps.len() <= STEPS_MAX).then_some(Self(steps))
    }

    /// What stands there.
    pub(super) fn of<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        follow(&self.0, value)
    }

    fn words(&self, source: &Source<'_>) -> String {
        let Some((Step::Key(first), rest)) = self.0.split_first() else {
            return self.of(source.body).map(words).unwrap_or_default();
        };
        // What the body says under one of these names is reached by `body.`.
        match (first.as_str(), rest) {
            ("item", rest) if source.item.is_some() => {
                let found = source.item.and_then(|item| follow(rest, item));
                found.map(words).unwrap_or_default()
            }
            ("body" | "payload", rest) if !rest.is_empty() => {
                follow(rest, source.body).map(words).unwrap_or_default()
            }
            ("headers", [Step::Key(name)]) => source.head.shown(name).unwrap_or_default().to_owned(),
            ("query", [Step::Key(name)]) => source.head.query(name).unwrap_or_default(),
            ("path", []) => source.head.name.clone(),
            _ => self.of(source.body).map(words).unwrap_or_default(),
        }
    }
}

fn follow<'v>(steps: &[Step], value: &'v Value) -> Option<&'v Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(index),
    })
}

/// A value as words.
fn words(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

impl Template {
    /// Reads a template. What stands in braces and is no place stays as it is written.
    pub(super) fn read(text: &str) -> Self {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, behind)) = rest.split_once("{{") {
            let Some((inside, after)) = behind.split_once("}}") else {
                break;
            };
            match Place::read(inside) {
                Some(place) => parts.extend([Part::Words(before.to_owned()), Part::Place(place)]),
                None => parts.push(Part::Words(format!("{before}{{{{{inside}}}}}"))),
            }
            rest = after;
        }
        parts.push(Part::Words(rest.to_owned()));
        parts.retain(|part| !matches!(part, Part::Words(words) if words.is_empty()));
        Self(parts)
    }

    /// The words with what the request says, marked. `None`: it is too much.
    pub(super) fn told(&self, source: &Source<'_>, marks: &Marks) -> Option<String> {
        let mut told = String::new();
        for part in &self.0 {
            match part {
                Part::Words(words) => told.push_str(words),
                Part::Place(place) => told.push_str(&marks.around(&place.words(source))),
            }
            if told.len() > TEXT_BYTES_MAX {
                return None;
            }
        }
        Some(told)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn told(template: &str) -> String {
        let head = Head::for_tests(
            "forge",
            Some("a=1&who=x%20y+z"),
            &[("x-kind", "push"), ("authorization", "Bearer t")],
        );
        let body =
            json!({"a": {"b": [1, "two", {"c": true}]}, "n": null, "item": "of the body", "path": "p"});
        let source = Source {
            head: &head,
            body: &body,
            item: None,
        };
        Template::read(template).told(&source, &Marks::new(true)).unwrap()
    }

    #[test]
    fn a_place_stands_for_what_the_request_says_there() {
        assert_eq!(told("{{a.b[1]}}, {{ a.b[2].c }}!"), "two, true!");
        assert_eq!(
            told("{{a.b}}|{{n}}|{{gone.far}}|{{a.b[9]}}"),
            r#"[1,"two",{"c":true}]|||"#
        );
        assert_eq!(
            told("{{headers.x-kind}} {{query.who}} {{path}} {{body.path}}"),
            "push x y z forge p"
        );
        assert_eq!(told("{{item}}"), "of the body", "there is no list");
        assert_eq!(
            told("{{headers.authorization}}{{headers.X-Kind}}"),
            "push",
            "a secret is never told"
        );
    }

    #[test]
    fn what_is_no_place_stays_as_it_is_written_and_nothing_is_computed() {
        for text in [
            "{{",
            "{{a",
            "}}",
            "{{}}",
            "{{a..b}}",
            "{{a[x]}}",
            "{{a[1}}",
            "{{a[1]b}}",
        ] {
            assert_eq!(told(text), text);
        }
        assert_eq!(told("{{a.constructor}}{{1+1}}{{a()}}"), "");
        assert_eq!(told("{{{{n}}}}"), "{{{{n}}}}");
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_told_and_what_comes_from_outside_stands_between_the_marks(
            pieces in prop::collection::vec(prop::sample::select(&[
                "{{", "}}", "{", "}", "a", "a.b", ".", "[", "]", "[0]", "1", "item", "headers.x-kind", "query.who", "path", " ", "\u{fc}",
            ][..]), 0..12),
            outside in "[<>/{}a-z \u{fc}-]{0,20}",
        ) {
            let text = pieces.concat();
            let template = Template::read(&text);
            let query = format!("who={outside}");
            let head = Head::for_tests("forge", Some(&query), &[("x-kind", &outside)]);
            let body = json!({"a": {"b": [outside, {"a": outside}]}, "1": outside});
            let source = Source { head: &head, body: &body, item: Some(&body) };

            let told = template.told(&source, &Marks::new(false)).unwrap();

            // Each mark is a word of its own; without them and what is between them the operator's words are left.
            let mark = told.split("<outside-").nth(1).and_then(|rest| rest.get(..32)).map(|word| format!("outside-{word}"));
            let (mut ours, mut rest) = (String::new(), told.as_str());
            while let Some((before, inside)) = mark.as_deref().and_then(|mark| rest.split_once(&format!("<{mark}>"))) {
                ours.push_str(before);
                let mark = mark.as_deref().unwrap_or_default();
                rest = inside.split_once(&format!("</{mark}>")).expect("an end of each").1;
            }
            ours.push_str(rest);
            let words = template.0.iter().filter_map(|part| match part {
                Part::Words(words) => Some(words.as_str()),
                Part::Place(_) => None,
            });
            prop_assert_eq!(ours, words.collect::<String>());
            if !template.0.iter().any(|part| matches!(part, Part::Place(_))) {
                prop_assert_eq!(told, text, "what is no place stays as it is written");
            }
        }
    }

    #[test]
    fn what_a_value_says_is_not_read_as_a_template() {
        let head = Head::for_tests("forge", None, &[]);
        let (body, template) = (json!({"a": "{{b}}", "b": "x"}), Template::read("{{a}}"));
        let source = Source {
            head: &head,
            body: &body,
            item: None,
        };
        assert_eq!(template.told(&source, &Marks::new(true)).unwrap(), "{{b}}");

        let large = json!({"a": "x".repeat(TEXT_BYTES_MAX + 1)});
        let source = Source {
            body: &large,
            ..source
        };
        assert_eq!(template.told(&source, &Marks::new(true)), None);
    }
}
