//! `gatehouse config get | set | unset | validate | history | restore | schema`.
//!
//! Changes go through the running gateway and name the revision they were made against, so that two people who change the
//! configuration at once do not undo each other. Where none runs, they go into the file, under the lock that a gateway would hold.

mod history;
mod import;
mod offline;
mod path;
mod validate;

pub(crate) use self::validate::check;

use std::{fmt, time::Duration};

use gatehouse_core::telemetry::escape;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};

use self::path::{merge_patch, segments};
use crate::{
    args::{Common, ConfigCommand},
    client::{self, Client},
    exit::{Exit, Failed},
    output,
    status::LeftOut,
};

/// A change is written durably before it is acknowledged.
const ANSWER: Duration = Duration::from_secs(15);

/// How often one key is set again when somebody else changed the document in between.
const ATTEMPTS_MAX: usize = 3;

/// Does what was asked.
pub(crate) async fn run(common: &Common, command: &ConfigCommand) -> Result<(), Failed> {
    match command {
        ConfigCommand::Get { path, raw } => get(common, path.as_deref(), *raw).await,
        ConfigCommand::Set { path, value, force } => change(common, path, meant(value)?, *force).await,
        ConfigCommand::Unset { path, force } => change(common, path, Value::Null, *force).await,
        ConfigCommand::Validate { file } => validate::run(common, file.as_deref()).await,
        ConfigCommand::Import(import) => import::run(common, import),
        ConfigCommand::History => history::list(common).await,
        ConfigCommand::Restore { revision, force } => history::restore(common, revision, *force).await,
        ConfigCommand::Schema { markdown: true } => {
            output::line(gatehouse_config::reference_markdown().trim_end())
        }
        ConfigCommand::Schema { markdown: false } => {
            let schema = gatehouse_config::json_schema();
            let text = serde_json::to_string_pretty(&schema)
                .map_err(|error| Failed::new(Exit::Failed, error.to_string()))?;
            output::line(&text)
        }
    }
}

/// What somebody typed as a value: JSON5, or else a text without quotes.
fn meant(typed: &str) -> Result<Value, Failed> {
    if json5::from_str::<serde::de::IgnoredAny>(typed).is_err() {
        return Ok(Value::String(typed.to_owned()));
    }
    // `1e400` would be null: as good as unset.
    gatehouse_config::offline::value(typed).map_err(|problem| {
        Failed::new(
            Exit::Usage,
            format!("{} cannot be kept: {problem}", escape(typed)),
        )
        .next("put it in quotes if it is a text")
    })
}

#[derive(Deserialize)]
struct Running {
    raw: Option<String>,
    config: Box<RawValue>,
    hash: String,
    /// A gateway of an earlier release does not say.
    #[serde(default, rename = "leftOut")]
    left_out: LeftOut,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Changed {
    path: String,
    hash: String,
    issues: Vec<Finding>,
    restart_services: Vec<String>,
}

/// Something about one key, or about the document as a whole.
#[derive(Debug, Deserialize, Serialize)]
struct Finding {
    path: String,
    message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", escape(&self.path))?;
        }
        f.write_str(&escape(&self.message))
    }
}

async fn read(client: &mut Client) -> Result<Running, Failed> {
    let answer = client
        .call("config.get", &client::params(&json!({})), ANSWER)
        .await?;
    unpack("config.get", &answer)
}

fn unpack<T: serde::de::DeserializeOwned>(method: &str, payload: &RawValue) -> Result<T, Failed> {
    serde_json::from_str(payload.get()).map_err(|error| {
        Failed::new(
            Exit::Failed,
            format!("{method}: the answer cannot be read: {error}"),
        )
    })
}

