//! Server-sent events, as far as model providers use them: the `data` of each event (WHATWG HTML, 9.2).

/// The longest event: a provider that sends more without an end is broken.
const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// Gathers bytes as they come from the network and gives back whole events.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    data: String,
    has_data: bool,
    after_cr: bool,
}

/// The provider sent an event that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Parser {
    /// Takes bytes in, and appends the data of every event that they complete.
    pub(crate) fn push(&mut self, bytes: &[u8], events: &mut Vec<String>) -> Result<(), TooLong> {
        for &byte in bytes {
            let ends_pair = std::mem::take(&mut self.after_cr) && byte == b'\n';
            match byte {
                _ if ends_pair => {} // a line ends with CR, LF or both
                b'\r' | b'\n' => {
                    self.after_cr = byte == b'\r';
                    self.end_line(events);
                }
                byte => self.line.push(byte),
            }
            if self.line.len() + self.data.len() > EVENT_BYTES_MAX {
                return Err(TooLong);
            }
        }
        Ok(())
    }

    fn end_line(&mut self, events: &mut Vec<String>) {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            if std::mem::take(&mut self.has_data) {
                events.push(std::mem::take(&mut self.data));
            }
        } else if let Some(value) = line.strip_prefix(b"data:") {
            if std::mem::replace(&mut self.has_data, true) {
                self.data.push('\n');
            }
            // A line is decoded whole, so a character that was split by the network is not harmed.
            self.data.push_str(&String::from_utf8_lossy(
                value.strip_prefix(b" ").unwrap_or(value),
            ));
        }
        // Other fields and comments mean nothing here.
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(chunks: &[&[u8]]) -> Vec<String> {
        let (mut parser, mut events) = (Parser::default(), Vec::new());
        for chunk in chunks {
            parser.push(chunk, &mut events).unwrap();
        }
        events
    }

    #[test]
    fn lines_comments_and_joined_data_are_read() {
        let stream =
            b": hello\r\ndata: one\r\ndata: two\r\n\r\nevent: x\nid: 1\ndata:three\n\ndata: unfinished\n";

        assert_eq!(parse(&[stream]), ["one\ntwo", "three"]);
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut parser = Parser::default();

        assert_eq!(
            parser.push(&vec![b'x'; EVENT_BYTES_MAX + 1], &mut Vec::new()),
            Err(TooLong)
        );
    }

    proptest! {
        #[test]
        fn where_the_network_cuts_makes_no_difference(texts in prop::collection::vec("[^\r\n]{0,12}", 0..8), cuts in prop::collection::vec(0_usize..300, 0..10), crlf: bool) {
            let end = if crlf { "\r\n" } else { "\n" };
            let stream: String = texts.iter().map(|text| format!("data: {text}{end}{end}")).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < stream.len()).collect();
            cuts.sort_unstable();
            let (mut chunks, mut start) = (Vec::new(), 0);
            for cut in cuts.into_iter().chain([stream.len()]) {
                chunks.push(&stream.as_bytes()[start..cut]);
                start = cut;
            }

            prop_assert_eq!(parse(&chunks), texts);
        }
    }
}
