//! What a program is told when its turn is refused, or breaks: true of the turn, by the places of its request, and with no word of a key
//! that nobody sent.

use std::time::Duration;

use super::{places::Places, turn};
use crate::error::Refusal;

/// What a refusal of the turn is told by.
#[derive(Debug, Default)]
pub(super) struct Teller {
    pub(super) places: Places,
    /// Whether the client can ask for the same run again.
    pub(super) is_keyed: bool,
    pub(super) in_background: bool,
}

impl Teller {
    pub(super) fn tell(&self, refusal: Refusal) -> Refusal {
        let reason = refusal.details.get("reason").and_then(|reason| reason.as_str());
        if reason == Some("answer-begun-anew") {
            return self.begun_anew();
        }
        if turn::is_away(&refusal) && !self.is_keyed {
            return away();
        }
        self.places.told(refusal)
    }

    /// The stream cannot take back what it told.
    fn begun_anew(&self) -> Refusal {
        let then = match (self.is_keyed, self.in_background) {
            (true, _) => "the same request with the same Idempotency-Key gets the whole of it",
            (false, true) => "the run goes on, and its answer will stand in its session",
            (false, false) => "this run is stopped, and the same request begins another one",
        };
        let message = format!(
            "a part of the gateway went away in the middle of the answer, which was begun anew with other words; {then}"
        );
        Refusal::unavailable(message, Duration::from_secs(1)).detail("code", "answer_begun_anew")
    }
}

/// The turn may be stored, and is run then when the service is back. An SDK that asked again by itself would begin a second one.
fn away() -> Refusal {
    let message = "the session service is away; if it has taken the turn, it answers it when it is back, in the turn's session. A request \
         with an Idempotency-Key can be sent again without a second turn";
    let mut refusal = Refusal::unavailable(message, Duration::from_secs(1))
        .detail("reason", "SERVICE_UNAVAILABLE")
        .detail("service", "session");
    refusal.retryable = false;
    refusal
}

#[cfg(test)]
mod tests {
    use http::{StatusCode, header};

    use super::*;
    use crate::http::{openai::refusal::shaped, respond};

    fn told(is_keyed: bool, in_background: bool, reason: &str) -> Refusal {
        let teller = Teller {
            is_keyed,
            in_background,
            ..Teller::default()
        };
        teller.tell(Refusal::unavailable("x", Duration::from_secs(1)).detail("reason", reason))
    }

    #[test]
    fn a_key_is_spoken_of_to_who_sent_one() {
        let begun_anew = |keyed, background| told(keyed, background, "answer-begun-anew").message;

        assert!(begun_anew(true, false).contains("the same Idempotency-Key"));
        assert!(begun_anew(false, true).contains("the run goes on"));
        let stopped = begun_anew(false, false);
        assert!(stopped.contains("is stopped") && !stopped.to_lowercase().contains("key"));
    }

    #[test]
    fn what_would_begin_a_second_turn_is_not_to_be_asked_again_by_an_sdk() {
        for reason in ["SERVICE_UNAVAILABLE", "stopping", "starting"] {
            for is_keyed in [false, true] {
                let response = shaped(respond::refusal(&told(is_keyed, false, reason)));

                assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
                assert_eq!(response.headers()[header::RETRY_AFTER], "1");
                let again = if is_keyed { "true" } else { "false" };
                assert_eq!(response.headers()["x-should-retry"], again, "{reason}");
            }
        }
    }
}
