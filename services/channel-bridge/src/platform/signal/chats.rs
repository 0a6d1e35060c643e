//! Which chat is meant: a person by their id or phone number, or a group.

use serde_json::{Map, Value, json};

/// What the address of a group begins with.
pub(super) const GROUP: &str = "group:";

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// A UUID, or a phone number with a plus.
    Person(String),
    Group(String),
}

impl Place {
    pub(super) fn read(address: &str) -> Result<Self, String> {
        let address = address.trim();
        let id = address.strip_prefix("signal:").unwrap_or(address);
        let is_base64 = |id: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "+/=-_".contains(c);
            (8..=128).contains(&id.len()) && id.chars().all(plain)
        };
        if let Some(group) = id.strip_prefix(GROUP).filter(|group| is_base64(group)) {
            return Ok(Self::Group(group.to_owned()));
        }
        let id = id.strip_prefix("uuid:").unwrap_or(id);
        let digits = id.strip_prefix('+').unwrap_or_default();
        let is_number = (5..=15).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit());
        if is_number || is_uuid(id) {
            return Ok(Self::Person(id.to_owned()));
        }
        Err(format!(
            "{address:?} is nobody on Signal: write a phone number like +491701234567, the id of a person, or group: and the id of a group"
        ))
    }

    /// The place as parameters of a method.
    pub(super) fn parameters(&self) -> Map<String, Value> {
        let (key, value) = match self {
            Self::Person(id) => ("recipient", json!([id])),
            Self::Group(id) => ("groupId", json!(id)),
        };
        Map::from_iter([(key.to_owned(), value)])
    }

    /// The place as a key of what is remembered of it.
    pub(super) fn key(&self) -> &str {
        match self {
            Self::Person(id) | Self::Group(id) => id,
        }
    }
}

fn is_uuid(text: &str) -> bool {
    let shape: Vec<usize> = text.split('-').map(str::len).collect();
    shape == [8, 4, 4, 4, 12] && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_chat_is_a_person_by_id_or_number_or_a_group() {
        let anna = "5b04ab7b-1d1a-4f0e-8d3a-3c1f0a2b4c6d";
        for (address, wanted) in [
            ("+491701234567", Place::Person("+491701234567".into())),
            (anna, Place::Person(anna.into())),
            (&format!("signal:uuid:{anna}"), Place::Person(anna.into())),
            ("signal:group:YWJjZGVmZ2g=", Place::Group("YWJjZGVmZ2g=".into())),
        ] {
            assert_eq!(Place::read(address), Ok(wanted), "{address}");
        }
        for wrong in ["", "anna", "491701234567", "group:", "group:a b", "+1", "--help"] {
            assert!(Place::read(wrong).is_err(), "{wrong}");
        }
    }
}
