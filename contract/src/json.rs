//! A scanner over JSON text (RFC 8259) that hands out one token at a time and builds no tree. It never recurses, so text of
//! any depth costs it a counter.

mod write;

use std::{borrow::Cow, ops::Range};

pub(crate) use self::write::{write_double, write_signed, write_string, write_unsigned};
use crate::DEPTH_MAX;

/// What is wrong with a text as JSON. `at` counts bytes from its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Syntax {
    pub(crate) at: usize,
    pub(crate) what: &'static str,
}

impl Syntax {
    pub(crate) fn problem(&self) -> String {
        if self.what == TOO_DEEP {
            return format!("nests deeper than {DEPTH_MAX}");
        }
        format!("not valid JSON: {} at byte {}", self.what, self.at)
    }
}

pub(crate) const TOO_DEEP: &str = "too deep";

#[derive(Debug, Clone, Copy)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next byte that is not white space, without taking it.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    /// Takes this byte if it is the next one.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    pub(crate) fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Syntax> {
        if self.take(byte) {
            Ok(())
        } else {
            Err(self.error(what))
        }
    }

    pub(crate) fn error(&self, what: &'static str) -> Syntax {
        Syntax { at: self.at, what }
    }

    /// Refuses anything after the value.
    pub(crate) fn end(&mut self) -> Result<(), Syntax> {
        if self.peek().is_none() {
            Ok(())
        } else {
            Err(self.error("expected the end"))
        }
    }

    /// What the next value is, in words; nothing where no value begins.
    pub(crate) fn next_is(&mut self) -> Option<&'static str> {
        Some(match self.peek()? {
            b'{' => "an object",
            b'[' => "an array",
            b'"' => "a string",
            b't' | b'f' => "a boolean",
            b'n' => "null",
            b'-' | b'0'..=b'9' => "a number",
            _ => return None,
        })
    }

    pub(crate) fn literal(&mut self, word: &'static str) -> Result<(), Syntax> {
        self.peek();
        let found = self
            .text
            .as_bytes()
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(word.as_bytes()));
        if !found {
            return Err(self.error("expected a value"));
        }
        self.at += word.len();
        Ok(())
    }

    /// Takes a number and hands out its text.
    pub(crate) fn number(&mut self) -> Result<&'a str, Syntax> {
        self.peek();
        let start = self.at;
        self.step(|byte| byte == b'-');
        let whole = self.at;
        if self.digits() == 0 {
            return Err(self.error("expected a digit"));
        }
        if self.byte(whole) == Some(b'0') && self.at - whole > 1 {
            return Err(Syntax {
                at: whole,
                what: "a number starts with 0",
            });
        }
        if self.step(|byte| byte == b'.') && self.digits() == 0 {
            return Err(self.error("expected a digit"));
        }
        if self.step(|byte| matches!(byte, b'e' | b'E')) {
            self.step(|byte| matches!(byte, b'+' | b'-'));
            if self.digits() == 0 {
                return Err(self.error("expected a digit"));
            }
        }
        Ok(self.slice(start, self.at))
    }

    /// Takes a string. Borrowed when it has no escapes.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, Syntax> {
        let (body, escaped) = self.string_body()?;
        Ok(if escaped {
            let mut text = Vec::with_capacity(body.len());
            unescape(body, &mut text);
            Cow::Owned(String::from_utf8(text).expect("whole characters"))
        } else {
            Cow::Borrowed(body)
        })
    }

    /// Takes a string and hands out what stands between its quotes, checked, and whether it holds escapes.
    pub(crate) fn string_body(&mut self) -> Result<(&'a str, bool), Syntax> {
        self.expect(b'"', "expected a string")?;
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut escaped = false;
        loop {
            match bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(0..0x20) => return Err(self.error("control character in a string")),
                Some(_) => self.at += plain(bytes.get(self.at..).unwrap_or_default()).max(1),
                None => return Err(self.error("a string does not end")),
            }
        }
        let body = self.slice(start, self.at);
        self.at += 1;
        Ok((body, escaped))
    }

    /// Takes one escape, both halves of a surrogate pair included.
    fn escape(&mut self) -> Result<(), Syntax> {
        let start = self.at;
        match self.byte(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => {
                let first = self.hex(self.at + 2)?;
                self.at += 6;
                let lone = Syntax {
                    at: start,
                    what: "half of a surrogate pair",
                };
                match first {
                    0xd800..0xdc00 => {
                        if self.byte(self.at) != Some(b'\\') || self.byte(self.at + 1) != Some(b'u') {
                            return Err(lone);
                        }
                        let second = self.hex(self.at + 2)?;
                        self.at += 6;
                        if matches!(second, 0xdc00..0xe000) {
                            Ok(())
                        } else {
                            Err(lone)
                        }
                    }
                    0xdc00..0xe000 => Err(lone),
                    _ => Ok(()),
                }
            }
            _ => Err(self.error("unknown escape")),
        }
    }

    fn hex(&self, at: usize) -> Result<u32, Syntax> {
        let bytes = self.text.as_bytes().get(at..at + 4).unwrap_or_default();
        let mut digits = bytes.iter().map(|byte| char::from(*byte).to_digit(16));
        let value = digits.try_fold(0, |all, digit| Some(all * 16 + digit?));
        value.filter(|_| bytes.len() == 4).ok_or(Syntax {
            at,
            what: "expected four hex digits",
        })
    }

    /// Takes one value of any kind that nests at most `depth` deep, and hands out its text.
    pub(crate) fn value(&mut self, depth: usize) -> Result<&'a str, Syntax> {
        self.peek();
        let start = self.at;
        // One bit for each open bracket, the innermost lowest: 1 is an object. DEPTH_MAX bits are enough.
        let (mut open, mut count) = (0u64, 0usize);
        loop {
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    if count >= depth.min(DEPTH_MAX) {
                        return Err(self.error(TOO_DEEP));
                    }
                    self.at += 1;
                    count += 1;
                    open = open << 1 | u64::from(bracket == b'{');
                    if !self.take(if bracket == b'{' { b'}' } else { b']' }) {
                        if bracket == b'{' {
                            self.key()?;
                        }
                        continue;
                    }
                    count -= 1;
                    open >>= 1;
                }
                Some(b'"') => drop(self.string_body()?),
                Some(b't') => self.literal("true")?,
                Some(b'f') => self.literal("false")?,
                Some(b'n') => self.literal("null")?,
                Some(b'-' | b'0'..=b'9') => drop(self.number()?),
                _ => return Err(self.error("expected a value")),
            }
            // A value is complete: close what it closes, until another one must follow.
            loop {
                if count == 0 {
                    return Ok(self.slice(start, self.at));
                }
                let object = open & 1 == 1;
                if self.take(b',') {
                    if object {
                        self.key()?;
                    }
                    break;
                }
                if !self.take(if object { b'}' } else { b']' }) {
                    return Err(self.error(if object {
                        "expected ',' or '}'"
                    } else {
                        "expected ',' or ']'"
                    }));
                }
                count -= 1;
                open >>= 1;
            }
        }
    }

    fn key(&mut self) -> Result<(), Syntax> {
        self.peek();
        self.string_body()?;
        self.expect(b':', "expected ':'")
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn step(&mut self, wanted: impl Fn(u8) -> bool) -> bool {
        let found = self.byte(self.at).is_some_and(wanted);
        self.at += usize::from(found);
        found
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.step(|byte| byte.is_ascii_digit()) {}
        self.at - start
    }

    fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text
            .get(start..end)
            .expect("the scanner stops at ASCII bytes only")
    }
}

