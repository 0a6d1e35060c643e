//! The first chat of a person, who has no model yet.

use std::{ffi::OsStr, fs, time::Duration};

use gatehouse_tests::{Gateway, gateway::binary, model::Model, tmux::Terminal};
use serde_json::json;
use tokio::process::Command;

const SIZE: (u16, u16) = (100, 40);

fn chat(gateway: &Gateway) -> Terminal {
    let home = gateway.path("");
    let words: [&OsStr; 3] = ["chat".as_ref(), "--home".as_ref(), home.as_os_str()];
    Terminal::run(SIZE, &words)
}

#[tokio::test]
async fn the_first_chat_offers_to_set_a_model_up_and_goes_on_with_it() {
    let model = Model::start(3, Duration::from_millis(1)).await;
    let gateway = Gateway::start(&json!({})).await;
    let url = model.config(&json!({}))["models"]["providers"]["slow"]["baseUrl"].clone();
    let terminal = chat(&gateway);

    terminal.until_seen("Set one up now?").await;
    terminal.press(&["Enter"]);
    let asked = terminal.until_seen("another server").await;
    let line = asked
        .lines()
        .find(|line| line.contains("another server"))
        .expect("its line");
    terminal.say(line.split_whitespace().next().expect("its number"));
    terminal.until_seen("Its address").await;
    terminal.say(url.as_str().expect("an address"));
    terminal.until_seen("Its key").await;
    terminal.say("sk-secret-of-mine");
    terminal.until_seen("The name of the model").await;
    terminal.say("words");
    let seen = terminal.until_seen("answers from now on").await;

    assert!(!seen.contains("sk-secret"), "a key is not shown: {seen}");
    terminal.until("a prompt", |screen| screen.ends_with('>')).await;
    terminal.say("hello");
    terminal.until_seen("w0 w1 w2").await;
    let document = fs::read_to_string(gateway.path("gatehouse.json5")).expect("the document");
    assert!(
        document.contains("custom") && !document.contains("sk-secret"),
        "{document}"
    );
}

#[tokio::test]
async fn whoever_declines_is_not_asked_again() {
    let gateway = Gateway::start(&json!({})).await;
    let terminal = chat(&gateway);

    terminal.until_seen("Set one up now?").await;
    terminal.say("n");
    terminal.until_seen("does it later").await;
    terminal.until("a prompt", |screen| screen.ends_with('>')).await;
    drop(terminal);
    let again = chat(&gateway);
    let seen = again.until("a prompt", |screen| screen.ends_with('>')).await;

    assert!(!seen.contains("Set one up"), "{seen}");
}

#[tokio::test]
async fn ctrl_c_at_the_key_leaves_a_terminal_that_shows_what_is_typed() {
    let home = tempfile::tempdir().expect("a folder");
    let words = [
        "setup",
        "--home",
        home.path().to_str().expect("a path"),
        "--provider",
        "openai",
    ];
    let terminal = Terminal::run(SIZE, &words.map(OsStr::new));

    terminal.until_seen("not shown").await;
    terminal.write("sk-half");
    terminal.press(&["C-c"]);

    assert_eq!(terminal.ended().await, 130);
    let screen = terminal.screen();
    assert!(
        screen.contains("nothing was changed") && !screen.contains("sk-half"),
        "{screen}"
    );
    assert!(!home.path().join("gatehouse.json5").exists());
}

/// In containers the command line has the home's files, and reaches the gateway by its address alone.
#[tokio::test]
async fn a_home_whose_gateway_runs_elsewhere_is_set_up_through_the_gateway() {
    let model = Model::start(3, Duration::from_millis(1)).await;
    let gateway = Gateway::start(&json!({})).await;
    let elsewhere = tempfile::tempdir().expect("a folder");
    let key = elsewhere.path().join("key");
    fs::write(&key, "sk-secret-of-mine").expect("written");
    let provider = model.config(&json!({}))["models"]["providers"]["slow"]["baseUrl"].clone();

    let mut command = Command::new(binary());
    command
        .args(["setup", "--yes", "--provider", "mine", "--model", "words"])
        .args([
            "--base-url",
            provider.as_str().expect("an address"),
            "--api-key-file",
        ])
        .arg(&key)
        .env("GATEHOUSE_HOME", gateway.path(""))
        .env("GATEHOUSE_RUN_DIR", elsewhere.path())
        .env("GATEHOUSE_URL", gateway.url())
        .env("GATEHOUSE_TOKEN_FILE", gateway.path("config/token"));
    let set_up = command.output().await.expect("it runs");

    assert!(set_up.status.success(), "{set_up:?}");
    let running = gateway
        .run(&["config", "get", "agents.defaults.model.primary"])
        .await;
    let running = String::from_utf8_lossy(&running.stdout).into_owned();
    assert!(running.contains("mine/words"), "{running}");
    assert!(gateway.path("secrets").read_dir().expect("a folder").count() == 1);
}
