//! What a refusal teaches: a server that refuses a field is asked without it, one that takes no answer as long as `maxTokens` says is
//! asked for a shorter one, and one that says that the conversation is too long is sent less of it, once.

use gatehouse_document::models::MaxTokensField;
use gatehouse_proto::agent::v1::FailureKind;

use super::asking::{Asking, Prepared};
use crate::{
    lessons::Lesson,
    provider::{
        Unanswered,
        failure::bounds,
        openai::body::{Asked, word},
    },
    window::Window,
};

/// The refusals of a request's form (RFC 9110, 15.5.1 and 15.5.21).
const BAD_REQUEST: u16 = 400;
const UNPROCESSABLE: u16 = 422;

/// Words by which servers say that they do not know a field, and not that its value is wrong.
const UNKNOWN_FIELD: [&str; 13] = [
    "unsupported",
    "not supported",
    "does not support",
    "unrecognized",
    "unrecognised",
    "unknown",
    "unexpected",
    "not permitted",
    "not allowed",
    "not a valid",
    "invalid",
    "extra",
    "instead",
];

/// Words by which they say that how hard to think is a value of a kind that they do not know.
const UNKNOWN_LEVEL: [&str; 2] = ["must be one of", "should be one of"];

/// What the thing is called that a model does harder or less hard, by those that cannot.
const THINKING: [&str; 3] = ["reasoning", "thinking", "think "];

/// The shortest answer that anybody is asked for because longer ones are refused.
const ANSWER_TOKENS_MIN: u64 = 64;

/// A number below this in an error about length is not a window.
const WINDOW_TOKENS_MIN: u64 = 256;

/// Takes the lesson of a refusal. Whether the model is to be asked again because of it.
pub(super) fn learn(asking: &mut Asking<'_>, prepared: &Prepared, why: &Unanswered) -> bool {
    match why.kind {
        FailureKind::Context => bound(asking, prepared, why) || cut(asking, prepared, &why.message),
        FailureKind::Rejected if bound(asking, prepared, why) => true,
        FailureKind::Rejected => match without_what_is_refused(&asking.asked(), why) {
            Some(lesson) => {
                asking.lesson = lesson;
                true
            }
            None => false,
        },
        _ => false,
    }
}

/// What is left out of the next request because a server refused this one for it.
fn without_what_is_refused(asked: &Asked<'_>, why: &Unanswered) -> Option<Lesson> {
    if !matches!(why.status, Some(BAD_REQUEST | UNPROCESSABLE)) {
        return None;
    }
    let words = why.message.to_lowercase();
    let lesson = asked.lesson;
    let is_default = asked.settings.compat.supports_usage_in_streaming.is_none();
    if words.contains("stream_options") && asked.wants_usage() && is_default {
        return Some(Lesson {
            refuses_usage: true,
            ..lesson
        });
    }
    let is_unknown = UNKNOWN_FIELD.iter().any(|word| words.contains(word));
    let is_unknown_level = is_unknown || UNKNOWN_LEVEL.iter().any(|word| words.contains(word));
    if asked.effort().is_some() && is_unknown_level && is_about_thinking(&words, asked.model) {
        return Some(Lesson {
            refuses_effort: true,
            ..lesson
        });
    }
    let field = asked.max_tokens_field();
    let may_change = asked.max_tokens.is_some()
        && asked.settings.compat.max_tokens_field.is_none()
        && lesson.max_tokens_field.is_none();
    if may_change && is_unknown && words.contains(word(field)) {
        let other = match field {
            MaxTokensField::MaxTokens => MaxTokensField::MaxCompletionTokens,
            MaxTokensField::MaxCompletionTokens => MaxTokensField::MaxTokens,
        };
        return Some(Lesson {
            max_tokens_field: Some(other),
            ..lesson
        });
    }
    // Many servers do not say what they dislike: they are asked once more with nothing that they need not know.
    (asked.wants_usage() && is_default).then_some(Lesson {
        refuses_usage: true,
        ..lesson
    })
}

/// Whether words are about thinking, and not about a model that is named after it.
fn is_about_thinking(words: &str, model: &str) -> bool {
    let own = own_words(words).unwrap_or(words);
    let own = own.replace(&model.to_lowercase(), "");
    THINKING.iter().any(|word| own.contains(word))
}

/// Asks for a shorter answer, where its bound is what a provider refuses. Once for each model and turn.
fn bound(asking: &mut Asking<'_>, prepared: &Prepared, why: &Unanswered) -> bool {
    let Some(asked) = prepared.bound.filter(|_| !asking.is_bounded) else {
        return false;
    };
    let words = own_words(&why.message).unwrap_or(&why.message);
    let most = match why.kind {
        // Half of a window is for the conversation, as it grows: else every turn of it would be refused once. Where it has grown into
        // the last quarter, less of it is sent.
        FailureKind::Context => bounds::room_for_answer(words)
            .filter(|room| room.left >= room.window / 4)
            .map(|room| room.left.min(room.window / 2)),
        _ => bounds::longest_answer(words, asked),
    };
    let Some(most) = most.filter(|most| (ANSWER_TOKENS_MIN..asked).contains(most)) else {
        return false;
    };
    tracing::info!(
        provider.id = asking.name.provider,
        model.id = asking.name.model,
        limit = most,
        "a provider takes no answer as long as maxTokens says: it is asked for shorter ones"
    );
    asking.is_bounded = true;
    asking.lesson.answer = Some(most);
    true
}

/// Makes the room smaller, by what the provider says of its own or by half. Once for each model and turn.
fn cut(asking: &mut Asking<'_>, prepared: &Prepared, words: &str) -> bool {
    if asking.is_cut {
        return false;
    }
    let answer = asking.settings.max_tokens;
    let said = own_words(words).and_then(window_in);
    let said = said.map(|tokens| Window { tokens, answer }.room());
    // It refused this much, whatever it says: the next try is clearly less.
    let most = prepared.sent / 4 * 3;
    let room = said.map_or(prepared.sent / 2, |room| room.min(most));
    if asking.fitted(Some(room)).sent >= prepared.sent {
        return false; // nothing is left that could be left out
    }
    asking.is_cut = true;
    asking.lesson.room = Some(room);
    true
}

/// What the provider itself said, in a message about it: before that stand the status and the address, which have numbers, too.
fn own_words(message: &str) -> Option<&str> {
    message.split_once("): ").map(|(_, words)| words)
}

/// The window that an error names: the first number in it that is smaller than the largest one, which is what was sent. Servers put
/// them in either order: "maximum context length is 4096 tokens, however you requested 5013", "(5013 tokens) exceeds (4096 tokens)".
fn window_in(words: &str) -> Option<u64> {
    let numbers: Vec<u64> = bounds::numbers(words)
        .filter(|number| *number >= WINDOW_TOKENS_MIN)
        .collect();
    let most = numbers.iter().copied().max()?;
    numbers.into_iter().find(|number| *number < most)
}

#[cfg(test)]
mod tests;
