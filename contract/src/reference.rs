//! The reference of all methods and events, written from the contracts: what a person reads who wants to call the gateway.

mod takes;

use std::fmt::Write as _;

use crate::{
    Map, MessagePlan,
    plan::{Bounds, Field, Kind, Message, Schema, Shape},
};

pub use takes::{Parameter, takes};

/// The reference as Markdown: methods, then events, then the messages that they are made of, each once.
#[must_use]
pub fn markdown(map: &Map) -> String {
    let mut page = Page::default();
    page.line("# Methods and events\n");
    page.line("Written from the contracts. Names and types are those of the JSON form.\n");
    page.line("## Methods\n");
    for method in map.methods() {
        page.line(&format!("### `{}`\n", method.name));
        page.line(&format!("{}\n", method.comment));
        let kind = if method.streaming {
            "answers more than once"
        } else {
            "answers once"
        };
        let repeat = if method.idempotent {
            "may be repeated"
        } else {
            "must not be repeated blindly"
        };
        let deadline = method.deadline.as_secs();
        page.line(&format!(
            "Access `{}`; {kind}; {repeat}; waits {deadline} s. gRPC `{}`.\n",
            method.access, method.path
        ));
        page.fields("Request", &method.request);
        if let Some(field) = &method.unwrap {
            page.line(&format!(
                "The payload is the value of `{field}`, not the object around it.\n"
            ));
        }
        page.fields("Response", &method.response);
    }
    page.line("## Events\n");
    for event in map.events() {
        page.line(&format!("### `{}` event\n", event.name));
        page.line(&format!("{}\n", event.comment));
        page.line(&format!("Access `{}`.\n", event.access));
        page.fields("Payload", &event.plan);
    }
    page.messages();
    page.text
}

/// The rows about one object of a method's parameters.
fn unserved(method: &str, way: &str, message: &Message, ignored: &mut String, refused: &mut String) {
    let place = |name: &str| match way {
        "" => name.to_owned(),
        way => format!("{}.{name}", way.replace('/', ".")),
    };
    let mut silent = Vec::new();
    for unserved in &message.unserved {
        let parameter = place(&unserved.name);
        let reason = unserved.reason.replace('|', "\\|");
        // Writing to a string cannot fail.
        let _ = if unserved.is_ignored {
            writeln!(ignored, "| `{method}` | `{parameter}` | {reason} |")
        } else if reason.is_empty() {
            silent.push(format!("`{parameter}`"));
            Ok(())
        } else if unserved.harmless.is_empty() {
            writeln!(refused, "| `{method}` | `{parameter}` | {reason} |")
        } else {
            let harmless = unserved.harmless.join("`, `");
            writeln!(
                refused,
                "| `{method}` | `{parameter}` but `{harmless}` | {reason} |"
            )
        };
    }
    if !silent.is_empty() {
        let silent = silent.join(", ");
        let _ = writeln!(refused, "| `{method}` | {silent} | nothing here acts on it |");
    }
}

/// What clients of the published protocol may send and the gateway does not have, as Markdown: a table of what is passed over, and one of
/// what is refused.
#[must_use]
pub fn parameters(map: &Map) -> String {
    let (mut ignored, mut refused) = (String::new(), String::new());
    for method in map.methods() {
        for (way, message) in method.request.objects() {
            unserved(&method.name, &way, message, &mut ignored, &mut refused);
        }
    }
    format!(
        "What a client sends that acts in OpenClaw acts here as well, or is refused with its path. Null changes nothing, and what no \
         version of the protocol has is passed over and counted (`gatehouse_edge_unknown_fields_total`).\n\n\
         Passed over, because it changes nothing for the caller:\n\n| method | parameter | why |\n|---|---|---|\n{ignored}\n\
         Refused:\n\n| method | parameter | why |\n|---|---|---|\n{refused}"
    )
}

/// The fields that callers see.
fn shown(message: &Message) -> impl Iterator<Item = &Field> {
    let fields = message.fields.iter().enumerate();
    fields
        .filter(move |(index, _)| message.nulls != Some(*index))
        .map(|(_, field)| field)
}

#[derive(Default)]
struct Page<'a> {
    text: String,
    /// Messages that were mentioned, in that order; each is written once, at the end.
    mentioned: Vec<(&'a Schema, usize)>,
}

