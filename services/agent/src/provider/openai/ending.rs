//! What the end of a body means. Silence is not success: an answer without a word says why, and the next model is asked.

use gatehouse_proto::agent::v1::FailureKind;
use reqwest::StatusCode;

use super::decoder::End;
use crate::provider::{
    Answered, StopReason, Unanswered,
    failure::{self, Callee, Said},
};

/// How a body came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// By the rules of HTTP it is whole.
    Whole,
    /// The connection was closed: whether something is missing, only the answer itself can say.
    Closed,
}

/// Reads the end of an answer. `calls`: it calls tools that somebody offered, which is as good as words.
pub(super) fn verdict(
    callee: &Callee<'_>,
    end: End,
    framing: Framing,
    calls: bool,
) -> Result<Answered, Unanswered> {
    let says_something = end.has_text || calls && end.calls_are_named;
    if let Some(said) = reason(&end, framing, says_something) {
        return Err(if end.has_text {
            failure::behind_words(callee, &said)
        } else {
            failure::in_answer(callee, &said)
        });
    }
    let is_understood = end.chunks > 0 || end.is_done && end.foreign.is_empty();
    if !is_understood || !says_something && is_odd(&end) {
        return Err(nothing_understood(callee, &end));
    }
    let (provider, origin) = (callee.provider, callee.origin());
    match &end.stop_reason {
        Some(StopReason::Fault(word)) => {
            return Err(callee.failed(
                FailureKind::Unavailable,
                format!("provider {provider} at {origin} gave up in its answer (finish reason {word}). Look into its log"),
            ));
        }
        Some(_) => {}
        None if end.is_done => {}
        // A server that says nothing of the end and closes the body in order has said everything. Where there was no answer in
        // what it said, be it an empty one, none was begun.
        None if framing == Framing::Whole && !end.is_cut && (says_something || !end.has_choice) => {}
        None => return Err(in_the_middle(callee)),
    }
    if !says_something {
        return Err(silence(callee, &end));
    }
    Ok(Answered {
        // A stream that closes with its mark and no reason has said everything.
        stop_reason: end.stop_reason.unwrap_or(StopReason::Stop),
        usage: end.usage,
    })
}

/// What the server says of why there is no answer, or no more of it.
fn reason(end: &End, framing: Framing, says_something: bool) -> Option<Said> {
    if end.error.is_some() {
        return end.error.clone();
    }
    let is_open = end.stop_reason.is_none();
    let instead = end.instead.as_ref().filter(|said| {
        let is_missing = is_open && !end.is_done && (!says_something || framing == Framing::Closed);
        let is_alone = is_open && !says_something;
        is_missing || is_alone || (is_open || !says_something) && said.tells_of_trouble()
    });
    if instead.is_some() {
        return instead.cloned();
    }
    // What stands behind the words and cannot be read, as a proxy or a runtime writes it into the stream of a server that died.
    let tail = || Some(Said::of_text(&end.tail)).filter(Said::tells_of_trouble);
    let may_be_cut = says_something && is_open && !end.is_done && !end.tail.is_empty();
    may_be_cut.then(tail).flatten()
}

fn in_the_middle(callee: &Callee<'_>) -> Unanswered {
    let (provider, origin) = (callee.provider, callee.origin());
    callee.failed(
        FailureKind::Unavailable,
        format!("provider {provider} at {origin} ended in the middle of its answer. Look into its log"),
    )
}

/// The kind of an answer that nothing kept from a word.
fn wordless(end: &End) -> FailureKind {
    if ended_in_order(end) {
        FailureKind::Silent
    } else {
        FailureKind::Empty
    }
}

/// Whether the model said that it is done, and nothing else.
fn ended_in_order(end: &End) -> bool {
    matches!(end.stop_reason, None | Some(StopReason::Stop))
}

