//! Server-sent events, as far as model providers use them (WHATWG HTML, 9.2), and what else providers send in their place: bare JSON
//! documents, one for each line or for the whole answer, and pages.
//!
//! An event whose data is a whole document is given out with its line: some servers leave out the blank line behind it.

use super::{charset::Charset, json};

/// The longest event. A whole answer may be one, and a provider that sends more without an end is broken.
const EVENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What is kept of a body that holds no events, to say what it is.
const STRAY_BYTES_MAX: usize = 4096;

/// A mark of the order of bytes, which means nothing in UTF-8.
const BOM: &[u8] = "\u{feff}".as_bytes();

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// Empty: it has no name.
    pub(crate) name: String,
    pub(crate) data: String,
}

impl Event {
    /// Whether its name says that nothing follows.
    pub(crate) fn is_end(&self) -> bool {
        END_NAMES.iter().any(|name| self.name.eq_ignore_ascii_case(name))
    }

    /// Whether its name says that something went wrong.
    pub(crate) fn is_error(&self) -> bool {
        ERROR_NAMES
            .iter()
            .any(|name| self.name.eq_ignore_ascii_case(name))
    }
}

/// What events are called that say why there is none.
const ERROR_NAMES: &[&str] = &["error", "exception", "failure", "fault"];

/// What events are called that end an answer, by servers that send one in place of `[DONE]`, or beside it.
const END_NAMES: &[&str] = &[
    "done",
    "end",
    "eos",
    "finish",
    "finished",
    "complete",
    "completed",
    "close",
    "stream_end",
    "message_stop",
];

/// Gathers bytes as they come from the network and gives back whole events.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    charset: Charset,
    line: Vec<u8>,
    event: Event,
    has_data: bool,
    after_cr: bool,
    document: Document,
    stray: String,
    /// What of it stands behind the last event.
    tail: String,
}

/// The provider sent an event that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Parser {
    /// One for what is written in these letters.
    pub(crate) fn new(charset: Charset) -> Self {
        Self {
            charset,
            ..Self::default()
        }
    }

    /// Takes bytes in, and appends every event that they complete.
    pub(crate) fn push(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), TooLong> {
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
            if self.line.len() + self.event.data.len() + self.document.text.len() > EVENT_BYTES_MAX {
                return Err(TooLong);
            }
        }
        Ok(())
    }

    /// Nothing came for a while: a line that is whole without its end is taken as if it had come.
    pub(crate) fn settle(&mut self, events: &mut Vec<Event>) {
        let line = self.charset.line(&self.line);
        let value = line.strip_prefix("data:").unwrap_or(&line);
        let document = format!("{}{value}", self.document.text);
        if is_done(value) || is_document(&document) {
            self.end_line(events);
        }
    }

    /// The body is over: what is there without a blank line counts.
    pub(crate) fn finish(&mut self, events: &mut Vec<Event>) {
        self.end_line(events);
        self.dispatch(events);
    }

    /// The beginning of what is no event.
    pub(crate) fn stray(&self) -> &str {
        &self.stray
    }

    /// What is no event and stands behind the last one.
    pub(crate) fn tail(&self) -> &str {
        &self.tail
    }

    /// Whether something was begun and not ended.
    pub(crate) fn is_open(&self) -> bool {
        self.document.depth > 0
    }

    fn end_line(&mut self, events: &mut Vec<Event>) {
        let before = events.len();
        self.read_line(events);
        if events.len() > before {
            self.tail.clear();
        }
    }

    fn read_line(&mut self, events: &mut Vec<Event>) {
        let mut line = std::mem::take(&mut self.line);
        // One before the whole is allowed; a server that joins what others wrote has one before each event.
        while line.starts_with(BOM) {
            line.drain(..BOM.len());
        }
        // A line is decoded whole, so a character that was split by the network is not harmed.
        let line = self.charset.line(&line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field.trim() {
            "DATA" | "Data" => self.data(value, events),
            "" if line.trim().is_empty() && !self.document.is_open() => self.dispatch(events),
            "data" => self.data(value, events),
            "event" => value.trim().clone_into(&mut self.event.name),
            // llama.cpp has named a field so.
            "error" if !self.document.is_open() => {
                self.dispatch(events);
                events.push(Event {
                    name: "error".to_owned(),
                    data: value.to_owned(),
                });
            }
            "" | "id" | "retry" if !self.document.is_open() => {} // a comment, and what nobody needs here
            _ => self.other(&line, events),
        }
    }

    fn data(&mut self, mut value: &str, events: &mut Vec<Event>) {
        self.document = Document::default(); // what was open was none
        // Of a server whose framework marks what its program has marked already.
        while let Some(inner) = value.strip_prefix("data:").map(str::trim_start)
            && (inner.starts_with(['{', '[']) || inner.starts_with("data:"))
        {
            value = inner;
        }
        if std::mem::replace(&mut self.has_data, true) {
            self.event.data.push('\n');
        } else if is_done(value) || is_document(value) {
            value.clone_into(&mut self.event.data);
            self.dispatch(events);
            return;
        }
        self.event.data.push_str(value);
    }

    /// A line that is no field.
    fn other(&mut self, line: &str, events: &mut Vec<Event>) {
        let words = line.trim();
        if is_done(words) && words.starts_with('[') {
            self.document = Document::default();
            events.push(Event {
                data: words.to_owned(),
                ..Event::default()
            });
        } else if self.document.is_open() || begins_document(words) {
            self.document.push(line, events);
        } else if self.event.data.starts_with('{') {
            self.event.data.push('\n'); // a document over several lines, of which the first alone is marked
            self.event.data.push_str(line);
        } else {
            for kept in [&mut self.stray, &mut self.tail] {
                if kept.len() < STRAY_BYTES_MAX {
                    kept.push_str(line);
                    kept.push('\n');
                }
            }
        }
    }

    fn dispatch(&mut self, events: &mut Vec<Event>) {
        let event = std::mem::take(&mut self.event);
        // A name alone says nothing, unless it says that this was all.
        if std::mem::take(&mut self.has_data) || event.is_end() {
            events.push(event);
        }
    }
}

