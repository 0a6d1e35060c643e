//! How media stand in what clients are shown: with a link, in the forms that v4 clients draw.

use std::borrow::Cow;

use gatehouse_core::Content;
use gatehouse_core::content::{Block, Media, MediaKind};
use serde_json::json;
use serde_json::value::RawValue;

use super::{Links, MediaId};

/// A row's content with a link for each medium that is kept here. All else stays byte for byte as it is stored.
pub(crate) fn shown<'a>(content: &'a str, links: &Links) -> Cow<'a, str> {
    if !content.starts_with('[') || !content.contains("\"id\":") {
        return Cow::Borrowed(content);
    }
    let Ok(blocks) = serde_json::from_str::<Vec<&RawValue>>(content) else {
        return Cow::Borrowed(content);
    };
    let parts: Vec<Cow<'_, str>> = blocks
        .into_iter()
        .map(|block| linked(block.get(), links).map_or(Cow::Borrowed(block.get()), Cow::Owned))
        .collect();
    Cow::Owned(format!("[{}]", parts.join(",")))
}

fn linked(block: &str, links: &Links) -> Option<String> {
    let content = Content::from_json(&format!("[{block}]")).ok()?;
    let [Block::Media(media)] = content.blocks() else {
        return None;
    };
    let id = media.source.id().and_then(MediaId::parse)?;
    Some(drawn(media, &id, &links.to(&id)))
}

/// Pictures are drawn; what is heard, watched or saved stands as an attachment.
fn drawn(media: &Media, id: &MediaId, url: &str) -> String {
    let kind = match media.kind() {
        MediaKind::Image => {
            let picture = json!({
                "type": "image", "id": id.as_str(), "url": url, "mimeType": media.mime_type,
                "fileName": media.name, "alt": media.name, "sizeBytes": media.size_bytes,
            });
            return picture.to_string();
        }
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
        MediaKind::File => "document",
    };
    let label = media.name.clone().unwrap_or_else(|| kind.to_owned());
    let attachment = json!({
        "type": "attachment", "id": id.as_str(),
        "attachment": {"url": url, "kind": kind, "label": label, "mimeType": media.mime_type, "sizeBytes": media.size_bytes},
    });
    attachment.to_string()
}

#[cfg(test)]
mod tests {
    use gatehouse_core::{Clock, Secret};
    use serde_json::Value;

    use super::*;

    #[test]
    fn pictures_are_drawn_files_are_attached_and_all_else_stays_as_it_was() {
        let links = Links::new(Secret::generate(), Clock::system());
        let id = "a".repeat(64);
        let stored = format!(
            r#"[{{"type":"text","text":"see",  "odd":1}},{{"type":"image","id":"{id}","mimeType":"image/png","name":"a.png","sizeBytes":3}},{{"type":"file","id":"{id}","mimeType":"text/plain"}},{{"type":"image","id":"elsewhere","mimeType":"image/png"}}]"#
        );

        let shown = shown(&stored, &links);

        assert!(
            shown.starts_with(r#"[{"type":"text","text":"see",  "odd":1},"#),
            "{shown}"
        );
        let blocks: Vec<Value> = serde_json::from_str(&shown).unwrap();
        let url = blocks[1]["url"].as_str().unwrap();
        assert!(url.starts_with(&format!("/__openclaw__/media/{id}?e=")), "{url}");
        assert_eq!(blocks[1]["fileName"], "a.png");
        assert_eq!(blocks[2]["attachment"]["url"], url);
        assert_eq!(
            (&blocks[2]["attachment"]["kind"], &blocks[3]["id"]),
            (&json!("document"), &json!("elsewhere"))
        );
        for plain in [r#""words""#, r#"[{"type":"text","text":"a"}]"#, "[broken"] {
            assert_eq!(super::shown(plain, &links), plain);
        }
    }
}
