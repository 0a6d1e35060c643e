//! What a platform is given of a message.

use std::cell::Cell;

use gatehouse_core::Content;
use gatehouse_core::content::{Block, Media, Text};

use super::plan::MEDIA_MAX;
use crate::adapter::Capabilities;

/// Words, and the media that the platform shows. Everything else is in the words, or left out where people never see it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) text: String,
    pub(super) media: Vec<Media>,
}

impl Shown {
    pub(super) fn of(message: Content, capabilities: &Capabilities) -> Self {
        let (mut texts, mut media) = (Vec::new(), Vec::new());
        let count = Cell::new(0);
        let shows = |block: &Block| {
            let is_media = matches!(block, Block::Media(_));
            count.set(count.get() + usize::from(is_media));
            capabilities.shows(block) && (!is_media || count.get() <= MEDIA_MAX)
        };
        for block in message.shown_by(shows).into_blocks() {
            match block {
                Block::Text(Text { text, .. }) => texts.push(text),
                Block::Media(shown) => media.push(shown),
                Block::ToolCall(_) | Block::ToolResult(_) | Block::Thinking(_) | Block::Opaque(_) => {}
            }
        }
        let text = texts.join("\n");
        Self { text, media }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::{TextLimit, TextShape, TextUnit};

    #[test]
    fn a_platform_is_given_the_media_that_it_shows_and_is_told_of_the_others() {
        let words = Capabilities::text_only(TextLimit::new(TextUnit::Chars, 100, TextShape::Plain));
        let pictures = Capabilities {
            media: true,
            ..words.clone()
        };
        let message = Content::from_json(
            r#"[{"type":"thinking","thinking":"hm"},{"type":"text","text":"see"},
                {"type":"image","id":"1","mimeType":"image/png","name":"cat.png"},{"type":"text","text":"there"}]"#,
        )
        .unwrap();

        let told = Shown::of(message.clone(), &words);
        let shown = Shown::of(message, &pictures);

        assert_eq!(
            (told.text.as_str(), told.media.len()),
            ("see\n[image: cat.png]\nthere", 0)
        );
        assert_eq!((shown.text.as_str(), shown.media.len()), ("see\nthere", 1));
    }
}
