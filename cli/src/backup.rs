//! `gatehouse backup`: everything that a restore needs in one file.
//!
//! While the gateway runs, both databases are pinned at one moment: the bridge holds up what session hands over while
//! they are, for milliseconds, and the copies are streamed afterwards. When nothing runs, the files are copied under their
//! locks.

pub(crate) mod archive;
mod live;
mod media;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use gatehouse_core::{Chain, Clock, Home, Service, ServiceSettings, sqlite::Closed};

use self::{archive::Archive, media::Taken};
use crate::{
    args::{Backup, Common},
    exit::{Exit, Failed},
    output,
    service::environment,
};

/// Files of the folder of secrets that are taken; each is a key or a certificate.
const SECRETS_MAX: usize = 1_000;

/// The largest of them.
const SECRET_BYTES_MAX: u64 = 1024 * 1024;

/// Makes a backup.
pub(crate) async fn run(common: &Common, backup: &Backup) -> Result<(), Failed> {
    let env = environment(common);
    let settings = ServiceSettings::read(&env, Service::Config)
        .map_err(|error| Failed::new(Exit::Configuration, error.to_string()))?;
    if backup.file == Path::new("-") {
        let archive = Archive::new(io::stdout().lock(), Clock::system().now_ms());
        return write(&settings, archive, backup.without_media).await.map(drop);
    }
    if backup.file.exists() {
        return Err(
            Failed::new(Exit::Failed, format!("{} exists already", backup.file.display()))
                .next("name another file: a backup never replaces one"),
        );
    }
    let mut partial = backup.file.clone().into_os_string();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let cannot = |error: io::Error| {
        Failed::new(
            Exit::Failed,
            format!("cannot write {}: {error}", partial.display()),
        )
    };
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&partial)
        .map_err(cannot)?;
    let written = write(
        &settings,
        Archive::new(io::BufWriter::new(file), Clock::system().now_ms()),
        backup.without_media,
    );
    match written.await {
        Ok((out, summary)) => {
            let file = out.into_inner().map_err(|error| cannot(error.into_error()))?;
            file.sync_all()
                .and_then(|()| fs::rename(&partial, &backup.file))
                .map_err(cannot)?;
            output::line(&format!(
                "{}: {summary}\nIt holds the gateway token and the folder of secrets: keep it like a password.",
                backup.file.display()
            ))
        }
        Err(failed) => {
            let _ = fs::remove_file(&partial);
            Err(failed)
        }
    }
}

async fn write<W: Write>(
    settings: &ServiceSettings,
    mut archive: Archive<W>,
    without_media: bool,
) -> Result<(W, String), Failed> {
    let home = &settings.home;
    let mut taken = Taken::new(without_media);
    let how = match live::copy(settings, &mut archive, &mut taken).await? {
        live::Found::Copied => "while the gateway runs",
        live::Found::NobodyThere => {
            offline(home, &mut archive, &mut taken)?;
            "from a gateway that does not run"
        }
    };
    // After the databases: a document that is newer than they are fits them, an older one may name what is gone.
    configuration(home, &mut archive)?;
    let (out, manifest) = archive.finish().map_err(unwritable)?;
    let bytes: u64 = manifest.parts.values().map(|part| part.bytes).sum();
    let summary = format!(
        "{} parts, {} KiB, {taken}, taken {how}",
        manifest.parts.len(),
        bytes.div_ceil(1024)
    );
    Ok((out, summary))
}

fn unwritable(error: io::Error) -> Failed {
    output::failed("write the backup", &error)
}

