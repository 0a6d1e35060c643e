//! The end of the log that `gatehouse up` writes, and what came to it since. The log goes on in another file when one is full; a
//! cursor knows in which file it is, so that nothing is missed and nothing comes twice.

use std::{
    fs::File,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::PathBuf,
};

use gatehouse_proto::broadcast::v1::TailLogsResponse;
use serde_json::json;

/// Places in one file that a cursor tells apart: more than 512 times what a file of the log holds.
const PLACES: i64 = 1 << 32;

/// Files that a cursor tells apart: it stays below 2^53, which clients can hold.
const FILES: u64 = 1 << 20;

/// What is looked at of the first line of a file: services cut theirs before.
const FIRST_LINE_BYTES_MAX: u64 = 16 * 1024;

/// A place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    file: i64,
    at: u64,
}

impl Cursor {
    pub(super) fn of(number: i64) -> Self {
        Self {
            file: number / PLACES,
            at: u64::try_from(number % PLACES).unwrap_or_default(),
        }
    }

    fn number(self) -> i64 {
        self.file * PLACES + i64::try_from(self.at).unwrap_or_default()
    }
}

/// Which lines are wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    pub(super) lines_max: usize,
    pub(super) bytes_max: usize,
    pub(super) cursor: Option<Cursor>,
}

/// A file of the log while it is open.
struct Part {
    file: File,
    id: i64,
    size: u64,
}

impl Part {
    fn open(path: &PathBuf) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        Ok(Self {
            id: id_of(&mut file, metadata.ino())?,
            size: metadata.len(),
            file,
        })
    }

    /// The bytes from one place on.
    fn read_from(&mut self, at: u64) -> io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(at))?;
        let mut bytes = Vec::new();
        (&self.file)
            .take(self.size.saturating_sub(at))
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Which file it is. Its number on the disk alone does not say it: the one of a file that was forgotten is soon another's. The first
/// line, with its time of day, is never written anew.
fn id_of(file: &mut File, number: u64) -> io::Result<i64> {
    let mut begin = Vec::new();
    file.by_ref().take(FIRST_LINE_BYTES_MAX).read_to_end(&mut begin)?;
    let first = begin.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut hasher = DefaultHasher::new();
    (number, first).hash(&mut hasher);
    Ok(i64::try_from(hasher.finish() % FILES).unwrap_or_default())
}

impl Tail {
    /// Reads them. `files` are those of the log, the newest first.
    ///
    /// # Errors
    /// `NotFound`: there is no log.
    pub(super) fn read(&self, files: &[PathBuf]) -> io::Result<TailLogsResponse> {
        let mut parts = Vec::new();
        for (age, path) in files.iter().enumerate() {
            match Part::open(path) {
                Ok(part) => parts.push(part),
                Err(error) if error.kind() == io::ErrorKind::NotFound && age > 0 => break,
                Err(error) => return Err(error),
            }
        }
        let place = self.cursor.and_then(|cursor| {
            let age = parts
                .iter()
                .position(|part| part.id == cursor.file && cursor.at <= part.size)?;
            Some((age, cursor.at))
        });
        let (oldest, from) = place.unwrap_or_else(|| self.end_of(&parts));
        let mut text = Vec::new();
        for (age, part) in parts.iter_mut().enumerate().take(oldest + 1).rev() {
            text.extend(part.read_from(if age == oldest { from } else { 0 })?);
        }
        // A line that is not whole yet is read the next time.
        let whole = text
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        let unread = text.len() - whole;
        text.truncate(whole);
        let cut = text.len().saturating_sub(self.bytes_max);
        let begins_whole = place.is_some() || (oldest + 1 == parts.len() && from == 0);
        let kept = text.get(cut..).unwrap_or_default();
        let mut lines: Vec<&[u8]> = kept.split(|byte| *byte == b'\n').collect();
        lines.pop(); // behind the last end
        if (cut > 0 || !begins_whole) && !lines.is_empty() {
            lines.remove(0); // perhaps the end of one
        }
        let skipped = lines.len().saturating_sub(self.lines_max);
        let newest = parts.first();
        let cursor = newest.map(|part| Cursor {
            file: part.id,
            at: part
                .size
                .saturating_sub(u64::try_from(unread).unwrap_or_default()),
        });
        Ok(TailLogsResponse {
            file: files
                .first()
                .map(|path| path.display().to_string())
                .unwrap_or_default(),
            cursor: cursor.map_or(0, Cursor::number),
            size: newest.map_or(0, |part| i64::try_from(part.size).unwrap_or(i64::MAX)),
            lines: lines.into_iter().skip(skipped).map(line).collect(),
            truncated: cut > 0 || skipped > 0 || !begins_whole,
            reset: self.cursor.is_some() && place.is_none(),
        })
    }

    /// Where so many bytes of the end begin: the file, and the place in it.
    fn end_of(&self, parts: &[Part]) -> (usize, u64) {
        let mut wanted = u64::try_from(self.bytes_max).unwrap_or(u64::MAX);
        for (age, part) in parts.iter().enumerate() {
            if part.size >= wanted || age + 1 == parts.len() {
                return (age, part.size.saturating_sub(wanted));
            }
            wanted -= part.size;
        }
        (0, 0)
    }
}

/// A line as clients read it: `edge           | 2026-11-27T22:58:10.123456Z  INFO listens` and `{"level": ..., "service.name": ...}`.
fn line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches('\r');
    if let Ok(serde_json::Value::Object(fields)) = serde_json::from_str(text) {
        return of_json(&fields).to_string();
    }
    let (service, rest) = match text.split_once('|') {
        Some((service, rest)) if !service.trim().contains(' ') => (service.trim(), rest.trim_start()),
        _ => ("up", text),
    };
    let mut words = rest.splitn(2, ' ');
    let stamp = words
        .next()
        .filter(|word| word.parse::<jiff::Timestamp>().is_ok());
    let behind = match stamp {
        Some(_) => words.next().unwrap_or_default().trim_start(),
        None => rest,
    };
    let (level, message) = match behind.split_once(' ') {
        Some((word, message)) if stamp.is_some() && is_level(word) => (word, message),
        _ => ("INFO", behind),
    };
    json!({"time": stamp, "level": level.to_ascii_lowercase(), "subsystem": service, "message": message})
        .to_string()
}

fn is_level(word: &str) -> bool {
    ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&word)
}

/// A line that was written for a machine. Its fields go behind the message.
fn of_json(fields: &serde_json::Map<String, serde_json::Value>) -> serde_json::Value {
    let text = |name: &str| fields.get(name).and_then(serde_json::Value::as_str);
    let known = [
        "timestamp",
        "level",
        "message",
        "target",
        "service.name",
        "span",
        "spans",
    ];
    let mut message = text("message").unwrap_or_default().to_owned();
    for (name, value) in fields.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
        message.push_str(&format!(" {name}={value}"));
    }
    let level = text("level").unwrap_or("INFO").to_ascii_lowercase();
    let service = text("service.name")
        .or_else(|| text("target"))
        .unwrap_or("gatehouse");
    json!({"time": text("timestamp"), "level": level, "subsystem": service, "message": message})
}

#[cfg(test)]
mod tests;
