//! `chat.message.get`: one row of a transcript.

use gatehouse_core::Content;
use gatehouse_core::content::{Block, Text};
use gatehouse_proto::session::v1 as proto;

use crate::error::Error;
use crate::id::EntryId;
use crate::rows::{self, content_of};
use crate::sessions::SessionRef;
use crate::turns::Engine;
use crate::viewer::Viewer;

pub(super) async fn get(
    engine: &Engine,
    viewer: &Viewer,
    request: proto::GetMessageRequest,
) -> Result<proto::GetMessageResponse, Error> {
    let proto::GetMessageRequest {
        session_key,
        agent_id,
        message_id,
        max_chars,
    } = request;
    let key = SessionRef::new(session_key, agent_id)
        .resolve(engine, viewer)
        .await?;
    let id = EntryId::new(message_id);
    let Some(mut entry) = engine.stores().transcripts.message(&key, &id).await? else {
        return Ok(proto::GetMessageResponse {
            ok: false,
            message: None,
            unavailable_reason: Some("not_found".to_owned()),
        });
    };
    if let Some(max) = max_chars.and_then(|max| usize::try_from(max).ok()) {
        let content = content_of(&entry.row.content);
        if content.words().chars().count() > max {
            entry.row.content = cut(content, max).to_json_blocks();
        }
    }
    Ok(proto::GetMessageResponse {
        ok: true,
        message: Some(rows::message(&entry, engine.media().links())),
        unavailable_reason: None,
    })
}

/// The same with so many characters of its words. What is no words stays.
fn cut(content: Content, max: usize) -> Content {
    let mut left = max;
    content
        .into_blocks()
        .into_iter()
        .filter_map(|block| match block {
            Block::Text(Text { text, notice }) => {
                let chars = text.chars().count();
                let text = match left {
                    0 => return None,
                    left if chars <= left => text,
                    left => text.chars().take(left).chain(['…']).collect(),
                };
                left = left.saturating_sub(chars);
                Some(Block::Text(Text { text, notice }))
            }
            other => Some(other),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_where_they_are_too_many_and_what_is_none_stays() {
        let picture = r#"{"type":"image","url":"u","mimeType":"image/png"}"#;
        let content = Content::from_json(&format!(
            r#"[{{"type":"text","text":"äöü"}},{picture},{{"type":"text","text":"abc"}}]"#
        ))
        .unwrap();

        assert_eq!(cut(content.clone(), 4).words(), "äöü\na…");
        assert_eq!(cut(content.clone(), 2).blocks().len(), 2);
        assert_eq!(cut(content.clone(), 6).words(), content.words());
    }
}
