//! A list of objects that each have a name becomes an object with those names as keys, without touching anything else of the text.

use serde_json::{Map, Value};

use super::{
    edit::{Editor, name},
    parse,
    scan::{Kind, Member, Node},
};

/// The text after `<outer>.<list>[]` became `<outer>.<keyed>`, each item under what its key `id` says. `None`: there is no such list, or it
/// cannot be done without touching more than that.
pub(crate) fn keyed_by(text: &str, outer: &str, list: &str, keyed: &str, id: &str) -> Option<String> {
    let (value, found) = parse(text).ok()?;
    let wanted = meant(&value, outer, list, keyed, id)?;
    let members = |node: &Node| match &node.kind {
        Kind::Object(members) => Some(members.clone()),
        Kind::Array(_) | Kind::Leaf => None,
    };
    let member = |members: Vec<Member>, key: &str| members.into_iter().rfind(|member| member.key == key);
    let outer = member(members(found.root.as_ref()?)?, outer)?;
    let listed = member(members(&outer.value)?, list)?;
    let Kind::Array(items) = &listed.value.kind else {
        return None;
    };
    let mut editor = Editor {
        text,
        edits: vec![(listed.key_span.clone(), keyed.to_owned())],
    };
    let span = &listed.value.span;
    editor.edits.push((span.start..span.start + 1, "{".to_owned()));
    editor.edits.push((span.end - 1..span.end, "}".to_owned()));
    for item in items {
        let named = member(members(item)?, id)?;
        let text_of = text.get(named.value.span.clone())?;
        let key: String = json5::from_str(text_of).ok()?;
        let start = item.span.start;
        editor.edits.push((start..start, format!("{}: ", name(&key))));
        editor.remove(&named)?;
    }
    let edited = editor.apply()?;
    // The truth is what the parser reads.
    let (after, _) = parse(&edited).ok()?;
    (after == wanted).then_some(edited)
}

/// What the text says afterwards. `None`: two items have one name, or one has none, or there are such keys already.
fn meant(value: &Value, outer: &str, list: &str, keyed: &str, id: &str) -> Option<Value> {
    let mut value = value.clone();
    let outer = value.get_mut(outer)?.as_object_mut()?;
    let items = outer.get(list)?.as_array()?.clone();
    if outer.contains_key(keyed) {
        return None;
    }
    let mut entries = Map::new();
    for item in items {
        let Value::Object(mut entry) = item else {
            return None;
        };
        let Some(Value::String(key)) = entry.shift_remove(id) else {
            return None;
        };
        if entries.insert(key, Value::Object(entry)).is_some() {
            return None;
        }
    }
    outer.shift_remove(list);
    outer.insert(keyed.to_owned(), Value::Object(entries));
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agents(text: &str) -> Option<String> {
        keyed_by(text, "agents", "list", "entries", "id")
    }

    #[test]
    fn names_become_keys_and_every_comment_stays_where_it_was() {
        let text = "// mine\n{\n  agents: {\n    list: [ // all\n      // first\n      {\n        id: 'main', // who\n        name: \"M\",\n      },\n                          { name: 'C', id: \"a-b\" },\n    ],\n  },\n}\n";

        let after = agents(text).expect("a list");

        assert!(after.contains("entries: { // all"), "{after}");
        assert!(
            after.contains("// first") && after.contains("main: {") && after.contains("\"a-b\": {"),
            "{after}"
        );
        assert!(
            after.starts_with("// mine") && after.contains("// who"),
            "{after}"
        );
        assert!(!after.contains("list") && !after.contains("id:"), "{after}");
        assert_eq!(agents(&after), None, "nothing is left to do");
    }

    #[test]
    fn what_cannot_be_said_with_keys_stays_a_list() {
        for text in [
            "{}",
            "{ agents: { list: [{ id: 'a' }, { id: 'a' }] } }",
            "{ agents: { list: [{ name: 'a' }] } }",
            "{ agents: { list: ['a'] } }",
            "{ agents: { list: [{ id: 'a' }], entries: {} } }",
            "{ agents: [",
        ] {
            assert_eq!(agents(text), None, "{text}");
        }
    }
}
