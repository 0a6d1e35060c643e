//! What a person types: messages, and commands that begin with a slash.

use std::io::Read;

use crate::term::one_line;

/// The longest message the gateway takes.
pub(super) const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Messages that `/history` shows unless it is told how many.
const HISTORY_SHOWN: u16 = 20;

/// How alike a word must be to a command to be taken for a slip of the finger.
const LIKENESS_MIN: f64 = 0.7;

/// What a line means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Nothing.
    Empty,
    /// Something to say.
    Say(&'a str),
    /// `/help`
    Help,
    /// `/model [name]`
    Model(&'a str),
    /// `/think [level]`
    Think(&'a str),
    /// `/sessions`
    Sessions,
    /// `/switch <number or key>`
    Switch(&'a str),
    /// `/new [name]`
    New(&'a str),
    /// `/status`
    Status,
    /// `/history [count]`
    History(u16),
    /// `/verbose`
    Verbose(&'a str),
    /// `/stop`
    Stop,
    /// `/quit`
    Quit,
    /// A slash and a word that means nothing.
    Unknown(&'a str),
}

/// One command, as the help lists it.
#[derive(Debug)]
pub(super) struct Command {
    /// What is typed behind the slash.
    pub(super) name: &'static str,
    /// What else means the same.
    aliases: &'static [&'static str],
    /// What may follow.
    argument: &'static str,
    /// What it does.
    pub(super) about: &'static str,
}

/// All commands, in the order of the help.
pub(super) const COMMANDS: [Command; 11] = [
    command("help", &["h", "?"], "", "what can be typed"),
    command(
        "model",
        &["models"],
        "[NAME]",
        "the models, or the one that answers in this session",
    ),
    command(
        "think",
        &[],
        "[LEVEL]",
        "how hard the model thinks; show or hide: its thoughts",
    ),
    command("sessions", &["s"], "", "the sessions, newest first"),
    command("switch", &["session"], "N or KEY", "go to another session"),
    command("new", &[], "[NAME]", "begin a new session"),
    command("status", &[], "", "how the gateway is, and this session"),
    command("history", &[], "[N]", "the last N messages"),
    command("verbose", &["v"], "[on|off]", "tokens and time below each answer"),
    command(
        "stop",
        &["abort"],
        "",
        "stop the answer that is being written (or Ctrl-C)",
    ),
    command("quit", &["exit", "q", "bye"], "", "leave (or Ctrl-D)"),
];

const fn command(
    name: &'static str,
    aliases: &'static [&'static str],
    argument: &'static str,
    about: &'static str,
) -> Command {
    Command {
        name,
        aliases,
        argument,
        about,
    }
}

const KEYS: &str = "  //text             say something that begins with a slash; a path needs only one
  Alt-Enter          a new line; so does a \\ at the end, and everything between \"\"\" and \"\"\"
  Up, Ctrl-R         what was typed before, and a search in it; Tab completes";

/// The help: what this program does, and what the gateway answers besides, by name and meaning.
pub(super) fn help(of_gateway: &[(String, String)]) -> String {
    let own = COMMANDS.iter().map(|command| {
        let call = format!("/{} {}", command.name, command.argument);
        format!("  {call:<18} {}\n", command.about)
    });
    let known = |name: &str| {
        let mut commands = COMMANDS.iter();
        commands.any(|command| command.name == name || command.aliases.contains(&name))
    };
    let others = of_gateway
        .iter()
        .filter(|(name, _)| !known(name))
        .map(|(name, about)| {
            let call = format!("/{}", one_line(name));
            format!("  {call:<18} {}\n", one_line(about))
        });
    own.chain(others).collect::<String>() + KEYS
}

/// Reads what was typed.
pub(super) fn read(line: &str) -> Line<'_> {
    let line = line.trim();
    let Some(command) = line.strip_prefix('/') else {
        return if line.is_empty() {
            Line::Empty
        } else {
            Line::Say(unquoted(line))
        };
    };
    if command.starts_with('/') {
        return Line::Say(command);
    }
    let (word, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    let rest = rest.trim();
    let known = COMMANDS
        .iter()
        .find(|command| command.name == word || command.aliases.contains(&word));
    match known.map(|command| command.name) {
        Some("help") => Line::Help,
        Some("model") => Line::Model(rest),
        Some("think") => Line::Think(rest),
        Some("sessions") => Line::Sessions,
        Some("switch") => Line::Switch(rest),
        Some("new") => Line::New(rest),
        Some("status") => Line::Status,
        Some("history") => Line::History(
            rest.parse()
                .ok()
                .filter(|count| (1..=1000).contains(count))
                .unwrap_or(HISTORY_SHOWN),
        ),
        Some("verbose") => Line::Verbose(rest),
        Some("stop") => Line::Stop,
        Some("quit") => Line::Quit,
        // A path is something to say.
        _ if word.contains(['/', '.']) => Line::Say(line),
        _ => Line::Unknown(word),
    }
}

/// The quotes that let a message have several lines.
const QUOTES: &str = "\"\"\"";

/// Whether a message goes on in the next line: a backslash at the end of its last one, or quotes that are not closed.
pub(super) fn goes_on(text: &str) -> bool {
    let text = text.trim_start();
    match text.strip_prefix(QUOTES) {
        Some(quoted) => !quoted.trim_end().ends_with(QUOTES),
        None => text.ends_with('\\') && !text.ends_with("\\\\"),
    }
}

fn unquoted(text: &str) -> &str {
    let quoted = text
        .strip_prefix(QUOTES)
        .and_then(|rest| rest.strip_suffix(QUOTES))
        .map(|text| text.trim_matches('\n'));
    quoted.filter(|text| !text.trim().is_empty()).unwrap_or(text)
}

/// The command that was probably meant.
pub(super) fn nearest(word: &str) -> Option<&'static str> {
    nearest_of(word, COMMANDS.iter().map(|command| command.name))
}

/// The name that was probably meant.
pub(super) fn nearest_of<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|name| (strsim::jaro_winkler(word, name), name))
        .filter(|(likeness, _)| *likeness > LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// The whole standard input, for a pipe: one byte more than a message may have at most.
pub(super) fn whole_input() -> std::io::Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(MESSAGE_BYTES_MAX as u64 + 1)
        .read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_messages_are_told_apart() {
        assert_eq!(read("  hello there "), Line::Say("hello there"));
        assert_eq!(read("/switch 2"), Line::Switch("2"));
        assert_eq!(read("/history"), Line::History(20));
        assert_eq!(read("/history 5"), Line::History(5));
        assert_eq!(read("/history many"), Line::History(20));
        assert_eq!(read("/new my plan"), Line::New("my plan"));
        assert_eq!(read("/abort"), Line::Stop);
        assert_eq!(read("//etc/hosts"), Line::Say("/etc/hosts"));
        assert_eq!(read("/jump"), Line::Unknown("jump"));
        for path in [
            "/etc/passwd",
            "/etc/passwd is what?",
            "/notes.md",
            "docs/operations.md",
        ] {
            assert_eq!(read(path), Line::Say(path));
        }
        assert_eq!(read("   "), Line::Empty);
    }

    #[test]
    fn every_command_is_in_the_help_and_means_something() {
        for command in &COMMANDS {
            for name in command.aliases.iter().chain([&command.name]) {
                let typed = format!("/{name}");
                assert!(
                    !matches!(read(&typed), Line::Unknown(_) | Line::Say(_)),
                    "{typed}"
                );
            }
            assert!(
                help(&[]).contains(&format!("/{}", command.name)),
                "{}",
                command.name
            );
        }
    }

    #[test]
    fn what_the_gateway_answers_stands_in_the_help_once() {
        let theirs = [("compact", "Sum up."), ("model", "Choose."), ("abort", "Stop.")];
        let theirs = theirs.map(|(name, about)| (name.to_owned(), about.to_owned()));

        let help = help(&theirs);

        assert!(help.contains("/compact") && help.contains("Sum up."), "{help}");
        assert!(!help.contains("Choose.") && !help.contains("Stop."), "{help}");
    }

    #[test]
    fn a_slip_of_the_finger_names_the_command_that_was_meant() {
        assert_eq!(nearest("sesions"), Some("sessions"));
        assert_eq!(nearest("modle"), Some("model"));
        assert_eq!(nearest("xyzzy"), None);
    }

    #[test]
    fn a_backslash_and_open_quotes_ask_for_another_line() {
        for open in ["one\\", "\"\"\"", "\"\"\"one\ntwo"] {
            assert!(goes_on(open), "{open}");
        }
        for whole in ["one", "C:\\\\", "\"\"\"one\ntwo\"\"\"", "say \"\"\" aloud", ""] {
            assert!(!goes_on(whole), "{whole}");
        }
        assert_eq!(read("\"\"\"\none\n two\n\"\"\""), Line::Say("one\n two"));
    }
}
