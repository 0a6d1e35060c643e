//! JSON text to the protobuf wire, in one pass over the text and without a tree between them.

mod parts;

use std::collections::HashSet;

use self::parts::{Seen, base64_bytes, is_broken, only_one, range, whole};
use crate::{
    DEPTH_MAX, FieldError,
    json::{self, Scanner, Syntax, TOO_DEEP},
    path::{Path, Problem, Shown, Step},
    plan::{Field, Kind, Message, Schema, Shape},
    wire::write_varint,
};

/// Decides about properties that the contract does not know.
pub trait UnknownFields {
    /// Says whether to refuse the property at this path, for example `/sessions/3/foo`.
    fn unknown(&mut self, path: &str) -> bool;

    /// Whether properties of the published protocol that change nothing are passed over without asking.
    fn passes_harmless(&self) -> bool {
        false
    }
}

/// Refuses every unknown property: the plain dialect, the command line and plugins' manifests.
#[derive(Debug, Clone, Copy, Default)]
pub struct Refuse;

impl UnknownFields for Refuse {
    fn unknown(&mut self, _path: &str) -> bool {
        true
    }
}

/// Skips every unknown property.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ignore;

impl UnknownFields for Ignore {
    fn unknown(&mut self, _path: &str) -> bool {
        false
    }
}

/// Reads JSON text and writes the wire form of a message.
pub(crate) fn encode(
    schema: &Schema,
    message: &Message,
    json: &str,
    unknown: &mut dyn UnknownFields,
) -> Result<Vec<u8>, FieldError> {
    let scanner = Scanner::new(json);
    // What is not written to costs nothing, and growing would hold a large request twice.
    let out = Vec::with_capacity(json.len());
    let mut encode = Encode {
        schema,
        json: scanner,
        out,
        path: Path::default(),
        depth: 0,
        unknown,
    };
    let done = encode.message(message).and_then(|()| Ok(encode.json.end()?));
    match done {
        Ok(()) => Ok(encode.out),
        Err(problem) => Err(problem.at(&encode.path)),
    }
}

struct Encode<'a, 'u> {
    schema: &'a Schema,
    json: Scanner<'a>,
    out: Vec<u8>,
    path: Path<'a>,
    depth: usize,
    unknown: &'u mut dyn UnknownFields,
}

