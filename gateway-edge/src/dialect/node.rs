//! What a node says of itself in `connect`, beside what every client says.

use serde_json::Value;

use super::{Unreadable, label};

/// Names of one kind that are looked at; OpenClaw's nodes declare some dozens.
const NAMES_MAX: usize = 512;
/// The longest name.
const NAME_MAX: usize = 200;
/// The longest search path for programs.
const PATH_ENV_MAX: usize = 8 * 1024;
/// The largest object of permissions.
const PERMISSIONS_MAX: usize = 16 * 1024;

/// What a node offers. It allows nothing: what a node may be asked for is what somebody agreed to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Surface {
    pub(crate) caps: Vec<String>,
    pub(crate) commands: Vec<String>,
    /// JSON: an object of booleans.
    pub(crate) permissions: Option<Box<str>>,
    pub(crate) path_env: Option<Box<str>>,
    pub(crate) core_version: Option<Box<str>>,
    pub(crate) ui_version: Option<Box<str>>,
    pub(crate) model_identifier: Option<Box<str>>,
}

impl Surface {
    /// Reads it from the parameters of `connect`.
    pub(crate) fn read(params: &Value) -> Result<Self, Unreadable> {
        let client = params.get("client").unwrap_or(&Value::Null);
        let of_client = |key: &str| label(client, key, &format!("/client/{key}"));
        let permissions = match params.get("permissions") {
            None | Some(Value::Null) => None,
            Some(Value::Object(object)) if object.values().all(Value::is_boolean) => {
                Some(Value::Object(object.clone()).to_string()).filter(|json| json.len() <= PERMISSIONS_MAX)
            }
            Some(_) => {
                return Err(Unreadable::Field(
                    "at /permissions: expected an object of booleans".to_owned(),
                ));
            }
        };
        let path_env = params.get("pathEnv").and_then(Value::as_str);
        Ok(Self {
            caps: names(params, "caps")?,
            commands: names(params, "commands")?,
            permissions: permissions.map(String::into_boxed_str),
            path_env: path_env
                .filter(|path| path.len() <= PATH_ENV_MAX && !path.chars().any(char::is_control))
                .map(Into::into),
            core_version: label(params, "coreVersion", "/coreVersion")?,
            ui_version: label(params, "uiVersion", "/uiVersion")?,
            model_identifier: of_client("modelIdentifier")?,
        })
    }
}

fn names(params: &Value, key: &str) -> Result<Vec<String>, Unreadable> {
    let wrong = || {
        Unreadable::Field(format!(
            "at /{key}: expected at most {NAMES_MAX} names of 1 to {NAME_MAX} bytes"
        ))
    };
    let name = |value: &Value| {
        let name = value.as_str()?;
        let good = !name.is_empty() && name.len() <= NAME_MAX && !name.chars().any(char::is_control);
        good.then(|| name.to_owned())
    };
    match params.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) if list.len() <= NAMES_MAX => {
            list.iter().map(|value| name(value).ok_or_else(wrong)).collect()
        }
        Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_node_offers_is_read_and_what_is_no_offer_is_refused_with_its_path() {
        let surface = Surface::read(&json!({
            "client": {"modelIdentifier": "Pi 5"}, "caps": ["system"], "commands": ["system.run"],
            "permissions": {"accessibility": true}, "pathEnv": "/usr/bin",
        }))
        .unwrap();
        assert_eq!(
            (surface.caps.len(), surface.commands.as_slice()),
            (1, &["system.run".to_owned()][..])
        );
        assert_eq!(surface.model_identifier.as_deref(), Some("Pi 5"));
        assert_eq!(surface.permissions.as_deref(), Some(r#"{"accessibility":true}"#));

        for (wrong, path) in [
            (json!({"commands": "system.run"}), "/commands"),
            (json!({"commands": ["a\nb"]}), "/commands"),
            (json!({"caps": [1]}), "/caps"),
            (json!({"permissions": {"a": 1}}), "/permissions"),
        ] {
            let Err(Unreadable::Field(problem)) = Surface::read(&wrong) else {
                panic!("{wrong} was read");
            };
            assert!(problem.contains(path), "{problem}");
        }
    }
}
