//! Files below one folder. The kernel resolves each path: nothing above the folder is reached, neither by `..` nor by a link.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    os::fd::OwnedFd,
    path::Path,
};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2};
use serde::Deserialize;
use serde_json::{Value, json};

use super::work::Refused;
use crate::exit::{Exit, Failed};

/// What is read at once, unless less is asked for. As base64 in JSON it is a third more, and a frame has 25 MiB.
const READ_BYTES_MAX: u64 = 8 * 1024 * 1024;

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
        let opened =
            opened.map_err(|error| Refused::new("FILE_UNAVAILABLE", format!("{}: {error}", asked.path)))?;
        let about = fstat(&opened).map_err(|error| Refused::new("FILE_UNAVAILABLE", error.to_string()))?;
        if FileType::from_raw_mode(about.st_mode) != FileType::RegularFile {
            return Err(Refused::new("NOT_A_FILE", format!("{} is no file", asked.path)));
        }
        let mut file = File::from(opened);
        let size = u64::try_from(about.st_size).unwrap_or(0);
        let limit = asked.max_bytes.unwrap_or(READ_BYTES_MAX).min(READ_BYTES_MAX);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(asked.offset))
            .and_then(|_| file.take(limit).read_to_end(&mut bytes))
            .map_err(|error| Refused::new("FILE_UNAVAILABLE", error.to_string()))?;
        let end = asked.offset.saturating_add(bytes.len() as u64);
        Ok(json!({
            "path": asked.path, "sizeBytes": size, "offset": asked.offset, "truncated": end < size,
            "base64": data_encoding::BASE64.encode(&bytes),
        }))
    }
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
