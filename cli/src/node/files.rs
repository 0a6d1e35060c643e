//! Files below one folder. The kernel resolves each path: nothing above the folder is reached, neither by `..` nor by a link.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    os::fd::OwnedFd,
    path::Path,
};

use rustix::{
    fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2},
    io::Errno,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::refused::{Refused, words};
use crate::exit::{Exit, Failed};

/// What is read at once, unless less is asked for. As base64 in JSON it is a third more, and a frame has 25 MiB.
const READ_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// What is said of one that no file has.
const OFFSET: &str = "offset: too large";

/// A folder whose files may be read.
#[derive(Debug)]
pub(crate) struct Folder(OwnedFd);

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Asked {
    path: String,
    #[serde(default)]
    offset: u64,
    max_bytes: Option<u64>,
}

impl Folder {
    pub(crate) fn open(path: &Path) -> Result<Self, Failed> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(CWD, path, flags, Mode::empty())
            .map(Self)
            .map_err(|error| {
                Failed::new(
                    Exit::Usage,
                    format!("cannot open the folder {}: {error}", path.display()),
                )
            })
    }

    /// Reads a piece of a file.
    pub(crate) fn read(&self, params: Value) -> Result<Value, Refused> {
        let asked: Asked = serde_json::from_value(params).map_err(Refused::params)?;
        if i64::try_from(asked.offset).is_err() {
            return Err(Refused::new("INVALID_PARAMS", OFFSET));
        }
        let inside = Path::new(&asked.path);
        if inside.is_absolute() {
            return Err(Refused::new(
                "INVALID_PARAMS",
                "path: name it from the folder that is shared",
            ));
        }
        // Without waiting: a pipe has no other end.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let opened = openat2(&self.0, inside, flags, Mode::empty(), resolve);
        let opened = opened.map_err(|error| unavailable(&asked.path, error))?;
        let about = fstat(&opened).map_err(|error| unavailable(&asked.path, error))?;
        if FileType::from_raw_mode(about.st_mode) != FileType::RegularFile {
            return Err(Refused::new(
                "NOT_A_FILE",
                format!("{} is not a file", asked.path),
            ));
        }
        let mut file = File::from(opened);
        let size = u64::try_from(about.st_size).unwrap_or(0);
        let limit = asked.max_bytes.unwrap_or(READ_BYTES_MAX).min(READ_BYTES_MAX);
        let mut bytes = Vec::new();
        // A file system has a largest offset of its own.
        file.seek(SeekFrom::Start(asked.offset))
            .map_err(|_| Refused::new("INVALID_PARAMS", OFFSET))?;
        file.take(limit).read_to_end(&mut bytes).map_err(|error| {
            Refused::new("FILE_UNAVAILABLE", format!("{}: {}", asked.path, words(&error)))
        })?;
        let end = asked.offset.saturating_add(bytes.len() as u64);
        Ok(json!({
            "path": asked.path, "sizeBytes": size, "offset": asked.offset, "truncated": end < size,
            "base64": data_encoding::BASE64.encode(&bytes),
        }))
    }
}

/// Why a file cannot be opened, for whoever sees neither this machine nor its folders.
fn unavailable(path: &str, error: Errno) -> Refused {
    let why = match error {
        Errno::XDEV => "leads out of the shared folder".to_owned(),
        Errno::LOOP => "is a link without an end, or one that is not followed".to_owned(),
        Errno::NXIO => return Refused::new("NOT_A_FILE", format!("{path} is not a file")), // a socket
        other => return Refused::new("FILE_UNAVAILABLE", format!("{path}: {}", words(&other.into()))),
    };
    Refused::new("FILE_UNAVAILABLE", format!("{path} {why}"))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn files_below_the_folder_are_read_in_pieces_and_nothing_outside_of_it() {
        let home = tempfile::tempdir().unwrap();
        let (shared, secret) = (home.path().join("shared"), home.path().join("secret"));
        fs::create_dir_all(shared.join("sub")).unwrap();
        fs::write(&secret, "secret").unwrap();
        fs::write(shared.join("sub/a"), "hello").unwrap();
        symlink("sub/a", shared.join("inside")).unwrap();
        symlink("../secret", shared.join("out")).unwrap();
        symlink(&secret, shared.join("absolute")).unwrap();
        symlink("..", shared.join("up")).unwrap();
        let folder = Folder::open(&shared).unwrap();
        let read = |params: Value| folder.read(params);

        let whole = read(json!({"path": "sub/a"})).unwrap();
        assert_eq!(whole["base64"], data_encoding::BASE64.encode(b"hello"));
        let piece = read(json!({"path": "inside", "offset": 1, "maxBytes": 2})).unwrap();
        assert_eq!(
            (&piece["base64"], &piece["truncated"]),
            (&json!(data_encoding::BASE64.encode(b"el")), &json!(true))
        );
        for path in [
            "../secret",
            "sub/../../secret",
            "out",
            "absolute",
            "up/secret",
            "/etc/passwd",
            "sub",
            "none",
            "",
        ] {
            assert!(read(json!({ "path": path })).is_err(), "{path}");
        }
        assert!(
            read(json!({"path": "sub/a", "write": true})).is_err(),
            "what is not known is refused"
        );
    }

    #[test]
    fn what_cannot_be_read_is_said_in_words_and_not_in_those_of_the_system() {
        let home = tempfile::tempdir().unwrap();
        let at = |path: &str| home.path().join(path);
        fs::create_dir(at("shared")).unwrap();
        fs::write(at("shared/a"), "hello").unwrap();
        symlink("round", at("shared/round")).unwrap();
        symlink("../secret", at("shared/out")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("shared/socket")).unwrap();
        let folder = Folder::open(&at("shared")).unwrap();
        let refused = |params: Value| {
            let refused = folder.read(params).unwrap_err();
            format!("{}: {}", refused.code, refused.message)
        };

        let table = [
            ("out", "FILE_UNAVAILABLE: out leads out of the shared folder"),
            (
                "../secret",
                "FILE_UNAVAILABLE: ../secret leads out of the shared folder",
            ),
            ("none", "FILE_UNAVAILABLE: none: no such file or directory"),
            (
                "round",
                "FILE_UNAVAILABLE: round is a link without an end, or one that is not followed",
            ),
            ("socket", "NOT_A_FILE: socket is not a file"),
        ];
        for (path, said) in table {
            assert_eq!(refused(json!({ "path": path })), said);
        }
        for offset in [u64::MAX, i64::MAX.unsigned_abs() + 1] {
            assert_eq!(
                refused(json!({"path": "a", "offset": offset})),
                "INVALID_PARAMS: offset: too large"
            );
        }
    }

    #[test]
    fn a_pipe_holds_nobody_up() {
        let home = tempfile::tempdir().unwrap();
        nix::unistd::mkfifo(&home.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();

        let refused = Folder::open(home.path())
            .unwrap()
            .read(json!({"path": "pipe"}))
            .unwrap_err();

        assert_eq!(refused.code, "NOT_A_FILE");
    }
}
