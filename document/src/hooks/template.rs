//! Templates of mappings: the operator's words with places in them for what a request says. A place names a value and computes nothing.
//!
//! They are read here for both sides: the config service says what is wrong with one before a request comes, and the session service
//! puts values into it.

use std::fmt;

use serde_json::Value;

/// Parts of a place at most, `a.b[0]` has three.
const STEPS_MAX: usize = 32;

/// What is no place.
const NO_PLACE: &str =
    "names no place in a request: write for example {{repository.name}} or {{items[0].id}}";

/// Characters of a wrong place that are shown.
const SHOWN_CHARS_MAX: usize = 60;

/// What other languages of templates begin a command with.
const COMMANDS: &[char] = &['#', '/', '^', '>', '!', '&'];

/// A template, read once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The operator's words.
    Words(String),
    /// Where a value of the request stands.
    Place(Place),
}

/// Where a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(Vec<Step>);

/// One step of the way to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into an object.
    Key(String),
    /// Into a list.
    Index(usize),
}

impl Place {
    /// Reads `a.b[0].c`. `None`: it is no place.
    pub fn read(text: &str) -> Option<Self> {
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

    /// The steps, one at least.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// What stands there.
    pub fn of<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        follow(&self.0, value)
    }

    /// Whether it is a key that is called as other languages of templates write what they compute.
    fn looks_computed(&self) -> bool {
        self.0.iter().any(|step| match step {
            Step::Key(key) => key.starts_with(COMMANDS) || key.contains(['|', '(', ')', '=', '*', '+']),
            Step::Index(_) => false,
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if index > 0 => write!(f, ".{key}")?,
                Step::Key(key) => f.write_str(key)?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// What steps lead to.
pub fn follow<'v>(steps: &[Step], value: &'v Value) -> Option<&'v Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(index) => value.get(index),
    })
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("must not be empty: without the key the whole body is told".to_owned());
        }
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, behind)) = rest.split_once("{{") {
            let Some((inside, after)) = behind.split_once("}}") else {
                return Err(format!("has a {{{{ without its }}}}: {}", shown(behind)));
            };
            let place = Place::read(inside).ok_or_else(|| format!("{{{{{}}}}} {NO_PLACE}", shown(inside)))?;
            parts.extend([Part::Words(before.to_owned()), Part::Place(place)]);
            rest = after;
        }
        parts.push(Part::Words(rest.to_owned()));
        parts.retain(|part| !matches!(part, Part::Words(words) if words.is_empty()));
        Ok(Self(parts))
    }

    /// Its parts, in order.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The first place that is meant to compute something, by its looks: it stands for the value of a key that is called so.
    pub fn computed(&self) -> Option<&Place> {
        self.0.iter().find_map(|part| match part {
            Part::Place(place) if place.looks_computed() => Some(place),
            Part::Place(_) | Part::Words(_) => None,
        })
    }
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_words_and_places_and_a_lone_end_is_words() {
        let read = |text: &str| Template::read(text).expect("a template");
        let place = |text: &str| Part::Place(Place::read(text).expect("a place"));
        let words = |text: &str| Part::Words(text.to_owned());

        assert_eq!(
            read("It is {{a.b[1][2]}}, {{ c }}!").parts(),
            [
                words("It is "),
                place("a.b[1][2]"),
                words(", "),
                place("c"),
                words("!")
            ]
        );
        assert_eq!(
            read(r#"{"a":{"b":"{{x}}"}}"#).parts(),
            [words(r#"{"a":{"b":""#), place("x"), words(r#""}}"#)]
        );
        assert_eq!(read("no place").parts(), [words("no place")]);
        let written = Place::read(" a.b[1][2] ").map(|place| place.to_string());
        assert_eq!(written.as_deref(), Some("a.b[1][2]"));
    }

    #[test]
    fn what_is_no_template_says_where_and_what_would_be_right() {
        for (bad, told) in [
            ("{{", "without its }}"),
            ("Hear: {{a", "without its }}: a"),
            ("{{}}", "{{}} names no place"),
            ("{{a..b}}", "{{a..b}} names no place"),
            ("{{a[x]}}", "{{items[0].id}}"),
            ("{{a[1}}", "names no place"),
            ("{{a[1]b}}", "names no place"),
            ("{{{n}}}", "{{{n}} names no place"),
            (" ", "must not be empty"),
        ] {
            let problem = Template::read(bad).expect_err(bad);
            assert!(problem.contains(told), "{bad}: {problem}");
        }
        for bad in ["", "a.", ".a", "a[-1]", "a]", "[0]a"] {
            assert_eq!(Place::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_place_that_looks_computed_is_named_and_a_key_of_several_words_is_not() {
        let computed = |text: &str| {
            Template::read(text)
                .expect("a template")
                .computed()
                .map(Place::to_string)
        };

        for text in ["{{#if a}}", "{{a | upper}}", "{{a()}}", "{{1+1}}"] {
            assert!(computed(text).is_some(), "{text}");
        }
        for text in ["{{First name}}", "{{headers.x-kind}}", "{{a.b[0]}}", "{{@type}}"] {
            assert_eq!(computed(text), None, "{text}");
        }
    }
}
