//! Commands that OpenClaw's gateway has and this one does not. They are answered with what to do instead: a model that is handed one
//! would make something up, and the person would believe that it was done.

use super::table::{Argument, Category, Command, Name, Needs};

/// Words, and what to say to them.
const ABSENT: [(&[&str], &str); 24] = [
    (
        &["config"],
        "the configuration is changed with `gatehouse config` or on the page",
    ),
    (
        &["debug"],
        "the configuration is changed with `gatehouse config` or on the page",
    ),
    (&["restart"], "the gateway is restarted with `gatehouse restart`"),
    (&["update"], "the gateway is updated by whoever installed it"),
    (
        &["elevated", "elev"],
        "no conversation runs with more rights than its agent",
    ),
    (
        &["exec"],
        "what tools may do is set for an agent, in the configuration",
    ),
    (&["bash"], "commands of the machine are not run from a chat"),
    (&["fast"], "models have no fast mode here"),
    (&["trace"], "traces are not shown in a conversation"),
    (&["tools"], "agents have no tools here yet"),
    (&["skill", "skills"], "agents have no skills here yet"),
    (&["tasks"], "what runs is shown by /status and on the page"),
    (
        &["btw", "side"],
        "ask it as a message of its own: the conversation takes it in",
    ),
    (
        &["steer", "tell"],
        "say it: a message is taken in before the model goes on, unless /queue says otherwise",
    ),
    (
        &["subagents", "agents"],
        "there are no sub-agents; `gatehouse agents list` shows the agents",
    ),
    (&["acp", "codex"], "agents run here only"),
    (&["approve"], "nothing waits for an approval in a conversation"),
    (
        &["allowlist"],
        "who may write is set under channels in the configuration, and by `gatehouse pairing`",
    ),
    (
        &["activation"],
        "set requireMention for the group in the channel's configuration",
    ),
    (&["goal", "loop"], "conversations have no goals here"),
    (&["tts", "voice"], "answers are not spoken here"),
    (
        &["plugins", "plugin", "mcp"],
        "plugins are set in the configuration",
    ),
    (
        &["export-session", "export", "export-trajectory"],
        "`gatehouse sessions history` writes a conversation out",
    ),
    (&["login", "pair"], "devices are let in with `gatehouse pair`"),
];

/// Such a command, as if it were one: it takes anything, and does nothing but answer.
static COMMAND: Command = Command {
    what: Name::Absent,
    words: &[],
    about: "Not offered here.",
    category: Category::Status,
    argument: Some(Argument {
        name: "anything",
        about: "",
        choices: &[],
        dynamic: false,
    }),
    needs: Needs::Talk,
};

/// The command of a word that is known elsewhere, whatever its case.
pub(super) fn find(word: &str) -> Option<&'static Command> {
    reason(word).map(|_| &COMMAND)
}

/// Why there is none.
fn reason(word: &str) -> Option<&'static str> {
    let called = |words: &[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
    let mut rows = ABSENT.iter();
    rows.find(|(words, _)| called(words)).map(|(_, reason)| *reason)
}

/// What somebody is told who typed it. What to do instead is for those who look after the gateway, not for a room.
pub(super) fn answer(word: &str, details: bool) -> String {
    let reason = reason(word).filter(|_| details);
    let instead = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    format!(
        "There is no /{} here, and nothing was done{instead}. /commands lists what there is.",
        word.to_ascii_lowercase()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::table::COMMANDS;

    #[test]
    fn a_command_of_elsewhere_is_found_in_any_case_and_hides_none_of_ours() {
        assert_eq!(find("Restart").map(|command| command.what), Some(Name::Absent));
        assert!(
            answer("Restart", true)
                .starts_with("There is no /restart here, and nothing was done: the gateway")
        );
        assert!(
            !answer("activation", false).contains("requireMention"),
            "keys are not for a room"
        );
        assert!(find("etc").is_none());
        for (words, _) in ABSENT {
            for word in words {
                let ours = COMMANDS.iter().any(|command| command.words.contains(word));
                assert!(!ours, "/{word} is offered");
            }
        }
    }
}
