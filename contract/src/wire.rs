//! The protobuf wire format: records, their values, and the few ways in which bytes are not a message. Never recurses.

use std::borrow::Cow;

use crate::{
    DEPTH_MAX,
    plan::{Field, Kind, Message, Shape},
};

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("malformed: the bytes end in the middle of a value")]
    Short,
    #[error("malformed: a number has more than ten bytes")]
    Varint,
    #[error("malformed: a field has no valid number or type")]
    Tag,
    #[error("malformed: a group does not end where it should")]
    Group,
    #[error("malformed: a value has another type than its field")]
    Type,
    #[error("malformed: a string is not UTF-8")]
    Utf8,
}

/// One value as it lies on the wire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Raw<'w> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'w [u8]),
    /// A group, which no contract of ours holds: skipped whole.
    Group,
}

impl Raw<'_> {
    /// The value that is meant when none is on the wire.
    pub(crate) fn unset(kind: Kind) -> Raw<'static> {
        match kind.wire_type() {
            0 => Raw::Varint(0),
            1 => Raw::Fixed64(0),
            5 => Raw::Fixed32(0),
            _ => Raw::Bytes(&[]),
        }
    }

    fn wire_type(&self) -> u32 {
        match self {
            Self::Varint(_) => 0,
            Self::Fixed64(_) => 1,
            Self::Bytes(_) => 2,
            Self::Group => 3,
            Self::Fixed32(_) => 5,
        }
    }
}

/// Walks over the records of one message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'w> {
    wire: &'w [u8],
    at: usize,
}

impl<'w> Reader<'w> {
    pub(crate) fn new(wire: &'w [u8]) -> Self {
        Self { wire, at: 0 }
    }

    /// The next record: its field number and its value.
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Raw<'w>)>, Malformed> {
        if self.at >= self.wire.len() {
            return Ok(None);
        }
        let (number, wire_type) = self.tag()?;
        let value = match wire_type {
            3 => {
                self.group(number)?;
                Raw::Group
            }
            4 => return Err(Malformed::Group),
            other => self.value(other)?,
        };
        Ok(Some((number, value)))
    }

    pub(crate) fn value(&mut self, wire_type: u32) -> Result<Raw<'w>, Malformed> {
        Ok(match wire_type {
            0 => Raw::Varint(self.varint()?),
            1 => Raw::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed::Short)?;
                Raw::Bytes(self.bytes(length)?)
            }
            5 => Raw::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(Malformed::Tag),
        })
    }

    pub(crate) fn is_done(&self) -> bool {
        self.at >= self.wire.len()
    }

    fn tag(&mut self) -> Result<(u32, u32), Malformed> {
        let tag = u32::try_from(self.varint()?).map_err(|_| Malformed::Tag)?;
        if tag >> 3 == 0 {
            Err(Malformed::Tag)
        } else {
            Ok((tag >> 3, tag & 7))
        }
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for shift in 0..10u32 {
            let byte = *self.wire.get(self.at).ok_or(Malformed::Short)?;
            self.at += 1;
            if shift == 9 && byte > 1 {
                return Err(Malformed::Varint);
            }
            value |= u64::from(byte & 0x7f) << (shift * 7);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed::Varint)
    }

    fn bytes(&mut self, length: usize) -> Result<&'w [u8], Malformed> {
        let end = self.at.checked_add(length).ok_or(Malformed::Short)?;
        let bytes = self.wire.get(self.at..end).ok_or(Malformed::Short)?;
        self.at = end;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.bytes(N)?.try_into().map_err(|_| Malformed::Short)
    }

    /// Skips a group that has just begun, with the groups inside it.
    fn group(&mut self, number: u32) -> Result<(), Malformed> {
        let mut open = vec![number];
        while let Some(innermost) = open.last().copied() {
            if self.is_done() {
                return Err(Malformed::Short);
            }
            match self.tag()? {
                (number, 3) if open.len() < DEPTH_MAX => open.push(number),
                (_, 3) => return Err(Malformed::Group),
                (number, 4) if number == innermost => drop(open.pop()),
                (_, 4) => return Err(Malformed::Group),
                (_, wire_type) => drop(self.value(wire_type)?),
            }
        }
        Ok(())
    }
}

/// What the wire holds for one field: the records that count, and the last value among them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot<'w> {
    /// Where the first record begins and the last one ends. Records of other fields may lie between.
    first: usize,
    end: usize,
    pub(crate) records: usize,
    pub(crate) last: Raw<'w>,
}

impl<'w> Slot<'w> {
    pub(crate) const EMPTY: Self = Self {
        first: 0,
        end: 0,
        records: 0,
        last: Raw::Group,
    };

    /// The value of a singular field: the last one wins. `None` when the wire holds none.
    pub(crate) fn value(&self) -> Option<Raw<'w>> {
        (self.records > 0).then_some(self.last)
    }

    /// The bytes of a singular message. Parts that came one by one mean what they mean joined.
    pub(crate) fn message(&self, number: u32, wire: &'w [u8]) -> Cow<'w, [u8]> {
        match self.last {
            Raw::Bytes(bytes) if self.records == 1 => Cow::Borrowed(bytes),
            _ => Cow::Owned(self.each(number, wire).fold(Vec::new(), |mut all, record| {
                if let Raw::Bytes(bytes) = record {
                    all.extend_from_slice(bytes);
                }
                all
            })),
        }
    }

    /// Every record of a field, in order.
    pub(crate) fn each(&self, number: u32, wire: &'w [u8]) -> impl Iterator<Item = Raw<'w>> + use<'w> {
        let mut reader = Reader::new(wire.get(self.first..self.end).unwrap_or_default());
        let records = std::iter::from_fn(move || reader.next().ok().flatten());
        records
            .filter(move |(found, _)| *found == number)
            .map(|(_, value)| value)
    }
}

