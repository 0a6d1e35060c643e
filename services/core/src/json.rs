//! JSON as others write it. A number may be larger than any double (RFC 8259, section 6): JavaScript and Python read `1e400` as infinity,
//! and `serde_json` refuses the whole document for it, whatever stands beside it. So what others wrote is read here.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

/// Reads a document in which numbers may stand that no double holds. They are read as null.
///
/// # Errors
/// When it is no JSON, or not what is wanted.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text).or_else(|error| match tame(text) {
        Cow::Borrowed(_) => Err(error),
        Cow::Owned(tamed) => serde_json::from_str(&tamed),
    })
}

/// The text with null for each number that no double holds.
#[must_use]
pub fn tame(text: &str) -> Cow<'_, str> {
    let (mut out, mut taken) = (String::new(), 0);
    let (mut in_string, mut at) = (false, 0);
    let bytes = text.as_bytes();
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if in_string => at += 1, // whatever is escaped ends no string
            b'"' => in_string = !in_string,
            b'-' | b'0'..=b'9' if !in_string => {
                let number = number(bytes, at);
                let digits = text.get(number.clone()).unwrap_or_default();
                if digits.parse::<f64>().is_ok_and(f64::is_infinite) {
                    out.push_str(text.get(taken..at).unwrap_or_default());
                    out.push_str("null");
                    taken = number.end;
                }
                at = number.end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    if taken == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(taken..).unwrap_or_default());
    Cow::Owned(out)
}

/// Where the number ends that begins here.
fn number(bytes: &[u8], at: usize) -> std::ops::Range<usize> {
    let rest = bytes.get(at..).unwrap_or_default();
    let of_number = |byte: &u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
    at..at + rest.iter().take_while(|byte| of_number(byte)).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_number_that_no_double_holds_costs_nothing_of_what_stands_beside_it() {
        for (text, means) in [
            (r#"{"id":"a","x":1e400}"#, json!({"id": "a", "x": null})),
            (
                r#"[-1e999, 1E+400,"1e400","\"1e400",0.5]"#,
                json!([null, null, "1e400", "\"1e400", 0.5]),
            ),
            ("1e400", json!(null)),
            (
                r#"[9223372036854775808,-9223372036854775809,1e-400,18446744073709551616]"#,
                json!([
                    9_223_372_036_854_775_808_u64,
                    -9.223_372_036_854_776e18,
                    0.0,
                    1.844_674_407_370_955_2e19
                ]),
            ),
        ] {
            assert_eq!(read::<Value>(text).unwrap(), means, "{text}");
        }
        let long = format!("[1{},2]", "0".repeat(400));
        assert_eq!(read::<Value>(&long).unwrap(), json!([null, 2]));
    }

    #[test]
    fn what_is_no_json_stays_none() {
        for text in ["", "{", "1e", "[1e400", "-", r#"{"a":1e400,}"#, "\"\\", "NaN"] {
            assert!(read::<Value>(text).is_err(), "{text}");
        }
        assert!(read::<u8>("1e400").is_err());
    }

    proptest! {
        #[test]
        fn what_can_be_read_is_read_as_ever(text in "[\\[\\]{}:,\"\\\\ 0-9eE+.a-]{0,24}") {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                prop_assert_eq!(&*tame(&text), text.as_str());
                prop_assert_eq!(read::<Value>(&text).unwrap(), value);
            } else {
                let _ = read::<Value>(&text);
            }
        }
    }
}
