//! What reading a message needs and does not depend on where it stands.

use base64::Engine as _;

use crate::plan::{Kind, Message, Shape};

/// Which fields of a message have been read. Messages with more than 64 fields are rare, and cost a list then.
#[derive(Debug, Default)]
pub(super) struct Seen {
    low: u64,
    high: Vec<usize>,
}

impl Seen {
    /// False when it was there already.
    pub(super) fn insert(&mut self, index: usize) -> bool {
        if self.contains(index) {
            return false;
        }
        match Self::bit(index) {
            Some(bit) => self.low |= bit,
            None => self.high.push(index),
        }
        true
    }

    pub(super) fn contains(&self, index: usize) -> bool {
        Self::bit(index).map_or_else(|| self.high.contains(&index), |bit| self.low & bit != 0)
    }

    fn bit(index: usize) -> Option<u64> {
        u32::try_from(index)
            .ok()
            .and_then(|index| 1u64.checked_shl(index))
    }
}

pub(super) fn only_one(message: &Message, oneof: usize) -> String {
    let members = message
        .fields
        .iter()
        .filter(|field| field.shape == Shape::Oneof(oneof));
    let names: Vec<_> = members.map(|field| format!("'{}'", field.name)).collect();
    format!("only one of {} may be given", names.join(", "))
}

pub(super) fn range(kind: Kind) -> (i128, i128) {
    match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => (i128::from(i32::MIN), i128::from(i32::MAX)),
        Kind::Uint32 | Kind::Fixed32 => (0, i128::from(u32::MAX)),
        Kind::Uint64 | Kind::Fixed64 => (0, i128::from(u64::MAX)),
        _ => (i128::from(i64::MIN), i128::from(i64::MAX)),
    }
}

/// Either alphabet, with or without padding: clients differ, and the bytes are the same.
pub(super) fn base64_bytes(text: &str) -> Option<Vec<u8>> {
    use base64::{
        alphabet,
        engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    };
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let url_safe = text.bytes().any(|byte| matches!(byte, b'-' | b'_'));
    let alphabet = if url_safe {
        &alphabet::URL_SAFE
    } else {
        &alphabet::STANDARD
    };
    GeneralPurpose::new(alphabet, LENIENT).decode(text).ok()
}
