//! What Meta's numbers mean, and what somebody can do about them.

use std::time::Duration;

use super::api::{ApiError, Refused};
use crate::adapter::{Ended, SendError};

/// Between two messages to one person ("pair rate").
const PAIR_PAUSE: Duration = Duration::from_secs(6);
/// Where the number as a whole is too fast and no pause is named.
const PAUSE: Duration = Duration::from_secs(10);

/// Refusals that stay until somebody changes something, and what.
fn next_step(code: u32) -> Option<&'static str> {
    Some(match code {
        190 => {
            "the access token is wrong or has run out: make one for a system user (Business settings, System users), without an end, and set accessToken"
        }
        3 | 10 | 200..=299 => {
            "the access token may not use this number: give its system user the app, the WhatsApp account and whatsapp_business_messaging"
        }
        33 => "there is no such number for this token: copy phoneNumberId from WhatsApp, API Setup",
        368 | 131_031 => {
            "Meta has blocked the account for its policy: see WhatsApp Manager, Account quality, and docs/whatsapp.md on assistants"
        }
        131_005 => "the access token lacks whatsapp_business_messaging: give it to the system user",
        131_042 => "there is no way to pay: see WhatsApp Manager, Payment settings",
        131_045 | 133_010 => {
            "the number is not registered with the Cloud API: register it (WhatsApp, API Setup)"
        }
        _ => return None,
    })
}

/// What a refusal means for the connection.
pub(super) fn ended(error: &ApiError) -> Ended {
    match error {
        ApiError::Refused(refused) => match next_step(refused.code) {
            Some(step) => Ended::Failed(format!("WhatsApp refused: {refused}: {step}")),
            // Meta says 100 of a number that is none.
            None if refused.code == 100 => Ended::Failed(format!(
                "WhatsApp refused: {refused}: is phoneNumberId that of this token? (WhatsApp, API Setup)"
            )),
            None => Ended::Retry(format!("WhatsApp refused: {refused}")),
        },
        ApiError::Web(error) => Ended::Retry(error.to_string()),
    }
}

/// The end of the connection, where a message was refused for a reason that holds for all of them.
pub(super) fn ends_all(refused: &Refused) -> Option<Ended> {
    let step = next_step(refused.code)?;
    Some(Ended::Failed(format!("WhatsApp refused: {refused}: {step}")))
}

/// What somebody can do about one message that was not taken or not delivered.
pub(super) fn of_a_message(code: u32) -> &'static str {
    match code {
        131_047 => {
            ": the person wrote last more than 24 hours ago; WhatsApp lets a business answer within that time only, until they write again"
        }
        131_026 => ": the person cannot be reached (no WhatsApp, an old one, or they do not take it)",
        131_048 => ": too many people blocked or reported the number; see WhatsApp Manager, Insights",
        131_049 => ": WhatsApp did not deliver it, to keep people in the mood for messages of businesses",
        131_051 => ": this kind of message is not known",
        130_472 => ": the person takes part in an experiment of Meta",
        _ => "",
    }
}

/// What a refusal means for one message.
pub(super) fn of_a_send(refused: &Refused) -> SendError {
    let reason = format!("WhatsApp refused: {refused}{}", of_a_message(refused.code));
    match refused.code {
        131_056 => SendError::ChatBusy {
            after: refused.retry_after.unwrap_or(PAIR_PAUSE),
            reason,
        },
        4 | 80_007 | 130_429 | 131_057 => SendError::Retry {
            after: Some(refused.retry_after.unwrap_or(PAUSE)),
            reason,
        },
        // "Temporarily unavailable": it was not taken.
        1 | 2 | 131_016 | 133_004 => SendError::Retry {
            after: refused.retry_after,
            reason,
        },
        // "Something went wrong": nobody knows.
        131_000 => SendError::unknown(reason),
        _ if refused.status == 429 => SendError::Retry {
            after: Some(refused.retry_after.unwrap_or(PAUSE)),
            reason,
        },
        _ if refused.status == 504 => SendError::unknown(reason),
        _ if refused.status >= 500 || refused.is_foreign => SendError::Retry {
            after: refused.retry_after,
            reason,
        },
        _ => SendError::permanent(reason),
    }
}
