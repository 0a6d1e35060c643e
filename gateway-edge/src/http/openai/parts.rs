//! The content of a message: words, and what belongs to them. Chat completions and Responses spell the same parts in two ways.

use serde_json::Value;

use super::super::fields::{Fields, mistyped, param, wrong};
use super::media::{self, Attached};
use crate::error::Refusal;

/// What one message says.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) text: String,
    pub(super) attachments: Vec<Attached>,
}

/// Reads content that stands at this place.
pub(super) fn words(content: Option<Value>, place: &str) -> Result<Words, Refusal> {
    let parts = match content {
        None => return Ok(Words::default()),
        Some(Value::String(text)) => {
            return Ok(Words {
                text,
                attachments: Vec::new(),
            });
        }
        Some(Value::Array(parts)) => parts,
        Some(other) => return Err(mistyped(place, "a string or a list of parts", &other)),
    };
    let (mut texts, mut attachments) = (Vec::new(), Vec::new());
    for (index, part) in parts.into_iter().enumerate() {
        let mut part = Fields::of(part, &format!("{place}/{index}"))?;
        match part.needed_text("type")?.as_str() {
            "text" | "input_text" | "output_text" => texts.push(part.needed_text("text")?),
            "refusal" => texts.push(part.needed_text("refusal")?),
            "image_url" | "input_image" => attachments.push(picture(&mut part)?),
            "input_audio" => {
                let mut audio = part
                    .object("input_audio")?
                    .ok_or_else(|| part.lacks("input_audio"))?;
                let format = audio.text("format")?;
                let data = audio.needed_text("data")?;
                attachments.push(media::recording(data, format.as_deref(), audio.place("data"))?);
            }
            "file" => {
                let mut file = part.object("file")?.ok_or_else(|| part.lacks("file"))?;
                attachments.push(file_of(&mut file)?);
            }
            "input_file" => attachments.push(file_of(&mut part)?),
            _ => {
                let path = part.place("type");
                let message = format!(
                    "`{}` is none of text, image_url, input_audio and file, and of their names in Responses",
                    param(&path)
                );
                return Err(wrong(&path, message).detail("code", "invalid_value"));
            }
        }
    }
    Ok(Words {
        text: texts.join("\n"),
        attachments,
    })
}

/// A picture: its URL stands in the part, or in an object there.
fn picture(part: &mut Fields) -> Result<Attached, Refusal> {
    refuse_kept(part)?;
    let place = part.place("image_url");
    match part.take("image_url") {
        None => Err(part.lacks("image_url")),
        Some(Value::String(url)) => media::picture(url, place),
        Some(object) => {
            let mut image = Fields::of(object, &place)?;
            let url = image.needed_text("url")?;
            media::picture(url, image.place("url"))
        }
    }
}

fn file_of(file: &mut Fields) -> Result<Attached, Refusal> {
    refuse_kept(file)?;
    if file.take("file_url").is_some() {
        let message = "a file has to come with its bytes, as base64 in `file_data`; the gateway fetches no addresses for callers";
        return Err(wrong(&file.place("file_url"), message).detail("code", "file_url_not_fetched"));
    }
    let name = file.text("filename")?;
    let data = file.needed_text("file_data")?;
    media::file(data, name, file.place("file_data"))
}

/// Nobody brought files here before.
fn refuse_kept(part: &mut Fields) -> Result<(), Refusal> {
    match part.take("file_id") {
        None => Ok(()),
        Some(_) => {
            let message = "no files are kept here that could be named: send the bytes";
            Err(wrong(&part.place("file_id"), message).detail("code", "unsupported_parameter"))
        }
    }
}
