//! Adaptive Cards: what may be sent as one, and what a pressed button says.

use gatehouse_proto::common::v1::Choice;
use serde_json::{Value, json};

/// The largest card that Teams takes, in bytes.
const CARD_BYTES_MAX: usize = 28 * 1024;
/// What a button says, at most, in bytes.
const SAID_BYTES_MAX: usize = 16 * 1024;
/// How a card is called as an attachment.
const CARD: &str = "application/vnd.microsoft.card.adaptive";

/// Why a text is no card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoCard {
    /// It is not JSON.
    #[error("the card is not a JSON object")]
    Malformed,
    /// It is something else.
    #[error("the card's `type` is not `AdaptiveCard`")]
    Another,
    /// It is too large.
    #[error("the card has more than {CARD_BYTES_MAX} bytes, which Teams does not take")]
    TooLarge,
}

/// Reads a card.
///
/// # Errors
/// When it is none that Teams takes.
pub fn parse(text: &str) -> Result<Value, NoCard> {
    if text.len() > CARD_BYTES_MAX {
        return Err(NoCard::TooLarge);
    }
    let card: Value = serde_json::from_str(text).map_err(|_| NoCard::Malformed)?;
    match card.get("type").and_then(Value::as_str) {
        _ if !card.is_object() => Err(NoCard::Malformed),
        Some("AdaptiveCard") => Ok(card),
        _ => Err(NoCard::Another),
    }
}

/// A message with a card. The summary is what a notification shows.
#[must_use]
pub fn message(card: &Value, summary: Option<&str>) -> Value {
    let mut message = json!({
        "type": "message",
        "attachments": [{ "contentType": CARD, "content": card }],
    });
    if let Some(summary) = summary.filter(|summary| !summary.is_empty()) {
        message["summary"] = json!(summary);
    }
    message
}

/// Buttons of one card that Teams shows beside each other; others would be behind three points.
pub const CHOICES_MAX: u32 = 6;

/// A card of buttons, each of which says something for whoever presses it. `None`: there is nothing to choose.
#[must_use]
pub fn choices(choices: &[Choice]) -> Option<Value> {
    if choices.is_empty() {
        return None;
    }
    let button = |choice: &Choice| json!({ "type": "Action.Execute", "title": choice.label, "verb": "choice", "data": { "text": choice.value } });
    let actions: Vec<Value> = choices.iter().map(button).collect();
    // Action.Execute is of 1.4.
    let card = json!({ "type": "AdaptiveCard", "version": "1.4", "body": [], "actions": actions });
    Some(json!({ "contentType": CARD, "content": card }))
}

/// What a pressed button says, of the value that an `Action.Submit` or an `Action.Execute` brings: its `text` where it has one, else all of
/// it as JSON. It is as much the person's word as a message is, and goes the same way.
#[must_use]
pub fn said(value: &Value) -> String {
    let data = match value.get("action") {
        Some(action) => action.get("data").unwrap_or(&Value::Null),
        None => value,
    };
    let text = match data.get("text").and_then(Value::as_str).map(str::trim) {
        Some(text) if !text.is_empty() => text.to_owned(),
        _ => {
            let verb = value.pointer("/action/verb").and_then(Value::as_str);
            let has_data = data.as_object().is_some_and(|data| !data.is_empty());
            match (verb, has_data) {
                (Some(verb), false) => verb.to_owned(),
                (Some(verb), true) => format!("{verb} {data}"),
                (None, _) => data.to_string(),
            }
        }
    };
    if text.len() > SAID_BYTES_MAX {
        String::new()
    } else {
        text
    }
}

/// The body that answers a pressed `Action.Execute`: another card, or a word.
#[must_use]
pub fn answer(card: Option<&Value>, word: &str) -> Value {
    match card {
        Some(card) => json!({ "statusCode": 200, "type": CARD, "value": card }),
        None => json!({
            "statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": word,
        }),
    }
}

/// The body that refuses a pressed `Action.Execute`.
#[must_use]
pub fn refusal(status: u16, code: &str, message: &str) -> Value {
    json!({
        "statusCode": status, "type": "application/vnd.microsoft.error",
        "value": { "code": code, "message": message },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{NoCard, parse, said};

    #[test]
    fn only_an_adaptive_card_of_its_size_is_one() {
        assert!(parse(r#"{"type": "AdaptiveCard", "version": "1.5", "body": []}"#).is_ok());
        assert_eq!(parse(r#"{"type": "HeroCard"}"#), Err(NoCard::Another));
        assert_eq!(parse("[]"), Err(NoCard::Malformed));
        assert_eq!(parse("{"), Err(NoCard::Malformed));
        assert_eq!(parse(&"x".repeat(30 * 1024)), Err(NoCard::TooLarge));
    }

    #[test]
    fn a_button_says_its_text_or_what_it_holds() {
        let execute = |action| said(&json!({ "action": action, "trigger": "manual" }));

        assert_eq!(
            execute(json!({"type": "Action.Execute", "verb": "yes", "data": {"text": "go on"}})),
            "go on"
        );
        assert_eq!(execute(json!({"type": "Action.Execute", "verb": "yes"})), "yes");
        assert_eq!(
            execute(json!({"type": "Action.Execute", "verb": "pick", "data": {"day": "Monday"}})),
            r#"pick {"day":"Monday"}"#
        );
        assert_eq!(said(&json!({"text": " hello "})), "hello");
        assert_eq!(said(&json!({"day": "Monday"})), r#"{"day":"Monday"}"#);
    }
}
