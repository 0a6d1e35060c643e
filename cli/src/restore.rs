//! `gatehouse restore`: a backup in place of what the home holds.
//!
//! Everything is unpacked beside its place and checked before anything is moved: a file that does not fit changes nothing.
//! The databases are put in place last, and a start is refused while one of them is missing, so that a restore that was
//! killed half way is not taken for a whole one: it is run again.

mod included;
mod place;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use gatehouse_core::{
    Chain, Clock, Home,
    sqlite::{Closed, check_copy},
    telemetry::escape,
};
use gatehouse_session::backup::media_folder;

use self::place::{Folders, Staged, put_aside, put_in_place};
use crate::{
    args::{Common, Restore},
    backup::{
        archive::{self, FORMAT, MANIFEST, MANIFEST_BYTES_MAX, Manifest, Part},
        databases, files, secrets,
    },
    exit::{Exit, Failed},
    home::Found,
    output,
    service::environment,
    up::HomeLock,
};

/// Puts a backup in place.
pub(crate) fn run(common: &Common, restore: &Restore) -> Result<(), Failed> {
    let home = Home::read(&environment(common));
    let source: Box<dyn Read> = if restore.file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(&restore.file).map_err(|error| {
            Failed::new(
                Exit::Failed,
                format!("cannot read {}: {error}", restore.file.display()),
            )
        })?;
        Box::new(io::BufReader::new(file))
    };
    let mut folders = Folders::default(); // dropped last: what is in them goes before
    let _home = hold_home(&home, &mut folders)?;
    let mut held = hold_databases(&home, &mut folders)?;
    let mut staged = Staged::default();
    let manifest = unpack(source, &home, &mut folders, &mut staged)?;
    check(&manifest, &home, &staged)?;
    let left_out = included::judge(&home, &mut staged)?;

    let moment = Clock::system().now_ms();
    let cannot = |error: io::Error| {
        Failed::new(
            Exit::Failed,
            format!("the backup cannot be put in place: {error}"),
        )
        .next("run the same command again; what stood there before has the ending .before-restore-<time>")
    };
    for closed in &mut held {
        closed
            .expect()
            .map_err(|error| Failed::new(Exit::Failed, Chain(&error).to_string()))?;
    }
    let mut aside = 0;
    for path in held.iter().flat_map(Closed::files) {
        aside += usize::from(put_aside(&path, moment).map_err(cannot)?);
    }
    let databases = databases(&home).map(|(name, _, _)| name);
    let media_folder = media_folder(&home);
    if staged.has_media() {
        aside += usize::from(put_aside(&media_folder, moment).map_err(cannot)?);
        staged.put_media_in_place(&media_folder).map_err(cannot)?;
    }
    let (last, first): (Vec<_>, Vec<_>) = staged
        .parts
        .values()
        .filter(|part| !part.is_medium())
        .partition(|part| databases.contains(&part.name.as_str()));
    for part in first.into_iter().chain(last) {
        aside += usize::from(put_aside(&part.target, moment).map_err(cannot)?);
        put_in_place(part).map_err(cannot)?;
    }
    folders.keep();
    let mut told = format!(
        "restored {} parts of a backup of version {} into {}\n",
        manifest.parts.len(),
        escape(&manifest.version),
        home.path.display()
    );
    if aside > 0 {
        told += &format!(
            "{aside} files and folders that stood there are kept with the ending .before-restore-{moment}\n"
        );
    }
    for name in left_out {
        told += &format!(
            "{} is left out: it holds nothing that a configuration could\n",
            escape(&name)
        );
    }
    let named = if common.found == Found::Named {
        format!(" --home {}", home.path.display())
    } else {
        String::new()
    };
    output::text(&format!("{told}next: gatehouse up{named}\n"))
}

/// Nobody starts the gateway meanwhile. A home in containers is several volumes and no folder of its own: there, the locks
/// of the databases say whether it runs.
fn hold_home(home: &Home, folders: &mut Folders) -> Result<Option<HomeLock>, Failed> {
    create(&home.path, folders)?;
    match HomeLock::take(&home.path) {
        Ok(lock) => Ok(Some(lock)),
        Err(failed) if failed.exit == Exit::Refused => Err(Failed::new(Exit::Refused, failed.message)
            .next("stop it first: a restore replaces what it works on")),
        Err(_) => Ok(None),
    }
}

fn create(folder: &Path, folders: &mut Folders) -> Result<(), Failed> {
    let cannot = |error| Failed::new(Exit::Failed, format!("cannot make {}: {error}", folder.display()));
    folders.create(folder).map_err(cannot)
}

fn hold_databases(home: &Home, folders: &mut Folders) -> Result<Vec<Closed>, Failed> {
    for (_, path, _) in databases(home) {
        path.parent().map_or(Ok(()), |folder| create(folder, folders))?;
    }
    let held = databases(home).map(|(_, path, _)| Closed::hold(&path));
    held.into_iter().collect::<Result<_, _>>().map_err(|error| {
        Failed::new(Exit::Refused, Chain(&error).to_string())
            .next("stop the gateway first: a restore replaces what it works on")
    })
}

