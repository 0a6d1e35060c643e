//! Merges a partial document into a text (RFC 7396) without touching what it does not mention.

use std::{fmt::Write as _, ops::Range};

use serde_json::{Map, Value};

use super::{
    parse,
    scan::{Kind, Member, Node},
};

/// RFC 7396 on values: null removes, objects merge, everything else replaces.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(object) = target else { return };
    for (key, change) in patch {
        if change.is_null() {
            object.shift_remove(key);
        } else {
            merge(object.entry(key.clone()).or_insert(Value::Null), change);
        }
    }
}

/// The text after the merge. `None` when it cannot be done in place: the caller then writes the document anew.
pub(crate) fn merge_text(text: &str, patch: &Value) -> Option<String> {
    let (mut value, found) = parse(text).ok()?;
    let Value::Object(changes) = patch else {
        return None;
    };
    merge(&mut value, patch);

    let edited = match &found.root {
        Some(root) => {
            let Kind::Object(members) = &root.kind else {
                return None;
            };
            let mut editor = Editor {
                text,
                edits: Vec::new(),
            };
            editor.object(root, members, changes, 0)?;
            editor.apply()?
        }
        None => format!("{}\n{}\n", text.trim_end(), render(&value, 0)),
    };
    // The truth is what the parser reads: a case that the editor gets wrong is written anew instead.
    let (after, _) = parse(&edited).ok()?;
    (after == value).then_some(edited)
}

pub(super) struct Editor<'t> {
    pub(super) text: &'t str,
    pub(super) edits: Vec<(Range<usize>, String)>,
}

impl<'t> Editor<'t> {
    pub(super) fn apply(mut self) -> Option<String> {
        // From the back, so that earlier places stay right. Stable: an insertion behind a value comes before its change.
        self.edits.sort_by_key(|(span, _)| (span.start, span.end));
        let mut text = self.text.to_owned();
        let mut free = text.len();
        for (span, replacement) in self.edits.into_iter().rev() {
            if span.end > free || text.get(span.clone()).is_none() {
                return None; // two edits of one place
            }
            free = span.start;
            text.replace_range(span, &replacement);
        }
        Some(text)
    }

    fn object(
        &mut self,
        node: &Node,
        members: &[Member],
        changes: &Map<String, Value>,
        depth: usize,
    ) -> Option<()> {
        let mut added = Vec::new();
        let mut last_kept = None;
        for member in members {
            match changes.get(&member.key) {
                Some(Value::Null) => self.remove(member)?,
                Some(change) => {
                    self.change(member, change, depth)?;
                    last_kept = Some(member);
                }
                None => last_kept = Some(member),
            }
        }
        for (key, change) in changes {
            if !change.is_null() && !members.iter().any(|member| member.key == *key) {
                let mut value = Value::Null;
                merge(&mut value, change);
                added.push((key, value));
            }
        }
        if !added.is_empty() {
            self.add(node, members, last_kept, &added, depth);
        }
        Some(())
    }

    fn change(&mut self, member: &Member, change: &Value, depth: usize) -> Option<()> {
        if let (Kind::Object(inner), Value::Object(changes)) = (&member.value.kind, change) {
            return self.object(&member.value, inner, changes, depth + 1);
        }
        let mut value = Value::Null;
        merge(&mut value, change);
        let style = self.style_at(member.key_span.start, depth + 1);
        self.edits.push((member.value.span.clone(), style.block(&value)));
        Some(())
    }

    /// Takes a member out with its comma, and with its line when nothing else stands there.
    pub(super) fn remove(&mut self, member: &Member) -> Option<()> {
        let end = member.comma.map_or(member.value.span.end, |comma| comma + 1);
        let before = self.text.get(..member.key_span.start)?;
        let blank = before.len() - before.trim_end_matches([' ', '\t']).len();
        let line_start = member.key_span.start - blank;
        let alone_before = line_start == 0 || self.text.get(..line_start)?.ends_with('\n');
        let after = self.text.get(end..)?;
        let space = after.len() - after.trim_start_matches([' ', '\t', '\r']).len();
        let alone_after = after.get(space..)?.starts_with('\n');
        let span = if alone_before && alone_after {
            line_start..end + space + 1
        } else if member.comma.is_some() {
            member.key_span.start..end + space
        } else {
            line_start..end
        };
        self.edits.push((span, String::new()));
        Some(())
    }

