//! A message's plan, as other crates use it.

use std::{fmt, sync::Arc};

use crate::{
    FieldError, Rendered, UnknownFields, WireError, check, encode,
    plan::{Kind, Message, Schema, Shape},
    render,
    wire::{Raw, Reader},
};

/// How one message is read from JSON, written as JSON and checked. Cheap to clone inside its `Arc`; all plans of a
/// contract share one table.
#[derive(Clone)]
pub struct MessagePlan {
    pub(crate) schema: Arc<Schema>,
    pub(crate) index: usize,
}

impl MessagePlan {
    /// The full name of the message, for example `gatehouse.session.v1.ChatEvent`.
    #[must_use]
    pub fn full_name(&self) -> &str {
        &self.message().full_name
    }

    /// Reads JSON text and writes the message's wire form. Properties that the contract does not know are put before
    /// `unknown`.
    ///
    /// # Errors
    /// When the text is not JSON, or not this message, or outside its declared bounds: with the place.
    pub fn encode(&self, json: &str, unknown: &mut dyn UnknownFields) -> Result<Vec<u8>, FieldError> {
        encode::encode(&self.schema, self.message(), json, unknown)
    }

    /// Reads the wire form and appends the message's JSON text to `out`. Fields that the contract does not know are
    /// skipped. After an error `out` is as it was.
    ///
    /// # Errors
    /// When the bytes are not this message, or hold text that is not what the contract says.
    pub fn render(&self, wire: &[u8], out: &mut Vec<u8>) -> Result<Rendered, WireError> {
        render::render(&self.schema, self.message(), wire, out)
    }

    /// Reads the wire form and refuses what [`encode`](Self::encode) would refuse: the same bounds for callers that do
    /// not come through JSON. An enum value that this contract does not know passes; it may come from a newer peer.
    ///
    /// # Errors
    /// When the bytes are not this message, or outside its declared bounds: with the place.
    pub fn check(&self, wire: &[u8]) -> Result<(), FieldError> {
        check::check(&self.schema, self.message(), wire)
    }

    /// Whether the message has a field of this JSON name.
    #[must_use]
    pub fn has_field(&self, json_name: &str) -> bool {
        self.message().by_name(json_name, 0).is_some()
    }

    /// The values of a top-level string field, looked up by its JSON name. None when there is no such field, it is not on the
    /// wire, or the wire is broken. Of a field that is there once, the last one counts.
    #[must_use]
    pub fn strings<'w>(&self, wire: &'w [u8], json_name: &str) -> Vec<&'w str> {
        let message = self.message();
        let field = message
            .by_name(json_name, 0)
            .and_then(|index| message.fields.get(index));
        let Some(field) = field.filter(|field| field.kind == Kind::String) else {
            return Vec::new();
        };
        let mut reader = Reader::new(wire);
        let mut found = Vec::new();
        loop {
            match reader.next() {
                Ok(Some((number, Raw::Bytes(bytes)))) if number == field.number => {
                    found.extend(std::str::from_utf8(bytes));
                }
                Ok(Some(_)) => {}
                Ok(None) => return found,
                Err(_) => return Vec::new(),
            }
        }
    }

    pub(crate) fn message(&self) -> &Message {
        self.schema.message(self.index)
    }

    /// The message and those that lie in it, each once, with the way to it: JSON names with slashes between them.
    pub(crate) fn objects(&self) -> Vec<(String, &Message)> {
        let mut objects = vec![(String::new(), self.message())];
        let mut seen = vec![self.index];
        let mut next = 0;
        while let Some((way, message)) = objects.get(next).cloned() {
            next += 1;
            for field in &message.fields {
                let Kind::Message(below) = field.kind else {
                    continue;
                };
                if field.shape == Shape::Map || seen.contains(&below) {
                    continue;
                }
                seen.push(below);
                let slash = if way.is_empty() { "" } else { "/" };
                objects.push((format!("{way}{slash}{}", field.name), self.schema.message(below)));
            }
        }
        objects
    }
}

impl fmt::Debug for MessagePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MessagePlan").field(&self.full_name()).finish()
    }
}
