//! What signal-cli's refusals mean, and what somebody can do about them.

use std::time::Duration;

use super::rpc::{Refused, RpcError};
use crate::adapter::{Ended, SendError};

/// Signal is too often asked; signal-cli does not hand on for how long.
const PAUSE: Duration = Duration::from_secs(60);

/// signal-cli's numbers (`JsonRpcException` of its sources).
const IO: i64 = -3;
const UNTRUSTED: i64 = -4;
const TOO_FAST: i64 = -5;

/// What a refusal means for the connection.
pub(super) fn ended(error: &RpcError) -> Ended {
    match error {
        RpcError::Refused(refused) => {
            let words = refused.words.to_ascii_lowercase();
            if words.contains("account")
                && (words.contains("does not exist") || words.contains("not registered"))
            {
                return Ended::Failed(format!(
                    "signal-cli does not have this account ({refused}): register or link it (signal-cli link), and start the daemon anew"
                ));
            }
            if words.contains("authorization failed")
                || words.contains("unregistered")
                || words.contains("delinked")
            {
                return Ended::Failed(format!(
                    "Signal does not know this device any more ({refused}): link it anew (signal-cli link)"
                ));
            }
            Ended::Retry(format!("signal-cli refused: {refused}"))
        }
        RpcError::Web(error) => Ended::Retry(format!("{error}; does signal-cli's daemon run?")),
    }
}

/// What a refusal means for one message.
pub(super) fn of_a_send(refused: &Refused) -> SendError {
    let reason = format!("signal-cli refused: {refused}");
    match refused.code {
        TOO_FAST => SendError::Retry {
            after: Some(PAUSE),
            reason: format!(
                "{reason}: Signal wants a pause, or a proof (signal-cli submitRateLimitChallenge)"
            ),
        },
        UNTRUSTED => SendError::permanent(format!(
            "{reason}: the person has new keys; trust them (signal-cli trust -a NUMBER)"
        )),
        IO => SendError::unknown(reason),
        429 => SendError::Retry {
            after: Some(PAUSE),
            reason,
        },
        // What stands before the daemon answered, and not the daemon.
        300..=499 => SendError::retry(reason),
        500..=599 => SendError::unknown(reason),
        _ => SendError::permanent(reason),
    }
}

/// The word of one of those who were to get a message.
pub(super) fn of_a_person(word: &str) -> Option<SendError> {
    let reason = format!("signal-cli did not reach anybody: {word}");
    match word {
        "SUCCESS" => None,
        "NETWORK_FAILURE" => Some(SendError::unknown(reason)),
        "RATE_LIMIT_FAILURE" => Some(SendError::ChatBusy { after: PAUSE, reason }),
        "PROOF_REQUIRED_FAILURE" => Some(SendError::Retry {
            after: Some(PAUSE),
            reason: format!("{reason}: Signal wants a proof (signal-cli submitRateLimitChallenge)"),
        }),
        "UNREGISTERED_FAILURE" => Some(SendError::permanent(format!(
            "{reason}: this number has no Signal"
        ))),
        "IDENTITY_FAILURE" => Some(SendError::permanent(format!(
            "{reason}: the person has new keys; trust them (signal-cli trust -a NUMBER)"
        ))),
        _ => Some(SendError::permanent(reason)),
    }
}
