//! What a platform says, read with a null as what is not there: platforms write one where they have nothing, of whatever type it would be.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads what a platform says.
pub(in crate::platform) fn read<T: DeserializeOwned>(said: &Value) -> Result<T, serde_json::Error> {
    let mut said = said.clone();
    leave_out(&mut said);
    serde_json::from_value(said)
}

fn leave_out(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(leave_out);
        }
        Value::Array(values) => {
            values.retain(|value| !value.is_null());
            values.iter_mut().for_each(leave_out);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::read;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Said {
        text: String,
        files: Vec<String>,
        more: Option<Box<Said>>,
    }

    #[test]
    fn a_null_is_what_is_not_there() {
        let said = json!({"text": null, "files": [null, "f"], "more": {"files": null}});

        let read: Said = read(&said).unwrap();

        assert_eq!(read.files, ["f"]);
        assert_eq!(read.more.as_deref(), Some(&Said::default()));
    }
}