impl<'a> Page<'a> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn fields(&mut self, title: &str, plan: &'a MessagePlan) {
        self.text.push_str(title);
        self.table(&plan.schema, plan.message());
    }

    fn messages(&mut self) {
        if !self.mentioned.is_empty() {
            self.line("## Messages\n");
        }
        let mut next = 0;
        while let Some((schema, index)) = self.mentioned.get(next).copied() {
            let message = schema.message(index);
            self.line(&format!("### `{}`\n", message.full_name));
            self.line(&format!("{}\n", message.comment));
            self.text.push_str("Fields");
            self.table(schema, message);
            next += 1;
        }
    }

    fn table(&mut self, schema: &'a Schema, message: &'a Message) {
        let fields: Vec<_> = shown(message).collect();
        if fields.is_empty() {
            self.line(": an empty object.\n");
            return;
        }
        self.line(":\n");
        self.line("| name | type | bounds | meaning |");
        self.line("|---|---|---|---|");
        for field in fields {
            let kind = self.whole_kind(schema, message, field);
            let bounds = bounds(&field.bounds);
            let meaning = field.comment.replace('|', "\\|");
            self.line(&format!("| `{}` | {kind} | {bounds} | {meaning} |", field.name));
        }
        self.text.push('\n');
    }

    /// What a field is, whether it may be null, and whether it may be left out.
    fn whole_kind(&mut self, schema: &'a Schema, message: &Message, field: &'a Field) -> String {
        let is_required = field.shape == Shape::Required || field.given;
        let nullable = message.nulls.is_some() && !is_required;
        let null = if nullable || field.emit_null {
            " or null"
        } else {
            ""
        };
        let required = if is_required { "" } else { ", optional" };
        format!("{}{null}{required}", self.kind(schema, field))
    }

    fn kind(&mut self, schema: &'a Schema, field: &'a Field) -> String {
        match field.shape {
            Shape::Repeated => format!("array of {}", self.single(schema, field)),
            Shape::Map => {
                let Kind::Message(entry) = field.kind else {
                    return "object".to_owned();
                };
                let value = schema.message(entry).fields.get(1);
                value.map_or_else(
                    || "object".to_owned(),
                    |value| format!("object of {}", self.single(schema, value)),
                )
            }
            Shape::Required | Shape::Optional | Shape::Oneof(_) => self.single(schema, field),
        }
    }

    fn single(&mut self, schema: &'a Schema, field: &Field) -> String {
        match field.kind {
            Kind::String if field.raw_json => "any JSON".to_owned(),
            Kind::String => "string".to_owned(),
            Kind::Bytes => "string of base64".to_owned(),
            Kind::Bool => "boolean".to_owned(),
            Kind::Float | Kind::Double => "number".to_owned(),
            Kind::Enum(words) => {
                let words = schema.words(words).choices();
                words
                    .split('|')
                    .map(|word| format!("`\"{word}\"`"))
                    .collect::<Vec<_>>()
                    .join(" or ")
            }
            Kind::Message(index) => {
                let name = &schema.message(index).full_name;
                let known = self
                    .mentioned
                    .iter()
                    .any(|(schema, known)| schema.message(*known).full_name == *name);
                if !known {
                    self.mentioned.push((schema, index));
                }
                let anchor = name.to_lowercase().replace('.', "");
                format!("[{}](#{anchor})", name.rsplit('.').next().unwrap_or(name))
            }
            _ => "integer".to_owned(),
        }
    }
}

fn bounds(bounds: &Bounds) -> String {
    let mut text = String::new();
    let mut range = |least: Option<String>, most: Option<String>, unit: &str| {
        let range = match (least, most) {
            (Some(least), Some(most)) => format!("{least} to {most}{unit}"),
            (Some(least), None) => format!("at least {least}{unit}"),
            (None, Some(most)) => format!("at most {most}{unit}"),
            (None, None) => return,
        };
        let comma = if text.is_empty() { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}{range}");
    };
    range(
        bounds.min_length.map(|n| n.to_string()),
        bounds.max_length.map(|n| n.to_string()),
        " bytes",
    );
    range(
        bounds.minimum.map(|n| n.to_string()),
        bounds.maximum.map(|n| n.to_string()),
        "",
    );
    range(None, bounds.max_items.map(|n| n.to_string()), " items");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_and_event_of_the_core_is_there() {
        let core = Map::documented();

        let page = markdown(core);

        assert!(
            core.methods()
                .all(|method| page.contains(&format!("### `{}`\n", method.name)))
        );
        assert!(
            core.events()
                .all(|event| page.contains(&format!("### `{}` event\n", event.name)))
        );
        assert!(
            !page.contains("DeliverMessage"),
            "methods between services are nobody's business"
        );
        assert!(
            page.contains("| `limit` | integer, optional | 1 to 10000 | Rows on the page; 100 when unset. |")
        );
        assert!(
            page.contains("| `label` | string or null, optional | 1 to 2048 bytes | The name; unique. |")
        );
        assert!(page.contains("| `archived` | any JSON, optional |  | True: only archived ones."));
        assert!(page.contains("[SessionRow](#gatehousesessionv1sessionrow)"));
        assert!(page.contains("Access `operator.read`; answers once; may be repeated; waits 30 s."));
        assert!(page.contains("object of [ChannelHealth]"));
        assert!(!page.contains("| `nullFields`"));
    }

    #[test]
    fn what_is_passed_over_and_what_is_refused_stands_there_with_the_reason() {
        let page = parameters(Map::documented());

        let (passed, refused) = page.split_once("Refused:").expect("two tables");
        assert!(passed.contains("| `sessions.list` | `ownerFirst` | sessions have one owner |"));
        assert!(refused.contains("| `sessions.create` | `worktree` but `false` |"));
        assert!(refused.contains("nothing here acts on it"));
    }
}
