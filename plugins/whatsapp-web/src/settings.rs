//! How an account is configured.

use serde::Deserialize;

/// The schema of an account's own keys. What the bridge reads of it is not in here.
pub(crate) const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {
    "phoneNumber": {
      "type": "string", "pattern": "^\\+?[0-9 ()-]{7,24}$",
      "description": "The number of the WhatsApp account, with its country code. Set, a code to type is offered beside the one to scan."
    },
    "sendReadReceipts": {
      "type": "boolean", "default": true,
      "description": "Whether people see that their messages were read."
    },
    "deviceName": {
      "type": "string", "minLength": 1, "maxLength": 50, "default": "Gatehouse",
      "description": "How the phone lists this device. It is told when the account is linked."
    }
  },
  "additionalProperties": false
}"#;

/// What is written in the document.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    phone_number: Option<String>,
    #[serde(default = "yes")]
    send_read_receipts: bool,
    #[serde(default = "device_name")]
    device_name: String,
}

fn yes() -> bool {
    true
}

fn device_name() -> String {
    "Gatehouse".to_owned()
}

/// How an account is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The digits of the account's number, where a code is to be typed.
    pub(crate) phone_number: Option<String>,
    /// Whether people see that their messages were read.
    pub(crate) send_read_receipts: bool,
    /// How the phone lists this device.
    pub(crate) device_name: String,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// When the account cannot work with them: a sentence for whoever wrote them.
    pub(crate) fn read(config: &str) -> Result<Self, String> {
        let config = if config.is_empty() { "{}" } else { config };
        let Written {
            phone_number,
            send_read_receipts,
            device_name,
        } = serde_json::from_str(config)
            .map_err(|_| "the account's settings are not as the schema has them".to_owned())?;
        let phone_number = phone_number.map(|number| digits(&number)).transpose()?;
        Ok(Self {
            phone_number,
            send_read_receipts,
            device_name,
        })
    }
}

/// The digits of a number with its country code.
fn digits(number: &str) -> Result<String, String> {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    // E.164: at most 15 digits, of which the first is not zero.
    if (7..=15).contains(&digits.len()) && !digits.starts_with('0') {
        Ok(digits)
    } else {
        Err("`phoneNumber` is no number with its country code, for example +15551234567".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{SCHEMA, Settings};

    #[test]
    fn an_account_needs_no_settings_and_a_number_may_be_written_as_people_do() {
        let plain = Settings::read("{}").expect("none are needed");
        assert_eq!((plain.phone_number, plain.send_read_receipts), (None, true));
        assert_eq!(plain.device_name, "Gatehouse");

        let numbered = Settings::read(r#"{"phoneNumber": "+1 (555) 123-4567", "sendReadReceipts": false}"#);
        let numbered = numbered.expect("a number");
        assert_eq!(numbered.phone_number.as_deref(), Some("15551234567"));
        assert!(!numbered.send_read_receipts);
    }

    #[test]
    fn a_number_without_country_code_and_keys_that_nobody_reads_are_refused() {
        for wrong in [
            r#"{"phoneNumber": "0171 2345678"}"#,
            r#"{"phoneNumber": "12"}"#,
            r#"{"phoneNumbers": "+15551234567"}"#,
        ] {
            assert!(Settings::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_schema_is_json_and_knows_each_key() {
        let schema: serde_json::Value = serde_json::from_str(SCHEMA).expect("JSON");
        let known = schema["properties"].as_object().expect("its keys");
        let known: BTreeSet<&str> = known.keys().map(String::as_str).collect();
        assert_eq!(
            known,
            BTreeSet::from(["deviceName", "phoneNumber", "sendReadReceipts"])
        );
    }
}