/// Sorts the records of a message to its fields. `slots` has one for each field, empty. The answer is whether a value took the place
/// of an earlier one, which is in no slot then.
pub(crate) fn sort<'w>(message: &Message, wire: &'w [u8], slots: &mut [Slot<'w>]) -> Result<bool, Malformed> {
    let mut reader = Reader::new(wire);
    let mut replaced = false;
    loop {
        let begin = reader.at;
        let Some((number, value)) = reader.next()? else {
            return Ok(replaced);
        };
        let Some(index) = message.by_number(number) else {
            continue;
        };
        let Some(field) = message.fields.get(index) else {
            continue;
        };
        let packed = field.shape == Shape::Repeated && field.kind.packs() && matches!(value, Raw::Bytes(_));
        if value.wire_type() != field.kind.wire_type() && !packed {
            return Err(Malformed::Type);
        }
        if let Shape::Oneof(oneof) = field.shape {
            replaced |= clear_others(message, slots, oneof, index);
        }
        if let Some(slot) = slots.get_mut(index) {
            if slot.records == 0 {
                slot.first = begin;
            } else {
                replaced |= !matches!(field.shape, Shape::Repeated | Shape::Map);
            }
            slot.end = reader.at;
            slot.records += 1;
            slot.last = value;
        }
    }
}

/// Of a oneof the member that came last is set, and no other. The answer is whether another one was.
fn clear_others(message: &Message, slots: &mut [Slot<'_>], oneof: usize, index: usize) -> bool {
    let mut cleared = false;
    for (other, (field, slot)) in message.fields.iter().zip(slots).enumerate() {
        if other != index && field.shape == Shape::Oneof(oneof) {
            cleared |= std::mem::take(&mut slot.records) > 0;
        }
    }
    cleared
}

/// Every element of a repeated field, whether packed or not.
pub(crate) fn elements<'w, E: From<Malformed>>(
    field: &Field,
    slot: &Slot<'w>,
    wire: &'w [u8],
    mut each: impl FnMut(Raw<'w>) -> Result<(), E>,
) -> Result<(), E> {
    for record in slot.each(field.number, wire) {
        match record {
            Raw::Bytes(packed) if field.kind.packs() => {
                let mut reader = Reader::new(packed);
                while !reader.is_done() {
                    each(reader.value(field.kind.wire_type())?)?;
                }
            }
            value => each(value)?,
        }
    }
    Ok(())
}

/// One scalar value, in the type of its field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scalar<'w> {
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f32),
    Double(f64),
    Text(&'w str),
    Bytes(&'w [u8]),
    Word(usize, i32),
    Message(usize, &'w [u8]),
}

/// Reads a value as its field's kind. Numbers that are too wide lose their upper bits, as everywhere in protobuf.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "the encoding guide: a parsed 32-bit value is the lower half of the varint, in two's complement"
)]
pub(crate) fn scalar(kind: Kind, raw: Raw<'_>) -> Result<Scalar<'_>, Malformed> {
    Ok(match (kind, raw) {
        (Kind::Bool, Raw::Varint(value)) => Scalar::Bool(value != 0),
        (Kind::Int32, Raw::Varint(value)) => Scalar::Signed(i64::from(value as i32)),
        (Kind::Int64, Raw::Varint(value)) => Scalar::Signed(value as i64),
        (Kind::Uint32, Raw::Varint(value)) => Scalar::Unsigned(u64::from(value as u32)),
        (Kind::Uint64, Raw::Varint(value)) => Scalar::Unsigned(value),
        (Kind::Sint32, Raw::Varint(value)) => {
            let value = value as u32;
            Scalar::Signed(i64::from((value >> 1) as i32 ^ -((value & 1) as i32)))
        }
        (Kind::Sint64, Raw::Varint(value)) => Scalar::Signed((value >> 1) as i64 ^ -((value & 1) as i64)),
        (Kind::Enum(words), Raw::Varint(value)) => Scalar::Word(words, value as i32),
        (Kind::Fixed32, Raw::Fixed32(value)) => Scalar::Unsigned(u64::from(value)),
        (Kind::Sfixed32, Raw::Fixed32(value)) => Scalar::Signed(i64::from(value as i32)),
        (Kind::Float, Raw::Fixed32(value)) => Scalar::Float(f32::from_bits(value)),
        (Kind::Fixed64, Raw::Fixed64(value)) => Scalar::Unsigned(value),
        (Kind::Sfixed64, Raw::Fixed64(value)) => Scalar::Signed(value as i64),
        (Kind::Double, Raw::Fixed64(value)) => Scalar::Double(f64::from_bits(value)),
        (Kind::String, Raw::Bytes(bytes)) => {
            Scalar::Text(std::str::from_utf8(bytes).map_err(|_| Malformed::Utf8)?)
        }
        (Kind::Bytes, Raw::Bytes(bytes)) => Scalar::Bytes(bytes),
        (Kind::Message(index), Raw::Bytes(bytes)) => Scalar::Message(index, bytes),
        _ => return Err(Malformed::Type),
    })
}

pub(crate) fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap_or(0) | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap_or(0));
}

#[cfg(test)]
mod tests;
