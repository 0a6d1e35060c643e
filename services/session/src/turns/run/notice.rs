//! What is said about a turn that did not end well. A chat is told plain words; the screens of operators and the transcript are
//! told the cause and the next step.

use crate::stop::StopReason;
use gatehouse_core::{ForPeople, Notice};
use gatehouse_proto::agent::v1::FailureKind;

/// The agent service cannot be reached.
pub(super) const UNREACHABLE: ForPeople =
    ForPeople::new("The assistant cannot be reached at the moment. Please try again in a minute.");
/// The answer broke off in the middle.
pub(in crate::turns) const BROKEN_OFF: ForPeople =
    ForPeople::new("The answer broke off. Please ask again if you still need the rest.");
const CUT_OFF: ForPeople =
    ForPeople::new("The answer ends here because it reached its longest length. Please ask for the rest.");
const WITHHELD: ForPeople = ForPeople::new("The rest of the answer was withheld by a filter.");
const INSIDE: ForPeople = ForPeople::new(
    "Something went wrong, and there is no answer. Please try again; the owner of this assistant can see why.",
);
const SET_UP: ForPeople = ForPeople::new(
    "The assistant cannot answer: something about it is not set up right. Its owner can see what.",
);
const BUSY: ForPeople =
    ForPeople::new("The assistant is asked too much at the moment. Please try again in a few minutes.");
const TOO_LONG: ForPeople =
    ForPeople::new("This conversation has become too long for the assistant. Its owner can begin a new one.");
const SLOW: ForPeople = ForPeople::new("The answer took too long. Please try again.");
const DECLINED: ForPeople =
    ForPeople::new("The assistant could not answer this. Please ask in another way; its owner can see why.");

const SILENT: ForPeople =
    ForPeople::new("The assistant had no answer this time. Please try again, or ask in another way.");

/// What is said behind an answer that a model was not let finish.
pub(super) fn unfinished(stop_reason: &StopReason) -> Option<ForPeople> {
    match stop_reason {
        StopReason::Length => Some(CUT_OFF),
        StopReason::Filtered => Some(WITHHELD),
        StopReason::Stop
        | StopReason::Calls
        | StopReason::Aborted
        | StopReason::Interrupted
        | StopReason::Error
        | StopReason::Rpc
        | StopReason::Interrupt
        | StopReason::Restart
        | StopReason::Other(_) => None,
    }
}

/// A failure, told to people by its kind alone: whatever the words of the agent service or a provider hold.
pub(super) fn failed(kind: FailureKind, for_operators: impl Into<String>) -> Notice {
    let for_people = match kind {
        FailureKind::Auth | FailureKind::Config | FailureKind::ModelMissing => SET_UP,
        FailureKind::RateLimit => BUSY,
        FailureKind::Context => TOO_LONG,
        FailureKind::Timeout => SLOW,
        FailureKind::Unavailable => UNREACHABLE,
        FailureKind::Rejected | FailureKind::Moderation => DECLINED,
        FailureKind::Empty | FailureKind::Silent => SILENT,
        FailureKind::Unspecified => INSIDE,
    };
    Notice::new(for_people, for_operators)
}