/// One JSON text as it is, without the white space around it.
pub(crate) fn verbatim(text: &str, depth: usize) -> Result<&str, Syntax> {
    let mut scanner = Scanner::new(text);
    let value = scanner.value(depth)?;
    scanner.end()?;
    Ok(value)
}

/// Where the content of the string stands in an object that holds nothing else: `{"delta":"..."}`.
pub(crate) fn only_string(text: &str) -> Option<Range<usize>> {
    let mut scanner = Scanner::new(text);
    let opens = |scanner: &mut Scanner<'_>, byte| scanner.take(byte).then_some(());
    opens(&mut scanner, b'{')?;
    scanner.string_body().ok()?;
    opens(&mut scanner, b':')?;
    let (body, _escaped) = scanner.string_body().ok()?;
    let end = scanner.at - 1;
    opens(&mut scanner, b'}')?;
    scanner.end().ok()?;
    Some(end - body.len()..end)
}

/// Appends the text that a checked string body means.
pub(crate) fn unescape(body: &str, text: &mut Vec<u8>) {
    let push = |c: char, text: &mut Vec<u8>| {
        text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    };
    let mut rest = body;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.extend_from_slice(plain.as_bytes());
        let mut letters = escape.chars();
        match letters.next() {
            Some('b') => text.push(0x8),
            Some('f') => text.push(0xc),
            Some('n') => text.push(b'\n'),
            Some('r') => text.push(b'\r'),
            Some('t') => text.push(b'\t'),
            Some('u') => {
                let first = hex(&mut letters);
                let code = if matches!(first, 0xd800..0xdc00) {
                    letters.next();
                    letters.next();
                    0x10000 + ((first - 0xd800) << 10) + (hex(&mut letters).saturating_sub(0xdc00))
                } else {
                    first
                };
                push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), text);
            }
            Some(itself) => push(itself, text),
            None => {}
        }
        rest = letters.as_str();
    }
    text.extend_from_slice(rest.as_bytes());
}

fn hex(letters: &mut std::str::Chars<'_>) -> u32 {
    letters
        .take(4)
        .fold(0, |all, letter| all * 16 + letter.to_digit(16).unwrap_or(0))
}

/// How many bytes at the start of a string need no look of their own: neither a quote nor a backslash nor a control
/// character. Eight at a time, because long texts are mostly that: a message of 20 KiB is read ten times as fast. At the end,
/// or where fewer than eight are left, it says none.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // A byte's highest bit is set where it is less than `bound`; above the first one that is, the borrow makes no sense.
    let less = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word & HIGH;
    let is = |word: u64, byte: u8| less(word ^ (ONES * u64::from(byte)), 1);
    let mut count = 0;
    for word in bytes.as_chunks::<8>().0 {
        let word = u64::from_le_bytes(*word);
        let found = less(word, 0x20) | is(word, b'"') | is(word, b'\\');
        if found != 0 {
            return count + usize::try_from(found.trailing_zeros() / 8).unwrap_or(0);
        }
        count += 8;
    }
    count
}

#[cfg(test)]
mod tests;
