//! Choices below a message: up to three short ones as buttons, up to ten as a list that opens, and words where WhatsApp shows neither.

use gatehouse_core::content::Choice;
use serde_json::{Value, json};

use super::{
    markup::marked,
    say::{Mouth, addressed},
};
use crate::{
    adapter::{Receipt, SendError, SendPart},
    markup::{Document, pieces},
};

/// Rows of a list: WhatsApp's own figure.
pub(super) const CHOICES_MAX: usize = 10;
/// Buttons of one message, and the longest label of one, in characters.
const BUTTONS_MAX: usize = 3;
const BUTTON_CHARS: usize = 20;
/// The longest label of a row, and what may stand below it.
const ROW_CHARS: usize = 24;
const BELOW_CHARS: usize = 72;
/// The longest text above choices, in characters.
const BODY_CHARS: usize = 1024;
/// What opens a list.
const OPENS: &str = "Choose";

impl Mouth {
    /// Sends words with choices below them.
    pub(super) async fn say_choices(&self, part: &SendPart, person: &str) -> Result<Receipt, SendError> {
        let body = marked(&pieces(&Document::parse(&part.text)));
        if (1..=BODY_CHARS).contains(&body.trim().chars().count()) {
            let message = addressed(person, "interactive", &interactive(&body, &part.choices));
            match self.put(person, &message).await {
                // Of what it does not take in this form it takes the words.
                Err(SendError::Permanent { reason }) => {
                    tracing::warn!(reason, "WhatsApp refused buttons; the choices are sent in words");
                }
                sent => return sent,
            }
        }
        let words = format!("{}\n\n{}", part.text, Choice::in_words(&part.choices));
        self.say_words(part, person, &words).await
    }
}

fn interactive(body: &str, choices: &[Choice]) -> Value {
    let is_short = |choice: &Choice| choice.label.chars().count() <= BUTTON_CHARS;
    if choices.len() <= BUTTONS_MAX && choices.iter().all(is_short) {
        let buttons = choices
            .iter()
            .map(|choice| json!({"type": "reply", "reply": {"id": choice.value, "title": choice.label}}));
        let buttons: Vec<Value> = buttons.collect();
        return json!({"type": "button", "body": {"text": body}, "action": {"buttons": buttons}});
    }
    let rows = choices.iter().map(|choice| {
        let mut row = json!({"id": choice.value, "title": choice.short(ROW_CHARS)});
        let is_cut = choice.label.chars().count() > ROW_CHARS;
        if let Some(fields) = row.as_object_mut().filter(|_| is_cut) {
            fields.insert("description".to_owned(), json!(choice.short(BELOW_CHARS)));
        }
        row
    });
    let sections = json!([{"rows": rows.collect::<Vec<_>>()}]);
    json!({"type": "list", "body": {"text": body}, "action": {"button": OPENS, "sections": sections}})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(labels: &[&str]) -> Value {
        let labels = labels
            .iter()
            .map(|label| ((*label).to_owned(), "v".repeat(label.len())));
        interactive("?", &Choice::read(labels).unwrap())
    }

    #[test]
    fn few_short_choices_are_buttons_and_others_a_list() {
        assert_eq!(
            shown(&["Yes", "No"])["action"]["buttons"][1]["reply"],
            json!({"id": "vv", "title": "No"})
        );
        assert_eq!(shown(&["a", "bb", "ccc", "dddd"])["type"], "list");
        let long = shown(&["Yes", "No, and not tomorrow either"]);
        let rows = &long["action"]["sections"][0]["rows"];
        assert_eq!(rows[0].get("description"), None);
        assert_eq!(rows[1]["title"], "No, and not tomorrow ei…");
        assert_eq!(rows[1]["description"], "No, and not tomorrow either");
    }
}
