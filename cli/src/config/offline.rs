//! The same commands where no gateway runs: the file is read and changed by this process, by the rules of the gateway.

use gatehouse_config::{ConfigError, Issue, offline};
use gatehouse_core::{Chain, Home, telemetry::escape};
use serde_json::{Value, json};

use super::Finding;
use crate::{
    args::Common,
    exit::{Exit, Failed},
    gateway::{Gateway, within_deadline},
    output,
    service::environment,
    status::LeftOut,
};

/// Whether nobody answers because no gateway runs in this home, and there is a file to work on.
pub(super) fn is_possible(common: &Common, failed: &Failed) -> Result<bool, Failed> {
    if failed.exit != Exit::Unavailable || common.url.is_some() {
        return Ok(false);
    }
    let home = home(common);
    let has_file = within_deadline(common, move || home.config.is_file())?;
    Ok(has_file && !Gateway::find(common)?.is_own)
}

/// The document as the file has it.
pub(super) fn read(common: &Common) -> Result<(Option<String>, Value, LeftOut), Failed> {
    let (home, env) = (home(common), environment(common));
    let path = home.config.display().to_string();
    let shown = within_deadline(common, move || offline::shown(&home, &env))?;
    let shown = shown.map_err(refused)?.ok_or_else(|| {
        Failed::new(Exit::Failed, format!("{path} is gone")).next("`gatehouse up` writes a commented sample")
    })?;
    output::remark(&format!(
        "no gateway runs here: this is what {} says",
        escape(&path)
    ));
    let errors = shown.issues.iter().filter(|issue| issue.is_error());
    for error in errors {
        output::remark(&format!("error: {error}"));
    }
    Ok((shown.raw, shown.config, shown.left_out.into_iter().collect()))
}

/// Changes one key of the file.
pub(super) fn change(common: &Common, path: &str, patch: &Value, force: bool) -> Result<(), Failed> {
    let (home, env) = (home(common), environment(common));
    let file = home.config.display().to_string();
    let (raw, note) = (patch.to_string(), format!("gatehouse config: {path}"));
    let changed = within_deadline(common, move || {
        let mut writer = offline::Writer::open(&home, &env).map_err(refused)?;
        let changed = writer.change(&raw, &note, force);
        changed.map_err(|error| Failed::new(Exit::Failed, error.to_string()))
    })??;
    told(common, &file, path, changed)
}

/// Makes a former text the file again.
pub(super) fn restore(common: &Common, revision: &str, force: bool) -> Result<(), Failed> {
    let (home, env) = (home(common), environment(common));
    let file = home.config.display().to_string();
    let revision = revision.to_owned();
    let restored = within_deadline(common, move || {
        let mut writer = offline::Writer::open(&home, &env).map_err(refused)?;
        let restored = writer.restore(&revision, force);
        restored.map_err(|error| Failed::new(Exit::Failed, error.to_string()))
    })??;
    told(common, &file, "the former text", restored)
}

fn told(common: &Common, file: &str, what: &str, changed: offline::Changed) -> Result<(), Failed> {
    let issues: Vec<Finding> = changed.issues.into_iter().map(finding).collect();
    if common.json {
        return output::line(
            &json!({"ok": true, "path": file, "hash": changed.hash, "issues": issues}).to_string(),
        );
    }
    for issue in &issues {
        output::remark(&format!("warning: {issue}"));
    }
    output::remark(&match changed.is_changed {
        true => format!(
            "{what} is changed in {}; no gateway runs here: the next start takes it",
            escape(file)
        ),
        false => super::unchanged(what, file),
    });
    Ok(())
}

fn home(common: &Common) -> Home {
    Home::read(&environment(common))
}

fn finding(issue: Issue) -> Finding {
    Finding {
        path: issue.path,
        message: issue.message,
    }
}

fn refused(refusal: ConfigError) -> Failed {
    Failed::of_lines(Exit::Configuration, &Chain(&refusal).to_string())
}
