//! Words to the gateway itself: they are obeyed here, and no agent is asked what they might mean.

use crate::adapter::{ChatKind, InboundMessage};

/// The longest message in which a word is looked for, in bytes: a nick and the word.
const BYTES_MAX: usize = 600;

/// What somebody wants of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// No more of what is being said, or worked on, in this chat.
    Stop,
    /// More of the answer that was too long.
    More,
}

impl Word {
    /// The word that a message is, and nothing else: `stop`, `Stop!`, `/stop`, `gate: stop`, in a room also `gate stop`.
    pub(crate) fn of(message: &InboundMessage) -> Option<Self> {
        if message.content.bytes() > BYTES_MAX {
            return None;
        }
        let text = message.content.words();
        let words: Vec<&str> = text.split_whitespace().collect();
        match *words.as_slice() {
            [word] => Self::parse(word),
            // The nick is not known here. Whom it names in a room the adapter has looked at; between two, `name: stop` is
            // meant for the other one.
            [first, second] if message.mentioned => {
                let named = first.ends_with([':', ',']) || first.starts_with('@');
                if !named && message.chat_kind == ChatKind::Direct {
                    return None; // "don't stop" is something to talk about
                }
                Self::parse(second).or_else(|| Self::parse(first))
            }
            _ => None,
        }
    }

    fn parse(word: &str) -> Option<Self> {
        let word = word.strip_prefix('/').unwrap_or(word);
        let word = word.trim_end_matches(['.', '!', '?', ',', '…', ':']);
        let word = word.trim_matches(['"', '\'', '“', '”', '`']);
        if word.eq_ignore_ascii_case("stop") {
            Some(Self::Stop)
        } else if word.eq_ignore_ascii_case("more") {
            Some(Self::More)
        } else {
            None
        }
    }
}

/// Whether a text is a word to the gateway, and nothing else.
pub(crate) fn is_word(text: &str) -> bool {
    Word::parse(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::Word;
    use crate::{
        adapter::{ChatKind, InboundMessage},
        testing::message,
    };

    fn said(kind: ChatKind, mentioned: bool, text: &str) -> Option<Word> {
        Word::of(&InboundMessage {
            chat_kind: kind,
            mentioned,
            ..message("m", "anna", text)
        })
    }

    #[test]
    fn a_word_stands_alone_or_behind_the_name_of_the_assistant() {
        for text in [
            "stop",
            "Stop!",
            "STOP",
            "/stop",
            " stop. ",
            "\"stop\"",
            "gate: stop",
            "@gate stop",
        ] {
            assert_eq!(said(ChatKind::Direct, true, text), Some(Word::Stop), "{text}");
            assert_eq!(said(ChatKind::Channel, true, text), Some(Word::Stop), "{text}");
        }
        for text in ["gate stop", "stop gate", "stop, gate", "Gate, more"] {
            assert!(said(ChatKind::Channel, true, text).is_some(), "{text}");
        }
        assert_eq!(said(ChatKind::Direct, true, "more"), Some(Word::More));
        assert_eq!(said(ChatKind::Channel, false, "more"), Some(Word::More));
    }

    #[test]
    fn what_only_sounds_like_one_is_for_the_agent() {
        for text in [
            "don't stop",
            "stop the music",
            "tell me more about it",
            "unstoppable",
            "stopp",
            "",
            "more or less",
        ] {
            assert_eq!(said(ChatKind::Direct, true, text), None, "{text}");
        }
        for text in ["anna: stop", "anna stop", "bert, more"] {
            assert_eq!(said(ChatKind::Channel, false, text), None, "{text}");
        }
    }
}
