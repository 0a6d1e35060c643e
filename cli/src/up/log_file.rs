//! The log of a gateway, in files of the home that are bounded: the newest is `gatehouse.log`, older ones are
//! `gatehouse.log.1` and so on.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use gatehouse_core::private;

pub(crate) use gatehouse_core::settings::{
    LOG_FILE as FILE, LOG_FILES_MAX as FILES_MAX, LOG_FOLDER as FOLDER,
};

/// A quiet week of a household, or an hour of debug lines. With [`FILES_MAX`] of them: 40 MiB at most.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The files of a home's log, the newest first, whether they are there or not.
pub(crate) fn files(home: &Path) -> [PathBuf; FILES_MAX] {
    let folder = home.join(FOLDER);
    std::array::from_fn(|index| match index {
        0 => folder.join(FILE),
        _ => folder.join(format!("{FILE}.{index}")),
    })
}

/// Writes lines, and begins a new file when one is full.
#[derive(Debug)]
pub(super) struct LogFile {
    files: [PathBuf; FILES_MAX],
    file: File,
    bytes: u64,
    bytes_max: u64,
    /// Whether the next byte begins a line: one line is in one file.
    at_line: bool,
}

impl LogFile {
    /// Goes on with the log of a home.
    pub(super) fn open(home: &Path) -> io::Result<Self> {
        Self::bounded(home, FILE_BYTES_MAX)
    }

    fn bounded(home: &Path, bytes_max: u64) -> io::Result<Self> {
        private::create_folder(&home.join(FOLDER))?;
        let files = files(home);
        let file = private::open_or_create(files.first().map_or(home, PathBuf::as_path))?;
        Ok(Self {
            bytes: file.metadata()?.len(),
            files,
            file,
            bytes_max,
            at_line: true,
        })
    }

    fn turn(&mut self) -> io::Result<()> {
        for pair in self.files.windows(2).rev() {
            if let [newer, older] = pair {
                match fs::rename(newer, older) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    Ok(()) | Err(_) => {}
                }
            }
        }
        if let Some(newest) = self.files.first() {
            self.file = private::open_or_create(newest)?;
            self.bytes = 0;
        }
        Ok(())
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.at_line && self.bytes >= self.bytes_max {
            // Where nothing can be renamed, the file grows: a log that is lost tells nobody why.
            let _ = self.turn();
        }
        let written = self.file.write(bytes)?;
        self.bytes += u64::try_from(written).unwrap_or_default();
        self.at_line = written > 0 && bytes.get(written - 1) == Some(&b'\n');
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_log_is_bounded_and_keeps_its_newest_lines_whole() {
        let home = tempfile::tempdir().unwrap();
        let mut log = LogFile::bounded(home.path(), 100).unwrap();

        for number in 0..200 {
            writeln!(log, "line {number} {}", "x".repeat(20)).unwrap();
        }
        drop(log);
        let mut log = LogFile::bounded(home.path(), 100).unwrap();
        writeln!(log, "the last one").unwrap();

        let texts: Vec<_> = files(home.path())
            .iter()
            .map(|file| fs::read_to_string(file).unwrap())
            .collect();
        assert_eq!(fs::read_dir(home.path().join(FOLDER)).unwrap().count(), FILES_MAX);
        assert!(texts.iter().all(|text| text.len() < 200 && text.ends_with('\n')));
        assert!(texts[0].ends_with("the last one\n"), "{texts:?}");
        let mode = fs::metadata(&files(home.path())[0]).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
