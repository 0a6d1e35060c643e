//! `gatehouse logs`: the log of a gateway, which `gatehouse up` keeps in files of its home.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::Path,
    time::Duration,
};

use gatehouse_core::Service;
use serde_json::json;
use tokio::time::sleep;

use crate::{
    args::{Common, Logs, nouns::ChannelsLogs},
    control::{self, Ask},
    exit::{Exit, Failed},
    output, own,
    service::by_name,
    up::log_file,
};

/// A person who follows a log sees a line while it is new.
const PAUSE: Duration = Duration::from_millis(200);

/// The longest line that is shown: services cut theirs before.
const LINE_BYTES_MAX: u64 = 1024 * 1024;

/// Shows the last lines, and those that come if that was asked for.
pub(crate) async fn run(common: &Common, logs: &Logs) -> Result<(), Failed> {
    let services: Vec<Service> = logs.service.iter().map(|service| by_name(*service)).collect();
    show(common, logs.lines, logs.follow, |line| is_of(line, &services)).await
}

/// The same of what is said about one channel, or one of its accounts.
pub(crate) async fn of_channel(common: &Common, logs: &ChannelsLogs) -> Result<(), Failed> {
    let services = [Service::ChannelBridge];
    let of_account = logs
        .account
        .as_ref()
        .map(|account| format!("{}/{account}", logs.channel));
    let names = |line: &str| match (&of_account, &logs.account) {
        (Some(name), Some(account)) => {
            line.contains(name) || (line.contains(&logs.channel) && line.contains(account))
        }
        _ => line.contains(&logs.channel),
    };
    show(common, logs.lines, logs.follow, |line| {
        is_of(line, &services) && names(line)
    })
    .await
}

async fn show(
    common: &Common,
    lines: usize,
    follow: bool,
    is_meant: impl Fn(&str) -> bool,
) -> Result<(), Failed> {
    let lines_max = lines;
    let files = log_file::files(&common.home);
    let Some(newest) = files.first().filter(|newest| newest.is_file()) else {
        return Err(no_log(common));
    };
    let failed = |path: &Path, error: io::Error| {
        Failed::new(Exit::Failed, format!("cannot read {}: {error}", path.display()))
    };
    let mut last = VecDeque::new();
    let mut position = None;
    for path in files.iter().rev() {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(path, error)),
        };
        let mut lines = Lines::of(file);
        while let Some(line) = lines.next().map_err(|error| failed(path, error))? {
            if is_meant(&line) {
                last.push_back(line);
            }
            if last.len() > lines_max {
                last.pop_front();
            }
        }
        position = Some(lines);
    }
    for line in last {
        output::text(&shown(line, common.json))?;
    }
    let Some(mut lines) = position.filter(|_| follow) else {
        return Ok(());
    };
    loop {
        while let Some(line) = lines.next().map_err(|error| failed(newest, error))? {
            if is_meant(&line) {
                output::text(&shown(line, common.json))?;
            }
        }
        if lines.was_replaced(newest) {
            lines = Lines::of(File::open(newest).map_err(|error| failed(newest, error))?);
            continue;
        }
        sleep(PAUSE).await;
    }
}

/// A line for a person as it is, for a program as an object.
fn shown(line: String, json: bool) -> String {
    if !json || line.starts_with('{') {
        return line;
    }
    let (service, text) = match line.trim_end_matches('\n').split_once(" | ") {
        Some((name, text)) => (Some(name.trim()), text),
        None => (None, line.trim_end_matches('\n')),
    };
    format!("{}\n", json!({"service": service, "text": text}))
}

/// A gateway that was started otherwise writes elsewhere.
fn no_log(common: &Common) -> Failed {
    let home = common.home.display();
    match control::ask(&common.run_dir(), &Ask::Hello, None) {
        Ok(_) => Failed::new(
            Exit::Failed,
            format!(
                "the gateway of {home} writes its log to the terminal or the service manager that started it"
            ),
        )
        .next("look there (`journalctl`, `docker compose logs`)"),
        Err(_) => Failed::new(
            Exit::Failed,
            format!("there is no log in {home} ({})", common.found),
        )
        .next(own::start_step(common)),
    }
}

