//! `gatehouse config import`: the document of an OpenClaw gateway becomes that of this home. It says what was taken, what has no
//! counterpart, and what somebody has to decide.

mod dotenv;

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use gatehouse_config::import::{self, Around, Fate, Imported, Jobs, Noted};
use gatehouse_core::{Home, private, telemetry::escape};
use serde_json::json;

use crate::{
    args::{Common, Import},
    exit::{Exit, Failed},
    gateway::within_deadline,
    output,
    service::environment,
    setup,
    term::now_ms,
    up::HomeLock,
};

/// The longest file that is read: as long as a document may be.
const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Beside the document: the jobs, each a line with the parameters of `cron.add`.
const JOBS_FILE: &str = "cron-import.jsonl";

/// Imports a file.
pub(super) fn run(common: &Common, asked: &Import) -> Result<(), Failed> {
    let home = Home::read(&environment(common));
    let target = asked.to.clone().unwrap_or_else(|| home.config.clone());
    let (common_env, source) = (environment(common), asked.file.clone());
    let (imported, beside) = within_deadline(common, move || {
        let set = |name: &str| common_env.get(name).map(str::to_owned);
        let beside = dotenv::beside(&source)?;
        let imported = read(&source, &|name| set(name).or_else(|| beside.get(name).cloned()))?;
        let beside = imported
            .named
            .iter()
            .filter(|name| set(name).is_none() && beside.contains_key(*name));
        let beside: BTreeSet<String> = beside.cloned().collect();
        Ok::<_, Failed>((imported, beside))
    })??;
    let jobs = match asked.cron.clone() {
        Some(database) => Some(within_deadline(common, move || import::jobs(&database))?.map_err(|why| {
            Failed::new(Exit::Failed, why).next("it is state/openclaw.sqlite in the folder of OpenClaw; a newer or older one may keep jobs elsewhere")
        })?),
        None => None,
    };
    if imported.is_empty && jobs.is_none() {
        return Err(Failed::new(
            Exit::Failed,
            format!(
                "{} says nothing: there is no key in it, and nothing was written",
                asked.file.display()
            ),
        )
        .next("name the document of OpenClaw, for example ~/.openclaw/openclaw.json"));
    }
    let written = if asked.dry_run {
        Written::default()
    } else {
        write(&home, &target, &imported, jobs.as_ref(), asked.force)?
    };
    if common.json {
        let mut told = as_json(&target, &written, &imported, jobs.as_ref());
        told["setInDotenv"] = json!(beside);
        return output::line(&told.to_string());
    }
    output::text(&report(
        &target,
        &written,
        (&imported, &beside),
        jobs.as_ref(),
        asked.dry_run,
    ))
}

fn read(file: &Path, env: &(dyn Fn(&str) -> Option<String> + Sync)) -> Result<Imported, Failed> {
    let failed = |error: &dyn std::fmt::Display| {
        Failed::new(Exit::Failed, format!("cannot read {}: {error}", file.display()))
            .next("name the document of OpenClaw, for example ~/.openclaw/openclaw.json")
    };
    let facts = fs::metadata(file).map_err(|error| failed(&error))?;
    if facts.len() > BYTES_MAX {
        return Err(failed(&"it is longer than 4 MiB"));
    }
    let text = fs::read_to_string(file).map_err(|error| failed(&error))?;
    let whole = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let addresses: Vec<(&str, &str)> = setup::addresses().collect();
    let around = Around {
        folder: whole.parent().map(Path::to_owned).unwrap_or_default(),
        env,
        addresses: &addresses,
        name: "a document of OpenClaw",
    };
    import::import(&text, &around).map_err(|issues| {
        let mut refused = Failed::new(
            Exit::Configuration,
            format!("{} cannot be imported:", file.display()),
        );
        refused.details = issues.iter().map(|issue| format!("  {issue}")).collect();
        refused
    })
}

/// What was written.
#[derive(Debug, Default)]
struct Written {
    document: bool,
    /// Where the document is kept that stood there before.
    kept: Option<PathBuf>,
    /// Where the jobs are.
    jobs: Option<PathBuf>,
}

