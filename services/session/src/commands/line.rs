//! What was typed, when it is a command.

use gatehouse_core::Content;
use gatehouse_core::content::{Block, Text};

use super::absent;
use super::speaker::Speaker;
use super::table::{self, Command, Name};

/// A command, and what stands behind it.
#[derive(Debug)]
pub(crate) struct Line {
    pub(super) command: &'static Command,
    /// What it was called.
    pub(super) word: String,
    pub(super) rest: String,
}

impl Line {
    /// Reads a message. `None`: it is something to say to the agent. A picture is always that, whatever is written below it.
    pub(crate) fn read(content: &Content, speaker: &Speaker, triggers: &[String]) -> Option<Self> {
        if !speaker.may_command() {
            return None;
        }
        let [Block::Text(Text { text, notice: false })] = content.blocks() else {
            return None;
        };
        let text = speaker.without_address(text.trim());
        Self::trigger(text, triggers).or_else(|| Self::typed(text))
    }

    /// `/command`, `/command rest` and `/command: rest`. A path is none: its first part is no command, or a slash follows it.
    fn typed(text: &str) -> Option<Self> {
        let line = text.strip_prefix('/')?;
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let (word, rest) = match word.split_once(':') {
            Some((word, "")) => (word, rest.trim().to_owned()),
            Some((word, first)) => (word, format!("{first} {}", rest.trim()).trim().to_owned()),
            None => (word, rest.trim().to_owned()),
        };
        let command = table::find(word).or_else(|| absent::find(word))?;
        // Beginning anew is said in the words of the configuration alone.
        let by_trigger = matches!(command.what, Name::New | Name::Reset);
        // Who says something behind a command that takes nothing talks about something else.
        let fits = command.argument.is_some() || rest.is_empty();
        (!by_trigger && fits).then(|| Self {
            command,
            word: word.to_owned(),
            rest,
        })
    }

    fn trigger(text: &str, triggers: &[String]) -> Option<Self> {
        triggers.iter().find_map(|trigger| {
            let length = trigger.len();
            let head = text.get(..length)?;
            let rest = text.get(length..)?;
            let whole = rest.is_empty() || rest.starts_with(char::is_whitespace);
            if !whole || head.to_lowercase() != *trigger {
                return None;
            }
            let what = if trigger == "/reset" {
                Name::Reset
            } else {
                Name::New
            };
            Some(Self {
                command: table::of(what)?,
                word: trigger.clone(),
                rest: rest.trim().to_owned(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn triggers() -> Vec<String> {
        ["/new", "/reset", "von vorn"].map(str::to_owned).to_vec()
    }

    fn read_by(speaker: &Speaker, text: &str) -> Option<(Name, String)> {
        Line::read(&Content::text(text), speaker, &triggers()).map(|line| (line.command.what, line.rest))
    }

    fn read(text: &str) -> Option<(Name, String)> {
        read_by(&Speaker::process(), text)
    }

    #[test]
    fn commands_are_told_from_paths_and_from_what_is_said() {
        for (text, what, rest) in [
            ("/status", Name::Status, ""),
            (" /STATUS ", Name::Status, ""),
            ("/model a/b:c", Name::Model, "a/b:c"),
            ("/think: high", Name::Think, "high"),
            ("/t:high", Name::Think, "high"),
            ("/compact keep the\nnames", Name::Compact, "keep the\nnames"),
            ("/new", Name::New, ""),
            ("/NEW what is up?", Name::New, "what is up?"),
            ("/reset", Name::Reset, ""),
            ("Von vorn bitte", Name::New, "bitte"),
        ] {
            assert_eq!(read(text), Some((what, rest.to_owned())), "{text}");
        }
        for said in [
            "/etc/passwd",
            "/status/of/things",
            "/statuses",
            "/foo",
            "/",
            "//status",
            "status",
            "/status of the moon",
            "see /status",
            "/newer",
            "von vornherein",
            "",
        ] {
            assert_eq!(read(said), None, "{said}");
        }
        assert!(
            Line::read(&Content::text("/new"), &Speaker::process(), &[]).is_none(),
            "no trigger, no reset"
        );
        let picture =
            r#"[{"type":"text","text":"/status"},{"type":"image","url":"u","mimeType":"image/png"}]"#;
        let picture = Content::from_json(picture).unwrap();
        assert!(Line::read(&picture, &Speaker::process(), &triggers()).is_none());
    }

    #[test]
    fn in_a_room_only_who_addresses_the_assistant_gives_commands() {
        let room =
            |addressed| Speaker::of_test_chat(super::super::speaker::Standing::Owner, false, addressed);

        assert!(read_by(&room(true), "/status").is_some());
        assert!(read_by(&room(true), "gate: /status").is_some());
        assert!(read_by(&room(true), "@gate /model").is_some());
        assert_eq!(read_by(&room(false), "/status"), None);
        assert_eq!(read_by(&Speaker::process(), "anna: /status"), None);
    }
}
