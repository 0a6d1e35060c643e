//! `gatehouse config get | set | unset | validate | schema`.
//!
//! Changes go through the running house and name the revision they were made against, so that two people who change the
//! configuration at once do not undo each other. Checks need no house.

mod path;

use std::{fs, path::Path, time::Duration};

use gatehouse_core::{Chain, House};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use uuid::Uuid;

use self::path::{merge_patch, segments};
use crate::{
    args::{Common, ConfigCommand},
    call,
    client::{self, Client},
    exit::{Exit, Failed},
    service::environment,
    term::printable,
};

/// A change is written durably before it is acknowledged.
const ANSWER: Duration = Duration::from_secs(15);

/// How often one key is set again when somebody else changed the document in between.
const ATTEMPTS_MAX: usize = 3;

/// Does what was asked.
pub(crate) async fn run(common: &Common, command: &ConfigCommand) -> Result<(), Failed> {
    match command {
        ConfigCommand::Get { path, raw } => get(common, path.as_deref(), *raw).await,
        ConfigCommand::Set { path, value, force } => {
            let value = json5::from_str(value).unwrap_or_else(|_| Value::String(value.clone()));
            change(common, path, value, *force).await
        }
        ConfigCommand::Unset { path, force } => change(common, path, Value::Null, *force).await,
        ConfigCommand::Validate { file } => validate(common, file.as_deref()),
        ConfigCommand::Schema { markdown: true } => {
            call::print(gatehouse_config::reference_markdown().trim_end(), true)
        }
        ConfigCommand::Schema { markdown: false } => {
            let schema = gatehouse_config::json_schema();
            let text = serde_json::to_string_pretty(&schema)
                .map_err(|error| Failed::new(Exit::Failed, error.to_string()))?;
            call::print(&text, true)
        }
    }
}

#[derive(Deserialize)]
struct Running {
    raw: Option<String>,
    config: Box<RawValue>,
    hash: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Changed {
    path: String,
    issues: Vec<Finding>,
}

#[derive(Deserialize)]
struct Finding {
    path: String,
    message: String,
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
    let path = path.map(segments).transpose()?;
    let mut client = Client::follow(common, &["config.get"]).await?.1;
    let running = read(&mut client).await?;
    client.close().await;
    if raw {
        return call::print(running.raw.as_deref().unwrap_or_default().trim_end(), true);
    }
    let Some(path) = path else {
        return call::print(running.config.get(), common.json);
    };
    let config: Value = unpack("config.get", &running.config)?;
    let mut place = &config;
    for (index, key) in path.iter().enumerate() {
        let inside = match place {
            Value::Array(list) => key.parse::<usize>().ok().and_then(|index| list.get(index)),
            other => other.get(key),
        };
        place = inside.ok_or_else(|| {
            let walked = path.get(..=index).unwrap_or_default().join(".");
            Failed::new(Exit::Failed, format!("{walked} is not set"))
                .next("`gatehouse config get` shows everything that is")
        })?;
    }
    match place {
        Value::String(text) if !common.json => call::print(text, true),
        other => call::print(&other.to_string(), common.json),
    }
}

async fn change(common: &Common, path: &str, value: Value, force: bool) -> Result<(), Failed> {
    let patch = merge_patch(&segments(path)?, value);
    let mut client = Client::follow(common, &["config.get", "config.patch"]).await?.1;
    let mut attempts = 1;
    let answer = loop {
        let base = read(&mut client).await?.hash;
        let mut params =
            json!({"raw": patch.to_string(), "baseHash": base, "note": format!("gatehouse config: {path}")});
        if force {
            params["force"] = true.into(); // an older gateway does not know the field
        }
        let id = client.send("config.patch", &client::params(&params)).await?;
        match client.answer(&id, ANSWER).await? {
            Ok(answer) => break answer,
            // Somebody else was faster. One key is all we change, so doing it again undoes nothing of theirs.
            Err(refusal) if attempts < ATTEMPTS_MAX && reason(&refusal) == "CONFIG_CHANGED" => attempts += 1,
            Err(refusal) => return Err(client::refused("config.patch", &refusal)),
        }
    };
    client.close().await;
    if common.json {
        return call::print(answer.get(), true);
    }
    let changed: Changed = unpack("config.patch", &answer)?;
    for issue in &changed.issues {
        let at = if issue.path.is_empty() {
            String::new()
        } else {
            format!("{}: ", issue.path)
        };
        eprintln!("warning: {}", printable(&format!("{at}{}", issue.message)));
    }
    eprintln!(
        "{path} is changed in {}; every service applies it now",
        changed.path
    );
    Ok(())
}

fn reason(refusal: &client::Refusal) -> &str {
    refusal
        .details
        .get("reason")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn validate(common: &Common, file: Option<&Path>) -> Result<(), Failed> {
    let env = environment(common);
    let file = file.map_or_else(|| House::read(&env).config, Path::to_owned);
    if !file.is_file() {
        return Err(
            Failed::new(Exit::Configuration, format!("there is no {}", file.display()))
                .next("without a file the defaults run; `gatehouse up` writes a commented sample"),
        );
    }
    // A home of its own for the check: the running house's files are not ours to touch, and its last valid revision must
    // not stand in for this file.
    let home = Scratch::make()?;
    let house = House {
        home: home.0.clone(),
        run: home.0.join("run"),
        credentials: home.0.join("credential"),
        credential: None,
        config: file.clone(),
    };
    let found = gatehouse_config::check_document(&house, &House::read(&env), &env)
        .map_err(|refusal| Failed::new(Exit::Configuration, Chain(&refusal).to_string()))?;
    let open = found.open.iter().map(ToString::to_string);
    if common.json {
        let warnings: Vec<_> = found
            .warnings
            .iter()
            .map(|issue| json!({"path": issue.path, "message": issue.message}))
            .chain(open.map(|message| json!({"path": "", "message": message})))
            .collect();
        return call::print(
            &json!({"ok": true, "path": file, "warnings": warnings}).to_string(),
            true,
        );
    }
    let warnings: Vec<String> = found
        .warnings
        .iter()
        .map(ToString::to_string)
        .chain(open)
        .collect();
    for warning in &warnings {
        println!("warning: {}", printable(warning));
    }
    let count = match warnings.len() {
        0 => "no warnings".to_owned(),
        1 => "1 warning".to_owned(),
        count => format!("{count} warnings"),
    };
    println!("{} is valid: {count}", file.display());
    Ok(())
}

/// A private folder that is gone when the check is done.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn make() -> Result<Self, Failed> {
        use std::os::unix::fs::DirBuilderExt;
        let path = std::env::temp_dir().join(format!("gatehouse-check-{}", Uuid::new_v4()));
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| Failed::new(Exit::Failed, format!("cannot make {}: {error}", path.display())))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left behind, it is a small folder in the temporary one.
        let _ = fs::remove_dir_all(&self.0);
    }
}