fn write(
    home: &Home,
    target: &Path,
    imported: &Imported,
    jobs: Option<&Jobs>,
    force: bool,
) -> Result<Written, Failed> {
    let failed = |path: &Path, error: &io::Error| {
        Failed::new(Exit::Failed, format!("cannot write {}: {error}", path.display()))
            .next("name another file with --to FILE")
    };
    private::create_folder_of(target).map_err(|error| failed(target, &error))?;
    // A gateway that runs is the one writer of its document.
    let _held = if target == home.config {
        private::create_folder(&home.path).map_err(|error| failed(&home.path, &error))?;
        Some(HomeLock::take(&home.path)?)
    } else {
        None
    };
    let jobs_file = target.with_file_name(JOBS_FILE);
    let taken: Vec<&Path> = [target]
        .into_iter()
        .chain(jobs.map(|_| jobs_file.as_path()))
        .filter(|path| path.symlink_metadata().is_ok())
        .collect();
    if let (Some(there), false) = (taken.first(), force) {
        return Err(Failed::new(Exit::Failed, format!("{} is there already", there.display()))
            .next("--force puts the new one in its place and keeps the old one beside it; --to FILE writes elsewhere; --dry-run only tells"));
    }
    let mut written = Written::default();
    for path in &taken {
        let kept = kept_as(path);
        fs::rename(path, &kept).map_err(|error| failed(&kept, &error))?;
        if *path == target {
            written.kept = Some(kept);
        }
    }
    if let Some(jobs) = jobs {
        let lines: String = jobs.jobs.iter().map(|job| format!("{job}\n")).collect();
        private::create_new(&jobs_file, lines.as_bytes()).map_err(|error| failed(&jobs_file, &error))?;
        written.jobs = Some(jobs_file);
    }
    private::create_new(target, imported.text.as_bytes()).map_err(|error| failed(target, &error))?;
    written.document = true;
    Ok(written)
}

fn kept_as(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".before-import-{}", now_ms()));
    path.with_file_name(name)
}

fn as_json(target: &Path, written: &Written, imported: &Imported, jobs: Option<&Jobs>) -> serde_json::Value {
    json!({
        "path": target,
        "written": written.document,
        "kept": written.kept,
        "taken": imported.taken,
        "noted": imported.noted,
        "unset": imported.unset,
        "cron": jobs.map(|jobs| json!({"path": written.jobs, "jobs": jobs.jobs.len(), "noted": jobs.noted})),
    })
}

fn report(
    target: &Path,
    written: &Written,
    (imported, beside): (&Imported, &BTreeSet<String>),
    jobs: Option<&Jobs>,
    dry_run: bool,
) -> String {
    let mut lines = Vec::new();
    lines.push(format!("Taken as they were ({}):", imported.taken.len()));
    lines.push(format!("  {}", by_section(&imported.taken)));
    let noted: Vec<&Noted> = imported
        .noted
        .iter()
        .chain(jobs.iter().flat_map(|jobs| &jobs.noted))
        .collect();
    for (fate, title) in [
        (Fate::Moved, "Stands elsewhere or in another form"),
        (Fate::NoCounterpart, "Has no counterpart yet, and is left out"),
        (Fate::Secret, "Secrets that are written out"),
        (Fate::Decision, "Needs a decision"),
    ] {
        let of_it: Vec<_> = noted.iter().filter(|one| one.fate == fate).collect();
        if !of_it.is_empty() {
            lines.extend([String::new(), format!("{title} ({}):", of_it.len())]);
            lines.extend(of_it.iter().map(|one| format!("  {one}")));
        }
    }
    if !imported.unset.is_empty() {
        let names: Vec<&str> = imported.unset.iter().map(String::as_str).collect();
        lines.extend([
            String::new(),
            format!(
                "Not set here, and needed where the gateway is started: {}",
                escape(&names.join(", "))
            ),
        ]);
    }
    if !beside.is_empty() {
        let names: Vec<&str> = beside.iter().map(String::as_str).collect();
        lines.extend([
            String::new(),
            format!(
                "Set in .env beside the document, which this gateway does not read: {}. Put them into the environment in which it is started (`set -a; . FILE; gatehouse up`, or EnvironmentFile= of systemd)",
                escape(&names.join(", "))
            ),
        ]);
    }
    lines.push(String::new());
    if dry_run {
        lines.push(format!("Nothing was written; it would be {}", target.display()));
    } else {
        lines.push(format!("Written: {}", target.display()));
    }
    lines.extend(
        written
            .kept
            .as_ref()
            .map(|kept| format!("What stood there is kept: {}", kept.display())),
    );
    if jobs.is_some_and(|jobs| jobs.jobs.is_empty()) {
        lines.push("Jobs: none that can be taken".to_owned());
    } else if let (Some(jobs), Some(path)) = (jobs, &written.jobs) {
        lines.push(format!(
            "Jobs: {} in {}; with the gateway running: while read -r job; do gatehouse call cron.add \"$job\"; done < {}",
            jobs.jobs.len(),
            path.display(),
            path.display()
        ));
    }
    lines.push("Next: `gatehouse config validate`, then `gatehouse up`".to_owned());
    lines.join("\n") + "\n"
}

/// How many keys of each section, in the order in which they stand.
fn by_section(taken: &[String]) -> String {
    let mut sections: Vec<(&str, usize)> = Vec::new();
    for key in taken {
        let section = key.split(['.', '[']).next().unwrap_or_default();
        match sections.iter_mut().find(|(known, _)| *known == section) {
            Some((_, count)) => *count += 1,
            None => sections.push((section, 1)),
        }
    }
    if sections.is_empty() {
        return "nothing".to_owned();
    }
    let told: Vec<String> = sections
        .iter()
        .map(|(section, count)| format!("{section} {count}"))
        .collect();
    escape(&told.join(", ")).into_owned()
}

#[cfg(test)]
mod tests;
