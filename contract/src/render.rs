//! The protobuf wire to JSON text, straight into the caller's buffer.

use std::{collections::BTreeMap, ops::Range};

use base64::Engine as _;

use crate::{
    DEPTH_MAX, WireError, json,
    path::{Path, Problem, Step},
    plan::{Field, Kind, Message, Schema, Shape},
    wire::{self, Raw, Scalar, Slot, scalar},
};

/// What the writing of a message found out by the way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rendered {
    /// Where in the buffer the content of the message's own `append` string stands, without its quotes and still escaped:
    /// two such texts are joined by joining their bytes. In a `raw_json` field it is the string of an object that holds
    /// nothing else. `None` when the message has no such field or it is unset.
    pub append: Option<Range<usize>>,
}

/// Appends the JSON text of a message. After an error `out` is as it was.
pub(crate) fn render(
    schema: &Schema,
    message: &Message,
    wire: &[u8],
    out: &mut Vec<u8>,
) -> Result<Rendered, WireError> {
    let begin = out.len();
    let mut render = Render {
        schema,
        out,
        path: Path::default(),
        rendered: Rendered::default(),
    };
    match render.message(message, wire, 1) {
        Ok(()) => Ok(render.rendered),
        Err(problem) => {
            render.out.truncate(begin);
            Err(problem.on_wire_at(&render.path))
        }
    }
}

struct Render<'a, 'o> {
    schema: &'a Schema,
    out: &'o mut Vec<u8>,
    path: Path<'a>,
    rendered: Rendered,
}

