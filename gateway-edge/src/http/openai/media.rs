//! Pictures, recordings and files of a request, as attachments. What is none by its bytes is refused with its place: a program that is
//! answered believes that it was looked at.

use std::io::Read;

use gatehouse_core::content::attachment::Decoder;
use serde_json::{Value, json};

use super::super::fields::{param, wrong};
use crate::error::Refusal;

/// Base64 that is decoded to see what it holds: all kinds are told by fewer bytes.
const HEAD_MAX: usize = 4096;

/// What belongs to a message, and where it stands in the request.
#[derive(Debug, PartialEq)]
pub(super) struct Attached {
    pub(super) value: Value,
    pub(super) path: String,
}

/// A picture, whose bytes have to be there: the gateway fetches nothing for a caller.
pub(super) fn picture(url: String, path: String) -> Result<Attached, Refusal> {
    let Some(data) = url.trim_start().strip_prefix("data:") else {
        let message = "a picture has to come as a `data:` URL with its bytes as base64; the gateway fetches no addresses for callers";
        return Err(wrong(&path, message).detail("code", "image_url_not_fetched"));
    };
    let head = data
        .split_once(',')
        .filter(|(kind, _)| kind.ends_with(";base64"))
        .ok_or("is not base64: it has to be written `data:image/png;base64,...`")
        .and_then(|(_, base64)| head(base64));
    match head {
        Ok(head) if is_picture(&head) => Ok(Attached {
            value: json!({"type": "image", "content": url}),
            path,
        }),
        Ok(_) => Err(broken(
            &path,
            "a picture",
            "is none: its bytes are those of no kind of picture",
            "invalid_image",
        )),
        Err(problem) => Err(broken(&path, "a picture", problem, "invalid_image")),
    }
}

/// A recording; its bytes say what it is, and `format` where they say nothing.
pub(super) fn recording(data: String, format: Option<&str>, path: String) -> Result<Attached, Refusal> {
    let head = head(&data).map_err(|problem| broken(&path, "a recording", problem, "invalid_audio"))?;
    if !is_recording(&head) {
        let problem = "is none: its bytes are those of no kind of recording";
        return Err(broken(&path, "a recording", problem, "invalid_audio"));
    }
    let kind = format.filter(|format| !format.is_empty()).unwrap_or("wav");
    Ok(Attached {
        value: json!({"type": "audio", "mimeType": format!("audio/{kind}"), "content": data}),
        path,
    })
}

/// A file with its bytes.
pub(super) fn file(data: String, name: Option<String>, path: String) -> Result<Attached, Refusal> {
    let base64 = match data.trim_start().strip_prefix("data:") {
        Some(url) => url
            .split_once(',')
            .filter(|(kind, _)| kind.ends_with(";base64"))
            .map(|(_, base64)| base64)
            .ok_or("is not base64: it has to be written `data:<type>;base64,...`"),
        None => Ok(data.as_str()),
    };
    base64
        .and_then(head)
        .map_err(|problem| broken(&path, "a file", problem, "invalid_file"))?;
    let value = match name {
        Some(name) => json!({"type": "file", "fileName": name, "content": data}),
        None => json!({"type": "file", "content": data}),
    };
    Ok(Attached { value, path })
}

fn broken(path: &str, what: &str, problem: &str, code: &'static str) -> Refusal {
    wrong(path, format!("`{}`, {what}, {problem}", param(path))).detail("code", code)
}

/// The first bytes of what base64 stands for, when all of it is base64.
fn head(base64: &str) -> Result<Vec<u8>, &'static str> {
    const GARBLED: &str = "is not base64";
    let letters = base64.bytes().filter(|byte| !byte.is_ascii_whitespace());
    let (mut count, mut padding) = (0_usize, 0_usize);
    for byte in letters {
        match byte {
            b'=' => padding += 1,
            _ if padding > 0 => return Err(GARBLED),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'-' | b'_' => count += 1,
            _ => return Err(GARBLED),
        }
    }
    if count == 0 {
        return Err("is empty");
    }
    if count % 4 == 1 || padding > 2 {
        return Err(GARBLED);
    }
    let first = base64.chars().filter(|letter| !letter.is_ascii_whitespace());
    let mut bytes = Vec::new();
    Decoder::new(first.take(HEAD_MAX).collect())
        .read_to_end(&mut bytes)
        .map_err(|_| GARBLED)?;
    Ok(bytes)
}

/// Whether bytes begin as a picture does, and are more than its mark.
fn is_picture(head: &[u8]) -> bool {
    let kind = infer::get(head).map(|kind| kind.mime_type());
    match kind {
        // The size of the picture stands at a fixed place, and is not nothing.
        Some("image/png") => {
            head.get(12..16) == Some(b"IHDR")
                && [16..20, 20..24].into_iter().all(|side| {
                    head.get(side)
                        .is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0))
                })
        }
        Some(kind) => kind.starts_with("image/") && head.len() > 12,
        None => false,
    }
}

fn is_recording(head: &[u8]) -> bool {
    infer::get(head).is_some_and(|kind| {
        let kind = kind.mime_type();
        kind.starts_with("audio/") || kind.starts_with("video/")
    })
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};

    use super::*;

    const PIXEL: &str =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

    #[test]
    fn a_picture_is_one_by_its_bytes() {
        let told = |url: &str| picture(url.to_owned(), "/messages/0/content/1/image_url/url".to_owned());
        let (begin, rest) = PIXEL.split_at(20);
        let (cut, _) = PIXEL.split_at(12);

        for good in [
            format!("data:image/png;base64,{PIXEL}"),
            format!("data:text/plain;base64,{PIXEL}"),
            format!(" data:;base64,{begin}\n{rest}"),
            format!(
                "data:image/gif;base64,{}",
                STANDARD.encode(b"GIF89a\x01\0\x01\0\0\0\0;")
            ),
        ] {
            assert!(told(&good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("data:image/png;base64,".to_owned(), "is empty"),
            (format!("data:image/png,{PIXEL}"), "is not base64"),
            ("data:image/png".to_owned(), "is not base64"),
            ("data:image/png;base64,not base64!".to_owned(), "is not base64"),
            ("data:image/png;base64,aGVsbG8=".to_owned(), "is none"),
            (format!("data:image/png;base64,{cut}"), "is none"),
            (
                format!("data:image/svg+xml;base64,{}", STANDARD.encode("<svg/>")),
                "is none",
            ),
            ("https://a.example/a.png".to_owned(), "fetches no addresses"),
            ("file:///etc/passwd".to_owned(), "fetches no addresses"),
        ] {
            let refused = told(&bad).unwrap_err();
            assert!(refused.message.contains(why), "{bad}: {refused:?}");
            assert_eq!(refused.details["path"], "/messages/0/content/1/image_url/url");
        }
    }

    #[test]
    fn a_recording_is_one_by_its_bytes_and_a_file_has_some() {
        let heard = |data: &str| recording(data.to_owned(), Some("wav"), "/x".to_owned());
        let wave = STANDARD.encode(b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0");

        assert_eq!(heard(&wave).unwrap().value["mimeType"], "audio/wav");
        for bad in ["", "aGVsbG8=", "no base64!", PIXEL] {
            assert!(heard(bad).is_err(), "{bad}");
        }
        let read = |data: &str| file(data.to_owned(), Some("a.txt".to_owned()), "/x".to_owned());
        assert!(read("aGVsbG8=").is_ok() && read("data:text/plain;base64,aGVsbG8=").is_ok());
        for bad in ["", "data:text/plain,hello", "data:text/plain;base64,", "?"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
