//! Finds where the parts of a JSON5 text stand.

use std::ops::Range;

use super::{DEPTH_MAX, TextError};

/// What was found in a text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scan {
    /// The value, unless the text holds only space and comments.
    pub(crate) root: Option<Node>,
    /// Every comment, with its delimiters.
    pub(crate) comments: Vec<Range<usize>>,
}

/// One value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) span: Range<usize>,
    pub(crate) kind: Kind,
}

/// What a value is made of.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Object(Vec<Member>),
    Array(Vec<Node>),
    /// A string, number or word.
    Leaf,
}

/// One key of an object with its value.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) key_span: Range<usize>,
    pub(crate) value: Node,
    /// Where the comma after the value stands, if there is one.
    pub(crate) comma: Option<usize>,
}

/// Finds the parts of a text. Only nesting and delimiters are checked here; the parser checks the rest.
pub(crate) fn scan(text: &str) -> Result<Scan, TextError> {
    let mut scanner = Scanner {
        text,
        at: 0,
        comments: Vec::new(),
    };
    scanner.space()?;
    let root = if scanner.peek().is_some() {
        Some(scanner.value(0)?)
    } else {
        None
    };
    scanner.space()?;
    if scanner.peek().is_some() {
        return Err(scanner.error("unexpected text after the document"));
    }
    Ok(Scan {
        root,
        comments: scanner.comments,
    })
}

/// Whether it is a number that no document can keep: `Infinity`, `NaN`, or one that is read as infinity. Where a value is read, it would be null,
/// as if nobody had written anything.
fn is_infinite(word: &str) -> bool {
    let digits = word.strip_prefix(['+', '-']).unwrap_or(word);
    match digits {
        "Infinity" | "NaN" => true,
        _ if digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
            digits.parse::<f64>().is_ok_and(f64::is_infinite)
        }
        _ => false,
    }
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    comments: Vec<Range<usize>>,
}

impl Scanner<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn error(&self, problem: &str) -> TextError {
        let before = self.text.get(..self.at).unwrap_or_default();
        TextError::Syntax {
            problem: problem.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.rsplit('\n').next().unwrap_or_default().chars().count() + 1,
        }
    }

    /// Skips space and comments.
    fn space(&mut self) -> Result<(), TextError> {
        loop {
            let rest = self.rest();
            if rest.starts_with("//") {
                let length = rest
                    .find(['\n', '\r', '\u{2028}', '\u{2029}'])
                    .unwrap_or(rest.len());
                self.comments.push(self.at..self.at + length);
                self.at += length;
            } else if rest.starts_with("/*") {
                let Some(end) = rest.get(2..).and_then(|inside| inside.find("*/")) else {
                    return Err(self.error("a comment that does not end"));
                };
                self.comments.push(self.at..self.at + end + 4);
                self.at += end + 4;
            } else {
                match self.peek() {
                    Some(c) if c.is_whitespace() || c == '\u{feff}' => self.at += c.len_utf8(),
                    _ => return Ok(()),
                }
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, TextError> {
        if depth > DEPTH_MAX {
            return Err(self.error("nested too deeply"));
        }
        let start = self.at;
        let kind = match self.peek() {
            Some('{') => self.object(depth)?,
            Some('[') => self.array(depth)?,
            Some(quote @ ('"' | '\'')) => {
                self.string(quote)?;
                Kind::Leaf
            }
            Some(_) => {
                self.word();
                let word = self.text.get(start..self.at).unwrap_or_default();
                if word.is_empty() {
                    return Err(self.error("a value is missing"));
                }
                if is_infinite(word) {
                    self.at = start;
                    return Err(self.error("a number that is none, or larger than any can be"));
                }
                Kind::Leaf
            }
            None => return Err(self.error("a value is missing")),
        };
        Ok(Node {
            span: start..self.at,
            kind,
        })
    }

    fn object(&mut self, depth: usize) -> Result<Kind, TextError> {
        self.bump();
        let mut members = Vec::new();
        loop {
            self.space()?;
            if self.peek() == Some('}') {
                self.bump();
                return Ok(Kind::Object(members));
            }
            let start = self.at;
            match self.peek() {
                Some(quote @ ('"' | '\'')) => self.string(quote)?,
                Some(_) => self.word(),
                None => return Err(self.error("a closing brace `}` is missing")),
            }
            let key_span = start..self.at;
            let key = self.key(key_span.clone())?;
            self.space()?;
            if self.peek() != Some(':') {
                return Err(self.error("a colon is missing after the key"));
            }
            self.bump();
            self.space()?;
            let value = self.value(depth + 1)?;
            self.space()?;
            let comma = (self.peek() == Some(',')).then_some(self.at);
            members.push(Member {
                key,
                key_span,
                value,
                comma,
            });
            if comma.is_some() {
                self.bump();
            } else if self.peek() != Some('}') {
                return Err(self.error("a comma or a closing brace `}` is missing"));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Kind, TextError> {
        self.bump();
        let mut items = Vec::new();
        loop {
            self.space()?;
            if self.peek() == Some(']') {
                self.bump();
                return Ok(Kind::Array(items));
            }
            items.push(self.value(depth + 1)?);
            self.space()?;
            match self.peek() {
                Some(',') => {
                    self.bump();
                }
                Some(']') => {}
                _ => return Err(self.error("a comma or a closing bracket `]` is missing")),
            }
        }
    }

    fn string(&mut self, quote: char) -> Result<(), TextError> {
        self.bump();
        loop {
            match self.bump() {
                Some('\\') => {
                    self.bump();
                }
                Some(c) if c == quote => return Ok(()),
                Some(_) => {}
                None => return Err(self.error("a string that does not end")),
            }
        }
    }

    /// A number, a word or an unquoted key: up to space, a delimiter or a comment.
    fn word(&mut self) {
        while let Some(c) = self.peek() {
            let ends = c.is_whitespace()
                || c == '\u{feff}'
                || matches!(c, ',' | ':' | '{' | '}' | '[' | ']' | '"' | '\'')
                || self.rest().starts_with("//")
                || self.rest().starts_with("/*");
            if ends {
                return;
            }
            self.at += c.len_utf8();
        }
    }

    /// The key that stands at `span`, its escapes read.
    fn key(&self, span: Range<usize>) -> Result<String, TextError> {
        let raw = self.text.get(span).unwrap_or_default();
        if raw.is_empty() {
            return Err(self.error("a key is missing"));
        }
        if !raw.contains(['\\', '"', '\'']) {
            return Ok(raw.to_owned());
        }
        let alone = format!("{{{raw}:0}}");
        let object: serde_json::Map<String, serde_json::Value> =
            json5::from_str(&alone).map_err(|_| self.error("an invalid key"))?;
        object
            .into_iter()
            .next()
            .map(|(key, _)| key)
            .ok_or_else(|| self.error("an invalid key"))
    }
}
