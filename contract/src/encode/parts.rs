//! What reading a message needs and does not depend on where it stands.

use std::borrow::Cow;

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

/// The digits of an integer, also of one that is written with a fraction of zeros or with an exponent: JSON knows one kind of number,
/// and some programs write `10.0` for 10. `None`: it is no whole number.
pub(super) fn whole(text: &str) -> Option<Cow<'_, str>> {
    /// More zeros than an `i128` has digits: with them it is out of every range.
    const ZEROS_MAX: usize = 40;

    if !is_broken(text) {
        return Some(Cow::Borrowed(text));
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let (units, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let mut digits = format!("{units}{fraction}");
    if digits.bytes().all(|digit| digit == b'0') {
        return Some(Cow::Borrowed("0"));
    }
    let exponent: i64 = exponent.parse().ok()?;
    let places = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    if places < 0 {
        let cut = usize::try_from(places.unsigned_abs()).ok()?;
        let cut = digits.split_off(digits.len().checked_sub(cut)?);
        if digits.is_empty() || cut.bytes().any(|digit| digit != b'0') {
            return None;
        }
    } else {
        let zeros = usize::try_from(places).unwrap_or(usize::MAX).min(ZEROS_MAX);
        digits.extend(std::iter::repeat_n('0', zeros));
    }
    Some(Cow::Owned(format!("{sign}{digits}")))
}

/// Whether a number is written with a fraction or an exponent.
pub(super) fn is_broken(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'))
}