/// Where a part belongs. Nothing else is unpacked, whatever the file names.
fn target(home: &Home, name: &str) -> Option<PathBuf> {
    let small = files(home).into_iter().find(|(known, _)| *known == name);
    let database = databases(home).into_iter().find(|(known, _, _)| *known == name);
    let secret = name.strip_prefix(archive::SECRETS).filter(|file| {
        let plain = !file.is_empty() && !file.contains(['/', '\0']);
        plain && !["..", "."].contains(file)
    });
    let is_plain =
        |part: &&str| !part.is_empty() && !part.contains(['/', '\0']) && ![".", ".."].contains(part);
    let medium = name.strip_prefix(archive::MEDIA).and_then(|digest| {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_digest = digest.len() == 64 && digest.bytes().all(hex);
        let shelf = digest.get(..2).filter(|_| is_digest)?;
        Some(media_folder(home).join(shelf).join(digest))
    });
    let text = name
        .strip_prefix(archive::WORKSPACES)
        .and_then(|rest| rest.split_once('/'));
    let text = text.filter(|(agent, file)| is_plain(agent) && is_plain(file));
    let included = name
        .strip_prefix(archive::INCLUDED)
        .filter(|way| way.split('/').all(|part| is_plain(&part)));
    let documents = home.config.parent();
    small
        .map(|(_, path)| path)
        .or(database.map(|(_, path, _)| path))
        .or(secret.map(|file| secrets(home).join(file)))
        .or(medium)
        .or(text.map(|(agent, file)| home.workspaces().join(agent).join(file)))
        .or(included.and_then(|way| Some(documents?.join(way))))
}

fn unpack(
    source: impl Read,
    home: &Home,
    folders: &mut Folders,
    staged: &mut Staged,
) -> Result<Manifest, Failed> {
    let unfit = |error: io::Error| {
        Failed::new(Exit::Failed, format!("this is not a whole backup: {error}"))
            .next("nothing was changed; take another file")
    };
    let mut tar = tar::Archive::new(source);
    let mut manifest = None;
    for entry in tar.entries().map_err(unfit)? {
        // The words about a head that cannot be read hold bytes of the file, which may be anything.
        let strange = |error: io::Error| {
            let is_known = error.raw_os_error().is_some() || error.kind() == io::ErrorKind::UnexpectedEof;
            unfit(if is_known {
                error
            } else {
                io::Error::other("it cannot be read as a tar archive: it is none, or was cut")
            })
        };
        let mut entry = entry.map_err(strange)?;
        let name = entry.path().map_err(unfit)?.to_string_lossy().into_owned();
        let regular = entry.header().entry_type() == tar::EntryType::Regular;
        if regular && name == MANIFEST {
            let mut text = String::new();
            Read::by_ref(&mut entry)
                .take(MANIFEST_BYTES_MAX)
                .read_to_string(&mut text)
                .map_err(unfit)?;
            manifest = Some(serde_json::from_str(&text).map_err(|error| unfit(error.into()))?);
            continue;
        }
        let Some(target) = target(home, &name).filter(|_| regular) else {
            return Err(unfit(io::Error::other(format!("{name} does not belong in one"))));
        };
        let unpacked = if name.starts_with(archive::MEDIA) {
            staged.unpack_medium(&name, target, &media_folder(home), folders, &mut entry)
        } else {
            staged.unpack(&name, target, folders, &mut entry)
        };
        unpacked.map_err(unfit)?;
    }
    manifest.ok_or_else(|| unfit(io::Error::other("it has no manifest: it was cut")))
}

/// Whether the parts are those of the manifest, all of them, and can be used by this version.
fn check(manifest: &Manifest, home: &Home, staged: &Staged) -> Result<(), Failed> {
    let unfit = |why: String| Failed::new(Exit::Failed, why).next("nothing was changed; take another file");
    if manifest.format != FORMAT {
        return Err(Failed::new(
            Exit::Failed,
            format!(
                "the backup has format {}, this version reads {FORMAT}",
                manifest.format
            ),
        )
        .next(format!("restore it with Gatehouse {}", manifest.version)));
    }
    let found: BTreeMap<&String, &Part> = staged
        .parts
        .iter()
        .map(|(name, part)| (name, &part.part))
        .collect();
    let names: BTreeSet<&String> = found.keys().copied().chain(manifest.parts.keys()).collect();
    for name in names {
        if found.get(name).copied() != manifest.parts.get(name) {
            return Err(unfit(format!(
                "{name} is not the one that was backed up with the others: the file is damaged, or parts of two backups are mixed"
            )));
        }
    }
    for (name, part) in &staged.parts {
        let digest = name.strip_prefix(archive::MEDIA);
        if digest.is_some_and(|digest| digest != part.part.sha256) {
            return Err(unfit(format!(
                "{name} is not what its name says: it was damaged before it was backed up"
            )));
        }
    }
    for needed in [archive::SESSION, archive::BRIDGE, archive::DOCUMENT] {
        if !manifest.parts.contains_key(needed) {
            return Err(unfit(format!("the backup lacks {needed}")));
        }
    }
    for (name, _, known) in databases(home) {
        let Some(part) = staged.parts.get(name) else {
            continue;
        };
        let schema = check_copy(&part.staged).map_err(|error| unfit(Chain(&error).to_string()))?;
        if schema > known {
            return Err(Failed::new(
                Exit::Failed,
                format!("{name} has schema {schema}, this version knows up to {known}"),
            )
            .next(format!("restore it with Gatehouse {}", manifest.version)));
        }
    }
    fs::metadata(&home.path)
        .map(drop)
        .map_err(|error| unfit(error.to_string()))
}
