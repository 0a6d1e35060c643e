//! The events as they come: lines, of which a blank one ends an event, and signs of life in between.

use crate::adapter::Progress;

/// The longest event, in bytes. A message has 2000, and what it quotes as many.
const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// What was read of a stream.
#[derive(Debug, Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    data: String,
    /// The event is too long and is left out.
    over: bool,
}

impl Lines {
    /// Takes some bytes in; the events that are whole by now. Any byte is a sign of life.
    pub(super) fn take(&mut self, bytes: &[u8], progress: &Progress) -> Vec<String> {
        progress.heard();
        self.read(bytes)
    }

    fn read(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut events = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                if self.line.len() < EVENT_BYTES_MAX {
                    self.line.push(*byte);
                } else {
                    self.over = true;
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches('\r');
            if line.is_empty() {
                let data = std::mem::take(&mut self.data);
                if self.over {
                    tracing::warn!("an event of signal-cli is too long and left out");
                } else if !data.is_empty() {
                    events.push(data);
                }
                self.over = false;
            } else if let Some(data) = line.strip_prefix("data:") {
                if self.data.len() + data.len() > EVENT_BYTES_MAX {
                    self.over = true;
                } else {
                    self.data.push_str(data.trim_start());
                    self.data.push('\n');
                }
            }
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::{EVENT_BYTES_MAX, Lines};

    #[test]
    fn events_are_read_whole_wherever_the_bytes_are_cut_and_one_without_end_is_left_out() {
        let text = "event:receive\ndata:{\"a\":\ndata: 1}\n\n:\n\ndata:ü\r\n\r\nevent:x\n\n";
        for cut in 1..text.len() {
            let mut lines = Lines::default();
            let (head, tail) = text.as_bytes().split_at(cut);

            let mut events = lines.read(head);
            events.extend(lines.read(tail));

            assert_eq!(events, ["{\"a\":\n1}\n", "ü\n"], "{cut}");
        }
        let mut lines = Lines::default();
        let long = format!("data:{}\n\ndata:x\n\n", "y".repeat(EVENT_BYTES_MAX + 1));
        assert_eq!(lines.read(long.as_bytes()), ["x\n"]);
    }
}
