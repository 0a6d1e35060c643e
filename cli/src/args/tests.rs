use clap::CommandFactory;

use super::*;

#[test]
fn the_command_line_makes_sense() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_a_person_types_has_examples() {
    let cli = Cli::command();
    for command in cli
        .get_subcommands()
        .filter(|command| command.get_name() != "help" && !command.is_hide_set())
    {
        let help = command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        assert!(
            help.contains("Examples:") || help == SERVICE,
            "{}",
            command.get_name()
        );
    }
}

#[test]
fn config_alone_is_the_service_and_with_a_word_a_client() {
    let service = Cli::try_parse_from(["gatehouse", "config"]).unwrap();
    let client = Cli::try_parse_from(["gatehouse", "config", "get", "gateway.port"]).unwrap();

    assert!(matches!(
        service.command,
        Command::Config(Config { command: None })
    ));
    assert!(matches!(
        client.command,
        Command::Config(Config {
            command: Some(ConfigCommand::Get { .. })
        })
    ));
}

#[test]
fn a_secret_or_a_text_may_begin_with_a_hyphen() {
    let token = "-Xk3_secret";
    for words in [
        vec!["gatehouse", "--token", token, "status"],
        vec!["gatehouse", "status", "--token", token, "--json"],
    ] {
        let cli = Cli::read(words.iter().map(Into::into)).unwrap();

        assert_eq!(cli.everywhere.token.as_deref(), Some(token), "{words:?}");
    }
    let named = Cli::read(
        ["gatehouse", "sessions", "new", "--label", "-- plan --"]
            .iter()
            .map(Into::into),
    );
    assert!(named.is_ok(), "{:?}", named.err());
    let wrong = Cli::read(["gatehouse", "status", "--tokn", "x"].iter().map(Into::into));
    assert!(wrong.is_err());
}

#[test]
fn common_options_may_stand_anywhere() {
    let before = Cli::try_parse_from(["gatehouse", "--json", "--home", "/h", "status"]).unwrap();
    let after = Cli::try_parse_from(["gatehouse", "up", "--port", "0", "--home", "/h"]).unwrap();

    assert!(before.everywhere.json);
    assert_eq!(after.everywhere.home, Some(PathBuf::from("/h")));
}