/// A document that stands there without a field. A list of documents is these documents.
#[derive(Debug, Default)]
struct Document {
    text: String,
    depth: usize,
    in_list: bool,
    in_string: bool,
    is_escaped: bool,
}

impl Document {
    fn is_open(&self) -> bool {
        self.depth > 0 || self.in_list
    }

    fn push(&mut self, line: &str, events: &mut Vec<Event>) {
        for c in line.chars().chain(['\n']) {
            if self.depth == 0 {
                match c {
                    '[' => self.in_list = true,
                    ']' => self.in_list = false,
                    '{' => {
                        self.depth = 1;
                        self.text.push(c);
                    }
                    _ => {} // between documents
                }
                continue;
            }
            self.text.push(c);
            if self.in_string {
                match c {
                    _ if std::mem::take(&mut self.is_escaped) => {}
                    '\\' => self.is_escaped = true,
                    '"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match c {
                '"' => self.in_string = true,
                '{' | '[' => self.depth += 1,
                '}' | ']' => self.depth -= 1,
                _ => {}
            }
            if self.depth == 0 {
                events.push(Event {
                    data: std::mem::take(&mut self.text),
                    ..Event::default()
                });
            }
        }
    }
}

/// Whether a line begins a document, or a list of them.
fn begins_document(words: &str) -> bool {
    let list = || words.strip_prefix('[').map(str::trim_start);
    words.starts_with('{') || list().is_some_and(|inside| inside.is_empty() || inside.starts_with('{'))
}

fn is_document(value: &str) -> bool {
    let words = value.trim();
    words.starts_with('{') && words.ends_with('}') && json::is_document(words)
}

/// The mark that ends a stream, in the spellings that are about.
pub(crate) fn is_done(data: &str) -> bool {
    let word = data.trim().trim_matches('"');
    let word = word
        .strip_prefix('[')
        .and_then(|word| word.strip_suffix(']'))
        .unwrap_or(word);
    word.trim().eq_ignore_ascii_case("done")
}

#[cfg(test)]
mod tests;
