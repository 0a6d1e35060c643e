//! How OpenClaw's clients say what a message looks like: a `presentation` of blocks, and `buttons` in rows as Telegram has them. Both
//! become words and choices; what no platform here shows is refused by its name.

use gatehouse_proto::common::v1::Choice;
use serde::Deserialize;
use serde_json::Value;

use crate::error::Error;

/// Blocks of one presentation: more than anybody reads.
const BLOCKS_MAX: usize = 50;

/// Words behind those of the message, and choices.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Presented {
    pub(super) paragraphs: Vec<String>,
    pub(super) choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Presentation {
    title: Option<String>,
    blocks: Vec<Value>,
}

#[derive(Deserialize)]
struct Block {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    buttons: Vec<Button>,
    #[serde(default)]
    options: Vec<Button>,
}

/// A button, or an option of a list.
#[derive(Deserialize)]
struct Button {
    label: String,
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    disabled: bool,
    #[serde(default)]
    action: Option<Action>,
}

#[derive(Deserialize)]
struct Action {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    command: Option<String>,
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    url: Option<String>,
}

/// A button of Telegram's own.
#[derive(Deserialize)]
struct Key {
    text: String,
    #[serde(default)]
    callback_data: Option<String>,
}

fn wrong(problem: impl Into<String>) -> Error {
    Error::Invalid("/params", problem.into())
}

/// Reads both.
///
/// # Errors
/// When one is not of its form, or holds what is not shown here.
pub(super) fn read(presentation: Option<Value>, buttons: Option<Value>) -> Result<Presented, Error> {
    let mut presented = Presented::default();
    // Some programs hand it over as text, as it stood behind their option.
    let parsed = |value: Value| match &value {
        Value::String(text) => serde_json::from_str(text).unwrap_or(value),
        _ => value,
    };
    if let Some(value) = presentation.filter(|value| !value.is_null()).map(parsed) {
        let Presentation { title, blocks } =
            Presentation::deserialize(value).map_err(|_| wrong("presentation is not {title, blocks}"))?;
        if blocks.len() > BLOCKS_MAX {
            return Err(wrong(format!("presentation has more than {BLOCKS_MAX} blocks")));
        }
        let title = title.filter(|title| !title.trim().is_empty());
        presented
            .paragraphs
            .extend(title.map(|title| format!("**{title}**")));
        for block in blocks {
            let block = Block::deserialize(block)
                .map_err(|_| wrong("a block of presentation has a value of the wrong type"))?;
            presented.add(block)?;
        }
    }
    if let Some(value) = buttons.filter(|value| !value.is_null()).map(parsed) {
        let rows = Vec::<Vec<Key>>::deserialize(value);
        let rows = rows.map_err(|_| wrong("buttons is not rows of {text, callback_data}"))?;
        let keys = rows.into_iter().flatten().map(|key| Choice {
            value: key.callback_data.unwrap_or_default(),
            label: key.text,
        });
        presented.choices.extend(keys);
    }
    Ok(presented)
}

impl Presented {
    fn add(&mut self, block: Block) -> Result<(), Error> {
        match block.kind.as_str() {
            "text" | "context" => self.paragraphs.push(block.text),
            "divider" => self.paragraphs.push("---".to_owned()),
            "buttons" | "select" => {
                for button in block.buttons.into_iter().chain(block.options) {
                    self.offer(button)?;
                }
            }
            other => {
                let name: String = other.chars().filter(|c| !c.is_control()).take(40).collect();
                return Err(wrong(format!(
                    "a block of type {name:?} is not supported: there are text, context, divider, buttons and select"
                )));
            }
        }
        Ok(())
    }

    fn offer(&mut self, button: Button) -> Result<(), Error> {
        let Button {
            label,
            value,
            url,
            disabled,
            action,
        } = button;
        let (value, url) = match action {
            None => (value, url),
            Some(action) => match action.kind.as_str() {
                "command" => (action.command, None),
                "callback" => (action.value, None),
                "url" => (None, action.url),
                other => {
                    let name: String = other.chars().filter(|c| !c.is_control()).take(40).collect();
                    return Err(wrong(format!("a button that does {name:?} is not supported")));
                }
            },
        };
        match url {
            // Nobody hears that somebody went there: a link says as much.
            Some(url) => self.paragraphs.push(format!("[{label}]({url})")),
            None if disabled => self.paragraphs.push(label),
            None => self.choices.push(Choice {
                label,
                value: value.unwrap_or_default(),
            }),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn choice(label: &str, value: &str) -> Choice {
        Choice {
            label: label.into(),
            value: value.into(),
        }
    }

    #[test]
    fn a_presentation_becomes_words_and_choices() {
        let presentation = json!({"title": "Deploy", "tone": "warning", "blocks": [
            {"type": "text", "text": "It is ready."}, {"type": "divider"},
            {"type": "buttons", "buttons": [
                {"label": "Approve", "value": "approve", "style": "success"},
                {"label": "Deny", "action": {"type": "command", "command": "/deny 7"}},
                {"label": "See it", "action": {"type": "url", "url": "https://ci.example/7"}},
                {"label": "Later", "disabled": true}]},
            {"type": "select", "placeholder": "Where?", "options": [{"label": "Home"}]}]});
        let rows = json!([[{"text": "More", "callback_data": "more"}]]);

        let presented = read(Some(json!(presentation.to_string())), Some(rows)).unwrap();

        assert_eq!(
            presented.choices,
            [
                choice("Approve", "approve"),
                choice("Deny", "/deny 7"),
                choice("Home", ""),
                choice("More", "more")
            ]
        );
        let words = [
            "**Deploy**",
            "It is ready.",
            "---",
            "[See it](https://ci.example/7)",
            "Later",
        ];
        assert_eq!(presented.paragraphs, words);
    }

    #[test]
    fn what_is_not_shown_here_is_refused_by_its_name() {
        let one = |block: Value| {
            read(Some(json!({"blocks": [block]})), None)
                .unwrap_err()
                .to_string()
        };

        assert!(one(json!({"type": "chart"})).contains("chart"));
        let approval = json!({"label": "Yes", "action": {"type": "approval", "approvalId": "7"}});
        assert!(one(json!({"type": "buttons", "buttons": [approval]})).contains("approval"));
        assert!(one(json!({"type": "text", "text": 7})).contains("wrong type"));
        let keys = read(None, Some(json!([{"text": "flat"}]))).unwrap_err();
        assert!(keys.to_string().contains("rows"));
        assert_eq!(read(None, Some(json!([]))).unwrap(), Presented::default());
    }
}
