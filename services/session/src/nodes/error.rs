//! What can go wrong with nodes, and what each means to the caller.

use std::time::Duration;

use gatehouse_core::{Failure, Kind};
use serde_json::json;

use super::commands::NotAllowed;
use super::{State, Trouble};

/// When to try again what a node's connection was needed for: nodes come back within a second or two.
const RETRY: Duration = Duration::from_secs(1);
/// Characters of what a node says of its trouble that a caller is told: it travels in a header.
const TOLD_CHARS_MAX: usize = 1_000;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("unknown nodeId")]
    UnknownNode,
    #[error("unknown requestId")]
    UnknownRequest,
    #[error("missing scope: {0}")]
    MissingScope(&'static str, Vec<&'static str>),
    #[error("a device without operator.admin may only manage itself")]
    OtherDevice,
    #[error("{0} has a method of its own and cannot be invoked")]
    Indirect(String),
    #[error("{hint}")]
    NotAllowed {
        why: NotAllowed,
        command: String,
        hint: String,
    },
    #[error("node not connected")]
    NotConnected,
    #[error("the node takes no more requests at the moment")]
    Busy,
    #[error("{0} invocations wait for this node already")]
    QueueFull(u32),
    #[error("at /params: what waits for a node has at most {0} bytes")]
    ParamsTooLarge(usize),
    #[error("approvals of commands are given on the node; this gateway hands none on")]
    ApprovalOverride,
    #[error("this idempotency key was used for something else")]
    KeyConflict,
    #[error(
        "the config service does not answer, so the node's device could not be unpaired: nothing was removed; try again in a moment"
    )]
    ConfigAway,
    /// It ended otherwise than well.
    #[error("{}", told(trouble))]
    Ended {
        trouble: Trouble,
        state: State,
        dispatched: bool,
    },
    #[error("the result of this invocation is no longer kept")]
    ResultGone,
    #[error("node command queued until the node returns to the foreground")]
    QueuedUntilForeground { action: String, trouble: Trouble },
    #[error("{0} may only speak for itself")]
    NodeMismatch(&'static str),
    #[error("this connection is not the node's any more; connect again")]
    NotAttached,
    #[error(
        "node capability surface is awaiting operator approval; run `gatehouse nodes approve {0}`, then this node retries \
         automatically"
    )]
    AwaitingApproval(String),
    #[error("{0} nodes are known already; remove one with `gatehouse nodes remove`")]
    TooManyNodes(u32),
    #[error("at {0}: {1}")]
    Field(&'static str, &'static str),
    #[error("the gateway is stopping")]
    Stopping,
    /// What others who waited for the same were told as well.
    #[error(transparent)]
    Told(Failure),
    #[error(transparent)]
    Session(#[from] crate::error::Error),
}

fn told(trouble: &Trouble) -> String {
    let Trouble { code, message } = trouble;
    let message: String = message.chars().take(TOLD_CHARS_MAX).collect();
    if code.is_empty() {
        message
    } else {
        format!("{code}: {message}")
    }
}

impl Error {
    fn kind(&self) -> Kind {
        match self {
            Self::UnknownNode | Self::UnknownRequest => Kind::NotFound,
            Self::MissingScope(..) | Self::OtherDevice => Kind::Forbidden,
            Self::Indirect(_)
            | Self::NotAllowed { .. }
            | Self::ParamsTooLarge(_)
            | Self::ApprovalOverride
            | Self::NodeMismatch(_)
            | Self::Field(..) => Kind::Invalid,
            Self::KeyConflict => Kind::Conflict,
            Self::ResultGone => Kind::Precondition,
            Self::Busy | Self::QueueFull(_) | Self::TooManyNodes(_) => Kind::Exhausted,
            Self::NotConnected
            | Self::QueuedUntilForeground { .. }
            | Self::NotAttached
            | Self::AwaitingApproval(_)
            | Self::ConfigAway
            | Self::Stopping => Kind::Unavailable,
            // The protocol's code is UNAVAILABLE for all that a node did not do, also for what it refused.
            Self::Ended { state, .. } => match state {
                State::Timeout => Kind::Timeout,
                State::Queued
                | State::Running
                | State::Ok
                | State::Error
                | State::Cancelled
                | State::Lost => Kind::Unavailable,
            },
            Self::Told(failure) => failure.kind,
            Self::Session(error) => error.kind(),
        }
    }
}

