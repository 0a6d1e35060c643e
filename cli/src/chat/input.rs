//! What a person types: messages, and commands that begin with a slash.

use std::io::{BufRead, Read};

use tokio::sync::mpsc;

/// The longest message the gateway takes.
pub(super) const MESSAGE_BYTES_MAX: u64 = 1024 * 1024;

/// Lines typed ahead while an answer is being written.
const TYPED_AHEAD_MAX: usize = 64;

/// What a line means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Nothing.
    Empty,
    /// Something to say.
    Say(&'a str),
    /// `/help`
    Help,
    /// `/sessions`
    Sessions,
    /// `/switch <number or key>`
    Switch(&'a str),
    /// `/new [name]`
    New(&'a str),
    /// `/history [count]`
    History(u16),
    /// `/abort`
    Abort,
    /// `/quit`
    Quit,
    /// A slash and a word that means nothing.
    Unknown(&'a str),
}

/// What can be typed.
pub(super) const HELP: &str = "  /sessions          the sessions, newest first
  /switch N or KEY   go to another session
  /new [NAME]        begin a new session
  /history [N]       the last N messages
  /abort             stop the answer that is being written (or Ctrl-C)
  /quit              leave (or Ctrl-D)
  //text             say something that begins with a slash";

/// Reads a line.
pub(super) fn read(line: &str) -> Line<'_> {
    let line = line.trim();
    let Some(command) = line.strip_prefix('/') else {
        return if line.is_empty() {
            Line::Empty
        } else {
            Line::Say(line)
        };
    };
    if command.starts_with('/') {
        return Line::Say(command);
    }
    let (word, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    let rest = rest.trim();
    match word {
        "help" | "h" | "?" => Line::Help,
        "sessions" | "s" => Line::Sessions,
        "switch" | "session" => Line::Switch(rest),
        "new" => Line::New(rest),
        "history" => Line::History(
            rest.parse()
                .ok()
                .filter(|count| (1..=1000).contains(count))
                .unwrap_or(20),
        ),
        "abort" | "stop" => Line::Abort,
        "quit" | "exit" | "q" => Line::Quit,
        _ => Line::Unknown(word),
    }
}

/// The lines of the standard input, read by a thread of its own: reading a terminal blocks, and must not hold up the end.
pub(super) fn lines() -> mpsc::Receiver<String> {
    let (queue, lines) = mpsc::channel(TYPED_AHEAD_MAX);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if queue.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// The whole standard input, for a pipe.
pub(super) fn whole() -> std::io::Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(MESSAGE_BYTES_MAX + 1)
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
        assert_eq!(read("//etc/hosts"), Line::Say("/etc/hosts"));
        assert_eq!(read("/jump"), Line::Unknown("jump"));
        assert_eq!(read("   "), Line::Empty);
    }

    #[test]
    fn every_command_is_in_the_help() {
        for command in ["/sessions", "/switch", "/new", "/history", "/abort", "/quit"] {
            assert!(HELP.contains(command), "{command}");
            assert!(
                !matches!(read(command), Line::Unknown(_) | Line::Say(_)),
                "{command}"
            );
        }
    }
}
