//! Keeps a choice: the key as a file of the home, the provider in the configuration by the rules of the config service, through the
//! gateway where one runs.

use std::{fs, io::Write, path::PathBuf};

use gatehouse_config::offline;
use gatehouse_core::{Chain, Home, Secret, private};
use serde::Deserialize;
use serde_json::{Value, json};

use super::find::Candidate;
use crate::{
    args::Common,
    client::{self, Client},
    exit::{Exit, Failed},
    gateway::{Gateway, within_deadline},
    service::environment,
};

const ANSWER: std::time::Duration = std::time::Duration::from_secs(15);

/// What was written.
#[derive(Debug)]
pub(super) struct Written {
    /// The document.
    pub(super) document: PathBuf,
    /// The file of the key.
    pub(super) key: Option<PathBuf>,
    /// Whether a gateway applies it now.
    pub(super) is_applied: bool,
}

#[derive(Deserialize)]
struct Running {
    hash: String,
}

/// Writes the key and the document. When the document is refused, the key is taken back.
pub(super) async fn keep(common: &Common, chosen: &Candidate, model: &str) -> Result<Written, Failed> {
    let home = Home::read(&environment(common));
    let is_running = Gateway::find(common)?.is_own;
    if !is_running {
        begin(common, &home)?;
    }
    let key = match &chosen.key {
        Some((key, _)) => Some(KeyFile::write(&home, &chosen.id, key)?),
        None => None,
    };
    let patch = patch(chosen, model, key.as_ref().map(|key| key.path.clone()));
    let done = match is_running {
        true => through_the_gateway(common, &patch).await,
        false => into_the_file(common, &patch),
    };
    if let Err(failed) = done {
        if let Some(key) = key {
            key.take_back();
        }
        return Err(failed);
    }
    Ok(Written {
        document: home.config,
        key: key.map(|key| key.path),
        is_applied: is_running,
    })
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

/// What is merged into the document.
fn patch(chosen: &Candidate, model: &str, key: Option<PathBuf>) -> Value {
    let api_key = key.map_or(Value::Null, |path| json!({"source": "file", "path": path}));
    json!({
        "models": {"providers": {&chosen.id: {"baseUrl": chosen.base_url, "apiKey": api_key}}},
        "agents": {"defaults": {"model": {"primary": format!("{}/{model}", chosen.id)}}},
    })
}

async fn through_the_gateway(common: &Common, patch: &Value) -> Result<(), Failed> {
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
    let params = json!({"raw": patch.to_string(), "baseHash": running.hash, "note": "gatehouse setup"});
    client
        .call("config.patch", &client::params(&params), ANSWER)
        .await?;
    client.close().await;
    Ok(())
}

fn into_the_file(common: &Common, patch: &Value) -> Result<(), Failed> {
    let (home, env, raw) = (
        Home::read(&environment(common)),
        environment(common),
        patch.to_string(),
    );
    within_deadline(common, move || {
        let writer = offline::Writer::open(&home, &env);
        let mut writer =
            writer.map_err(|refusal| Failed::of_lines(Exit::Configuration, &Chain(&refusal).to_string()))?;
        let changed = writer.change(&raw, "gatehouse setup", false);
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
    fn write(home: &Home, id: &str, key: &Secret) -> Result<Self, Failed> {
        let folder = std::path::absolute(&home.path)
            .unwrap_or_else(|_| home.path.clone())
            .join("secrets");
        let path = folder.join(format!("{id}.key"));
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
fn replace(path: &std::path::Path, content: &[u8]) -> std::io::Result<()> {
    let draft = path.with_extension(format!("{}.draft", std::process::id()));
    let _ = fs::remove_file(&draft);
    let mut file = private::create_new(&draft, content)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(draft, path)
}
