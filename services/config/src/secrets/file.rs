//! Secrets in files.

use gatehouse_core::NamedFile;
use serde_json::Value;

/// The longest file of secrets, in bytes: a key has a few KiB at most, a JSON file of many keys a few more.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// A secret that was found.
pub(super) struct Found {
    pub(super) secret: String,
    /// What is not right about the file, though the secret can be used.
    pub(super) warning: Option<String>,
}

/// Why there is no secret.
pub(super) enum Error {
    /// The reference is right and leads nowhere.
    Missing {
        /// What was looked for.
        looked_for: String,
        /// How to set it.
        remedy: String,
    },
    /// The reference cannot be right.
    Wrong(String),
}

/// Follows a reference: `path` alone, or `provider` with `id`.
pub(super) fn read(
    path: Option<&str>,
    provider: Option<&str>,
    id: Option<&str>,
    secrets: &Value,
    file: impl Fn(&str) -> NamedFile,
) -> Result<Found, Error> {
    let wrong = |problem: &str| Err(Error::Wrong(problem.to_owned()));
    match (path, provider) {
        (Some(path), None) => whole(&file(path)),
        (Some(_), Some(_)) => {
            wrong("a reference with `source: \"file\"` takes `path` or `provider`, not both")
        }
        (None, None) => {
            wrong("a reference with `source: \"file\"` needs `path`: the file whose content is the secret")
        }
        (None, Some(provider)) => {
            let entry = secrets.get("providers").and_then(|all| all.get(provider));
            let Some(entry) = entry else {
                return Err(Error::Wrong(format!(
                    "there is no `secrets.providers.{provider}` to read from"
                )));
            };
            let Some(path) = entry.get("path").and_then(Value::as_str) else {
                return Err(Error::Wrong(format!(
                    "`secrets.providers.{provider}.path` is missing"
                )));
            };
            let file = file(path);
            let single = entry.get("mode").and_then(Value::as_str) == Some("singleValue");
            match id {
                Some("value") if single => whole(&file),
                Some(pointer) if !single && pointer.starts_with('/') => inside(&file, pointer),
                _ if single => wrong("`id` must be \"value\": the file is one secret"),
                _ => wrong("`id` must be a JSON pointer into the file, for example \"/openai/apiKey\""),
            }
        }
    }
}

fn whole(file: &NamedFile) -> Result<Found, Error> {
    let (text, warning) = content(file)?;
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.trim().is_empty() {
        return Err(missing(file, "is empty"));
    }
    Ok(Found {
        secret: secret.to_owned(),
        warning,
    })
}

fn inside(file: &NamedFile, pointer: &str) -> Result<Found, Error> {
    let (text, warning) = content(file)?;
    let json: Value = gatehouse_core::json::read(&text).map_err(|_| missing(file, "is not JSON"))?;
    match json.pointer(pointer).and_then(Value::as_str) {
        Some(secret) if !secret.trim().is_empty() => Ok(Found {
            secret: secret.to_owned(),
            warning,
        }),
        _ => Err(missing(file, &format!("has no text at {pointer}"))),
    }
}

fn content(file: &NamedFile) -> Result<(String, Option<String>), Error> {
    let content = file
        .read(FILE_BYTES_MAX)
        .map_err(|error| missing(file, &error.to_string()))?;
    let text = String::from_utf8(content.bytes).map_err(|_| missing(file, "is not text"))?;
    let open_to_all = content.mode & 0o004 != 0;
    let warning = open_to_all.then(|| {
        let shown = file.path().display();
        format!("everybody on this machine can read {shown}; `chmod 600 {shown}` closes it")
    });
    Ok((text, warning))
}

fn missing(file: &NamedFile, state: &str) -> Error {
    Error::Missing {
        looked_for: format!("the file {} {state}", file.path().display()),
        remedy: "put the secret there, readable for the config service alone, and start again".to_owned(),
    }
}
