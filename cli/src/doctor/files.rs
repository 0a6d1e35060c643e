//! What stands in the home.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use gatehouse_config::offline;
use gatehouse_core::{Chain, Home, Service, private, sqlite};

use super::finding::{Finding, Repair};
use crate::{args::Common, config, home::is_home, own, service::environment};

fn home_of(common: &Common) -> Home {
    Home::read(&environment(common))
}

/// The databases of a home.
pub(super) fn database_paths(home: &Home) -> [PathBuf; 2] {
    [
        home.folder(Service::Session).join("session.db"),
        home.folder(Service::ChannelBridge).join("bridge.db"),
    ]
}

/// That it is there, ours, and can be written.
pub(super) fn home(common: &Common) -> Vec<Finding> {
    let (path, found) = (&common.home, common.found);
    let Ok(facts) = fs::metadata(path) else {
        let nothing = format!(
            "there is no {} ({found}): no gateway has run there",
            path.display()
        );
        return vec![Finding::note("home", nothing).fix(own::start_step(common))];
    };
    if !facts.is_dir() {
        return vec![
            Finding::error("home", format!("{} is not a folder", path.display()))
                .fix("name another home with --home DIR"),
        ];
    }
    if facts.uid() != nix::unistd::geteuid().as_raw() {
        let whose = format!(
            "{} belongs to user {}, and this is user {}",
            path.display(),
            facts.uid(),
            nix::unistd::geteuid()
        );
        return vec![
            Finding::warning("home", whose)
                .fix("run this as the user of the gateway, for example with `sudo -u`"),
        ];
    }
    let mut findings = vec![match is_home(path) {
        true => Finding::fine("home", format!("{} ({found})", path.display())),
        false => Finding::note(
            "home",
            format!("{} ({found}): no gateway has run there", path.display()),
        )
        .fix(own::start_step(common)),
    }];
    if common.url.is_some() {
        return findings; // of another gateway, or of one whose services have folders of their own
    }
    let probe = path.join(format!(".doctor.{}", std::process::id()));
    match private::create_new(&probe, b"x").and_then(|file| file.sync_all()) {
        Ok(()) => {}
        Err(error) => findings.push(
            Finding::error("home", format!("cannot write in {}: {error}", path.display()))
                .fix("make room, mount it for writing, or make it yours with `chown`"),
        ),
    }
    let _ = fs::remove_file(probe);
    findings
}

/// Who can reach what, and folders that a gateway needs.
pub(super) fn modes(common: &Common) -> Vec<Finding> {
    let home = home_of(common);
    let mut paths = home.private_paths();
    let secrets = home.path.join("secrets");
    paths.extend(entries(&secrets));
    paths.sort();
    paths.dedup();
    let open = private::open_among(paths);
    let mut findings: Vec<_> = open
        .into_iter()
        .map(|open| {
            let message = format!(
                "others on this machine can reach {} (mode {:04o})",
                open.path.display(),
                open.mode
            );
            Finding::warning("permissions", message)
                .fix(format!("chmod {:04o} {}", open.right, open.path.display()))
                .mended_by(Repair::Mode(open.path, open.right))
        })
        .collect();
    if findings.is_empty() {
        findings.push(Finding::fine(
            "permissions",
            "what is private is its owner's alone",
        ));
    }
    for folder in [&home.run, &secrets] {
        if is_home(&home.path) && !folder.exists() {
            findings.push(
                Finding::warning("home", format!("the folder {} is missing", folder.display()))
                    .fix(format!("mkdir -m 700 {}", folder.display()))
                    .mended_by(Repair::Folder(folder.clone())),
            );
        }
    }
    findings
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect()
}

/// What a killed gateway leaves behind. Nothing of it hinders the next start; an address may mislead other programs.
pub(super) fn leftovers(common: &Common, is_running: bool) -> Vec<Finding> {
    let file = home_of(common).url_file();
    let is_held =
        File::open(&file).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)));
    if !file.exists() || is_held || is_running {
        return Vec::new();
    }
    vec![
        Finding::note(
            "home",
            format!("{} was left behind by a gateway that was killed", file.display()),
        )
        .fix(format!("rm {}", file.display()))
        .mended_by(Repair::Remove(file)),
    ]
}

/// Every page of them, as far as a second allows; nothing is written.
pub(super) fn databases(common: &Common) -> Vec<Finding> {
    let home = home_of(common);
    let mut findings = Vec::new();
    for path in database_paths(&home) {
        let mark = path.with_extension("db.lock");
        let was_used = fs::metadata(&mark).is_ok_and(|facts| facts.len() > 0);
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !was_used => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => findings.push(
                Finding::error("databases", format!("{} is missing, and was in use", path.display()))
                    .fix("put it back, or restore a backup: `gatehouse restore FILE`"),
            ),
            Err(error) => findings.push(Finding::error("databases", format!("cannot look at {}: {error}", path.display()))),
            Ok(_) => findings.push(match sqlite::look(&path) {
                Ok(()) => Finding::fine("databases", format!("{} is whole", path.display())),
                Err(error) => Finding::error("databases", format!("{}: {}", path.display(), Chain(&error)))
                    .fix("restore a backup: `gatehouse restore FILE`; a gateway that still runs can be backed up first"),
            }),
        }
    }
    findings
}

/// The newest moment at which something was written, which the clock must not be before.
pub(super) fn newest_write(common: &Common) -> Option<(PathBuf, SystemTime)> {
    let home = home_of(common);
    let mut paths: Vec<_> = database_paths(&home).into();
    paths.push(home.config);
    let moments = paths.into_iter().filter_map(|path| {
        let at = fs::metadata(&path).ok()?.modified().ok()?;
        Some((path, at))
    });
    moments.max_by_key(|(_, at)| *at)
}

/// The document and its secrets. What a running gateway says of them is asked of it.
pub(super) fn configuration(common: &Common, is_running: bool) -> Vec<Finding> {
    let (home, env) = (home_of(common), environment(common));
    let path = home.config.display().to_string();
    let shown = match offline::shown(&home, &env) {
        Ok(Some(shown)) => shown,
        Ok(None) => {
            return vec![Finding::note(
                "configuration",
                format!("there is no {path}: the defaults run"),
            )];
        }
        Err(error) => {
            return vec![
                Finding::error("configuration", Chain(&error).to_string())
                    .fix("make it readable for the user of the gateway"),
            ];
        }
    };
    let mut findings = Vec::new();
    for issue in &shown.issues {
        findings.push(match issue.is_error() {
            true => Finding::error("configuration", issue.to_string())
                .fix(format!("mend {path}: `gatehouse config validate` checks it")),
            false => Finding::warning("configuration", issue.to_string()),
        });
    }
    let is_readable = !shown.issues.iter().any(gatehouse_config::Issue::is_error);
    // References lead into an environment: that of a gateway that runs is not ours.
    if is_readable
        && !is_running
        && let Err(failed) = config::check(common, &home.config)
    {
        let mut lines = std::iter::once(failed.message).chain(failed.details);
        let message = lines.next().unwrap_or_default();
        let more: Vec<_> = lines.map(|line| line.trim().to_owned()).collect();
        let fix = failed
            .next
            .unwrap_or_else(|| "`gatehouse config validate` says more".to_owned());
        let message = [message].into_iter().chain(more).collect::<Vec<_>>().join(" ");
        findings.push(Finding::error("secrets", message).fix(fix));
    }
    if findings.is_empty() {
        findings.push(Finding::fine("configuration", format!("{path} has no mistakes")));
    }
    findings
}
