//! Where the gateways of this user have their homes, as `gatehouse up` notes it: pointers, and nothing more. That one runs is asked
//! of itself (`up::control`), so a record that was left behind misleads nobody.

use std::{
    fs,
    io::Write,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use gatehouse_core::{Env, hex, private};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The most that are kept: a person has a handful, a machine that runs our tests makes more.
const RECORDS_MAX: usize = 32;

/// Two paths and their names.
const RECORD_BYTES_MAX: u64 = 16 * 1024;

/// Bytes of a digest that name a record.
const NAME_BYTES: usize = 8;

/// A gateway that runs or has run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Record {
    /// Its home.
    pub(crate) home: PathBuf,
    /// The folder of its sockets.
    pub(crate) run: PathBuf,
}

/// Notes where a gateway is. Whoever cannot be noted is found by `--home`.
pub(crate) fn note(env: &Env, home: &Path, run: &Path) -> std::io::Result<()> {
    let record = Record {
        home: home.canonicalize()?,
        run: run.canonicalize()?,
    };
    let Some(folder) = folders(env).into_iter().find(|folder| make(folder)) else {
        return Err(std::io::Error::other("there is no folder for it"));
    };
    let digest = Sha256::digest(record.home.as_os_str().as_encoded_bytes());
    let name = hex::encode(digest.get(..NAME_BYTES).unwrap_or_default());
    let draft = folder.join(format!(".{name}.{}", std::process::id()));
    let _ = fs::remove_file(&draft); // of a process that had this number and died
    private::create_new(&draft, &[])?.write_all(&serde_json::to_vec(&record)?)?;
    fs::rename(&draft, folder.join(name))?;
    forget_the_gone(&folder);
    Ok(())
}

/// All that were noted and are still there, the newest first.
pub(crate) fn known(env: &Env) -> Vec<Record> {
    let folders = folders(env).into_iter().filter(|folder| is_ours(folder));
    let mut found: Vec<_> = folders.flat_map(|folder| read(&folder)).collect();
    found.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
    found.truncate(RECORDS_MAX);
    let mut records: Vec<Record> = Vec::new();
    for (.., record) in found {
        // A home that belongs to somebody else holds nothing that this user should be sent to.
        let is_known = records.iter().any(|known| known.home == record.home);
        if !is_known && fs::metadata(&record.home).is_ok_and(|facts| facts.uid() == own_uid()) {
            records.push(record);
        }
    }
    records
}

/// Where records may be, in the order in which one is written: where this user keeps state, else what lasts as long as the session
/// or the machine.
fn folders(env: &Env) -> Vec<PathBuf> {
    let absolute = |name: &str| env.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let mut folders = Vec::new();
    folders.extend(absolute("XDG_STATE_HOME").map(|state| state.join("gatehouse/homes")));
    let home = absolute("HOME").filter(|home| home.is_dir());
    folders.extend(home.map(|home| home.join(".local/state/gatehouse/homes")));
    let session = absolute("XDG_RUNTIME_DIR");
    let uid = own_uid();
    let session = session.unwrap_or_else(|| PathBuf::from(format!("/run/user/{uid}")));
    let session = Some(session).filter(|folder| folder.is_dir());
    folders.extend(session.map(|folder| folder.join("gatehouse/homes")));
    let temporary = absolute("TMPDIR").unwrap_or_else(|| PathBuf::from("/tmp"));
    folders.push(temporary.join(format!("gatehouse-{uid}/homes")));
    folders
}

fn make(folder: &Path) -> bool {
    private::create_folder(folder).is_ok() && is_ours(folder)
}

/// Whether nobody else may have put something there: in a folder for all, anybody can make one with our name.
fn is_ours(folder: &Path) -> bool {
    let ours = |path: &Path| {
        fs::symlink_metadata(path)
            .is_ok_and(|facts| facts.is_dir() && facts.uid() == own_uid() && facts.mode() & 0o022 == 0)
    };
    ours(folder) && folder.parent().is_some_and(ours)
}

fn own_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

fn read(folder: &Path) -> Vec<(SystemTime, PathBuf, Record)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let one = |entry: fs::DirEntry| {
        let facts = entry.metadata().ok()?;
        let is_draft = entry.file_name().as_encoded_bytes().starts_with(b".");
        if is_draft || !facts.is_file() || facts.len() > RECORD_BYTES_MAX {
            return None;
        }
        let record: Record = serde_json::from_slice(&fs::read(entry.path()).ok()?).ok()?;
        Some((facts.modified().ok()?, entry.path(), record))
    };
    entries.filter_map(one).collect()
}

/// Takes out those whose home is no more, and the oldest beyond the bound.
fn forget_the_gone(folder: &Path) {
    let mut found = read(folder);
    found.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
    for (index, (_, path, record)) in found.into_iter().enumerate() {
        if index >= RECORDS_MAX || !record.home.is_dir() {
            let _ = fs::remove_file(path); // somebody else may have done it
        }
    }
}
