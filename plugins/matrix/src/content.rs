//! What is sent, as the content of an event.

use serde_json::{Map, Value, json};

use crate::render;

/// The largest content, in bytes of JSON. A server takes 64 KiB of an event, encryption makes a third more of it, and it has a head.
const CONTENT_BYTES_MAX: usize = 44 * 1_024;
/// As much of a changed text stands beside it for programs that know no changes, in characters.
const FALLBACK_CHARS: usize = 200;

/// Where a message stands among others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The first message of the thread.
    pub thread: Option<String>,
    /// The message that it answers.
    pub answers: Option<String>,
    /// Who said that, and is told.
    pub to: Option<String>,
}

/// A content that is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message is larger than a server takes")]
pub struct TooLarge;

/// A message of the assistant's. It is `m.text` and no notice: phones stay silent about notices.
///
/// # Errors
/// When it is larger than a server takes.
pub fn message(text: &str, place: &Place) -> Result<Value, TooLarge> {
    let mut content = words(text)?;
    content.insert("m.mentions".into(), mentions(place));
    if let Some(relation) = relation(place) {
        content.insert("m.relates_to".into(), relation);
    }
    Ok(Value::Object(content))
}

/// The new words of a message that was sent. A change is always of the first event and never of a change, and says nothing of where the message
/// stands: that stays as it was.
///
/// # Errors
/// When it is larger than a server takes.
pub fn change(event: &str, text: &str) -> Result<Value, TooLarge> {
    let mut new = words(text)?;
    new.insert("m.mentions".into(), json!({}));
    let beginning: String = text.chars().take(FALLBACK_CHARS).collect();
    Ok(json!({
        "msgtype": "m.text", "body": format!("* {beginning}"), "m.mentions": {}, "m.new_content": new,
        "m.relates_to": { "rel_type": "m.replace", "event_id": event },
    }))
}

/// A file that was uploaded: `source` is its `url`, or its `file` where it is encrypted.
#[must_use]
pub fn file(name: &str, mime_type: &str, size: i64, source: &Value, place: &Place) -> Value {
    let kind = match mime_type.split('/').next() {
        Some("image") => "m.image",
        Some("audio") => "m.audio",
        Some("video") => "m.video",
        _ => "m.file",
    };
    let name = if name.is_empty() { "file" } else { name };
    let mut content = json!({
        "msgtype": kind, "body": name, "filename": name, "info": { "mimetype": mime_type, "size": size }, "m.mentions": mentions(place),
    });
    for key in ["url", "file"] {
        if let Some(value) = source.get(key) {
            content[key] = value.clone();
        }
    }
    if let Some(relation) = relation(place) {
        content["m.relates_to"] = relation;
    }
    content
}

/// A reaction.
#[must_use]
pub fn reaction(event: &str, emoji: &str) -> Value {
    json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": event, "key": emoji } })
}

/// The words, with markup where they have some and there is room.
fn words(text: &str) -> Result<Map<String, Value>, TooLarge> {
    let mut content = Map::new();
    content.insert("msgtype".into(), json!("m.text"));
    content.insert("body".into(), json!(text));
    let mut bytes = size(&content);
    if let Some(html) = render::html(text)
        && bytes + html.len() < CONTENT_BYTES_MAX
    {
        content.insert("format".into(), json!("org.matrix.custom.html"));
        content.insert("formatted_body".into(), json!(html));
        bytes = size(&content);
    }
    if bytes > CONTENT_BYTES_MAX {
        content.remove("format");
        content.remove("formatted_body");
        bytes = size(&content);
    }
    if bytes > CONTENT_BYTES_MAX {
        Err(TooLarge)
    } else {
        Ok(content)
    }
}

fn size(content: &Map<String, Value>) -> usize {
    serde_json::to_vec(content).map_or(usize::MAX, |bytes| bytes.len())
}

/// Who is told by their phone: whoever is answered, and nobody because the assistant wrote a name.
fn mentions(place: &Place) -> Value {
    match &place.to {
        Some(person) => json!({ "user_ids": [person] }),
        None => json!({}),
    }
}

fn relation(place: &Place) -> Option<Value> {
    match (&place.thread, &place.answers) {
        (None, None) => None,
        (None, Some(answers)) => Some(json!({ "m.in_reply_to": { "event_id": answers } })),
        // Programs without threads show it as a reply to something; those with threads do not.
        (Some(thread), answers) => Some(json!({
            "rel_type": "m.thread", "event_id": thread, "is_falling_back": true,
            "m.in_reply_to": { "event_id": answers.as_ref().unwrap_or(thread) },
        })),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{CONTENT_BYTES_MAX, Place, TooLarge, change, file, message};

    #[test]
    fn an_answer_stands_where_it_was_asked_and_tells_whoever_asked() {
        let place = Place {
            thread: Some("$root".into()),
            answers: Some("$1".into()),
            to: Some("@anna:example".into()),
        };

        let content = message("**hot**, @bob:example", &place).expect("it fits");

        assert_eq!(content["msgtype"], "m.text");
        assert_eq!(
            content["formatted_body"],
            "<p><strong>hot</strong>, @bob:example</p>"
        );
        assert_eq!(content["m.mentions"], json!({"user_ids": ["@anna:example"]}));
        assert_eq!(
            content["m.relates_to"],
            json!({"rel_type": "m.thread", "event_id": "$root", "is_falling_back": true, "m.in_reply_to": {"event_id": "$1"}})
        );
        let alone = message("hot", &Place::default()).expect("it fits");
        assert_eq!(
            alone,
            json!({"msgtype": "m.text", "body": "hot", "m.mentions": {}})
        );
    }

    #[test]
    fn a_change_names_the_first_event_and_says_the_whole_text_anew() {
        let content = change("$1", "**all** of it").expect("it fits");

        assert_eq!(
            content["m.relates_to"],
            json!({"rel_type": "m.replace", "event_id": "$1"})
        );
        assert_eq!(content["m.new_content"]["body"], "**all** of it");
        assert_eq!(content["m.new_content"].get("m.relates_to"), None);
    }

    #[test]
    fn a_long_text_loses_its_markup_before_it_loses_a_word() {
        let bold = "**a** ".repeat(4_000);
        let content = message(&bold, &Place::default()).expect("it fits");
        assert_eq!(
            (content["body"].as_str(), content.get("formatted_body")),
            (Some(&*bold), None)
        );

        assert_eq!(
            message(&"a".repeat(CONTENT_BYTES_MAX), &Place::default()),
            Err(TooLarge)
        );
    }

    #[test]
    fn a_file_is_what_its_type_says_and_its_source_is_passed_on() {
        let encrypted = json!({"file": {"url": "mxc://x/1", "key": {}}});

        let content = file("tea.png", "image/png", 5, &encrypted, &Place::default());

        assert_eq!(
            (content["msgtype"].as_str(), content["filename"].as_str()),
            (Some("m.image"), Some("tea.png"))
        );
        assert_eq!(content["file"]["url"], "mxc://x/1");
        assert_eq!(content.get("url"), None);
        let plain = file(
            "",
            "text/plain",
            5,
            &json!({"url": "mxc://x/1"}),
            &Place::default(),
        );
        assert_eq!(
            (
                plain["msgtype"].as_str(),
                plain["body"].as_str(),
                plain["url"].as_str()
            ),
            (Some("m.file"), Some("file"), Some("mxc://x/1"))
        );
    }
}
