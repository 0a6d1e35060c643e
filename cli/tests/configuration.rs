//! The configuration from the command line, with a gateway that runs and without.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests: a panic is the failure"
)]

mod gateway;

use std::{fs, process::Command};

use gateway::Gateway;

#[test]
fn a_file_is_judged_by_the_gateway_that_runs_with_it() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("gatehouse.json5");
    let document = "{models: {providers: {p: {baseUrl: 'http://127.0.0.1:1/v1', apiKey: '${ROUTER_KEY}'}}},
        agents: {defaults: {model: 'p/m'}}}";
    fs::write(&file, document).unwrap();
    let gateway = Gateway::start(home.path(), "022", &[("ROUTER_KEY", "only-the-gateway-has-it")]);
    let validate = |arguments: &[&str]| {
        let output = gateway.command(&[&["config", "validate", "--json"], arguments].concat());
        let told = [&output.stdout[..], &output.stderr[..]].concat();
        (
            output.status.code(),
            serde_json::from_slice::<serde_json::Value>(&told).unwrap(),
        )
    };

    let (code, told) = validate(&[]);
    assert_eq!((code, &told["judgedBy"]), (Some(0), &"gateway".into()), "{told}");
    // The same text, which no gateway runs with: our own environment lacks the key.
    let copy = home.path().join("copy.json5");
    fs::write(&copy, document).unwrap();
    let (code, told) = validate(&[copy.to_str().unwrap()]);
    assert_eq!(code, Some(78), "{told}");
    assert!(told.to_string().contains("ROUTER_KEY"), "{told}");
    fs::write(&copy, "{}").unwrap();
    let (code, told) = validate(&[copy.to_str().unwrap()]);
    assert_eq!((code, &told["judgedBy"]), (Some(0), &"command".into()), "{told}");
    // A mistake that the gateway refuses.
    fs::write(&file, "{gateway: {port: 'many'}}").unwrap();
    let (code, told) = validate(&[]);
    assert_eq!(code, Some(78), "{told}");
    assert!(
        told.to_string().contains("gateway.port") && told.to_string().contains("refuses"),
        "{told}"
    );
}

#[test]
fn a_file_whose_token_only_the_gateway_knows_is_judged_by_the_gateway() {
    let home = tempfile::tempdir().unwrap();
    let document = "{gateway: {auth: {token: '${GATEHOUSE_SECRET_TOKEN}'}}}";
    fs::write(home.path().join("gatehouse.json5"), document).unwrap();
    let gateway = Gateway::start(
        home.path(),
        "022",
        &[("GATEHOUSE_SECRET_TOKEN", "kX9qmQ2vL7pR4wZ8tY3nB6")],
    );

    let output = gateway.command(&["config", "validate", "--json"]);

    let told = [&output.stdout[..], &output.stderr[..]].concat();
    let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(
        (output.status.code(), &told["judgedBy"]),
        (Some(0), &"gateway".into()),
        "{told}"
    );
}

#[test]
fn a_change_says_what_came_of_it_with_a_gateway_and_without() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("gatehouse.json5");
    fs::write(&file, "{ /* my notes */ }").unwrap();
    let gateway = Gateway::start(home.path(), "022", &[]);
    let told = |arguments: &[&str]| {
        let output = gateway.command(&[&["config"], arguments].concat());
        let text = [&output.stdout[..], &output.stderr[..]].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };

    for absent in ["gateway.port", "channels.irc", "nope.x"] {
        let (code, text) = told(&["unset", absent]);
        assert!(
            code == Some(0) && text.contains("nothing was changed"),
            "{code:?} {text}"
        );
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "{ /* my notes */ }");
    let (code, text) = told(&["set", "gateway.port", "21012"]);
    assert!(
        code == Some(0) && text.contains("restart the gateway"),
        "{code:?} {text}"
    );
    assert!(!text.contains("every service applies it now"), "{text}");
    let (_, text) = told(&["set", "agents.defaults.systemPrompt", "be brief"]);
    assert!(text.contains("every service applies it now"), "{text}");
    let (_, text) = told(&["set", "agents.defaults.systemPrompt", "be brief"]);
    assert!(text.contains("nothing was changed"), "{text}");
    let (code, text) = told(&["history"]);
    assert!(
        code == Some(0) && text.contains("agents.defaults.systemPrompt"),
        "{code:?} {text}"
    );
    // A file that is left empty for a moment, as editors on slow disks do, is not taken.
    let whole = fs::read_to_string(&file).unwrap();
    fs::write(&file, "").unwrap();
    let (code, text) = told(&["validate"]);
    assert!(
        code == Some(78) && text.contains("the file is empty"),
        "{code:?} {text}"
    );
    let (_, text) = told(&["get", "gateway.port"]);
    assert!(text.contains("21012"), "{text}");
    fs::write(&file, whole).unwrap();
    drop(gateway);

    // Nobody runs now, and the same commands work on the file.
    let alone = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse"));
        command.args([&["config"], arguments].concat()).env_clear();
        let output = command.env("GATEHOUSE_HOME", home.path()).output().unwrap();
        let text = [&output.stdout[..], &output.stderr[..]].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    let (code, text) = alone(&["get", "agents.defaults.systemPrompt"]);
    assert!(
        code == Some(0) && text.contains("be brief") && text.contains("no gateway runs here"),
        "{code:?} {text}"
    );
    let (code, text) = alone(&["set", "gateway.port", "1e4"]);
    assert!(
        code == Some(0) && text.contains("the next start takes it"),
        "{code:?} {text}"
    );
    assert!(fs::read_to_string(&file).unwrap().contains("port: 10000"));
    let (code, text) = alone(&["history", "--json"]);
    assert!(
        code == Some(0) && text.contains("gatehouse config: gateway.port"),
        "{code:?} {text}"
    );
    let kept: serde_json::Value = serde_json::from_str(&text).unwrap();
    let revision = kept["revisions"][0]["revision"].as_str().unwrap();
    let (code, text) = alone(&["restore", revision]);
    assert!(
        code == Some(0) && fs::read_to_string(&file).unwrap().contains("21012"),
        "{code:?} {text}"
    );
    let (code, text) = alone(&["set", "gateway.port", "many"]);
    assert!(
        code == Some(1) && text.contains("must be a whole number"),
        "{code:?} {text}"
    );
    let (code, text) = alone(&["unset", "gateway.port"]);
    assert!(
        code == Some(0) && !fs::read_to_string(&file).unwrap().contains("gateway:"),
        "{code:?} {text}"
    );
    let (code, text) = alone(&["unset", "gateway.port"]);
    assert!(
        code == Some(0) && text.contains("nothing was changed"),
        "{code:?} {text}"
    );
}

#[test]
fn an_entry_that_cannot_be_used_is_named_and_the_rest_runs() {
    let home = tempfile::tempdir().unwrap();
    let document = "{ models: { providers: { good: { baseUrl: 'http://127.0.0.1:11434/v1' }, \
                    old: { baseUrl: 'http://127.0.0.1:11434', api: 'ollama' } } }, agents: { defaults: { model: 'good/m' } } }";
    fs::write(home.path().join("gatehouse.json5"), document).unwrap();
    let gateway = Gateway::start(home.path(), "022", &[]);

    for command in [&["config", "validate"][..], &["status"]] {
        let output = gateway.command(command);
        let text = String::from_utf8([&output.stdout[..], &output.stderr[..]].concat()).unwrap();

        assert_eq!(output.status.code(), Some(0), "{text}");
        assert!(
            text.contains("models.providers.old: is left out, the rest runs: `api` must be"),
            "{text}"
        );
    }
}
