//! What a server says went wrong, out of whatever form it says it in: the error object of OpenAI's API and those that resemble it,
//! validators' lists, problem documents, lists, documents inside of strings, streams, pages and plain words.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::provider::{json, retry_after, sse};

/// How deep words are looked for: documents inside of strings inside of documents.
const DEPTH_MAX: usize = 6;

/// The most entries of a list of errors that are told.
const ENTRIES_MAX: usize = 3;

/// The most words that are looked at. What a person reads is shorter.
const WORDS_BYTES_MAX: usize = 4096;

/// Where words stand, best first.
const WORDS: &[&str] = &[
    "message",
    "msg",
    "detail",
    "details",
    "error_description",
    "error_message",
    "errorMessage",
    "error_msg",
    "status_msg",
    "description",
    "reason",
    "title",
    "text",
    "fault",
    "faultstring",
];

/// Where a machine's word for it stands.
const CODES: &[&str] = &[
    "code",
    "type",
    "status",
    "reason",
    "error_code",
    "errorCode",
    "status_code",
    "statusCode",
    "innererror",
    "errortype",
];

/// What was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// For a person, as the server wrote it.
    pub(crate) words: String,
    /// The machine's words for it, in small letters.
    pub(crate) codes: Vec<String>,
    /// The HTTP status that the server names in its words.
    pub(crate) status: Option<u16>,
    /// Whether it is a page for a browser.
    pub(crate) is_page: bool,
    /// How long it wants to be left alone.
    pub(crate) wait: Option<Duration>,
}

impl Said {
    /// Reads the body of a refusal.
    pub(crate) fn of_text(text: &str) -> Self {
        let text = text.trim_start_matches('\u{feff}').trim();
        if let Some(parsed) = json::parse(text) {
            return Self::of(&parsed.value);
        }
        let lower = text
            .get(..text.floor_char_boundary(512))
            .unwrap_or_default()
            .to_lowercase();
        if text.starts_with('<') {
            return Self {
                words: page(text),
                is_page: lower.contains("<html") || lower.contains("<!doctype"),
                ..Self::default()
            };
        }
        Self::streamed(text).unwrap_or_else(|| Self {
            words: bounded(text),
            ..Self::default()
        })
    }

    /// Words alone.
    pub(crate) fn words(words: &str) -> Self {
        let mut said = Self::default();
        said.gather(&Value::String(words.to_owned()), 0);
        said
    }

    /// Some servers refuse in the form of a stream, whatever the status.
    fn streamed(text: &str) -> Option<Self> {
        let (mut parser, mut events) = (sse::Parser::default(), Vec::new());
        parser.push(text.as_bytes(), &mut events).ok()?;
        parser.finish(&mut events);
        let said = events
            .iter()
            .filter_map(|event| Some(Self::of(&json::parse(&event.data)?.value)));
        said.into_iter().find(|said| !said.words.is_empty())
    }

    /// Reads a document that is known to be about an error.
    pub(crate) fn of(value: &Value) -> Self {
        let mut said = Self::default();
        said.gather(value, 0);
        said
    }

    /// Reads a document that came where an answer was expected. `None`: it does not say that it is about an error.
    pub(crate) fn in_answer(value: &Value, named_error: bool) -> Option<Self> {
        let says_so = match value {
            Value::Object(map) => says_error(map),
            // Google puts its errors into a list.
            Value::Array(entries) => entries.iter().filter_map(Value::as_object).any(says_error),
            _ => false,
        };
        (named_error || says_so).then(|| Self::of(value))
    }

    /// Whether it tells of a fault and not of progress, by the words that servers have for one.
    pub(crate) fn tells_of_trouble(&self) -> bool {
        const WORDS: [&str; 14] = [
            "error",
            "exception",
            "fail",
            "fatal",
            "crash",
            "died",
            "traceback",
            "abort",
            "out of memory",
            "overloaded",
            "unavailable",
            "timed out",
            "timeout",
            "bad gateway",
        ];
        let in_words = |words: &str| {
            let words = words.to_lowercase();
            WORDS.iter().any(|word| words.contains(word))
        };
        self.status.is_some()
            || self.is_page
            || in_words(&self.words)
            || self.codes.iter().any(|code| in_words(code))
    }

    /// The same of a document that has words and nothing of an answer: an error when no answer comes, and news of something else
    /// (progress, a queue) otherwise.
    pub(crate) fn instead_of_answer(value: &Value) -> Option<Self> {
        value
            .as_object()
            .filter(|map| has_words_alone(map))
            .map(|_| Self::of(value))
    }

