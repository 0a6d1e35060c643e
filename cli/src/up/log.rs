//! One merged log: every line with the name of the service that wrote it.
//!
//! A terminal that stands still (Ctrl-S, a stuck pipe) must not stand the services still: lines wait in a bounded queue, and
//! those that find it full are counted and dropped. A thread of its own writes, because writing may block.

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use gatehouse_core::telemetry::escape;
use serde_json::json;

use crate::term::{Ink, Style};

/// Lines that wait for the terminal: a few seconds of the busiest log we have seen.
const QUEUE_LINES_MAX: usize = 4_096;

/// The width of the longest name, `channel-bridge`.
const NAME_WIDTH: usize = 14;

/// Hands lines to the writer. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Log {
    queue: SyncSender<String>,
    dropped: Arc<AtomicU64>,
    style: Style,
    prefix: bool,
}

/// The thread that writes. Ends when every [`Log`] is gone.
#[derive(Debug)]
pub(super) struct Writer(JoinHandle<()>);

impl Writer {
    /// Waits until everything is written.
    pub(super) fn finish(self) {
        // A writer that panicked has nothing left to write.
        let _ = self.0.join();
    }
}

impl Log {
    /// Starts a writer to `output`. Without `prefix` the lines of services are written as they are: JSON for a machine.
    pub(super) fn to(output: impl Write + Send + 'static, style: Style, prefix: bool) -> (Self, Writer) {
        let (queue, lines) = sync_channel(QUEUE_LINES_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&dropped);
        let thread = std::thread::spawn(move || write(output, &lines, &counted));
        (
            Self {
                queue,
                dropped,
                style,
                prefix,
            },
            Writer(thread),
        )
    }

    /// A line of a service, whatever it wrote: nothing in it looks like the line of another one.
    pub(super) fn service(&self, index: usize, name: &str, line: &str) {
        if self.prefix {
            let painted = self
                .style
                .paint(Ink::Service(index), &format!("{name:NAME_WIDTH$}"));
            self.put(format!("{painted} | {}", escape(line)));
        } else if serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(line).is_ok() {
            self.put(line.to_owned());
        } else if !line.trim().is_empty() {
            // The last words of a process that fell over are no JSON: a machine reads them as well.
            self.put(json!({"level": "ERROR", "service.name": name, "message": line}).to_string());
        }
    }

    /// A line of the supervisor itself.
    pub(super) fn own(&self, line: &str) {
        if self.prefix {
            let name = self.style.paint(Ink::Bold, &format!("{:NAME_WIDTH$}", "up"));
            self.put(format!("{name} | {}", escape(line)));
        } else {
            self.put(json!({"level": "INFO", "service.name": "up", "message": line}).to_string());
        }
    }

    /// Text that stands out: no name before it.
    pub(super) fn banner(&self, text: &str) {
        self.put(text.to_owned());
    }

    fn put(&self, line: String) {
        if self.queue.try_send(line).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn write(mut output: impl Write, lines: &Receiver<String>, dropped: &AtomicU64) {
    for line in lines {
        let lost = dropped.swap(0, Ordering::Relaxed);
        // Nobody reads any more: the services go on, and so must the queue.
        if lost > 0 {
            let text = format!(
                "{:NAME_WIDTH$} | {lost} lines were dropped: the output stood still\n",
                "up"
            );
            let _ = output.write_all(text.as_bytes());
        }
        // Line and end in one piece: a terminal that is gone must not part them in the file beside it.
        let _ = output.write_all(format!("{line}\n").as_bytes());
        let _ = output.flush();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError, mpsc};

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Shared {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap()
        }
    }

    #[test]
    fn every_line_has_its_service_before_it() {
        let output = Shared::default();
        let (log, writer) = Log::to(output.clone(), Style::plain(), true);

        log.service(0, "edge", "listens");
        log.own("ready");
        drop(log);
        writer.finish();

        assert_eq!(
            output.text(),
            "edge           | listens\nup             | ready\n"
        );
    }

    #[test]
    fn json_for_a_machine_stays_json() {
        let output = Shared::default();
        let (log, writer) = Log::to(output.clone(), Style::plain(), false);

        log.service(0, "edge", "{}");
        log.service(0, "edge", "thread 'main' panicked at \"x\"");
        log.own("ready");
        drop(log);
        writer.finish();

        let text = output.text();
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines[0], json!({}));
        assert_eq!(lines[1]["service.name"], "edge");
        assert_eq!(lines[1]["message"], "thread 'main' panicked at \"x\"");
        assert_eq!(lines[2]["message"], "ready");
    }

    #[test]
    fn no_output_of_a_service_looks_like_another_service() {
        let output = Shared::default();
        let (log, writer) = Log::to(output.clone(), Style::plain(), true);

        for line in [
            "edge           | forged",
            "a\redge           | forged",
            "\x1b[2K\x1b[1Gedge           | forged",
            "\u{9b}2K\u{2028}edge           | forged",
            "\u{202e}degrof |           egde",
            "a\nedge           | forged",
        ] {
            log.service(0, "agent", line);
            log.own(line);
        }
        drop(log);
        writer.finish();

        let text = output.text();
        assert_eq!(text.lines().count(), 12, "{text:?}");
        for line in text.lines() {
            assert!(
                line.starts_with("agent          | ") || line.starts_with("up             | "),
                "{line:?}"
            );
            assert!(
                !line.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{202e}')),
                "{line:?}"
            );
        }
    }

    #[test]
    fn an_output_that_stands_still_stops_nobody_and_is_told_what_it_missed() {
        struct Stuck(mpsc::Receiver<()>, Shared);
        impl Write for Stuck {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                let _ = self.0.recv();
                self.1.write(bytes)
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let (release, stuck) = mpsc::channel();
        let output = Shared::default();
        let (log, writer) = Log::to(Stuck(stuck, output.clone()), Style::plain(), true);

        for number in 0..QUEUE_LINES_MAX * 2 {
            log.own(&number.to_string());
        }
        drop(release);
        drop(log);
        writer.finish();

        let text = output.text();
        assert!(text.contains("lines were dropped"), "{}", text.lines().count());
        assert!(text.lines().count() <= QUEUE_LINES_MAX + 3);
    }
}
