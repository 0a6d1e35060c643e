//! The mark with which a model ends its turn. Servers that know the model take it for the end; the others send it as the last of the
//! answer.

use super::QUOTES;

/// None of them is a word, or a tag of a page: `</s>`, which is one, stays.
const MARKS: &[&str] = &[
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|end|>",
    "<end_of_turn>",
    "<|END_RESPONSE|>",
    "<|END_TEXT|>",
    "<|END_OF_TURN_TOKEN|>",
    "<｜end▁of▁sentence｜>",
];

/// The most that waits for what follows it: a few marks. A model that writes nothing else is shown, and fills no memory.
pub(super) const BYTES_MAX: usize = 256;

/// Where such marks begin, or what may become one, behind which nothing comes but white space; the end of the text where there are
/// none. `before` is the character before the text: a mark in quotes is what somebody asked about.
pub(super) fn begins(text: &str, before: Option<char>) -> usize {
    let mut at = text.len();
    // Some models end twice.
    while text.len() - at <= BYTES_MAX {
        let words = text.get(..at).unwrap_or_default().trim_end();
        let Some((said, found)) = words.rfind('<').and_then(|at| words.split_at_checked(at)) else {
            return at;
        };
        let may_become = words.len() == text.len() && MARKS.iter().any(|mark| mark.starts_with(found));
        let last = said.chars().next_back().or(before);
        let is_quoted = last.is_some_and(|last| QUOTES.contains(&last));
        if is_quoted || !(may_become || MARKS.contains(&found)) {
            return at;
        }
        at = said.len();
    }
    text.len()
}

/// Whether a text is marks alone.
pub(super) fn is_full(text: &str) -> bool {
    let mut rest = text.trim();
    while let Some(behind) = MARKS.iter().find_map(|mark| rest.strip_prefix(mark)) {
        rest = behind.trim_start();
    }
    rest.is_empty()
}
