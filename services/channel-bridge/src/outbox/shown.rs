//! What a platform is given of a message.

use std::cell::Cell;

use gatehouse_core::Content;
use gatehouse_core::content::{Block, Choice, Media, Text};

use crate::adapter::Capabilities;

/// Media of one answer. More are named in words.
pub(super) const MEDIA_MAX: usize = 10;

/// Words, and the media that the platform shows. Everything else is in the words, or left out where people never see it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) text: String,
    pub(super) media: Vec<Media>,
    pub(super) choices: Vec<Choice>,
}

/// What choices stand below where nothing else is said: no platform has buttons without words.
const CHOOSE: &str = "Choose one:";

impl Shown {
    pub(super) fn of(message: Content, capabilities: &Capabilities) -> Self {
        let (mut texts, mut media, mut offered) = (Vec::new(), Vec::new(), Vec::new());
        let count = Cell::new(0);
        // One message has one set of buttons.
        let offers = Cell::new(false);
        let shows = |block: &Block| {
            let is_media = matches!(block, Block::Media(_));
            count.set(count.get() + usize::from(is_media));
            let is_second = matches!(block, Block::Choices(_)) && offers.replace(true);
            capabilities.shows(block) && !is_second && (!is_media || count.get() <= MEDIA_MAX)
        };
        for block in message.shown_by(shows).into_blocks() {
            match block {
                Block::Text(Text { text, .. }) => texts.push(text),
                Block::Media(shown) => media.push(shown),
                Block::Choices(choices) => offered = choices,
                Block::ToolCall(_) | Block::ToolResult(_) | Block::Thinking(_) | Block::Opaque(_) => {}
            }
        }
        let mut text = texts.join("\n");
        if !offered.is_empty() && text.trim().is_empty() {
            CHOOSE.clone_into(&mut text);
        }
        Self {
            text,
            media,
            choices: offered,
        }
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

    #[test]
    fn choices_are_buttons_where_there_are_enough_and_words_elsewhere() {
        let words = Capabilities::text_only(TextLimit::new(TextUnit::Chars, 100, TextShape::Plain));
        let two = Capabilities {
            choices: 2,
            ..words.clone()
        };
        let message = |count: u32| {
            let choices = (0..count).map(|n| (format!("c{n}"), String::new()));
            Content::from(Block::Choices(Choice::read(choices).unwrap()))
        };

        assert_eq!(Shown::of(message(2), &words).text, "1. c0\n2. c1");
        let shown = Shown::of(message(2), &two);
        assert_eq!((shown.text.as_str(), shown.choices.len()), ("Choose one:", 2));
        let many = Shown::of(message(3), &two);
        assert_eq!((many.text.lines().count(), many.choices.len()), (3, 0));
        let twice: Content = message(2)
            .into_blocks()
            .into_iter()
            .chain(message(1).into_blocks())
            .collect();
        let twice = Shown::of(twice, &two);
        assert_eq!((twice.text.as_str(), twice.choices.len()), ("1. c0", 2));
    }
}
