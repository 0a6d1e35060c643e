//! A log on the terminal that is kept in the home as well, so that `gatehouse logs` and pages have it. Colors stay on the terminal.

use std::io::{self, Write};

/// Begins what colors a terminal; what services say holds none, because it is escaped before.
const ESCAPE: u8 = 0x1b;

/// Ends it.
const END: u8 = b'm';

/// Writes to both; a file that cannot be written does not keep the terminal from being.
#[derive(Debug)]
pub(super) struct Tee<T, F> {
    terminal: T,
    file: F,
    /// Whether the next byte belongs to a color.
    in_color: bool,
}

impl<T, F> Tee<T, F> {
    pub(super) fn new(terminal: T, file: F) -> Self {
        Self {
            terminal,
            file,
            in_color: false,
        }
    }

    /// The bytes without colors.
    fn plain(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut plain = Vec::with_capacity(bytes.len());
        for byte in bytes {
            match (self.in_color, *byte) {
                (true, byte) => self.in_color = byte != END,
                (false, ESCAPE) => self.in_color = true,
                (false, byte) => plain.push(byte),
            }
        }
        plain
    }
}

impl<T: Write, F: Write> Write for Tee<T, F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let plain = self.plain(bytes);
        // First: a terminal may stand still.
        let _ = self.file.write_all(&plain);
        self.terminal.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.file.flush();
        self.terminal.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{term::Style, up::log::Log};

    #[test]
    fn what_is_kept_is_what_is_shown_without_its_colors() {
        let mut tee = Tee::new(Vec::new(), Vec::new());

        for piece in ["\x1b[36medge", " \x1b[0", "m| listens\n", "plain\n"] {
            tee.write_all(piece.as_bytes()).unwrap();
        }

        assert_eq!(String::from_utf8(tee.file).unwrap(), "edge | listens\nplain\n");
        assert_eq!(tee.terminal, b"\x1b[36medge \x1b[0m| listens\nplain\n");
    }

    /// Takes nothing.
    struct Broken;

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::other("full"))
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::Error::other("full"))
        }
    }

    #[test]
    fn what_is_kept_has_whole_lines_although_nobody_reads_the_terminal_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let file = std::fs::File::create(&path).unwrap();
        let (log, writer) = Log::to(Tee::new(Broken, file), Style::plain(), true);

        log.own("one");
        log.service(0, "edge", "two");
        drop(log);
        writer.finish();

        let kept = std::fs::read_to_string(path).unwrap();
        assert_eq!(kept, "up             | one\nedge           | two\n");
    }

    #[test]
    fn a_file_that_cannot_be_written_stops_nobody() {
        let mut tee = Tee::new(Vec::new(), Broken);

        tee.write_all(b"edge | listens\n").unwrap();
        tee.flush().unwrap();

        assert_eq!(tee.terminal, b"edge | listens\n");
    }
}
