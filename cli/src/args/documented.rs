//! The commands that the manual names are commands.

use std::{fs, path::Path};

use clap::{Parser, error::ErrorKind};

use super::Cli;

/// What is written for people.
const PAGES: &[&str] = &[
    "README.md",
    "docs/getting-started.md",
    "docs/operations.md",
    "docs/http.md",
    "docs/slack.md",
    "docs/telegram.md",
    "docs/signal.md",
    "docs/whatsapp.md",
    "docs/discord.md",
    "docs/plugins.md",
    "docs/configuration.md",
];

/// The words of a line of a shell, with quotes and without expansions.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Every `gatehouse ...` between backticks. The last one may be broken between two lines.
fn commands(page: &str) -> Vec<String> {
    let spans = page.split('`').skip(1).step_by(2);
    let ours = spans.filter(|span| span.starts_with("gatehouse ") || span.contains("/gatehouse "));
    ours.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn every_command_that_the_manual_names_is_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (mut wrong, mut count) = (Vec::new(), 0);
    for page in PAGES {
        // Blocks are run by other tests.
        let text = fs::read_to_string(root.join(page)).unwrap();
        let prose: String = text.split("```").step_by(2).collect();
        for command in commands(&prose) {
            // What stands for something else, and what is a part of a pipe.
            if command.contains(['<', '|', '>', '…']) || command.contains("...") {
                continue;
            }
            count += 1;
            let Err(error) = Cli::try_parse_from(words(&command)) else {
                continue;
            };
            // A command that is named without what it needs is named all the same.
            let is_named = matches!(
                error.kind(),
                ErrorKind::MissingRequiredArgument
                    | ErrorKind::DisplayHelp
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                    | ErrorKind::MissingSubcommand
            );
            if !is_named {
                wrong.push(format!("{page}: `{command}`: {}", error.kind()));
            }
        }
    }

    assert!(count > 20, "only {count} were found");
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn quotes_hold_a_word_together() {
    assert_eq!(
        words("gatehouse call sessions.list '{limit: 5}' \"a b\""),
        ["gatehouse", "call", "sessions.list", "{limit: 5}", "a b"]
    );
}
