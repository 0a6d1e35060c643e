//! What a template makes of a request: the operator's words, and in the places between them what the request says. How a template is
//! written is the document's to say (`gatehouse_document::hooks::template`).

use gatehouse_document::hooks::template::{Part, Place, Step, Template, follow};
use serde_json::Value;

use super::head::Head;
use super::marks::Marks;

/// The longest text that comes of a template, in bytes: what a job may say.
pub(super) const TEXT_BYTES_MAX: usize = 256 * 1024;

/// What a template reads from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) head: &'a Head,
    pub(super) body: &'a Value,
    /// The element of the list that the event is of.
    pub(super) item: Option<&'a Value>,
}

/// What a template comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    Words(String),
    /// The request says nothing at any of its places, and the operator's words around them are none. The places.
    Nothing(Vec<String>),
    TooLong,
}

/// The words with what the request says, marked.
pub(super) fn told(template: &Template, source: &Source<'_>, marks: &Marks) -> Told {
    let (mut told, mut says, mut empty) = (String::new(), false, Vec::new());
    for part in template.parts() {
        match part {
            Part::Words(words) => {
                says |= says_something(words);
                told.push_str(words);
            }
            Part::Place(place) => {
                let words = value(place, source);
                if words.trim().is_empty() {
                    empty.push(place.to_string());
                } else {
                    says = true;
                }
                told.push_str(&marks.around(&words));
            }
        }
        if told.len() > TEXT_BYTES_MAX {
            return Told::TooLong;
        }
    }
    if says {
        Told::Words(told)
    } else {
        Told::Nothing(empty)
    }
}

/// Whether words are more than what stands between values.
fn says_something(words: &str) -> bool {
    words
        .chars()
        .any(|c| !c.is_whitespace() && !c.is_ascii_punctuation())
}

fn value(place: &Place, source: &Source<'_>) -> String {
    let Some((Step::Key(first), rest)) = place.steps().split_first() else {
        return place.of(source.body).map(words).unwrap_or_default();
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
        _ => place.of(source.body).map(words).unwrap_or_default(),
    }
}

/// A value as words.
fn words(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn made(template: &str) -> Told {
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
        told(&Template::read(template).unwrap(), &source, &Marks::new(true))
    }

    fn said(template: &str) -> String {
        match made(template) {
            Told::Words(words) => words,
            other => panic!("{template}: {other:?}"),
        }
    }

    #[test]
    fn a_place_stands_for_what_the_request_says_there() {
        assert_eq!(said("{{a.b[1]}}, {{ a.b[2].c }}!"), "two, true!");
        assert_eq!(
            said("{{a.b}}|{{n}}|{{gone.far}}|{{a.b[9]}}"),
            r#"[1,"two",{"c":true}]|||"#
        );
        assert_eq!(
            said("{{headers.x-kind}} {{query.who}} {{path}} {{body.path}}"),
            "push x y z forge p"
        );
        assert_eq!(said("{{item}}"), "of the body", "there is no list");
        assert_eq!(
            said("{{headers.authorization}}{{headers.X-Kind}}"),
            "push",
            "a secret is never told"
        );
        assert_eq!(said("It rang. {{a.constructor}}{{1+1}}{{a()}}"), "It rang. ");
    }

    #[test]
    fn what_the_request_says_nothing_of_and_the_operator_neither_is_nothing() {
        for nothing in ["{{gone}}", "{{gone}}: {{n}}!", " {{headers.authorization}} "] {
            assert!(matches!(made(nothing), Told::Nothing(_)), "{nothing}");
        }
        assert_eq!(
            made("{{gone.far}} ({{a.b[9]}})"),
            Told::Nothing(vec!["gone.far".to_owned(), "a.b[9]".to_owned()])
        );
        assert_eq!(said("The bell rang {{n}}"), "The bell rang ");
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_told_and_what_comes_from_outside_stands_between_the_marks(
            pieces in prop::collection::vec(prop::sample::select(&[
                "{{a.b[0]}}", "{{ query.who }}", "{{1}}", "{{item.a}}", "{{headers.x-kind}}", "{{", "}}", "{", "}", "a", "a.b", ".", "[", "]", "[0]", "1", "item", "headers.x-kind", "query.who", "path", " ", "\u{fc}",
            ][..]), 0..12),
            outside in "[<>/{}a-z \u{fc}-]{0,20}",
        ) {
            let text = pieces.concat();
            let Ok(template) = Template::read(&text) else { return Ok(()) };
            let query = format!("who={outside}");
            let head = Head::for_tests("forge", Some(&query), &[("x-kind", &outside)]);
            let body = json!({"a": {"b": [outside, {"a": outside}]}, "1": outside});
            let source = Source { head: &head, body: &body, item: Some(&body) };

            let Told::Words(told) = told(&template, &source, &Marks::new(false)) else { return Ok(()) };

            // Each mark is a word of its own; without them and what is between them the operator's words are left.
            let mark = told.split("<outside-").nth(1).and_then(|rest| rest.get(..32)).map(|word| format!("outside-{word}"));
            let (mut ours, mut rest) = (String::new(), told.as_str());
            while let Some((before, inside)) = mark.as_deref().and_then(|mark| rest.split_once(&format!("<{mark}>"))) {
                ours.push_str(before);
                let mark = mark.as_deref().unwrap_or_default();
                rest = inside.split_once(&format!("</{mark}>")).expect("an end of each").1;
            }
            ours.push_str(rest);
            let words = template.parts().iter().filter_map(|part| match part {
                Part::Words(words) => Some(words.as_str()),
                Part::Place(_) => None,
            });
            prop_assert_eq!(ours, words.collect::<String>());
            if !template.parts().iter().any(|part| matches!(part, Part::Place(_))) {
                prop_assert_eq!(told, text, "what has no place is told as it is written");
            }
        }
    }

    #[test]
    fn what_a_value_says_is_not_read_as_a_template() {
        let head = Head::for_tests("forge", None, &[]);
        let (body, template) = (json!({"a": "{{b}}", "b": "x"}), Template::read("{{a}}").unwrap());
        let source = Source {
            head: &head,
            body: &body,
            item: None,
        };
        assert_eq!(
            told(&template, &source, &Marks::new(true)),
            Told::Words("{{b}}".to_owned())
        );

        let large = json!({"a": "x".repeat(TEXT_BYTES_MAX + 1)});
        let source = Source {
            body: &large,
            ..source
        };
        assert_eq!(told(&template, &source, &Marks::new(true)), Told::TooLong);
    }
}
