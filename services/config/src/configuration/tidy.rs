//! What a change takes out leaves nothing behind, and what is not there is not made by taking it out.

use serde_json::{Map, Value};

use crate::{
    outline::Place,
    path::Step,
    text::{Kind, Node, Scan, merge},
};

/// Takes out of a change what changes nothing (removing what is not there), and lets a section go with its last key: an empty one
/// says no more than none. An entry that has a name stays, because its name says something, and so does a section with a comment.
pub(super) fn tidy(change: &mut Value, before: &Value, found: &Scan) {
    if let Value::Object(change) = change {
        drop_absent(change, before);
        let here = Here {
            place: Place::root(),
            node: found.root.as_ref(),
            found,
        };
        drop_emptied(change, before, &here);
    }
}

fn drop_absent(change: &mut Map<String, Value>, before: &Value) {
    change.retain(|key, value| {
        let before = before.get(key);
        match value {
            Value::Null => before.is_some(),
            Value::Object(inner) if !inner.is_empty() => {
                drop_absent(inner, before.unwrap_or(&Value::Null));
                !inner.is_empty()
            }
            _ => true,
        }
    });
}

/// A place in the document and where it stands in the text.
struct Here<'f> {
    place: Place,
    node: Option<&'f Node>,
    found: &'f Scan,
}

impl Here<'_> {
    fn step(&self, key: &str) -> Self {
        let members = match self.node.map(|node| &node.kind) {
            Some(Kind::Object(members)) => members.as_slice(),
            Some(Kind::Array(_) | Kind::Leaf) | None => &[],
        };
        Self {
            place: self.place.step(&Step::Key(key.to_owned())),
            node: members
                .iter()
                .rfind(|member| member.key == key)
                .map(|member| &member.value),
            found: self.found,
        }
    }

    /// Whether the key is the name of an entry, which somebody chose.
    fn is_entry(&self, key: &str) -> bool {
        let is_named = self.place.keys().any(|known| known == key) || self.place.real_name(key).is_some();
        !is_named && !self.place.step(&Step::Key(key.to_owned())).is_unknown()
    }

    fn has_comment(&self) -> bool {
        self.node.is_some_and(|node| {
            let inside = |comment: &std::ops::Range<usize>| {
                node.span.start <= comment.start && comment.end <= node.span.end
            };
            self.found.comments.iter().any(inside)
        })
    }
}

fn drop_emptied(change: &mut Map<String, Value>, before: &Value, here: &Here<'_>) {
    for (key, value) in change {
        let (Value::Object(inner), Some(before)) = (&mut *value, before.get(key)) else {
            continue;
        };
        let next = here.step(key);
        drop_emptied(inner, before, &next);
        let mut after = before.clone();
        merge(&mut after, value);
        let is_emptied = |value: &Value| value.as_object().is_some_and(Map::is_empty);
        if is_emptied(&after) && !is_emptied(before) && !here.is_entry(key) && !next.has_comment() {
            *value = Value::Null;
        }
    }
}
