//! `gatehouse config validate`: whether a file can be used, before or after it is.
//!
//! References lead into an environment, and this command has another one than the gateway. So the gateway that runs from a file judges
//! it itself; this process judges a file that nobody runs.

use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::Duration,
};

use gatehouse_config::Runs;
use gatehouse_contract::Map;
use gatehouse_core::{Chain, Home, Service, ServiceSettings, private};
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{ANSWER, Finding, unpack};
use crate::{
    args::Common,
    client::{self, Client, grpc::Backend},
    exit::{Exit, Failed},
    gateway::{Gateway, within_deadline},
    output,
    service::environment,
};

/// The gateway sees a changed file at once where the system tells it, and looks every two seconds elsewhere.
const SEEN_WITHIN: Duration = Duration::from_secs(4);

/// The same where it only has to confirm what we found.
const NOTICED_WITHIN: Duration = Duration::from_millis(500);

/// Between two questions whether it has.
const PAUSE: Duration = Duration::from_millis(100);

/// What is asked.
const ASKED: &str = "config.get";

/// Of the answer to it.
#[derive(Deserialize)]
struct Seen {
    valid: bool,
    hash: String,
    issues: Vec<Finding>,
    #[serde(default)]
    warnings: Vec<Finding>,
}

/// Why there is nothing to check.
fn missing(file: &Path) -> Failed {
    let shown = file.display();
    let failed = |message: String| Failed::new(Exit::Configuration, message);
    if file.exists() {
        return failed(format!("{shown} is not a file"))
            .next("name the file: `gatehouse config validate FILE`");
    }
    match std::fs::read_link(file) {
        Ok(target) => failed(format!(
            "{shown} is a link to {}, which is not there",
            target.display()
        ))
        .next("put the file there, or remove the link"),
        Err(_) => failed(format!("there is no {shown}"))
            .next("without a file the defaults run; `gatehouse up` writes a commented sample"),
    }
}

/// Checks a file and prints what deserves a look.
pub(super) async fn run(common: &Common, file: Option<&Path>) -> Result<(), Failed> {
    let home = Home::read(&environment(common));
    let file = file.map_or_else(|| home.config.clone(), Path::to_owned);
    let file = file.as_path();
    if !file.is_file() {
        return Err(missing(file));
    }
    let is_same =
        |a: &Path, b: &Path| matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b);
    let own = by_this_process(common, file);
    let judged = if is_same(file, &home.config) {
        by_the_gateway(common, file, own.is_err()).await?
    } else {
        None
    };
    let (judge, warnings) = match judged {
        Some(warnings) => (Judge::Gateway, warnings),
        None => (Judge::Command, own?),
    };
    let open = within_deadline(common, move || private::open_among(home.private_paths()))?;
    let open = open.into_iter().map(|open| Finding {
        path: String::new(),
        message: open.to_string(),
    });
    let warnings: Vec<_> = warnings.into_iter().chain(open).collect();
    if common.json {
        return output::line(
            &json!({"ok": true, "path": file, "judgedBy": judge.name(), "warnings": warnings}).to_string(),
        );
    }
    let mut text: String = warnings
        .iter()
        .map(|warning| format!("warning: {warning}\n"))
        .collect();
    let count = match warnings.len() {
        0 => "no warnings".to_owned(),
        1 => "1 warning".to_owned(),
        count => format!("{count} warnings"),
    };
    text += &format!("{} is valid: {count}\n{}\n", file.display(), judge.sentence());
    output::text(&text)
}

/// Whose environment the references of the document were followed in.
#[derive(Clone, Copy)]
enum Judge {
    /// The gateway that runs with this file.
    Gateway,
    /// This process.
    Command,
}

impl Judge {
    const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Command => "command",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::Gateway => "judged by the gateway that runs with it, in its environment",
            Self::Command => {
                "judged by this command, in its own environment: no gateway runs with this file, or it has not read it"
            }
        }
    }
}

