//! The pieces of writing JSON that are not trivial: strings and numbers.

/// Writes a string with its quotes.
pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut written = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if !ESCAPED.get(usize::from(*byte)).is_some_and(|escaped| *escaped) {
            continue;
        }
        out.extend_from_slice(bytes.get(written..at).unwrap_or_default());
        written = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            other => {
                let digit = |value: u8| {
                    b"0123456789abcdef"
                        .get(usize::from(value))
                        .copied()
                        .unwrap_or(b'0')
                };
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(other >> 4), digit(other & 15)]);
            }
        }
    }
    out.extend_from_slice(bytes.get(written..).unwrap_or_default());
    out.push(b'"');
}

/// Bytes that cannot stand in a JSON string as they are.
const ESCAPED: [bool; 256] = {
    let mut escaped = [false; 256];
    let mut control = 0;
    while control < 0x20 {
        escaped[control] = true;
        control += 1;
    }
    escaped[b'"' as usize] = true;
    escaped[b'\\' as usize] = true;
    escaped
};

/// Writes an integer. By hand, because a list of a hundred rows holds a thousand of them.
pub(crate) fn write_unsigned(mut value: u64, out: &mut Vec<u8>) {
    let mut digits = [0u8; 20];
    let mut count = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
        count += 1;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - count..).unwrap_or_default());
}

pub(crate) fn write_signed(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    write_unsigned(value.unsigned_abs(), out);
}

/// Writes a number; null when it is none. The text has the fewest digits that read back as the same number, `5` not `5.0`.
pub(crate) fn write_double(
    value: f64,
    shortest: impl std::fmt::Display + std::fmt::LowerExp,
    out: &mut Vec<u8>,
) {
    let size = value.abs();
    let text = match () {
        () if !value.is_finite() => "null".to_owned(),
        () if size == 0.0 || (1e-5..1e17).contains(&size) => shortest.to_string(),
        () => format!("{shortest:e}"),
    };
    out.extend_from_slice(text.as_bytes());
}
