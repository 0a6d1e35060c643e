//! What servers say of the tokens that they take: of a conversation with its answer, and of an answer alone.

/// A window, and what a conversation leaves of it for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) window: u64,
    pub(crate) left: u64,
}

/// Before the window.
const WINDOW: [&str; 3] = [
    "context length is only ",
    "context length is ",
    "context length of ",
];

/// Behind the tokens of the conversation.
const INPUT: [&str; 6] = [
    " in the messages",
    " in your prompt",
    " of text input",
    " input tokens",
    " prompt tokens",
    " in the prompt",
];

/// What a conversation that fits leaves for its answer, of a server that refuses both together. `None`: it does not fit itself, or
/// that is not said.
pub(crate) fn room_for_answer(words: &str) -> Option<Room> {
    let words = words.to_lowercase();
    let window = WINDOW.iter().find_map(|before| number_behind(&words, before))?;
    let input = INPUT.iter().find_map(|behind| number_before(&words, behind))?;
    let left = window.checked_sub(input).filter(|left| *left > 0)?;
    Some(Room { window, left })
}

/// The longest answer that a server takes, of one that refuses the bound that it was `asked` for.
pub(crate) fn longest_answer(words: &str, asked: u64) -> Option<u64> {
    let words = words.to_lowercase();
    if !names_bound(&words) {
        return None;
    }
    numbers(&words).filter(|number| *number < asked).max()
}

/// Whether the value of the bound of an answer is what is refused.
pub(super) fn names_bound(words: &str) -> bool {
    const SAYS: [&str; 7] = [
        "too large",
        "at most",
        "less than or equal",
        "valid range",
        "maximum allowed",
        "must be <=",
        "cannot exceed",
    ];
    let is_named = words.contains("max_tokens") || words.contains("max_completion_tokens");
    is_named && SAYS.iter().any(|part| words.contains(part))
}

/// The numbers in a text, and none that is a part of a name.
pub(crate) fn numbers(words: &str) -> impl Iterator<Item = u64> {
    words
        .split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.' | '_' | ','))
        .filter_map(number)
}

fn number(word: &str) -> Option<u64> {
    let word = word.trim_matches(['.', ',', '-', '(', '[']);
    word.replace(',', "").parse().ok()
}

fn number_behind(words: &str, before: &str) -> Option<u64> {
    let (_, rest) = words.split_once(before)?;
    number(rest.split([' ', ')']).next()?)
}

fn number_before(words: &str, behind: &str) -> Option<u64> {
    let (rest, _) = words.split_once(behind)?;
    number(rest.rsplit(' ').next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_conversation_leaves_is_read_from_what_servers_say() {
        for (words, room) in [
            (
                "'max_tokens' or 'max_completion_tokens' is too large: 8192. This model's maximum context length is 4096 tokens and your request has 12 input tokens (8192 > 4096 - 12). None",
                Some((4_096, 4_084)),
            ),
            (
                "This model's maximum context length is 4096 tokens. However, you requested 8204 tokens (12 in the messages, 8192 in the completion). Please reduce the length of the messages or completion.",
                Some((4_096, 4_084)),
            ),
            (
                "This endpoint's maximum context length is 32768 tokens. However, you requested about 65550 tokens (14 of text input, 65536 in the output).",
                Some((32_768, 32_754)),
            ),
            (
                "This model's maximum context length is 4096 tokens. However, you requested 5013 tokens (4913 in the messages, 100 in the completion).",
                None,
            ),
            ("maximum context length is 4096 tokens, you requested 5000", None),
        ] {
            let room = room.map(|(window, left)| Room { window, left });
            assert_eq!(room_for_answer(words), room, "{words}");
        }
    }

    #[test]
    fn the_longest_answer_is_read_from_what_servers_say() {
        for (words, longest) in [
            (
                "max_tokens is too large: 100000. This model supports at most 16384 completion tokens, whereas you provided 100000.",
                Some(16_384),
            ),
            (
                "max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens for claude-3-5-haiku-20241022",
                Some(8_192),
            ),
            (
                "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]",
                Some(8_192),
            ),
            (
                "`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is less than the `context_window` for this model",
                Some(8_192),
            ),
            ("Unsupported parameter: 'max_tokens'. Use 2 instead", None),
            ("temperature must be at most 2", None),
        ] {
            assert_eq!(longest_answer(words, 100_000), longest, "{words}");
        }
    }
}