/// What a node says, or is said for it, when it would do the same a little later.
const LATER: [&str; 3] = ["BUSY", "NODE_BUSY", "NODE_BACKGROUND_UNAVAILABLE"];

/// Whether a node that was there has refused: it would again.
fn is_refused(trouble: &Trouble, state: State) -> bool {
    state == State::Error && !LATER.contains(&trouble.code.as_str())
}

fn node_error(trouble: &Trouble) -> serde_json::Value {
    let message: String = trouble.message.chars().take(TOLD_CHARS_MAX).collect();
    json!({"code": trouble.code, "message": message})
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let failure = Self::new(error.kind(), error.to_string());
        match error {
            Error::Session(error) => error.into(),
            Error::Told(failure) => failure,
            Error::MissingScope(scope, required) => failure
                .detail("code", "MISSING_SCOPE")
                .detail("missingScope", scope)
                .json_detail("requiredScopes", &json!(required)),
            Error::NotAllowed { why, command, .. } => failure.reason(why.reason()).detail("command", command),
            Error::Indirect(command) => failure.detail("command", command),
            Error::NotConnected => failure
                .detail("code", "NOT_CONNECTED")
                .json_detail(
                    "nodeError",
                    &json!({"code": "NOT_CONNECTED", "message": "node not connected"}),
                )
                .json_detail("nodeCommandDispatched", &json!(false)),
            Error::Ended {
                trouble,
                state,
                dispatched,
            } => {
                let failure = failure
                    .json_detail("nodeError", &node_error(&trouble))
                    .json_detail("nodeCommandDispatched", &json!(dispatched));
                // What may have been done already is not to be done twice because nobody heard of it.
                let may_be_done = dispatched && state != State::Error;
                if may_be_done || is_refused(&trouble, state) {
                    failure.for_good()
                } else {
                    failure
                }
            }
            Error::QueuedUntilForeground { action, trouble } => failure
                .detail("code", "QUEUED_UNTIL_FOREGROUND")
                .detail("queuedActionId", action)
                .json_detail("nodeError", &node_error(&trouble)),
            Error::NotAttached | Error::Busy => failure.retry_after(RETRY),
            Error::ConfigAway => failure.reason("config-away").retry_after(RETRY),
            Error::Field(path, _) => failure.path(path),
            Error::ParamsTooLarge(_) => failure.path("/params"),
            Error::KeyConflict => failure.reason("idempotency-conflict"),
            Error::ResultGone => failure.reason("result-not-kept"),
            Error::ApprovalOverride => failure.detail("code", "APPROVALS_UNAVAILABLE"),
            Error::QueueFull(_) => failure.reason("queue-full"),
            Error::TooManyNodes(_) => failure.reason("too-many-nodes"),
            Error::AwaitingApproval(request) => {
                failure.reason("awaiting-approval").detail("requestId", request)
            }
            Error::Stopping => failure.reason("stopping"),
            Error::UnknownNode | Error::UnknownRequest | Error::OtherDevice | Error::NodeMismatch(_) => {
                failure
            }
        }
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        Failure::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_told_to_repeat_a_command_that_may_have_been_done() {
        let ended = |state, code: &str, dispatched| {
            Failure::from(Error::Ended {
                trouble: Trouble::new(code, "x"),
                state,
                dispatched,
            })
            .retryable()
        };

        assert!(!ended(State::Timeout, "TIMEOUT", true));
        assert!(!ended(State::Lost, "DISCONNECTED", true));
        assert!(!ended(State::Error, "BAD", true));
        assert!(ended(State::Timeout, "TIMEOUT", false));
        assert!(ended(State::Lost, "DISCONNECTED", false));
        assert!(
            ended(State::Error, "BUSY", true),
            "the node says that it did nothing"
        );
    }
}
