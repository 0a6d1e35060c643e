//! Why a request has no answer. A gateway that refuses is not one that went away: it says why, and the person hears it.

use std::time::Duration;

use crate::{
    client::{self, Refusal},
    exit::{Exit, Failed},
};

/// The longest pause that a gateway can ask for between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Why a request has no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The connection is gone: come back, and ask again.
    Lost(Failed),
    /// A service is starting, stopping or away for a moment, and says when to try again.
    Away(Failed, Duration),
    /// It was not done, and trying again at once does not help: a full queue, a full disk, a wrong request.
    Failed(Failed),
}

impl Trouble {
    /// Of a refusal.
    pub(super) fn refused(method: &str, refusal: &Refusal) -> Self {
        let mut failed = client::refused(method, refusal);
        let reason = refusal.details.get("reason").and_then(serde_json::Value::as_str);
        if reason == Some("queue-full") {
            // In the server's words and no code before them: it is not the gateway that is unavailable.
            failed.message.clone_from(&refusal.message);
            failed.next = Some("wait for an answer, or stop one: /stop".to_owned());
            return Self::Failed(failed);
        }
        match refusal.retry_after_ms {
            Some(wait) if refusal.retryable => Self::Away(failed, Duration::from_millis(wait).min(PAUSE_MAX)),
            Some(_) | None => Self::Failed(failed),
        }
    }

    /// What is told when it is the end.
    pub(super) fn into_failed(self) -> Failed {
        match self {
            Self::Lost(failed) | Self::Away(failed, _) | Self::Failed(failed) => failed,
        }
    }
}

impl From<Failed> for Trouble {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

/// No answer in time.
pub(super) fn slow(method: &str, deadline: Duration) -> Trouble {
    Trouble::Failed(
        Failed::new(
            Exit::Unavailable,
            format!("{method} was not answered within {} s", deadline.as_secs()),
        )
        .next("`gatehouse status` shows which service is slow"),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(message: &str, details: serde_json::Value, retry_after_ms: Option<u64>) -> Refusal {
        Refusal {
            code: "UNAVAILABLE".into(),
            message: message.into(),
            details,
            retryable: true,
            retry_after_ms,
        }
    }

    #[test]
    fn a_full_queue_is_told_in_its_own_words_and_is_no_lost_connection() {
        let full = refusal(
            "20 messages wait in this session already",
            json!({"reason": "queue-full"}),
            Some(100),
        );

        let Trouble::Failed(failed) = Trouble::refused("chat.send", &full) else {
            panic!("not a failure")
        };

        assert_eq!(failed.message, "20 messages wait in this session already");
    }

    #[test]
    fn a_service_that_is_starting_is_waited_for_and_a_disk_that_is_full_is_not() {
        let starting = refusal("the session service is not available", json!({}), Some(100));
        let full = refusal("session store failed", json!({}), None);

        assert!(matches!(
            Trouble::refused("chat.send", &starting),
            Trouble::Away(_, pause) if pause == Duration::from_millis(100)
        ));
        assert!(matches!(Trouble::refused("chat.send", &full), Trouble::Failed(_)));
    }
}
