//! What one method takes, for somebody who is about to call it.

use super::{Page, bounds, shown};
use crate::MessagePlan;

/// One parameter of a method, for a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in the JSON form.
    pub name: String,
    /// What it is, and whether it may be left out.
    pub kind: String,
    /// What it means, and its bounds.
    pub meaning: String,
}

/// What a method takes, in the order of the contract.
#[must_use]
pub fn takes(request: &MessagePlan) -> Vec<Parameter> {
    let (mut page, message) = (Page::default(), request.message());
    let mut all = Vec::new();
    for field in shown(message) {
        let kind = page.whole_kind(&request.schema, message, field);
        let bounds = bounds(&field.bounds);
        let bounds = if bounds.is_empty() {
            bounds
        } else {
            format!(" ({bounds})")
        };
        all.push(Parameter {
            name: field.name.to_string(),
            kind: without_links(&kind),
            meaning: format!("{}{bounds}", field.comment.trim_end_matches('.')),
        });
    }
    all
}

/// Markdown for who reads it as it is.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, (name, after))) = rest.split_once('[').and_then(|(before, link)| {
        let (name, target) = link.split_once("](")?;
        Some((before, (name, target.split_once(')')?.1)))
    }) {
        plain.push_str(before);
        plain.push_str(name);
        rest = after;
    }
    plain.push_str(rest);
    plain.replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Map;

    #[test]
    fn what_a_method_takes_is_read_without_markup() {
        let core = Map::documented();

        let takes = takes(&core.method("sessions.list").unwrap().request);

        let limit = takes.iter().find(|parameter| parameter.name == "limit").unwrap();
        assert_eq!(
            (limit.kind.as_str(), limit.meaning.as_str()),
            (
                "integer, optional",
                "Rows on the page; 100 when unset (1 to 10000)"
            )
        );
        assert_eq!(
            without_links("array of [SessionRow](#a) or `\"x\"`, [b](#c)"),
            "array of SessionRow or \"x\", b"
        );
    }
}
