//! The declared bounds, checked on the wire: what a caller who does not come through JSON is refused for.

use crate::{
    DEPTH_MAX, FieldError, json,
    path::{Path, Problem, Step},
    plan::{Field, Kind, Message, Schema, Shape},
    wire::{self, Raw, Reader, Scalar, Slot, scalar},
};

/// Holds the wire form of a message against its bounds.
pub(crate) fn check(schema: &Schema, message: &Message, wire: &[u8]) -> Result<(), FieldError> {
    let mut check = Check {
        schema,
        path: Path::default(),
    };
    check
        .message(message, wire, 1)
        .map_err(|problem| problem.at(&check.path))
}

struct Check<'a> {
    schema: &'a Schema,
    path: Path<'a>,
}

impl<'a> Check<'a> {
    fn message(&mut self, message: &'a Message, wire: &[u8], depth: usize) -> Result<(), Problem> {
        if depth > DEPTH_MAX {
            return Err(format!("nests deeper than {DEPTH_MAX}").into());
        }
        let mut slots = vec![Slot::EMPTY; message.fields.len()];
        if wire::sort(message, wire, &mut slots)? {
            self.readable(message, wire, depth)?;
        }
        for (index, (field, slot)) in message.fields.iter().zip(&slots).enumerate() {
            self.path.push(Step::Name(&field.name));
            if message.nulls == Some(index) {
                self.nulls(message, field, slot, wire)?;
            } else {
                self.field(field, slot, wire, depth)?;
            }
            self.path.pop();
        }
        Ok(())
    }

    fn field(&mut self, field: &'a Field, slot: &Slot<'_>, wire: &[u8], depth: usize) -> Result<(), Problem> {
        match field.shape {
            Shape::Repeated => {
                let mut count = 0;
                wire::elements(field, slot, wire, |value| -> Result<(), Problem> {
                    self.path.push(Step::Index(count));
                    self.value(field, value, depth + 1)?;
                    self.path.pop();
                    count += 1;
                    Ok(())
                })?;
                Ok(field.bounds.items(count)?)
            }
            Shape::Map => {
                field.bounds.items(slot.records)?;
                for record in slot.each(field.number, wire) {
                    self.entry(field, record, depth + 1)?;
                }
                Ok(())
            }
            Shape::Required | Shape::Optional | Shape::Oneof(_) => match (slot.value(), field.kind) {
                (None, Kind::Message(_)) if field.shape == Shape::Required => Err("is required".into()),
                (None, kind) if field.shape == Shape::Required => self.value(field, Raw::unset(kind), depth),
                (None, _) => Ok(()),
                (Some(_), Kind::Message(_)) => {
                    let bytes = slot.message(field.number, wire);
                    self.value(field, Raw::Bytes(&bytes), depth)
                }
                (Some(value), _) => self.value(field, value, depth),
            },
        }
    }

    /// Whether every value can be read, those too whose place a later one took: whoever decodes a message reads them all.
    fn readable(&self, message: &Message, wire: &[u8], depth: usize) -> Result<(), Problem> {
        if depth > DEPTH_MAX {
            return Err(format!("nests deeper than {DEPTH_MAX}").into());
        }
        let mut reader = Reader::new(wire);
        while let Some((number, value)) = reader.next()? {
            let index = message.by_number(number);
            let Some(field) = index.and_then(|index| message.fields.get(index)) else {
                continue;
            };
            match value {
                Raw::Bytes(packed) if field.shape == Shape::Repeated && field.kind.packs() => {
                    let mut numbers = Reader::new(packed);
                    while !numbers.is_done() {
                        numbers.value(field.kind.wire_type())?;
                    }
                }
                value => {
                    if let Scalar::Message(inner, bytes) = scalar(field.kind, value)? {
                        self.readable(self.schema.message(inner), bytes, depth + 1)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, field: &'a Field, record: Raw<'_>, depth: usize) -> Result<(), Problem> {
        let (Kind::Message(entry), Raw::Bytes(bytes)) = (field.kind, record) else {
            return Ok(());
        };
        let entry = self.schema.message(entry);
        let mut slots = [Slot::EMPTY; 2];
        if wire::sort(entry, bytes, &mut slots)? {
            self.readable(entry, bytes, depth)?;
        }
        let [key, value] = &slots;
        let (Some(key_field), Some(value_field)) = (entry.fields.first(), entry.fields.get(1)) else {
            return Ok(());
        };
        let key = match scalar(key_field.kind, key.value().unwrap_or(Raw::unset(key_field.kind)))? {
            Scalar::Text(text) => text.to_owned(),
            Scalar::Signed(number) => number.to_string(),
            Scalar::Unsigned(number) => number.to_string(),
            other => format!("{other:?}"),
        };
        self.path.push(Step::Key(key));
        match (value_field.kind, value.value()) {
            (Kind::Message(_), Some(_)) => {
                let message = value.message(value_field.number, bytes);
                self.value(value_field, Raw::Bytes(&message), depth)?;
            }
            (kind, found) => self.value(value_field, found.unwrap_or(Raw::unset(kind)), depth)?,
        }
        self.path.pop();
        Ok(())
    }

    /// Only fields that may be null can be named as null.
    fn nulls(
        &mut self,
        message: &Message,
        field: &Field,
        slot: &Slot<'_>,
        wire: &[u8],
    ) -> Result<(), Problem> {
        for (count, record) in slot.each(field.number, wire).enumerate() {
            self.path.push(Step::Index(count));
            let Scalar::Text(name) = scalar(field.kind, record)? else {
                return Err("expected a string".into());
            };
            let named = message
                .by_name(name, 0)
                .and_then(|index| message.fields.get(index));
            if !named.is_some_and(|named| named.shape != Shape::Required && named.number != field.number) {
                return Err("expected the JSON name of a field that may be null".into());
            }
            self.path.pop();
        }
        Ok(())
    }

    fn value(&mut self, field: &'a Field, raw: Raw<'_>, depth: usize) -> Result<(), Problem> {
        match scalar(field.kind, raw)? {
            Scalar::Text(text) if field.raw_json => {
                json::verbatim(text, DEPTH_MAX.saturating_sub(depth))?;
                Ok(field.bounds.length(text.len())?)
            }
            Scalar::Text(text) => Ok(field.bounds.length(text.len())?),
            Scalar::Bytes(bytes) => Ok(field.bounds.length(bytes.len())?),
            Scalar::Signed(value) => Ok(field.bounds.number(i128::from(value))?),
            Scalar::Unsigned(value) => Ok(field.bounds.number(i128::from(value))?),
            Scalar::Float(value) => number(field, f64::from(value)),
            Scalar::Double(value) => number(field, value),
            Scalar::Message(index, bytes) => self.message(self.schema.message(index), bytes, depth + 1),
            Scalar::Bool(_) | Scalar::Word(..) => Ok(()),
        }
    }
}

fn number(field: &Field, value: f64) -> Result<(), Problem> {
    if !value.is_finite() {
        return Err("is not a finite number".into());
    }
    Ok(field.bounds.double(value)?)
}

#[cfg(test)]
mod tests;