async fn get(common: &Common, path: Option<&str>, raw: bool) -> Result<(), Failed> {
    let named = path;
    let path = path.map(segments).transpose()?;
    let (text, config, left_out) = match Client::follow(common, &["config.get"]).await {
        Ok((_, mut client)) => {
            let running = read(&mut client).await?;
            client.close().await;
            let config = unpack("config.get", &running.config)?;
            (running.raw, config, running.left_out)
        }
        Err(failed) if offline::is_possible(common, &failed)? => offline::read(common)?,
        Err(failed) => return Err(failed),
    };
    if raw {
        return output::line(text.as_deref().unwrap_or_default().trim_end());
    }
    let Some(path) = path else {
        return output::json(&config.to_string(), common.json);
    };
    let mut found = &config;
    for (index, key) in path.iter().enumerate() {
        let inside = match found {
            Value::Array(list) => key.parse::<usize>().ok().and_then(|index| list.get(index)),
            other => other.get(key),
        };
        found = inside.ok_or_else(|| {
            let walked = path.get(..=index).unwrap_or_default().join(".");
            Failed::new(Exit::Failed, format!("{walked} is not set"))
                .next("`gatehouse config get` shows everything that is")
        })?;
    }
    if let Some(entry) = named.and_then(|named| left_out.around(named)) {
        output::remark(&format!(
            "warning: {} cannot be used and does not act; `gatehouse config validate` says why",
            escape(entry)
        ));
    }
    match found {
        Value::String(text) if !common.json => output::line(text),
        other => output::json(&other.to_string(), common.json),
    }
}

async fn change(common: &Common, path: &str, value: Value, force: bool) -> Result<(), Failed> {
    let patch = merge_patch(&segments(path)?, value);
    let mut client = match Client::follow(common, &["config.get", "config.patch"]).await {
        Ok((_, client)) => client,
        Err(failed) if offline::is_possible(common, &failed)? => {
            return offline::change(common, path, &patch, force);
        }
        Err(failed) => return Err(failed),
    };
    let mut attempts = 1;
    let (base, answer) = loop {
        let base = read(&mut client).await?.hash;
        let mut params = json!({"raw": patch.to_string(), "baseHash": base, "note": format!("gatehouse config: {path}"),
                "replacePaths": [segments(path)?.join(".")]});
        if force {
            params["force"] = true.into(); // an older gateway does not know the field
        }
        let id = client.send("config.patch", &client::params(&params)).await?;
        match client.answer(&id, ANSWER).await? {
            Ok(answer) => break (base, answer),
            // Somebody else was faster. One key is all we change, so doing it again undoes nothing of theirs.
            Err(refusal) if attempts < ATTEMPTS_MAX && reason(&refusal) == "CONFIG_CHANGED" => attempts += 1,
            Err(refusal) => return Err(client::refused("config.patch", &refusal)),
        }
    };
    client.close().await;
    if common.json {
        return output::line(answer.get());
    }
    let changed: Changed = unpack("config.patch", &answer)?;
    changed.print(&base, path);
    Ok(())
}

impl Changed {
    /// Says what came of a change of `what`.
    fn print(&self, base: &str, what: &str) {
        for issue in &self.issues {
            output::remark(&format!("warning: {issue}"));
        }
        let file = escape(&self.path);
        output::remark(&if self.hash == base {
            unchanged(what, &file)
        } else if self.restart_services.is_empty() {
            format!("{what} is changed in {file}; every service applies it now")
        } else {
            let services = self.restart_services.join(", ");
            format!(
                "{what} is changed in {file}; restart the gateway for it to act ({} reads it when it starts)",
                escape(&services)
            )
        });
    }
}

/// What is said of a change that changes nothing. It is no failure: what was asked for is so.
fn unchanged(path: &str, file: &str) -> String {
    format!(
        "{path} is as asked for in {} already: nothing was changed",
        escape(file)
    )
}

fn reason(refusal: &client::Refusal) -> &str {
    refusal
        .details
        .get("reason")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_json5_or_a_text_and_a_number_that_would_be_null_is_refused() {
        for (typed, value) in [
            ("10.0", json!(10)),
            ("{a: [1, 'b']}", json!({"a": [1, "b"]})),
            ("null", json!(null)),
            ("hello there", json!("hello there")),
            ("", json!("")),
            ("'1e400'", json!("1e400")),
        ] {
            assert_eq!(meant(typed).unwrap(), value, "{typed}");
        }
        for typed in ["1e400", "Infinity", "[1, -1e999]", "{a: NaN}"] {
            let refused = meant(typed).unwrap_err();

            assert_eq!(refused.exit, Exit::Usage);
            assert!(refused.message.starts_with(typed), "{refused}");
        }
    }
}