/// The warnings of the gateway of this home. `None` when it does not run, lets us not in, or has not read the file yet. `doubted`: the
/// file is wrong in our own environment.
async fn by_the_gateway(common: &Common, file: &Path, doubted: bool) -> Result<Option<Vec<Finding>>, Failed> {
    let gateway = Gateway::find(common)?;
    if !gateway.is_own {
        return Ok(None);
    }
    let Some(mut way) = Way::find(common, &gateway).await else {
        return Ok(None);
    };
    let end = Instant::now() + if doubted { NOTICED_WITHIN } else { SEEN_WITHIN };
    let judged = loop {
        let Some(revision) = gatehouse_config::offline::revision_of(file) else {
            break None;
        };
        let Some(answer) = way.ask().await else { break None };
        let seen: Seen = unpack("config.get", &answer)?;
        // What runs is this text, letter by letter, and what it includes.
        if seen.valid && seen.hash == revision {
            break Some(Ok(seen.warnings));
        }
        if Instant::now() >= end {
            // It had time to read the file, and refuses it.
            break (!seen.valid).then_some(Err(seen.issues));
        }
        sleep(PAUSE).await;
    };
    way.close().await;
    match judged {
        None => Ok(None),
        Some(Ok(warnings)) => Ok(Some(warnings)),
        Some(Err(issues)) => {
            let mut failed = Failed::new(
                Exit::Configuration,
                format!(
                    "the gateway that runs refuses {} and goes on with what it had:",
                    file.display()
                ),
            );
            failed.details = issues.iter().map(|found| format!("  {found}")).collect();
            Err(failed.next("mend the file: the gateway takes it over by itself then"))
        }
    }
}

/// A way to the gateway of this home.
enum Way {
    /// As a client, with the gateway token.
    Client(Box<Client>),
    /// Straight to the config service, as the owner of the home: where the token stands in the environment of the gateway alone,
    /// this command has none to show.
    Service(Backend),
}

impl Way {
    async fn find(common: &Common, gateway: &Gateway) -> Option<Self> {
        if gateway.token.is_some() {
            let connected = Client::follow(common, &[ASKED]).await;
            return connected.ok().map(|(_, client)| Self::Client(Box::new(client)));
        }
        let settings = ServiceSettings::read(&environment(common), Service::Config).ok()?;
        let backend = Backend::find(&settings, Service::Config, None);
        backend.ok().map(Self::Service)
    }

    async fn ask(&mut self) -> Option<Box<RawValue>> {
        match self {
            Self::Client(client) => client.call(ASKED, &client::params(&json!({})), ANSWER).await.ok(),
            Self::Service(backend) => {
                let method = Map::core().method(ASKED)?;
                let mut text = String::new();
                let keep = |answer: &str| {
                    answer.clone_into(&mut text);
                    Ok(())
                };
                backend.call(method, "{}", ANSWER, keep).await.ok()?;
                RawValue::from_string(text).ok()
            }
        }
    }

    async fn close(self) {
        match self {
            Self::Client(client) => client.close().await,
            Self::Service(_) => {}
        }
    }
}

/// Whether a document can be used in this process's environment. Nothing is written into the home.
pub(crate) fn check(common: &Common, file: &Path) -> Result<(), Failed> {
    by_this_process(common, file).map(drop)
}

fn by_this_process(common: &Common, file: &Path) -> Result<Vec<Finding>, Failed> {
    let env = environment(common);
    // A home of its own for the check: the running gateway's files are not ours to touch, and its last valid revision must
    // not stand in for this file.
    let scratch = Scratch::make()?;
    let home = Home {
        path: scratch.0.clone(),
        run: scratch.0.join("run"),
        credentials: scratch.0.join("credential"),
        credential: None,
        config: file.to_owned(),
    };
    let found = gatehouse_config::check_document(&home, &Home::read(&env), &env)
        .map_err(|refusal| Failed::of_lines(Exit::Configuration, &Chain(&refusal).to_string()))?;
    if found.runs != Runs::File {
        let mut failed = Failed::new(
            Exit::Configuration,
            format!("{} lacks files that it includes:", file.display()),
        );
        let mistakes = found.warnings.iter().filter(|issue| issue.is_error());
        failed.details = mistakes.map(|issue| format!("  {issue}")).collect();
        return Err(failed.next("put them there, or take the $include out"));
    }
    let warnings = found.warnings.into_iter().map(|issue| Finding {
        path: issue.path,
        message: issue.message,
    });
    Ok(warnings.collect())
}

/// A private folder that is gone when the check is done.
struct Scratch(PathBuf);

impl Scratch {
    fn make() -> Result<Self, Failed> {
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

#[cfg(test)]
mod tests;