/// Whether a line is of one of these services. None named: all are shown.
fn is_of(line: &str, services: &[Service]) -> bool {
    if services.is_empty() {
        return true;
    }
    let name = match line.split_once('|') {
        Some((name, _)) if !line.starts_with('{') => name.trim().to_owned(),
        _ => {
            let json: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
            let name = json.get("service.name").and_then(serde_json::Value::as_str);
            name.unwrap_or_default().to_owned()
        }
    };
    services.iter().any(|service| service.name() == name)
}

/// Whole lines of a file that may grow.
struct Lines {
    input: BufReader<File>,
    /// A line whose end has not come.
    begun: Vec<u8>,
}

impl Lines {
    fn of(file: File) -> Self {
        Self {
            input: BufReader::new(file),
            begun: Vec::new(),
        }
    }

    /// The next whole line, its end included.
    fn next(&mut self) -> io::Result<Option<String>> {
        let room = LINE_BYTES_MAX.saturating_sub(u64::try_from(self.begun.len()).unwrap_or(u64::MAX));
        self.input
            .by_ref()
            .take(room)
            .read_until(b'\n', &mut self.begun)?;
        let is_long = u64::try_from(self.begun.len()).is_ok_and(|length| length >= LINE_BYTES_MAX);
        if self.begun.last() != Some(&b'\n') && !is_long {
            return Ok(None);
        }
        let line = std::mem::take(&mut self.begun);
        let line = crate::term::printable(&String::from_utf8_lossy(&line));
        Ok(Some(if line.ends_with('\n') { line } else { line + "\n" }))
    }

    /// Whether the log goes on in another file, or the file was cut.
    fn was_replaced(&mut self, path: &Path) -> bool {
        let (Ok(ours), Ok(now)) = (self.input.get_ref().metadata(), path.metadata()) else {
            return false; // between two names
        };
        if (ours.ino(), ours.dev()) != (now.ino(), now.dev()) {
            return true;
        }
        let position = self.input.stream_position().unwrap_or_default();
        if now.len() < position {
            return self.input.seek(SeekFrom::Start(0)).is_err();
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_of_the_service_that_wrote_it_in_both_forms() {
        let text = "edge           | session listens\n";
        let json = r#"{"level":"INFO","service.name":"edge","message":"channel-bridge | x"}"#;

        for line in [text, json] {
            assert!(is_of(line, &[Service::Edge]), "{line}");
            assert!(is_of(line, &[]), "{line}");
            assert!(
                !is_of(line, &[Service::Session, Service::ChannelBridge]),
                "{line}"
            );
        }
        assert!(!is_of("up             | stopped\n", &[Service::Edge]));
    }

    #[test]
    fn a_program_is_given_each_line_as_an_object() {
        let own = "{\"message\":\"x\"}\n";
        assert_eq!(shown(own.to_owned(), true), own);
        assert_eq!(
            shown("edge           | a | b\n".to_owned(), true),
            "{\"service\":\"edge\",\"text\":\"a | b\"}\n"
        );
        assert_eq!(
            shown("Gatehouse is ready\n".to_owned(), true),
            "{\"service\":null,\"text\":\"Gatehouse is ready\"}\n"
        );
        assert_eq!(shown("edge | a\n".to_owned(), false), "edge | a\n");
    }

    #[test]
    fn a_line_is_shown_when_it_is_whole_and_cannot_command_the_terminal() {
        use std::io::Write;
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut lines = Lines::of(file.reopen().unwrap());
        file.write_all(b"one\nha").unwrap();

        assert_eq!(lines.next().unwrap().as_deref(), Some("one\n"));
        assert_eq!(lines.next().unwrap(), None);
        file.write_all(b"lf\x1b[2J\n").unwrap();
        assert_eq!(lines.next().unwrap().as_deref(), Some("half\u{fffd}[2J\n"));
    }
}