/// Whether the words of the answer are in what could not be read, as nothing else says why there are none.
fn is_odd(end: &End) -> bool {
    end.passed_over > 0
        && ended_in_order(end)
        && !end.has_thought
        && end.refusal.is_empty()
        && end.call.is_none()
}

/// What is said of a model whose tokens were used up before its first word, by thoughts that its provider does not show.
pub(crate) const AT_ITS_LIMIT: &str = "reached its limit of tokens before its first word";

/// Why there is no word of an answer.
fn silence(callee: &Callee<'_>, end: &End) -> Unanswered {
    let (provider, model) = (callee.provider, callee.model);
    let who = format!("model {model} of provider {provider}");
    let more = format!("Raise maxTokens of the model in models.providers.{provider}.models");
    let refusal = callee.words(&end.refusal);
    let at_its_limit = end.stop_reason == Some(StopReason::Length);
    let (kind, message) = if !refusal.is_empty() {
        (
            FailureKind::Moderation,
            format!("{who} declined to answer{refusal}. Ask in another way"),
        )
    } else if end.stop_reason == Some(StopReason::Filtered) {
        (
            FailureKind::Moderation,
            format!(
                "a filter of provider {provider} withheld the answer of model {model}. Ask in another way, or choose another model"
            ),
        )
    } else if let Some(other) = end.other {
        (
            FailureKind::Empty,
            format!(
                "{who} answered with {other} and no word, which cannot be shown. Ask for words, or choose another model"
            ),
        )
    } else if let Some(call) = &end.call {
        let call = callee.words(call);
        (
            FailureKind::Empty,
            format!(
                "{who} wanted to call a tool that nobody offered it{call}, and said nothing. Ask again, or choose another model"
            ),
        )
    } else if end.has_thought && at_its_limit {
        (
            FailureKind::Empty,
            format!("{who} used up its tokens for thinking and said nothing. {more}, or let it think less"),
        )
    } else if end.has_thought {
        (
            wordless(end),
            format!("{who} thought and then said nothing. Ask again, or choose another model"),
        )
    } else if at_its_limit {
        (
            FailureKind::Empty,
            format!("{who} {AT_ITS_LIMIT}. {more}, or start a new conversation (/new)"),
        )
    } else if let Some(StopReason::Other(word)) = &end.stop_reason {
        let word = callee.words(word);
        (
            FailureKind::Empty,
            format!(
                "{who} ended its answer without a word, for a reason of its own{word}. Ask again, or choose another model"
            ),
        )
    } else if end.chunks > 0 && !end.has_choice {
        (
            FailureKind::Empty,
            format!(
                "{who} sent no answer in its answer: its list of choices is empty. Ask again, or choose another model"
            ),
        )
    } else {
        (
            wordless(end),
            format!(
                "{who} ended its answer without a word. Often the conversation does not fit the window that the model was loaded \
                 with: raise it there, or start a new one (/new)"
            ),
        )
    };
    callee.failed(kind, message)
}

/// The body holds nothing of an answer.
fn nothing_understood(callee: &Callee<'_>, end: &End) -> Unanswered {
    let (provider, origin) = (callee.provider, callee.origin());
    if end.is_cut && end.stray.is_empty() && end.foreign.is_empty() {
        return in_the_middle(callee);
    }
    let said = match end.stray.is_empty() {
        true => Said {
            words: end.foreign.clone(), // as it stands: which words of it matter is not known
            ..Said::default()
        },
        false => Said::of_text(&end.stray),
    };
    if said.is_page {
        return failure::in_success(callee, StatusCode::OK, &said);
    }
    let words = callee.words(&said.words);
    if words.is_empty() {
        return callee.failed(
            FailureKind::Unavailable,
            format!("provider {provider} at {origin} answered nothing at all. Look into its log"),
        );
    }
    callee.failed(
        FailureKind::Unavailable,
        format!(
            "provider {provider} at {origin} sent something that is not a chat completion{words}. {}",
            callee.no_route_advice()
        ),
    )
}

#[cfg(test)]
mod tests;
