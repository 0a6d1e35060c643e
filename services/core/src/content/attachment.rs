//! What belongs to a message beside its words, as clients send it: base64 in a frame.

use std::{
    fmt,
    io::{self, Read},
};

use data_encoding::{BASE64, BASE64_NOPAD};

/// The longest name that is kept, in characters: more than people read.
const NAME_CHARS_MAX: usize = 200;

/// Base64 that is decoded at a time; a multiple of four.
const PART: usize = 64 * 1024;

/// One file that a client sends along.
pub struct Attachment {
    base64: String,
    /// What its sender takes it for.
    pub declared: Option<String>,
    /// Its name, which is none of a path.
    pub name: Option<String>,
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment")
            .field("declared", &self.declared)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Attachment {
    /// Reads one from its content: base64, also behind `data:<type>;base64,`. `None`: there is nothing in it.
    pub fn read(content: String, mime_type: Option<String>, file_name: Option<&str>) -> Option<Self> {
        let (declared, base64) = match data_url(&content) {
            Some((mime_type, base64)) => (Some(mime_type.to_owned()), base64.to_owned()),
            None => (None, content),
        };
        if base64.trim().is_empty() {
            return None;
        }
        Some(Self {
            base64,
            declared: mime_type.filter(|mime| !mime.trim().is_empty()).or(declared),
            name: file_name.and_then(name),
        })
    }

    /// Its bytes.
    pub fn into_bytes(self) -> Decoder {
        Decoder::new(self.base64)
    }
}

/// The media type and the base64 of `data:<type>;base64,<base64>`.
fn data_url(content: &str) -> Option<(&str, &str)> {
    let (head, base64) = content.trim_start().strip_prefix("data:")?.split_once(',')?;
    Some((head.strip_suffix(";base64")?, base64))
}

/// A name that is one, and no way to somewhere: the last part of a path, on one line.
fn name(given: &str) -> Option<String> {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let printed = last.chars().filter(|c| !c.is_control());
    let name: String = printed.take(NAME_CHARS_MAX).collect();
    let name = name.trim();
    (!name.is_empty() && name != "." && name != "..").then(|| name.to_owned())
}

/// Base64 as the bytes that it stands for, a part at a time.
pub struct Decoder {
    base64: Vec<u8>,
    /// Up to where it was decoded.
    at: usize,
    decoded: Vec<u8>,
    /// Up to where that was read.
    read: usize,
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decoder")
    }
}

impl Decoder {
    /// Reads base64 in either spelling, padded or not, on as many lines as there are.
    pub fn new(base64: String) -> Self {
        let mut base64 = base64.into_bytes();
        base64.retain(|byte| !byte.is_ascii_whitespace());
        // Padding says nothing that the length does not; without it every part is decoded in one way.
        while base64.last() == Some(&b'=') {
            base64.pop();
        }
        for byte in &mut base64 {
            *byte = match *byte {
                b'-' => b'+', // the spelling for URLs
                b'_' => b'/',
                other => other,
            };
        }
        Self {
            base64,
            at: 0,
            decoded: Vec::new(),
            read: 0,
        }
    }
}

impl Read for Decoder {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.read == self.decoded.len() && self.at < self.base64.len() {
            let end = self.base64.len().min(self.at + PART);
            let part = self.base64.get(self.at..end).unwrap_or_default();
            let encoding = if part.len().is_multiple_of(4) {
                BASE64
            } else {
                BASE64_NOPAD
            };
            self.decoded = encoding
                .decode(part)
                .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
            (self.at, self.read) = (end, 0);
        }
        let left = self.decoded.get(self.read..).unwrap_or_default();
        let count = left.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..count), left.get(..count)) {
            to.copy_from_slice(from);
        }
        self.read += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(base64: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        Decoder::new(base64.to_owned())
            .read_to_end(&mut bytes)
            .map(|_| bytes)
    }

    #[test]
    fn base64_is_read_in_every_spelling_and_of_every_length() {
        for length in [1, 2, 3, 4, 5, PART - 1, PART, PART + 1, 3 * PART + 2] {
            let bytes: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
            for spelled in [
                BASE64.encode(&bytes),
                BASE64_NOPAD.encode(&bytes),
                data_encoding::BASE64URL.encode(&bytes),
                format!(" {}\r\n", BASE64.encode(&bytes)),
            ] {
                assert_eq!(decoded(&spelled).unwrap(), bytes, "{length}");
            }
        }
        for wrong in ["a", "ab*d", "é", "abcde"] {
            assert_eq!(
                decoded(wrong).unwrap_err().kind(),
                io::ErrorKind::InvalidData,
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_name_from_outside_is_a_name_and_no_path() {
        assert_eq!(name("../../etc/passwd"), Some("passwd".to_owned()));
        assert_eq!(name("C:\\Users\\a\\cat.png"), Some("cat.png".to_owned()));
        assert_eq!(name("a\nb\u{1b}[31m.png"), Some("ab[31m.png".to_owned()));
        for nothing in ["", "..", "a/", " ", "\u{7}"] {
            assert_eq!(name(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn what_has_no_bytes_is_none_and_an_address_of_data_says_what_it_is() {
        for nothing in ["", " ", "data:image/png;base64,"] {
            assert!(
                Attachment::read(nothing.to_owned(), None, None).is_none(),
                "{nothing:?}"
            );
        }

        let one = Attachment::read("data:image/png;base64,aGk=".to_owned(), None, Some("a/b.png")).unwrap();

        assert_eq!(
            (one.declared.as_deref(), one.name.as_deref()),
            (Some("image/png"), Some("b.png"))
        );
        let mut bytes = Vec::new();
        one.into_bytes().read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"hi");
    }
}
