//! Buttons below a message, and who presses them: heard as if it had been typed, and answered within three seconds with nothing to see.

use gatehouse_core::content::{Choice, choices::CHOICES_MAX};
use serde_json::{Value, json};

use super::{
    commands,
    event::{Interaction, Message},
};

/// Five rows of five: Discord's own figure, and ours.
pub(super) const BUTTONS_MAX: usize = CHOICES_MAX;
const ROW: usize = 5;
/// `MESSAGE_COMPONENT`, of interactions.
const COMPONENT: u8 = 3;
/// `ACTION_ROW` and `BUTTON`, of components.
const ACTION_ROW: u8 = 1;
const BUTTON: u8 = 2;
/// `SECONDARY`, of buttons: none is more right than another.
const SECONDARY: u8 = 2;
/// `DEFERRED_UPDATE_MESSAGE`, of answers: the message stays as it is.
const NOTHING_TO_SEE: u8 = 6;
/// What the ids of our buttons begin with; what is said stands behind it. No message has two of the same, because no two choices say the
/// same.
const NAME: &str = "choice:";

/// A message with its buttons.
pub(super) fn below(mut message: Value, choices: &[Choice]) -> Value {
    if let Some(fields) = message.as_object_mut().filter(|_| !choices.is_empty()) {
        fields.insert("components".to_owned(), components(choices));
    }
    message
}

fn components(choices: &[Choice]) -> Value {
    let button = |choice: &Choice| json!({"type": BUTTON, "style": SECONDARY, "label": choice.label, "custom_id": format!("{NAME}{}", choice.value)});
    let rows = choices.chunks(ROW);
    rows.map(|row| json!({"type": ACTION_ROW, "components": row.iter().map(button).collect::<Vec<_>>()}))
        .collect()
}

/// A pressed button as the message that somebody would have typed.
pub(super) fn typed(interaction: &Interaction, me: &str) -> Option<Message> {
    let pressed = interaction
        .data
        .as_ref()
        .filter(|_| interaction.kind == COMPONENT)?;
    let value = pressed.custom_id.strip_prefix(NAME)?;
    commands::said(interaction, me, value.to_owned())
}

/// The first answer.
pub(super) fn taken() -> Value {
    json!({"type": NOTHING_TO_SEE})
}