/// The databases of a home.
pub(crate) fn databases(home: &Home) -> [(&'static str, PathBuf, usize); 3] {
    let path = |service, name: &str| home.folder(service).join(name);
    [
        (
            archive::SESSION,
            path(Service::Session, "session.db"),
            gatehouse_session::SCHEMA,
        ),
        (
            archive::BRIDGE,
            path(Service::ChannelBridge, "bridge.db"),
            gatehouse_channel_bridge::SCHEMA,
        ),
        (
            archive::DEVICES,
            path(Service::Config, "devices.db"),
            gatehouse_config::DEVICES_SCHEMA,
        ),
    ]
}

fn offline<W: Write>(home: &Home, archive: &mut Archive<W>, taken: &mut Taken) -> Result<(), Failed> {
    let (databases, missing): (Vec<_>, Vec<_>) = databases(home)
        .into_iter()
        .partition(|(_, path, _)| path.exists());
    // A home of an earlier version has none for devices.
    if let Some((_, path, _)) = missing.iter().find(|(name, _, _)| *name != archive::DEVICES) {
        return Err(Failed::new(
            Exit::Failed,
            format!("nobody answers, and there is no database at {}", path.display()),
        )
        .next(
            "name the home with --home, or run this where the gateway runs (docker compose exec config ...)",
        ));
    }
    let failed = |error: gatehouse_core::sqlite::Error| {
        Failed::new(Exit::Failed, Chain(&error).to_string())
            .next("start all services, or stop all of them: a backup takes both databases at one moment")
    };
    // All locks first: nothing passes between the databases while they are copied.
    let mut held = databases
        .into_iter()
        .map(|(name, path, _)| Ok((name, Closed::hold(&path)?, path)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    for (name, closed, path) in &mut held {
        let copy = Copy(path.with_extension("db.snapshot-backup"));
        closed.copy_to(&copy.0).map_err(failed)?;
        stream(archive, name, &copy.0).map_err(unwritable)?;
    }
    taken.add_from_disk(home, archive) // while the locks are held: nobody takes a file away
}

/// A copy that is removed again.
struct Copy(PathBuf);

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn stream<W: Write>(archive: &mut Archive<W>, name: &str, path: &Path) -> io::Result<()> {
    send(archive, name, &mut File::open(path)?)
}

fn send<W: Write>(archive: &mut Archive<W>, name: &str, file: &mut File) -> io::Result<()> {
    let mut part = archive.part(name, file.metadata()?.len())?;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = io::Read::read(file, &mut buffer)?;
        match buffer.get(..read) {
            Some(data) if read > 0 => part.write(data)?,
            _ => return part.end(),
        }
    }
}

/// The small files of a home and where each belongs. The credentials of the services are not among them: the config service
/// makes what is missing.
pub(crate) fn files(home: &Home) -> [(&'static str, PathBuf); 5] {
    let config = home.folder(Service::Config);
    [
        (archive::DOCUMENT, home.config.clone()),
        (archive::TOKEN, config.join("token")),
        (archive::CREDENTIALS, config.join("credentials.json")),
        (archive::LAST_VALID, config.join("last-valid.json5")),
        (archive::DEVICE_KEY, config.join("device-tokens.key")),
    ]
}

/// Where the folder of secrets is.
pub(crate) fn secrets(home: &Home) -> PathBuf {
    home.path.join("secrets")
}

fn configuration<W: Write>(home: &Home, archive: &mut Archive<W>) -> Result<(), Failed> {
    let unreadable = |path: &Path, error: io::Error| {
        Failed::new(Exit::Failed, format!("cannot read {}: {error}", path.display()))
            .next("run this where the gateway runs, as its user")
    };
    for (name, path) in files(home) {
        match fs::read(&path) {
            Ok(content) => archive.add(name, &content).map_err(unwritable)?,
            // A token in the document has no file, a document that never ran no copy, and most have no other credential.
            Err(error) if error.kind() == io::ErrorKind::NotFound && name != archive::DOCUMENT => {}
            Err(error) => return Err(unreadable(&path, error)),
        }
    }
    let folder = std::path::absolute(&home.config).unwrap_or_else(|_| home.config.clone());
    let at = |way: &Path| folder.parent().map(|folder| folder.join(way));
    let secrets_of = std::path::absolute(secrets(home)).unwrap_or_else(|_| secrets(home));
    for (inside, content) in gatehouse_config::offline::included(home) {
        // What stands in the folder of secrets is taken with that.
        if at(&inside).is_some_and(|file| file.parent() == Some(&secrets_of)) {
            continue;
        }
        archive
            .add(&format!("{}{}", archive::INCLUDED, inside.display()), &content)
            .map_err(unwritable)?;
    }
    let folder = secrets(home);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unreadable(&folder, error)),
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let is_file = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
    for path in paths.iter().filter(|path| is_file(path)) {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let content = fs::read(path).map_err(|error| unreadable(path, error))?;
        if content.len() as u64 > SECRET_BYTES_MAX || paths.len() > SECRETS_MAX {
            return Err(Failed::new(
                Exit::Failed,
                format!(
                    "{} is not a folder of secrets: {} is large, or there are many",
                    folder.display(),
                    path.display()
                ),
            )
            .next("move elsewhere what is no secret"));
        }
        archive
            .add(&format!("{}{name}", archive::SECRETS), &content)
            .map_err(unwritable)?;
    }
    Ok(())
}