impl<'a> Render<'a, '_> {
    fn message(&mut self, message: &'a Message, wire: &[u8], depth: usize) -> Result<(), Problem> {
        if depth > DEPTH_MAX {
            return Err(format!("nests deeper than {DEPTH_MAX}").into());
        }
        let mut few = [Slot::EMPTY; FEW];
        let mut many = Vec::new();
        let slots = if let Some(few) = few.get_mut(..message.fields.len()) {
            few
        } else {
            many.resize(message.fields.len(), Slot::EMPTY);
            many.as_mut_slice()
        };
        wire::sort(message, wire, slots)?;

        let whole = message.fields.iter().zip(slots.iter());
        for (field, slot) in whole.filter(|(field, _)| field.whole) {
            if let Some(value) = slot.value() {
                return self.set(field, slot, value, wire, depth);
            }
        }
        self.out.push(b'{');
        let begin = self.out.len();
        for (index, (field, slot)) in message.fields.iter().zip(slots.iter()).enumerate() {
            if message.nulls == Some(index) {
                continue;
            }
            self.path.push(Step::Name(&field.name));
            self.field(field, slot, wire, depth, begin)?;
            self.path.pop();
        }
        if let Some(index) = message.nulls {
            self.nulls(message, index, slots, wire, begin)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn field(
        &mut self,
        field: &'a Field,
        slot: &Slot<'_>,
        wire: &[u8],
        depth: usize,
        begin: usize,
    ) -> Result<(), Problem> {
        match field.shape {
            Shape::Repeated | Shape::Map if slot.records == 0 => {
                if !field.omit_empty {
                    self.key(field, begin);
                    self.out
                        .extend_from_slice(if field.shape == Shape::Map { b"{}" } else { b"[]" });
                }
                Ok(())
            }
            Shape::Repeated => self.list(field, slot, wire, depth, begin),
            Shape::Map => {
                self.key(field, begin);
                self.map(field, slot, wire, depth)
            }
            Shape::Required | Shape::Optional | Shape::Oneof(_) => match slot.value() {
                None if field.shape == Shape::Required => {
                    self.key(field, begin);
                    self.value(field, Raw::unset(field.kind), depth)
                }
                None => {
                    if field.emit_null {
                        self.key(field, begin);
                        self.out.extend_from_slice(b"null");
                    }
                    Ok(())
                }
                Some(value) => {
                    self.key(field, begin);
                    self.set(field, slot, value, wire, depth)
                }
            },
        }
    }

    /// Writes the value of a singular field that is set.
    fn set(
        &mut self,
        field: &'a Field,
        slot: &Slot<'_>,
        value: Raw<'_>,
        wire: &[u8],
        depth: usize,
    ) -> Result<(), Problem> {
        match field.kind {
            Kind::Message(_) => {
                let bytes = slot.message(field.number, wire);
                self.value(field, Raw::Bytes(&bytes), depth)
            }
            _ => self.value(field, value, depth),
        }
    }

    fn list(
        &mut self,
        field: &'a Field,
        slot: &Slot<'_>,
        wire: &[u8],
        depth: usize,
        begin: usize,
    ) -> Result<(), Problem> {
        let before = self.out.len();
        self.key(field, begin);
        self.out.push(b'[');
        let first = self.out.len();
        let mut count = 0;
        wire::elements(field, slot, wire, |value| -> Result<(), Problem> {
            self.path.push(Step::Index(count));
            if self.out.len() > first {
                self.out.push(b',');
            }
            self.value(field, value, depth + 1)?;
            self.path.pop();
            count += 1;
            Ok(())
        })?;
        if count == 0 && field.omit_empty {
            self.out.truncate(before);
        } else {
            self.out.push(b']');
        }
        Ok(())
    }

    fn map(&mut self, field: &'a Field, slot: &Slot<'_>, wire: &[u8], depth: usize) -> Result<(), Problem> {
        let Kind::Message(entry) = field.kind else {
            return Err("is not a map".into());
        };
        let entry = self.schema.message(entry);
        let (Some(key_field), Some(value_field)) = (entry.fields.first(), entry.fields.get(1)) else {
            return Err("is not a map".into());
        };
        let mut entries = BTreeMap::new();
        for record in slot.each(field.number, wire) {
            let Raw::Bytes(bytes) = record else { continue };
            let mut slots = [Slot::EMPTY; 2];
            wire::sort(entry, bytes, &mut slots)?;
            let [key, value] = slots;
            let key = MapKey::of(scalar(
                key_field.kind,
                key.value().unwrap_or(Raw::unset(key_field.kind)),
            )?)?;
            // The last entry of a key wins.
            entries.insert(key, (bytes, value));
        }
        self.out.push(b'{');
        let first = self.out.len();
        for (key, (bytes, value)) in entries {
            if self.out.len() > first {
                self.out.push(b',');
            }
            let key = key.text();
            json::write_string(&key, self.out);
            self.out.push(b':');
            self.path.push(Step::Key(key));
            match (value_field.kind, value.value()) {
                (Kind::Message(_), Some(_)) => {
                    let message = value.message(value_field.number, bytes);
                    self.value(value_field, Raw::Bytes(&message), depth + 1)?;
                }
                (kind, found) => self.value(value_field, found.unwrap_or(Raw::unset(kind)), depth + 1)?,
            }
            self.path.pop();
        }
        self.out.push(b'}');
        Ok(())
    }

    /// Writes null for the fields that were null, unless they have a value after all.
    fn nulls(
        &mut self,
        message: &'a Message,
        nulls: usize,
        slots: &[Slot<'_>],
        wire: &[u8],
        begin: usize,
    ) -> Result<(), Problem> {
        let (Some(field), Some(slot)) = (message.fields.get(nulls), slots.get(nulls)) else {
            return Ok(());
        };
        let mut written = vec![false; message.fields.len()];
        for record in slot.each(field.number, wire) {
            let Scalar::Text(name) = scalar(Kind::String, record)? else {
                continue;
            };
            let Some(index) = message.by_name(name, 0) else {
                continue;
            };
            let unset = slots.get(index).is_some_and(|slot| slot.records == 0);
            let (Some(field), Some(written)) = (message.fields.get(index), written.get_mut(index)) else {
                continue;
            };
            if unset && field.shape == Shape::Optional && !field.emit_null && !*written {
                *written = true;
                self.key(field, begin);
                self.out.extend_from_slice(b"null");
            }
        }
        Ok(())
    }

    fn key(&mut self, field: &Field, begin: usize) {
        if self.out.len() > begin {
            self.out.push(b',');
        }
        self.out.extend_from_slice(&field.key);
    }

    fn value(&mut self, field: &'a Field, raw: Raw<'_>, depth: usize) -> Result<(), Problem> {
        match scalar(field.kind, raw)? {
            Scalar::Bool(value) => self.out.extend_from_slice(if value { b"true" } else { b"false" }),
            Scalar::Signed(value) => json::write_signed(value, self.out),
            Scalar::Unsigned(value) => json::write_unsigned(value, self.out),
            Scalar::Float(value) => json::write_double(f64::from(value), value, self.out),
            Scalar::Double(value) => json::write_double(value, value, self.out),
            Scalar::Text("") if field.raw_json => self.out.extend_from_slice(b"null"),
            Scalar::Text(text) if field.raw_json => {
                let json = json::verbatim(text, DEPTH_MAX)?;
                if field.append && depth == 1 {
                    let begin = self.out.len();
                    let content = json::only_string(json);
                    self.rendered.append = content.map(|range| begin + range.start..begin + range.end);
                }
                self.out.extend_from_slice(json.as_bytes());
            }
            Scalar::Text(text) => {
                let begin = self.out.len() + 1;
                json::write_string(text, self.out);
                if field.append && depth == 1 {
                    self.rendered.append = Some(begin..self.out.len() - 1);
                }
            }
            Scalar::Bytes(bytes) => {
                let text = base64::engine::general_purpose::STANDARD.encode(bytes);
                self.out.push(b'"');
                self.out.extend_from_slice(text.as_bytes());
                self.out.push(b'"');
            }
            Scalar::Word(words, number) => match self.schema.words(words).word(number) {
                Some(word) => json::write_string(word, self.out),
                None => json::write_string(&format!("unknown-{number}"), self.out),
            },
            Scalar::Message(index, bytes) => self.message(self.schema.message(index), bytes, depth + 1)?,
        }
        Ok(())
    }
}

/// Messages with so many fields keep their slots on the stack; the gateway's widest has 32.
const FEW: usize = 40;

/// A map's key, ordered as its type is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum MapKey<'w> {
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Text(&'w str),
}

impl<'w> MapKey<'w> {
    fn of(value: Scalar<'w>) -> Result<Self, Problem> {
        match value {
            Scalar::Bool(value) => Ok(Self::Bool(value)),
            Scalar::Signed(value) => Ok(Self::Signed(value)),
            Scalar::Unsigned(value) => Ok(Self::Unsigned(value)),
            Scalar::Text(text) => Ok(Self::Text(text)),
            Scalar::Float(_)
            | Scalar::Double(_)
            | Scalar::Bytes(_)
            | Scalar::Word(..)
            | Scalar::Message(..) => Err("has keys of a type that no map has".into()),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Signed(value) => value.to_string(),
            Self::Unsigned(value) => value.to_string(),
            Self::Text(text) => (*text).to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
