//! What can be typed, for whoever asks.

use super::speaker::Speaker;
use super::table::{COMMANDS, Command, Name};

/// The few that most people need.
pub(super) fn short(speaker: &Speaker) -> String {
    let few = [
        Name::Status,
        Name::New,
        Name::Stop,
        Name::Model,
        Name::Think,
        Name::Compact,
        Name::Commands,
    ];
    list(speaker, |command| few.contains(&command.what))
}

/// All that he may use.
pub(super) fn all(speaker: &Speaker) -> String {
    list(speaker, |_| true)
}

fn list(speaker: &Speaker, wanted: impl Fn(&Command) -> bool) -> String {
    let usable = COMMANDS
        .iter()
        .filter(|command| speaker.may(command.needs) && wanted(command));
    let lines: Vec<String> = usable
        .map(|command| {
            let argument = command
                .argument
                .map_or_else(String::new, |argument| format!(" [{}]", argument.name));
            format!("/{}{argument}: {}", command.name(), command.about)
        })
        .collect();
    format!("What you can type:\n{}", lines.join("\n"))
}
