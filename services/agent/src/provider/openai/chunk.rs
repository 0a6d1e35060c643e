//! One piece of a streamed answer. Fields that nobody reads here are left out.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

#[derive(Debug, Deserialize)]
pub(super) struct Chunk {
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) choices: Vec<Choice>,
    pub(super) usage: Option<TokenCount>,
    pub(super) error: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) delta: Delta,
    pub(super) finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Delta {
    content: Option<Said>,
    // Two spellings are about, and some servers send both with the same words: an alias would refuse the second.
    reasoning_content: Option<String>,
    reasoning: Option<String>,
}

/// Words, or parts of which some are thinking (Mistral).
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Said {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Part {
    Text {
        text: String,
    },
    Thinking {
        thinking: Box<Said>,
    },
    /// Not words.
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
pub(super) struct TokenCount {
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) prompt_tokens: i64,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(super) completion_tokens: i64,
}

/// Some servers write null for what they have nothing to say about.
fn null_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    input: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(input)?.unwrap_or_default())
}

impl Delta {
    /// What is thought and what is said, in this order.
    pub(super) fn into_words(self) -> (String, String) {
        let Self {
            content,
            reasoning_content,
            reasoning,
        } = self;
        let mut thinking = reasoning_content
            .filter(|words| !words.is_empty())
            .or(reasoning)
            .unwrap_or_default();
        let mut text = String::new();
        match content {
            None => {}
            Some(Said::Text(words)) => text = words,
            Some(Said::Parts(parts)) => {
                for part in parts {
                    match part {
                        Part::Text { text: words } => text.push_str(&words),
                        Part::Thinking { thinking: inner } => inner.words_into(&mut thinking),
                        Part::Other => {}
                    }
                }
            }
        }
        (thinking, text)
    }
}

impl Said {
    fn words_into(self, out: &mut String) {
        match self {
            Self::Text(words) => out.push_str(&words),
            Self::Parts(parts) => {
                for part in parts {
                    match part {
                        Part::Text { text } => out.push_str(&text),
                        Part::Thinking { thinking } => thinking.words_into(out),
                        Part::Other => {}
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_thoughts_are_told_apart_in_every_spelling() {
        let cases = [
            (r#"{"content":"hi"}"#, ("", "hi")),
            (r#"{"reasoning":"hm","reasoning_content":"hm"}"#, ("hm", "")),
            (r#"{"reasoning":"hm","reasoning_content":""}"#, ("hm", "")),
            (r#"{"content":null}"#, ("", "")),
            (
                r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"hi"},{"type":"reference","ids":[1]}]}"#,
                ("hm", "hi"),
            ),
            (r#"{"content":[{"type":"thinking","thinking":"hm"}]}"#, ("hm", "")),
        ];
        for (delta, (thinking, text)) in cases {
            let read: Delta = serde_json::from_str(delta).unwrap_or_else(|error| panic!("{delta}: {error}"));
            assert_eq!(
                read.into_words(),
                (thinking.to_owned(), text.to_owned()),
                "{delta}"
            );
        }
    }
}
