//! What the bridge itself says in a chat. Plain words: keys, commands and causes are for operators, in the log and in the
//! answers of methods.

use gatehouse_core::{Failure, ForPeople, Kind, Notice};

/// A message waited for too long.
pub(crate) const EXPIRED: ForPeople =
    ForPeople::new("Your message waited for a day and is not answered any more.");
/// An unknown sender was let in.
pub(crate) const LET_IN: ForPeople = ForPeople::new("You are let in. What may I do for you?");
const MET: ForPeople = ForPeople::new(
    "We have not met. The owner of this assistant can let you in within an hour, with this code:",
);
const UNREADABLE: ForPeople =
    ForPeople::new("Your message could not be taken as it is. Please write it in another way.");
/// Somebody wanted no more of it.
pub(crate) const STOPPED: ForPeople = ForPeople::new("Stopped.");
/// Somebody wanted no more of nothing.
pub(crate) const NOTHING_TO_STOP: ForPeople = ForPeople::new("There is nothing to stop here.");
/// What the session service says when it has no room in a conversation.
pub(crate) const QUEUE_FULL_REASON: &str = "queue-full";
/// The conversation has no room for another message at this moment.
pub(crate) const QUEUE_FULL: ForPeople = ForPeople::new(
    "Many messages wait here already. What you write is kept, and answered when it is its turn.",
);
/// Two who only answer each other.
pub(crate) const PAUSED: ForPeople = ForPeople::new(
    "We have answered each other many times in a short while. I am silent here for some minutes now.",
);
const MORE_LINES: ForPeople = ForPeople::new("more lines: say");
const MORE_MESSAGES: ForPeople = ForPeople::new("more messages: say");
const CUT_LINES: ForPeople = ForPeople::new("more lines are left out: the answer is too long");
const CUT_MESSAGES: ForPeople = ForPeople::new("more messages are left out: the answer is too long");
const NOT_SET_UP: ForPeople = ForPeople::new(
    "Your message could not be answered: the assistant is not set up for this chat. Its owner can see why.",
);

/// An unknown sender is told a code, and nothing about how its owner uses it.
pub(crate) fn code(code: &str) -> String {
    format!("{} {code}", MET.words())
}

/// How the first part of a long answer ends: what is kept, and the word that brings it.
pub(crate) fn more(count: usize, lines: bool) -> String {
    let words = if lines { MORE_LINES } else { MORE_MESSAGES };
    format!("… {count} {} \"more\"", words.words())
}

/// How an answer ends of which not even the rest could be kept whole.
pub(crate) fn cut(count: usize, lines: bool) -> String {
    let words = if lines { CUT_LINES } else { CUT_MESSAGES };
    format!("({count} {})", words.words())
}

/// The session service refused a message for good.
pub(crate) fn refused(failure: &Failure) -> Notice {
    let for_people = match failure.kind {
        Kind::Invalid => UNREADABLE,
        Kind::NotFound
        | Kind::Conflict
        | Kind::Precondition
        | Kind::Forbidden
        | Kind::Unauthenticated
        | Kind::Exhausted
        | Kind::Unavailable
        | Kind::Timeout
        | Kind::Internal => NOT_SET_UP,
    };
    Notice::new(for_people, failure.message.clone())
}
