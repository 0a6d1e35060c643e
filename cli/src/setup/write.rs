//! Keeps a choice: secrets as files of the home, the rest in the configuration by the rules of the config service, through the gateway
//! where one runs.

use std::{fs, io::Write, path::PathBuf};

use gatehouse_config::offline;
use gatehouse_core::{Chain, Home, Secret, private};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    args::Common,
    client::{self, Client},
    exit::{Exit, Failed},
    gateway::{Gateway, home_token, within_deadline},
    service::environment,
};

const ANSWER: std::time::Duration = std::time::Duration::from_secs(15);

/// What was written.
#[derive(Debug)]
pub(crate) struct Written {
    /// The document.
    pub(crate) document: PathBuf,
    /// The files of the secrets.
    pub(crate) secrets: Vec<PathBuf>,
    /// Whether a gateway applies it now.
    pub(crate) is_applied: bool,
}

#[derive(Deserialize)]
struct Running {
    hash: String,
}

/// Writes secrets, each into a file of this name, and the document with what `patch` makes of their paths. When the document is
/// refused, the secrets are taken back.
pub(crate) async fn keep(
    common: &Common,
    secrets: &[(String, Secret)],
    note: &str,
    patch: impl FnOnce(&[PathBuf]) -> Value,
) -> Result<Written, Failed> {
    let home = Home::read(&environment(common));
    let is_running = is_running(common)?;
    if !is_running {
        begin(common, &home)?;
    }
    let mut files = Vec::new();
    for (name, secret) in secrets {
        match KeyFile::write(&home, name, secret) {
            Ok(file) => files.push(file),
            Err(failed) => {
                files.into_iter().for_each(KeyFile::take_back);
                return Err(failed);
            }
        }
    }
    let paths: Vec<PathBuf> = files.iter().map(|file| file.path.clone()).collect();
    let patch = patch(&paths);
    let done = match is_running {
        true => through_the_gateway(common, &patch, note).await,
        false => into_the_file(common, &patch, note),
    };
    if let Err(failed) = done {
        files.into_iter().for_each(KeyFile::take_back);
        return Err(failed);
    }
    Ok(Written {
        document: home.config,
        secrets: paths,
        is_applied: is_running,
    })
}

/// Whether a gateway has the document: the one that runs in this home, or one that an address names and that takes the home's own token. That is
/// how it is in containers, where each service runs in one of its own.
fn is_running(common: &Common) -> Result<bool, Failed> {
    let gateway = Gateway::find(common)?;
    if gateway.is_own || common.url.is_none() {
        return Ok(gateway.is_own);
    }
    let own = common.clone();
    let own = within_deadline(common, move || home_token(&own).ok())?;
    Ok(own.is_some() && own == gateway.token)
}

/// The document as it is, of the gateway where one runs, with its secrets hidden; else of the file. Nothing where there is none.
pub(crate) async fn document(common: &Common) -> Result<Value, Failed> {
    if !is_running(common)? {
        let path = Home::read(&environment(common)).config;
        let Ok(text) = within_deadline(common, move || fs::read_to_string(path))? else {
            return Ok(Value::Null);
        };
        let text = text.trim_start_matches('\u{feff}');
        if text.trim().is_empty() {
            return Ok(Value::Null);
        }
        return json5::from_str(text).map_err(|error| {
            Failed::new(
                Exit::Configuration,
                format!("the configuration cannot be read: {error}"),
            )
            .next("`gatehouse config validate` says where")
        });
    }
    let (_, mut client) = Client::follow(common, &["config.get"]).await?;
    let answer = client
        .call("config.get", &client::params(&json!({})), ANSWER)
        .await?;
    client.close().await;
    let running: Value = serde_json::from_str(answer.get()).unwrap_or_default();
    Ok(running.get("config").cloned().unwrap_or_default())
}

/// The home as a first start would make it: folders, credentials, the commented sample.
fn begin(common: &Common, home: &Home) -> Result<(), Failed> {
    let failed = |error: std::io::Error| {
        Failed::new(
            Exit::Failed,
            format!("cannot make {}: {error}", home.path.display()),
        )
    };
    private::create_folder(&home.path).map_err(failed)?;
    private::create_folder(&home.path.join("secrets")).map_err(failed)?;
    let (home, env) = (home.clone(), environment(common));
    let checked = within_deadline(common, move || gatehouse_config::preflight(&home, &env))?;
    checked
        .map(drop)
        .map_err(|refusal| Failed::of_lines(Exit::Configuration, &Chain(&refusal).to_string()))
}

async fn through_the_gateway(common: &Common, patch: &Value, note: &str) -> Result<(), Failed> {
    let (_, mut client) = Client::follow(common, &["config.get", "config.patch"]).await?;
    let answer = client
        .call("config.get", &client::params(&json!({})), ANSWER)
        .await?;
    let running: Running = serde_json::from_str(answer.get()).map_err(|error| {
        Failed::new(
            Exit::Failed,
            format!("config.get: the answer cannot be read: {error}"),
        )
    })?;
    let params = json!({"raw": patch.to_string(), "baseHash": running.hash, "note": note});
    client
        .call("config.patch", &client::params(&params), ANSWER)
        .await?;
    client.close().await;
    Ok(())
}

fn into_the_file(common: &Common, patch: &Value, note: &str) -> Result<(), Failed> {
    let note = note.to_owned();
    let (home, env, raw) = (
        Home::read(&environment(common)),
        environment(common),
        patch.to_string(),
    );
    within_deadline(common, move || {
        let writer = offline::Writer::open(&home, &env);
        let mut writer =
            writer.map_err(|refusal| Failed::of_lines(Exit::Configuration, &Chain(&refusal).to_string()))?;
        let changed = writer.change(&raw, &note, false);
        changed
            .map(drop)
            .map_err(|error| Failed::new(Exit::Failed, error.to_string()))
    })?
}

/// A key that was written, and what stood there before.
struct KeyFile {
    path: PathBuf,
    before: Option<Vec<u8>>,
}

impl KeyFile {
    fn write(home: &Home, name: &str, key: &Secret) -> Result<Self, Failed> {
        let folder = std::path::absolute(&home.path)
            .unwrap_or_else(|_| home.path.clone())
            .join("secrets");
        let path = folder.join(name);
        let failed = |error: std::io::Error| {
            Failed::new(Exit::Failed, format!("cannot write {}: {error}", path.display()))
        };
        private::create_folder(&folder).map_err(failed)?;
        let before = fs::read(&path).ok();
        replace(&path, key.expose().as_bytes()).map_err(failed)?;
        Ok(Self { path, before })
    }

    fn take_back(self) {
        // What cannot be put back is a key that nobody reads.
        let _ = match self.before {
            Some(before) => replace(&self.path, &before),
            None => fs::remove_file(&self.path),
        };
    }
}

/// Whole or not at all, and for its owner alone.
pub(crate) fn replace(path: &std::path::Path, content: &[u8]) -> std::io::Result<()> {
    let draft = path.with_extension(format!("{}.draft", std::process::id()));
    let _ = fs::remove_file(&draft);
    let mut file = private::create_new(&draft, content)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(draft, path)
}