impl<'a> Encode<'a, '_> {
    fn message(&mut self, message: &'a Message) -> Result<(), Problem> {
        let mut seen = Seen::default();
        let mut oneofs: Vec<usize> = Vec::new();
        let mut likely = 0;
        self.open(b'{')?;
        let mut more = !self.json.take(b'}');
        while more {
            self.json.peek();
            let key = self.json.string()?;
            self.json.expect(b':', "expected ':'")?;
            match message
                .by_name(&key, likely)
                .filter(|index| message.nulls != Some(*index))
            {
                _ if message.gateway_only.iter().any(|name| *name == key) => {
                    self.path.push(Step::Key(key.into_owned()));
                    return Err("may only be set by the gateway".into());
                }
                None => self.skip_unknown(message, &key)?,
                Some(index) => {
                    let field = message.fields.get(index).expect("an index that by_name found");
                    if !seen.insert(index) {
                        return Err(format!("property '{}' is given twice", field.name).into());
                    }
                    likely = index + 1;
                    self.path.push(Step::Name(&field.name));
                    let set = self.field(message, field)?;
                    self.path.pop();
                    if let (true, Shape::Oneof(oneof)) = (set, field.shape) {
                        if oneofs.contains(&oneof) {
                            return Err(only_one(message, oneof).into());
                        }
                        oneofs.push(oneof);
                    }
                }
            }
            more = self.more(b'}', "expected ',' or '}'")?;
        }
        self.depth -= 1;
        for (index, field) in message.fields.iter().enumerate() {
            let needed = field.shape == Shape::Required || field.given;
            if needed && !field.gateway_only && !seen.contains(index) {
                self.path.push(Step::Name(&field.name));
                return Err("is required".into());
            }
        }
        Ok(())
    }

    /// What the published protocol has and the message has not is passed over only where it changes nothing. What nobody knows is
    /// up to the caller's dialect.
    fn skip_unknown(&mut self, message: &Message, key: &str) -> Result<(), Problem> {
        self.path.push(Step::Key(key.to_owned()));
        if let Some(unserved) = message.unserved(key) {
            let value = self.json.value(DEPTH_MAX - self.depth)?;
            if !unserved.passes(value) {
                return Err(unserved.problem().into());
            }
            if self.unknown.passes_harmless() {
                self.path.pop();
                return Ok(());
            }
        }
        let refused = self.unknown.unknown(&self.path.to_string());
        self.path.pop();
        if refused {
            return Err(format!("unexpected property '{}'", Shown(key)).into());
        }
        if message.unserved(key).is_none() {
            self.json.value(DEPTH_MAX - self.depth)?;
        }
        Ok(())
    }

    /// Reads the value of a field and says whether it is set by it: null may mean that it is not.
    fn field(&mut self, message: &'a Message, field: &'a Field) -> Result<bool, Problem> {
        if self.json.peek() == Some(b'n') {
            let nulls = message.nulls.and_then(|index| message.fields.get(index));
            match nulls {
                Some(nulls) if field.shape != Shape::Required => {
                    self.json.literal("null")?;
                    self.tag(nulls);
                    self.bytes(field.name.as_bytes());
                    return Ok(false);
                }
                _ if field.raw_json => {}
                _ if field.emit_null => {
                    self.json.literal("null")?;
                    return Ok(false);
                }
                _ => {
                    self.json.literal("null")?;
                    return Err("must not be null".into());
                }
            }
        }
        match field.shape {
            Shape::Required | Shape::Optional | Shape::Oneof(_) => {
                self.tag(field);
                self.value(field)?;
            }
            Shape::Repeated => self.list(field)?,
            Shape::Map => self.map(field)?,
        }
        Ok(true)
    }

    fn list(&mut self, field: &'a Field) -> Result<(), Problem> {
        self.open(b'[')?;
        let packed = field.kind.packs();
        let begin = self.out.len();
        let mut count = 0;
        let mut more = !self.json.take(b']');
        while more {
            self.path.push(Step::Index(count));
            if !packed {
                self.tag(field);
            }
            self.value(field)?;
            self.path.pop();
            count += 1;
            field.bounds.items(count)?;
            more = self.more(b']', "expected ',' or ']'")?;
        }
        self.depth -= 1;
        if packed && count > 0 {
            self.insert_length(begin);
            self.insert_tag(begin, field.number);
        }
        Ok(())
    }

    fn map(&mut self, field: &'a Field) -> Result<(), Problem> {
        let Kind::Message(entry) = field.kind else {
            return Err("is not a map".into());
        };
        let entry = self.schema.message(entry);
        let (Some(key_field), Some(value_field)) = (entry.fields.first(), entry.fields.get(1)) else {
            return Err("is not a map".into());
        };
        self.open(b'{')?;
        let mut keys = HashSet::new();
        let mut more = !self.json.take(b'}');
        while more {
            self.json.peek();
            let key = self.json.string()?;
            self.json.expect(b':', "expected ':'")?;
            if keys.contains(&*key) {
                return Err(format!("property '{}' is given twice", Shown(&key)).into());
            }
            self.path.push(Step::Key(key.clone().into_owned()));
            self.tag(field);
            let begin = self.out.len();
            self.tag(key_field);
            self.map_key(key_field.kind, &key)?;
            self.tag(value_field);
            self.value(value_field)?;
            self.insert_length(begin);
            self.path.pop();
            keys.insert(key);
            field.bounds.items(keys.len())?;
            more = self.more(b'}', "expected ',' or '}'")?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn map_key(&mut self, kind: Kind, key: &str) -> Result<(), Problem> {
        match kind {
            Kind::String => self.bytes(key.as_bytes()),
            Kind::Bool => match key {
                "true" => self.out.push(1),
                "false" => self.out.push(0),
                _ => return Err("expected the key true or false".into()),
            },
            _ => {
                // The text of an integer in its one form, so that two keys are equal when their text is.
                let number = Scanner::new(key)
                    .number()
                    .ok()
                    .filter(|number| *number == key && key != "-0" && !is_broken(key));
                self.integer(kind, number.ok_or("expected an integer as key")?)?;
            }
        }
        Ok(())
    }

    /// Reads one value and writes it without its tag.
    fn value(&mut self, field: &'a Field) -> Result<(), Problem> {
        match field.kind {
            _ if field.raw_json => {
                let text = self.json.value(DEPTH_MAX - self.depth)?;
                field.bounds.length(text.len())?;
                self.bytes(text.as_bytes());
            }
            Kind::String => {
                self.kind_of_next(b"\"", "a string")?;
                let (body, escaped) = self.json.string_body()?;
                if escaped {
                    let begin = self.out.len();
                    json::unescape(body, &mut self.out);
                    field.bounds.length(self.out.len() - begin)?;
                    self.insert_length(begin);
                } else {
                    field.bounds.length(body.len())?;
                    self.bytes(body.as_bytes());
                }
            }
            Kind::Bool => {
                self.kind_of_next(b"tf", "a boolean")?;
                let value = self.json.peek() == Some(b't');
                self.json.literal(if value { "true" } else { "false" })?;
                self.out.push(u8::from(value));
            }
            Kind::Bytes => {
                self.kind_of_next(b"\"", "a string of base64")?;
                let text = self.json.string()?;
                let bytes = base64_bytes(&text).ok_or("expected base64")?;
                field.bounds.length(bytes.len())?;
                self.bytes(&bytes);
            }
            Kind::Enum(words) => {
                let words = self.schema.words(words);
                let word = match self.json.peek() {
                    Some(b'"') => words.number(&self.json.string()?),
                    _ => None,
                };
                let number = word.ok_or_else(|| format!("expected one of {}", words.choices()))?;
                write_varint(i64::from(number).cast_unsigned(), &mut self.out);
            }
            Kind::Message(index) => {
                let begin = self.out.len();
                self.message(self.schema.message(index))?;
                self.insert_length(begin);
            }
            Kind::Float | Kind::Double => {
                self.kind_of_next(b"-0123456789", "a number")?;
                let text = self.json.number()?;
                let double: f64 = text.parse().map_err(|_| "expected a number")?;
                let float: f32 = text.parse().map_err(|_| "expected a number")?;
                field.bounds.double(double)?;
                if !double.is_finite() || (field.kind == Kind::Float && !float.is_finite()) {
                    return Err("is out of range".into());
                }
                match field.kind {
                    Kind::Float => self.out.extend_from_slice(&float.to_le_bytes()),
                    _ => self.out.extend_from_slice(&double.to_le_bytes()),
                }
            }
            Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 | Kind::Sint32 | Kind::Sint64 => {
                self.number(field)?;
            }
            Kind::Fixed32 | Kind::Fixed64 | Kind::Sfixed32 | Kind::Sfixed64 => self.number(field)?,
        }
        Ok(())
    }

    fn number(&mut self, field: &Field) -> Result<(), Problem> {
        self.kind_of_next(b"-0123456789", "an integer")?;
        let text = self.json.number()?;
        let value = self.integer(field.kind, text)?;
        Ok(field.bounds.number(value)?)
    }

    /// Writes an integer in the encoding of its kind.
    fn integer(&mut self, kind: Kind, text: &str) -> Result<i128, Problem> {
        let Some(digits) = whole(text) else {
            return Err(format!("expected an integer, got {}", Shown(text)).into());
        };
        // Anything longer than an i128 is out of every range.
        let value: i128 = digits.parse().unwrap_or(i128::MAX);
        let (least, most) = range(kind);
        if value < least || value > most {
            return Err(format!("must be between {least} and {most}").into());
        }
        let signed = i64::try_from(value).unwrap_or_default();
        let bits = u64::try_from(value).unwrap_or(signed.cast_unsigned());
        let out = &mut self.out;
        match kind {
            Kind::Sint32 | Kind::Sint64 => {
                write_varint(((signed << 1) ^ (signed >> 63)).cast_unsigned(), out)
            }
            Kind::Fixed32 => out.extend_from_slice(&u32::try_from(bits).unwrap_or_default().to_le_bytes()),
            Kind::Sfixed32 => out.extend_from_slice(&i32::try_from(signed).unwrap_or_default().to_le_bytes()),
            Kind::Fixed64 | Kind::Sfixed64 => out.extend_from_slice(&bits.to_le_bytes()),
            _ => write_varint(bits, out),
        }
        Ok(value)
    }

    /// Refuses the next value unless it begins with one of these bytes, in words a person understands.
    fn kind_of_next(&mut self, begins: &[u8], expected: &str) -> Result<(), Problem> {
        match self.json.peek() {
            Some(byte) if begins.contains(&byte) => Ok(()),
            _ => match self.json.next_is() {
                Some(got) => Err(format!("expected {expected}, got {got}").into()),
                None => Err(self.json.error("expected a value").into()),
            },
        }
    }

    fn open(&mut self, bracket: u8) -> Result<(), Problem> {
        self.kind_of_next(&[bracket], if bracket == b'{' { "an object" } else { "an array" })?;
        if self.depth >= DEPTH_MAX {
            return Err(Syntax {
                at: 0,
                what: TOO_DEEP,
            }
            .into());
        }
        self.depth += 1;
        self.json.take(bracket);
        Ok(())
    }

    /// After an element: true when another one follows, false when the bracket closes.
    fn more(&mut self, close: u8, what: &'static str) -> Result<bool, Problem> {
        if self.json.take(b',') {
            return Ok(true);
        }
        self.json.expect(close, what)?;
        Ok(false)
    }

    fn tag(&mut self, field: &Field) {
        write_varint(
            u64::from(field.number) << 3 | u64::from(field.kind.wire_type()),
            &mut self.out,
        );
    }

    fn bytes(&mut self, bytes: &[u8]) {
        write_varint(u64::try_from(bytes.len()).unwrap_or(u64::MAX), &mut self.out);
        self.out.extend_from_slice(bytes);
    }

    /// Puts the length of everything since `begin` before it.
    fn insert_length(&mut self, begin: usize) {
        let length = self.out.len() - begin;
        self.insert_varint(begin, u64::try_from(length).unwrap_or(u64::MAX));
    }

    fn insert_tag(&mut self, begin: usize, number: u32) {
        self.insert_varint(begin, u64::from(number) << 3 | 2);
    }

    fn insert_varint(&mut self, at: usize, value: u64) {
        let end = self.out.len();
        write_varint(value, &mut self.out);
        let width = self.out.len() - end;
        if let Some(tail) = self.out.get_mut(at..) {
            tail.rotate_right(width);
        }
    }
}

#[cfg(test)]
mod tests;
