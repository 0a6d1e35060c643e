use std::{fs, io::Write};

use super::*;

struct Log(tempfile::TempDir);

impl Log {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn files(&self) -> Vec<PathBuf> {
        let name = |age: usize| match age {
            0 => "log".to_owned(),
            age => format!("log.{age}"),
        };
        (0..3).map(|age| self.0.path().join(name(age))).collect()
    }

    fn write(&self, text: &str) {
        let mut options = fs::OpenOptions::new();
        let mut file = options.append(true).create(true).open(&self.files()[0]).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn turn(&self) {
        let files = self.files();
        for age in (0..2).rev() {
            let _ = fs::rename(&files[age], &files[age + 1]);
        }
    }

    fn tail(&self, cursor: Option<i64>, lines_max: usize, bytes_max: usize) -> TailLogsResponse {
        let tail = Tail {
            lines_max,
            bytes_max,
            cursor: cursor.map(Cursor::of),
        };
        tail.read(&self.files()).unwrap()
    }
}

fn messages(answer: &TailLogsResponse) -> Vec<String> {
    let message = |line: &String| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["message"].as_str().unwrap().to_owned()
    };
    answer.lines.iter().map(message).collect()
}

#[test]
fn a_client_that_asks_on_reads_each_line_once_over_files_that_were_turned() {
    let log = Log::new();
    log.write("edge | one\nedge | two\n");
    let first = log.tail(None, 100, 10_000);
    assert_eq!(messages(&first), ["one", "two"]);
    assert!(!first.truncated && !first.reset);

    log.write("edge | three\nedge | fo");
    let second = log.tail(Some(first.cursor), 100, 10_000);
    log.write("ur\n");
    log.turn();
    log.write("agent | five\n");
    log.turn();
    log.write("agent | six\n");
    let third = log.tail(Some(second.cursor), 100, 10_000);

    assert_eq!(messages(&second), ["three"]);
    assert_eq!(messages(&third), ["four", "five", "six"]);
    assert!(log.tail(Some(third.cursor), 100, 10_000).lines.is_empty());
}

#[test]
fn the_newest_lines_win_at_each_bound_and_the_answer_says_so() {
    let log = Log::new();
    for number in 0..100 {
        log.write(&format!("edge | line {number:03}\n"));
    }

    let few = log.tail(None, 2, 10_000);
    let short = log.tail(None, 100, 40);

    assert_eq!(messages(&few), ["line 098", "line 099"]);
    assert!(few.truncated && short.truncated);
    assert_eq!(messages(&short), ["line 098", "line 099"]);
    assert_eq!((few.cursor, few.size), (short.cursor, 1_600));
    assert!(few.cursor < 1 << 53);
}

#[test]
fn a_cursor_into_what_is_kept_no_more_brings_the_newest_and_says_so() {
    let log = Log::new();
    log.write("edge | one\n");
    let old = log.tail(None, 10, 1_000).cursor;
    for round in 0..4 {
        log.turn();
        log.write(&format!("edge | later {round}\n"));
    }

    let answer = log.tail(Some(old), 10, 1_000);

    assert!(answer.reset, "{answer:?}");
    assert_eq!(messages(&answer), ["later 1", "later 2", "later 3"]);
    let none = Tail {
        lines_max: 1,
        bytes_max: 1,
        cursor: None,
    }
    .read(&[log.0.path().join("none")]);
    assert_eq!(none.unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn both_forms_of_a_line_tell_clients_time_level_service_and_words() {
    let text = line(b"session        | 2026-11-27T22:58:10.123456Z  WARN a turn failed run.id=\"x\"");
    let json = line(br#"{"timestamp":"2026-11-27T22:58:10Z","level":"ERROR","message":"m","run.id":"x","service.name":"agent"}"#);
    let banner = line("  Gatehouse is ready".as_bytes());

    let read = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let told = |time: &str, level: &str, service: &str, message: &str| json!({"time": time, "level": level, "subsystem": service, "message": message});
    assert_eq!(
        read(&text),
        told(
            "2026-11-27T22:58:10.123456Z",
            "warn",
            "session",
            r#"a turn failed run.id="x""#
        )
    );
    assert_eq!(
        read(&json),
        told("2026-11-27T22:58:10Z", "error", "agent", r#"m run.id="x""#)
    );
    assert!(
        read(&banner)["time"].is_null() && banner.contains("Gatehouse is ready"),
        "{banner}"
    );
}
