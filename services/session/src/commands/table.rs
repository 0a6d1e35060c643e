//! The commands there are: one table for the answers, the help, `commands.list` and whoever completes what is typed.

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Help,
    Commands,
    Status,
    WhoAmI,
    New,
    Reset,
    Stop,
    Compact,
    Context,
    Usage,
    Model,
    Models,
    Think,
    Queue,
    Verbose,
    Reasoning,
    Send,
    /// One of OpenClaw's that is not offered here.
    Absent,
}

/// What somebody must be to use a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Anybody who may talk here.
    Talk,
    /// Somebody who may see and set what holds for the conversation.
    Change,
    /// Somebody who may begin the conversation anew.
    Reset,
}

/// In which part of a menu it stands: words of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Category {
    Session,
    Options,
    Status,
}

impl Category {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Options => "options",
            Self::Status => "status",
        }
    }
}

/// What may follow a command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Argument {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// The words that it may be. Empty: any.
    pub(super) choices: &'static [&'static str],
    /// Whether what it may be is in the configuration.
    pub(super) dynamic: bool,
}

/// One command.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) what: Name,
    /// The first is its name.
    pub(super) words: &'static [&'static str],
    pub(super) about: &'static str,
    pub(super) category: Category,
    pub(super) argument: Option<Argument>,
    pub(super) needs: Needs,
}

impl Command {
    pub(super) fn name(&self) -> &'static str {
        self.words.first().copied().unwrap_or_default()
    }
}

/// The command of a word, whatever its case.
pub(super) fn find(word: &str) -> Option<&'static Command> {
    let called = |command: &&Command| command.words.iter().any(|known| known.eq_ignore_ascii_case(word));
    COMMANDS.iter().find(called)
}

/// The command that does this.
pub(super) fn of(what: Name) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.what == what)
}

/// What goes back to the configuration's choice.
pub(super) const DEFAULT: &str = "default";

/// All of them, in the order of the help.
pub(super) static COMMANDS: [Command; 17] = [
    Command {
        what: Name::Help,
        words: &["help", "h"],
        about: "Show what can be typed.",
        category: Category::Status,
        argument: None,
        needs: Needs::Talk,
    },
    Command {
        what: Name::Commands,
        words: &["commands"],
        about: "List all commands.",
        category: Category::Status,
        argument: None,
        needs: Needs::Talk,
    },
    Command {
        what: Name::Status,
        words: &["status"],
        about: "Show how this conversation stands.",
        category: Category::Status,
        argument: None,
        needs: Needs::Talk,
    },
    Command {
        what: Name::WhoAmI,
        words: &["whoami", "id"],
        about: "Show as whom you are known.",
        category: Category::Status,
        argument: None,
        needs: Needs::Talk,
    },
    Command {
        what: Name::New,
        words: &["new"],
        about: "Begin a new conversation; what follows is its first message.",
        category: Category::Session,
        argument: Some(Argument {
            name: "message",
            about: "the first message",
            choices: &[],
            dynamic: false,
        }),
        needs: Needs::Reset,
    },
    Command {
        what: Name::Reset,
        words: &["reset"],
        about: "Begin this conversation anew; what follows is its first message.",
        category: Category::Session,
        argument: Some(Argument {
            name: "message",
            about: "the first message",
            choices: &[],
            dynamic: false,
        }),
        needs: Needs::Reset,
    },
    Command {
        what: Name::Stop,
        words: &["stop", "abort"],
        about: "Stop the answer that is being written, and what waits.",
        category: Category::Session,
        argument: None,
        needs: Needs::Talk,
    },
    Command {
        what: Name::Compact,
        words: &["compact"],
        about: "Let the model sum up the conversation, and go on from there.",
        category: Category::Session,
        argument: Some(Argument {
            name: "instructions",
            about: "what the summary must keep",
            choices: &[],
            dynamic: false,
        }),
        needs: Needs::Change,
    },
    Command {
        what: Name::Context,
        words: &["context"],
        about: "Show how much of the conversation the model reads.",
        category: Category::Status,
        argument: None,
        needs: Needs::Change,
    },
    Command {
        what: Name::Usage,
        words: &["usage"],
        about: "Show the tokens of this conversation, or choose what is said of them behind answers in chats.",
        category: Category::Status,
        argument: Some(Argument {
            name: "mode",
            about: "what is said behind answers, or default",
            choices: &["off", "tokens", "full", DEFAULT],
            dynamic: false,
        }),
        needs: Needs::Change,
    },
    Command {
        what: Name::Model,
        words: &["model"],
        about: "Show or choose the model of this conversation.",
        category: Category::Options,
        argument: Some(Argument {
            name: "model",
            about: "<provider>/<model>, a short name, or default",
            choices: &[],
            dynamic: true,
        }),
        needs: Needs::Change,
    },
    Command {
        what: Name::Models,
        words: &["models"],
        about: "List the models that may be chosen.",
        category: Category::Options,
        argument: Some(Argument {
            name: "provider",
            about: "only those of this provider",
            choices: &[],
            dynamic: true,
        }),
        needs: Needs::Change,
    },
    Command {
        what: Name::Think,
        words: &["think", "thinking", "t"],
        about: "Show or choose how hard the model thinks.",
        category: Category::Options,
        argument: Some(Argument {
            name: "level",
            about: "how hard, or default",
            choices: &["off", "minimal", "low", "medium", "high", "xhigh", "max", DEFAULT],
            dynamic: false,
        }),
        needs: Needs::Change,
    },
    Command {
        what: Name::Queue,
        words: &["queue"],
        about: "Show or choose what happens to a message that comes while an answer is written.",
        category: Category::Options,
        argument: Some(Argument {
            name: "mode",
            about: "the mode, or default",
            choices: &["steer", "followup", "collect", "interrupt", DEFAULT],
            dynamic: false,
        }),
        needs: Needs::Change,
    },
    Command {
        what: Name::Verbose,
        words: &["verbose", "v"],
        about: "Show or choose how much of tools screens show.",
        category: Category::Options,
        argument: Some(Argument {
            name: "level",
            about: "how much, or default",
            choices: &["off", "on", "full", DEFAULT],
            dynamic: false,
        }),
        needs: Needs::Change,
    },
    Command {
        what: Name::Reasoning,
        words: &["reasoning"],
        about: "Show or choose whether chats read what the model thought.",
        category: Category::Options,
        argument: Some(Argument {
            name: "level",
            about: "whether, or default",
            choices: &["off", "on", DEFAULT],
            dynamic: false,
        }),
        needs: Needs::Change,
    },
    Command {
        what: Name::Send,
        words: &["send"],
        about: "Show or choose whether anything may be said in this conversation.",
        category: Category::Options,
        argument: Some(Argument {
            name: "policy",
            about: "on, off, or default",
            choices: &["on", "off", DEFAULT],
            dynamic: false,
        }),
        needs: Needs::Change,
    },
];

#[cfg(test)]
mod tests;