    fn add(
        &mut self,
        node: &Node,
        members: &[Member],
        last: Option<&Member>,
        added: &[(&String, Value)],
        depth: usize,
    ) {
        let close = node.span.end - 1;
        if let Some(own) = self.indent_of(close) {
            // The brace stands alone on its line: whole lines go above it.
            if let Some(last) = last.filter(|last| last.comma.is_none()) {
                let end = last.value.span.end;
                self.edits.push((end..end, ",".to_owned()));
            }
            let outer = Style::new(own);
            let inner = members
                .first()
                .and_then(|member| self.indent_of(member.key_span.start))
                .map_or_else(|| outer.inner(), Style::new);
            let at = close - own.len();
            self.edits.push((at..at, inner.lines(added)));
        } else if members.is_empty() {
            let outer = self.style_at(node.span.start, depth);
            let text = format!("\n{}{}", outer.inner().lines(added), outer.indent);
            self.edits.push((close..close, text));
        } else {
            let flat: Vec<String> = added
                .iter()
                .map(|(key, value)| format!("{}: {}", name(key), render_flat(value)))
                .collect();
            let flat = flat.join(", ");
            // Behind what stands there, so that the space before the brace stays what it is.
            let (at, text) = match last {
                Some(Member {
                    comma: Some(comma), ..
                }) => (comma + 1, format!(" {flat}")),
                Some(last) => (last.value.span.end, format!(", {flat}")),
                None => (close, format!(" {flat} ")),
            };
            self.edits.push((at..at, text));
        }
    }

    /// The space before a place, if nothing else stands before it on its line.
    fn indent_of(&self, at: usize) -> Option<&'t str> {
        let before = self.text.get(..at)?;
        let line = before.rsplit('\n').next()?;
        (before.contains('\n') && line.chars().all(|c| matches!(c, ' ' | '\t'))).then_some(line)
    }

    /// How the line of a place is indented; in a text without lines, as one would indent it.
    fn style_at(&self, at: usize, depth: usize) -> Style {
        let before = self.text.get(..at).unwrap_or_default();
        match before.rsplit_once('\n') {
            Some((_, line)) => {
                let space = line.len() - line.trim_start_matches([' ', '\t']).len();
                Style::new(line.get(..space).unwrap_or_default())
            }
            None => Style::new(&"  ".repeat(depth)),
        }
    }
}

/// How lines are indented at a place.
struct Style {
    indent: String,
    /// What one level more adds.
    level: &'static str,
}

impl Style {
    fn new(indent: &str) -> Self {
        Self {
            indent: indent.to_owned(),
            level: if indent.contains('\t') { "\t" } else { "  " },
        }
    }

    fn inner(&self) -> Self {
        Self {
            indent: format!("{}{}", self.indent, self.level),
            level: self.level,
        }
    }

    /// A value that begins in a line with this indentation.
    fn block(&self, value: &Value) -> String {
        let text = render(value, 0);
        let lines: Vec<String> = text
            .split('\n')
            .map(|line| {
                let inner = line.trim_start_matches(' ');
                self.level.repeat((line.len() - inner.len()) / 2) + inner
            })
            .collect();
        lines.join(&format!("\n{}", self.indent))
    }

    /// Members, each in a line of its own.
    fn lines(&self, members: &[(&String, Value)]) -> String {
        let mut text = String::new();
        for (key, value) in members {
            let _ = writeln!(text, "{}{}: {},", self.indent, name(key), self.block(value));
        }
        text
    }
}

fn lines(members: &[(&String, Value)], indent: usize) -> String {
    let mut text = String::new();
    for (key, value) in members {
        let _ = writeln!(text, "{:indent$}{}: {},", "", name(key), render(value, indent));
    }
    text
}

/// A value as JSON5 for people: bare keys, short lists on one line, trailing commas.
pub(crate) fn render(value: &Value, indent: usize) -> String {
    match value {
        Value::Object(object) if !object.is_empty() => {
            let members: Vec<(&String, Value)> =
                object.iter().map(|(key, value)| (key, value.clone())).collect();
            format!("{{\n{}{:indent$}}}", lines(&members, indent + 2), "")
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            let mut text = String::from("[\n");
            let inner = indent + 2;
            for item in items {
                let _ = writeln!(text, "{:inner$}{},", "", render(item, inner));
            }
            let _ = write!(text, "{:indent$}]", "");
            text
        }
        other => render_flat(other),
    }
}

fn render_flat(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let inside: Vec<String> = object
                .iter()
                .map(|(key, value)| format!("{}: {}", name(key), render_flat(value)))
                .collect();
            format!("{{ {} }}", inside.join(", "))
        }
        Value::Array(items) => format!(
            "[{}]",
            items.iter().map(render_flat).collect::<Vec<_>>().join(", ")
        ),
        other => other.to_string(),
    }
}

pub(super) fn name(key: &str) -> String {
    let mut chars = key.chars();
    let bare = chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == '$')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$');
    if bare {
        key.to_owned()
    } else {
        Value::from(key).to_string()
    }
}
