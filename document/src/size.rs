//! How much room something may take.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

/// A number of bytes as people write it: `500mb`, `10gb`. In the document also a bare number, as OpenClaw's documents write some.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Size(pub String);

impl Size {
    /// The bytes. A kilobyte has 1,024, as in OpenClaw's documents. `None`: it is no number of bytes.
    pub fn bytes(&self) -> Option<i64> {
        let text = self.0.trim().to_ascii_lowercase();
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit: i64 = match text.get(digits.len()..)? {
            "" | "b" => 1,
            "k" | "kb" => 1 << 10,
            "m" | "mb" => 1 << 20,
            "g" | "gb" => 1 << 30,
            "t" | "tb" => 1 << 40,
            _ => return None,
        };
        let number: i64 = digits.trim_end().parse().ok().filter(|number| *number >= 0)?;
        number.checked_mul(unit)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Text(String),
            Number(i64),
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Text(text) => Self(text),
            Form::Number(number) => Self(number.to_string()),
        })
    }
}

impl JsonSchema for Size {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, { "type": "integer" }] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_with_or_without_a_unit() {
        let bytes = |text: &str| Size(text.to_owned()).bytes();

        assert_eq!(bytes("10gb"), Some(10 << 30));
        assert_eq!(bytes(" 500 MB "), Some(500 << 20));
        assert_eq!(bytes("2T"), Some(2 << 40));
        assert_eq!(bytes("1048576"), Some(1 << 20));
        for wrong in [
            "",
            "gb",
            "-1mb",
            "1.5gb",
            "10 parsecs",
            "9223372036854775807kb",
            "\u{e9}",
        ] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
        assert_eq!(serde_json::from_str::<Size>("4096").unwrap().bytes(), Some(4096));
        assert_eq!(
            serde_json::from_str::<Size>(r#""4kb""#).unwrap().bytes(),
            Some(4096)
        );
        assert!(serde_json::from_str::<Size>("true").is_err());
    }
}
