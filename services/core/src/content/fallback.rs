//! What a platform that cannot show a block is told instead.

use super::{Block, Choice, Content, Media, Text};

/// Characters of a medium's name in a sentence: longer ones push the words out of sight.
const NAME_CHARS_MAX: usize = 120;

/// What stands in the place of a block that nobody here understands.
const UNKNOWN: &str = "[something that cannot be shown here]";

impl Content {
    /// The content for a platform that shows only some blocks: each of the others is words that take its place, or nothing where
    /// people never see such a block. Words that follow each other without a shown block between them become one block.
    ///
    /// - a medium is named: `[image: cat.png]`;
    /// - a tool's call and its result, and what the model thought, are not said;
    /// - choices are a list of what may be said;
    /// - what nobody here understands is said to be there.
    #[must_use]
    pub fn shown_by(self, shows: impl Fn(&Block) -> bool) -> Self {
        let mut shown = Self::default();
        for block in self.blocks {
            let words = match block {
                Block::Text(Text { text, .. }) => text,
                block if shows(&block) => {
                    shown.push(block);
                    continue;
                }
                Block::Media(media) => media.label(),
                Block::Choices(choices) => Choice::in_words(&choices),
                Block::Opaque(_) => UNKNOWN.to_owned(),
                Block::ToolCall(_) | Block::ToolResult(_) | Block::Thinking(_) => continue,
            };
            match shown.blocks.last_mut() {
                Some(Block::Text(before)) => {
                    before.text.push('\n');
                    before.text.push_str(&words);
                }
                _ => shown.push(Block::text(words)),
            }
        }
        shown
    }

    /// The same for a platform that shows words alone.
    pub fn into_words(self) -> String {
        let shown = self.shown_by(|_| false);
        match shown.blocks.into_iter().next() {
            Some(Block::Text(Text { text, .. })) => text,
            _ => String::new(),
        }
    }
}

impl Media {
    /// Names it in a sentence: `[image: cat.png]`, on one line.
    pub fn label(&self) -> String {
        let kind = self.kind().word();
        let name: String = self
            .name
            .as_deref()
            .unwrap_or_default()
            .chars()
            .filter(|c| !c.is_control())
            .take(NAME_CHARS_MAX)
            .collect();
        match name.trim() {
            "" => format!("[{kind}]"),
            name => format!("[{kind}: {name}]"),
        }
    }
}
