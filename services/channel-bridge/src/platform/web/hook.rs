//! Requests of platforms that call us: signatures, and what is answered.

use gatehouse_core::{Chain, Secret};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::adapter::{HttpAnswer, InboundMessage, InboundSink, ReceiveError};

/// The longest body, in bytes. The contract declares the same bound.
pub(in crate::platform) const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Whether this is the HMAC-SHA256 of these parts, in hexadecimal digits. Takes as long for a wrong one as for a right one.
pub(in crate::platform) fn is_signed(secret: &Secret, parts: &[&[u8]], digits: &str) -> bool {
    let (Some(shown), Ok(mut mac)) = (
        bytes(digits),
        Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()),
    ) else {
        return false;
    };
    for part in parts {
        mac.update(part);
    }
    mac.verify_slice(&shown).is_ok()
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    digits
        .chunks(2)
        .map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.last()?)?))
        .collect()
}

/// What was said, committed one after the other; a platform that is told otherwise says all of it again.
pub(in crate::platform) async fn commit(inbound: &InboundSink, said: Vec<InboundMessage>) -> HttpAnswer {
    for message in said {
        match inbound.receive(message).await {
            Ok(_) => {}
            // Said again it would be no better.
            Err(ReceiveError::Invalid(problem)) => tracing::warn!(problem, "a message was left out"),
            Err(error @ (ReceiveError::Full | ReceiveError::Store(_))) => return later(&error),
        }
    }
    answer(200, &json!({}))
}

/// Nothing of a post counts as taken, and the platform posts it again.
pub(in crate::platform) fn later(error: &ReceiveError) -> HttpAnswer {
    tracing::warn!(problem = %Chain(error), "what was posted cannot be taken yet; the platform is not told that it was");
    let refused = refuse(503, "UNAVAILABLE", "the message could not be stored; try again");
    HttpAnswer {
        retry_after: Some(5),
        ..refused
    }
}

pub(in crate::platform) fn refuse(status: u16, code: &str, message: &str) -> HttpAnswer {
    answer(status, &json!({"error": {"code": code, "message": message}}))
}

pub(in crate::platform) fn answer(status: u16, body: &Value) -> HttpAnswer {
    HttpAnswer {
        status,
        retry_after: None,
        body: body.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_core::Secret;

    use super::is_signed;

    /// The example of Slack's own documentation ("Verifying requests from Slack").
    #[test]
    fn a_signature_is_right_as_a_whole_or_wrong() {
        let secret = Secret::new("8f742231b10e8888abcd99yyyzzz85a5");
        let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        let right = "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
        let parts: [&[u8]; 2] = [b"v0:1531420618:", body.as_bytes()];

        assert!(is_signed(&secret, &parts, right));
        assert!(is_signed(&secret, &parts, &right.to_uppercase()));
        for wrong in [
            "",
            "a2",
            &right.replace('a', "b"),
            &format!("{right}00"),
            &"é".repeat(32),
        ] {
            assert!(!is_signed(&secret, &parts, wrong), "{wrong}");
        }
        assert!(!is_signed(&Secret::new("another"), &parts, right));
    }
}
