//! Whether an answer says something. Agents that were asked by the clock say by a word that there is nothing to say; they may not
//! notice that nobody wants to read the word.

use gatehouse_core::Content;
use gatehouse_core::content::Block;

/// The words that say nothing, OpenClaw's: the older one may stand before or behind a remark.
const SILENT: &str = "NO_REPLY";
const SILENT_OLD: &str = "HEARTBEAT_OK";
/// The longest remark beside the older word that is not worth anybody's time, in characters: OpenClaw's.
const REMARK_CHARS_MAX: usize = 300;

/// What a chat is told of an answer. `None`: there is nothing to say.
pub(super) fn said(reply: Content) -> Option<Content> {
    let has_media = reply
        .blocks()
        .iter()
        .any(|block| matches!(block, Block::Media(_)));
    if has_media {
        return Some(reply);
    }
    let words = reply.words();
    let bare = bare(&words);
    if bare.is_empty() || bare.eq_ignore_ascii_case(SILENT) {
        return None;
    }
    let rest = bare
        .strip_prefix(SILENT_OLD)
        .or_else(|| bare.strip_suffix(SILENT_OLD));
    match rest {
        None => Some(reply),
        Some(rest) if rest.trim().chars().count() <= REMARK_CHARS_MAX => None,
        Some(rest) => Some(Content::text(rest.trim_matches(is_around))),
    }
}

/// Whether an answer of these words says nothing.
pub(crate) fn says_nothing(words: &str) -> bool {
    said(Content::text(words)).is_none()
}

/// Without what models put around a word that should stand alone.
fn bare(words: &str) -> &str {
    words.trim_matches(is_around)
}

fn is_around(c: char) -> bool {
    c.is_whitespace() || matches!(c, '*' | '`' | '.' | '!' | '"' | '\'' | '#' | '>')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Option<String> {
        said(Content::text(text)).map(|content| content.words())
    }

    #[test]
    fn an_answer_that_says_by_a_word_that_there_is_nothing_to_say_says_nothing() {
        for silent in [
            "NO_REPLY",
            " no_reply\n",
            "**NO_REPLY**",
            "`HEARTBEAT_OK`",
            "HEARTBEAT_OK.",
            "All is quiet. HEARTBEAT_OK",
            "HEARTBEAT_OK nothing new in the inbox",
            "",
            "\n ",
        ] {
            assert_eq!(told(silent), None, "{silent:?}");
        }
    }

    #[test]
    fn whatever_says_something_is_said_whole() {
        for said in [
            "The kettle is on fire.",
            "You asked what HEARTBEAT_OK means: nothing.",
            "NO_REPLY was what the server said",
        ] {
            assert_eq!(told(said).as_deref(), Some(said));
        }
        let long = "x".repeat(REMARK_CHARS_MAX + 1);
        assert_eq!(told(&format!("HEARTBEAT_OK {long}")), Some(long));
    }
}