    fn gather(&mut self, value: &Value, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        match value {
            Value::String(text) => match nested(text) {
                Some(inner) => self.gather(&inner, depth + 1),
                None => self.say(text),
            },
            Value::Array(entries) => {
                for entry in entries.iter().take(ENTRIES_MAX) {
                    self.gather(entry, depth + 1);
                }
            }
            Value::Object(map) => self.gather_object(map, depth),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn gather_object(&mut self, map: &Map<String, Value>, depth: usize) {
        for value in CODES.iter().filter_map(|key| map.get(*key)) {
            self.code(value);
        }
        self.wait = self.wait.or_else(|| retry_after::read_object(map));
        let before = self.words.len();
        // An object or a list behind `error` is the whole of it; a word there is often only a code beside the message.
        let errors = || {
            ["error", "errors", "issues", "base_resp"]
                .iter()
                .filter_map(|key| map.get(*key))
        };
        for inner in errors().filter(|inner| inner.is_object() || inner.is_array()) {
            self.gather(inner, depth + 1);
        }
        if let (Some(Value::String(title)), Some(Value::String(detail))) =
            (map.get("title"), map.get("detail"))
        {
            self.say(&format!("{title}: {detail}")); // RFC 9457
        }
        for value in WORDS.iter().filter_map(|key| map.get(*key)) {
            if self.words.len() > before {
                break;
            }
            self.gather(value, depth + 1);
        }
        for word in errors().filter_map(Value::as_str) {
            self.codes.push(word.to_lowercase());
            if self.words.len() == before {
                self.gather(&Value::String(word.to_owned()), depth + 1);
            }
        }
        if self.words.len() > before
            && let Some(Value::Array(place)) = map.get("loc")
        {
            let place: Vec<String> = place.iter().map(plain).collect();
            self.words.push_str(&format!(" ({})", place.join("."))); // which field a validator means
        }
        // A router's own words say nothing; those of the server behind it do.
        if let Some(raw) = map.get("metadata").and_then(|metadata| metadata.get("raw")) {
            self.gather(raw, depth + 1);
        }
    }

    fn code(&mut self, value: &Value) {
        match value {
            Value::String(code) => {
                self.status = self.status.or_else(|| status(code.parse().ok()?));
                self.codes.push(code.to_lowercase());
            }
            Value::Number(number) => self.status = self.status.or_else(|| status(number.as_f64()?)),
            Value::Object(map) => {
                for code in CODES.iter().filter_map(|key| map.get(*key)) {
                    self.code(code);
                }
            }
            Value::Null | Value::Bool(_) | Value::Array(_) => {}
        }
    }

    fn say(&mut self, words: &str) {
        let words = json::without_halves(words.trim());
        if words.is_empty() || self.words.contains(&*words) {
            return;
        }
        if !self.words.is_empty() {
            self.words.push_str("; ");
        }
        self.words.push_str(&words);
        self.words = bounded(&self.words);
    }
}

/// Whether it says anything: some servers write a place for an error into every answer, with zeros and an "ok" in it.
fn is_filled(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is_true) => *is_true,
        Value::String(text) => {
            let text = text.trim();
            !["", "0", "ok", "none", "null", "success"]
                .iter()
                .any(|word| text.eq_ignore_ascii_case(word))
        }
        Value::Array(entries) => entries.iter().any(is_filled),
        Value::Object(map) => map.values().any(is_filled),
        Value::Number(number) => number.as_f64() != Some(0.0),
    }
}

fn says_error(map: &Map<String, Value>) -> bool {
    let says = |key: &str, word: &str| map.get(key).and_then(Value::as_str) == Some(word);
    let base = map.get("base_resp").and_then(|base| base.get("status_code"));
    map.get("error").is_some_and(is_filled)
        || says("object", "error")
        || says("type", "error")
        || says("status", "error")
        || base.and_then(Value::as_f64).is_some_and(|code| code != 0.0)
}

fn has_words_alone(map: &Map<String, Value>) -> bool {
    const OF_ANSWERS: &[&str] = &[
        "choices",
        "response",
        "content",
        "usage",
        "delta",
        "done",
        "candidates",
        "model",
    ];
    let is_answer = OF_ANSWERS.iter().any(|key| map.contains_key(*key))
        || map.get("message").is_some_and(Value::is_object);
    let words = WORDS.iter().chain(&["errors"]);
    !is_answer && words.filter_map(|key| map.get(*key)).any(is_filled)
}

/// A document that somebody put into a string.
fn nested(text: &str) -> Option<Value> {
    let text = text.trim();
    let inner = text.get(text.find(['{', '['])?..)?;
    // Python's clients write the status before it, for example `Error code: 429 - {...}`.
    let lead = text.len() - inner.len();
    if lead > 64 {
        return None;
    }
    let value = json::parse(inner)?.value;
    let said = Said::of(&value);
    (!said.words.is_empty()).then_some(value)
}

fn status(number: f64) -> Option<u16> {
    (400_u16..600).find(|status| f64::from(*status) == number)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn bounded(words: &str) -> String {
    let end = words.floor_char_boundary(WORDS_BYTES_MAX);
    words.get(..end).unwrap_or_default().to_owned()
}

/// The title of a page, or all its words when it has none.
fn page(text: &str) -> String {
    let lower = text.to_ascii_lowercase(); // as long as the text, byte for byte
    let title = lower.find("<title").and_then(|at| {
        let begin = at + lower.get(at..)?.find('>')? + 1;
        let end = begin + lower.get(begin..)?.find("</title")?;
        text.get(begin..end)
    });
    if let Some(title) = title.map(str::trim).filter(|title| !title.is_empty()) {
        return bounded(title);
    }
    let (mut words, mut inside) = (String::new(), false);
    for c in text.chars().take(WORDS_BYTES_MAX) {
        match c {
            '<' => {
                inside = true;
                words.push(' ');
            }
            '>' => inside = false,
            c if !inside => words.push(c),
            _ => {}
        }
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
