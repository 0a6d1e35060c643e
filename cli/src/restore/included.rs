//! The files that the document of a backup includes: put where the document says, and nowhere else. Their names are whatever the
//! backup says, so that each has to be what its name makes of it.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf, absolute},
};

use gatehouse_config::offline::{included_among, is_configuration};
use gatehouse_core::{Home, Service, telemetry::escape};

use super::place::Staged;
use crate::{
    backup::{archive, databases, files},
    exit::{Exit, Failed},
};

/// Refuses files that the document does not include, and those that would take the place of anything else than text of a
/// configuration. Takes out those that hold none, and answers their names.
pub(super) fn judge(home: &Home, staged: &mut Staged) -> Result<Vec<String>, Failed> {
    let refused = |why: String| {
        Failed::new(Exit::Failed, why)
            .next("nothing was changed; take another file, or move away what stands there")
    };
    let (mut texts, mut left_out) = (BTreeMap::new(), Vec::new());
    let mut named = Vec::new();
    for (name, part) in &staged.parts {
        let Some(way) = name.strip_prefix(archive::INCLUDED) else {
            continue;
        };
        let others = staged.parts.values().filter(|other| other.name != *name);
        let twice = others
            .filter(|other| same(&other.target, &part.target))
            .any(|other| other.part == part.part);
        if twice {
            left_out.push((name.clone(), false)); // a file in the folder of secrets, taken with that as well
            continue;
        }
        let place = part.target.display().to_string();
        let (shown, place) = (escape(name), escape(&place));
        if is_our_own(home, &part.target) {
            return Err(refused(format!(
                "{shown} would take the place of a file of the gateway: {place}"
            )));
        }
        let is_free = match fs::read(&part.target) {
            Ok(stands) => text(stands).is_some_and(|text| is_configuration(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(refused(format!("{place} is in the way of {shown}: {error}"))),
        };
        if !is_free {
            return Err(refused(format!(
                "{place} is in the way of {shown}: no configuration stands there"
            )));
        }
        let content = fs::read(&part.staged).map_err(|error| refused(format!("{shown}: {error}")))?;
        match text(content) {
            Some(text) if is_configuration(&text) => {
                texts.insert(PathBuf::from(way), text);
                named.push((PathBuf::from(way), shown.into_owned()));
            }
            // It was half of a save, or a mistake: the document is refused with it as without it, and says so.
            Some(_) | None => left_out.push((name.clone(), true)),
        }
    }
    if !named.is_empty() {
        let document = staged
            .parts
            .get(archive::DOCUMENT)
            .map(|part| fs::read(&part.staged));
        let document = document.transpose().map_err(|error| refused(error.to_string()))?;
        let document = document.and_then(text).unwrap_or_default();
        let included = included_among(&document, home, &texts);
        for (way, shown) in named {
            if !included.contains(&way) {
                return Err(refused(format!(
                    "{shown} is not a file that the document of this backup includes"
                )));
            }
        }
    }
    for (name, _) in &left_out {
        staged.leave_out(name);
    }
    let told = left_out.into_iter().filter(|(_, told)| *told);
    Ok(told.map(|(name, _)| name).collect())
}

fn text(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok()
}

fn same(a: &Path, b: &Path) -> bool {
    absolute(a).ok() == absolute(b).ok()
}

/// Whether a file is the gateway's own: what it keeps there, no document may name.
fn is_our_own(home: &Home, file: &Path) -> bool {
    let (config, folder) = (home.folder(Service::Config), |service| home.folder(service));
    let folders = [
        folder(Service::Session),
        folder(Service::ChannelBridge),
        home.run.clone(),
        home.credentials.clone(),
        home.path.join("log"),
        config.join("history"),
    ];
    let databases = databases(home).map(|(_, path, _)| path);
    let files = files(home).map(|(_, path)| path);
    let locks = [config.join("lock"), home.path.join("up.lock")];
    let single = databases.into_iter().chain(files).chain(locks);
    let Ok(file) = absolute(file) else { return true };
    let within = |folder: &PathBuf| absolute(folder).is_ok_and(|folder| file.starts_with(folder));
    // A database has files beside it that are called like it.
    let begins = |known: PathBuf| {
        let known = absolute(known).unwrap_or_default();
        let beside = |ending| {
            let mut name = known.clone().into_os_string();
            name.push(ending);
            file == Path::new(&name)
        };
        ["", "-wal", "-shm", "-journal", ".lock"].into_iter().any(beside)
    };
    folders.iter().any(within) || single.into_iter().any(begins)
}

#[cfg(test)]
mod tests;
