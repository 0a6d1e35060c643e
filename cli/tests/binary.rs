//! The binary as a script meets it: exit codes, what goes to which output, and the next step in every failure.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is the failure")]

use std::{
    fs,
    io::Write,
    net::TcpListener,
    path::Path,
    process::{Command, Output, Stdio},
};

fn gatehouse(home: &Path, arguments: &[&str]) -> Output {
    run(home, arguments, "")
}

fn run(home: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gatehouse"))
        .args(arguments)
        .env_clear()
        .env("GATEHOUSE_HOME", home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// An address at which nobody answers.
fn nobody() -> String {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    format!("ws://127.0.0.1:{port}")
}

#[test]
fn without_a_gateway_the_next_step_is_said_and_the_code_is_69() {
    let home = tempfile::tempdir().unwrap();
    let url = nobody();
    for command in [
        &["status"][..],
        &["call", "health"],
        &["chat", "hello"],
        &["token", "rotate"],
        &["config", "get"],
    ] {
        let output = gatehouse(home.path(), &[&["--url", &url, "--token", "t"], command].concat());

        assert_eq!(output.status.code(), Some(69), "{command:?}: {}", err(&output));
        assert!(
            err(&output).contains("gatehouse up"),
            "{command:?}: {}",
            err(&output)
        );
        assert_eq!(out(&output), "", "{command:?}: nothing on the standard output");
    }
}

#[test]
fn a_service_that_is_away_is_named_with_its_address() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("credential")).unwrap();
    fs::write(home.path().join("credential/operator"), "secret-credential\n").unwrap();

    let output = gatehouse(home.path(), &["call", "--service", "session", "ListSessions"]);

    assert_eq!(output.status.code(), Some(69), "{}", err(&output));
    assert!(err(&output).contains("session.sock"), "{}", err(&output));
    assert!(!err(&output).contains("secret-credential"));
}

#[test]
fn an_unknown_field_is_refused_with_its_path_before_anybody_is_asked() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("credential")).unwrap();
    fs::write(home.path().join("credential/operator"), "c\n").unwrap();

    let output = gatehouse(
        home.path(),
        &["call", "--service", "session", "sessions.list", "{limt: 5}"],
    );

    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    assert!(err(&output).contains("limt"), "{}", err(&output));
}

#[test]
fn without_the_credential_a_direct_call_is_refused() {
    let home = tempfile::tempdir().unwrap();

    let output = gatehouse(home.path(), &["call", "--service", "session", "ListSessions"]);

    assert_eq!(output.status.code(), Some(77), "{}", err(&output));
    assert!(err(&output).contains("GATEHOUSE_CREDENTIAL"), "{}", err(&output));
}

#[test]
fn an_empty_home_has_no_token_and_stays_empty() {
    let home = tempfile::tempdir().unwrap();

    let output = gatehouse(home.path(), &["token", "show"]);

    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("gatehouse up"), "{}", err(&output));
    assert_eq!(
        fs::read_dir(home.path()).unwrap().count(),
        0,
        "looking makes nothing"
    );
}

#[test]
fn the_token_stands_alone_on_the_standard_output() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("config")).unwrap();
    fs::write(home.path().join("config/token"), "abc\n").unwrap();

    assert_eq!(out(&gatehouse(home.path(), &["token", "show"])), "abc\n");
    assert_eq!(
        out(&gatehouse(home.path(), &["token", "show", "--json"])),
        "{\"token\":\"abc\"}\n"
    );
}

#[test]
fn a_wrong_configuration_is_refused_with_its_path_and_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("gatehouse.json5");
    fs::write(&file, "{gateway: {port: 'many'}}").unwrap();

    for command in [&["config", "validate"][..], &["up", "--port", "0"]] {
        let output = gatehouse(home.path(), command);

        assert_eq!(output.status.code(), Some(78), "{command:?}: {}", err(&output));
        assert!(
            err(&output).contains("gateway.port"),
            "{command:?}: {}",
            err(&output)
        );
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "{gateway: {port: 'many'}}");
}

#[test]
fn a_missing_secret_ends_with_78_and_says_how_to_set_it() {
    let home = tempfile::tempdir().unwrap();
    fs::write(
        home.path().join("gatehouse.json5"),
        "{gateway: {auth: {token: '${DOOR_TOKEN}'}}}",
    )
    .unwrap();

    let output = gatehouse(home.path(), &["up", "--port", "0"]);

    assert_eq!(output.status.code(), Some(78), "{}", err(&output));
    assert!(
        err(&output).contains("gateway.auth.token") && err(&output).contains("DOOR_TOKEN"),
        "{}",
        err(&output)
    );
}

#[test]
fn a_valid_configuration_is_said_to_be_one_and_an_unknown_key_is_a_warning() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("gatehouse.json5"), "{gateway: {prot: 1}}").unwrap();

    let output = gatehouse(home.path(), &["config", "validate"]);

    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(
        out(&output).contains("gateway.prot") && out(&output).contains("is valid"),
        "{}",
        out(&output)
    );
    assert_eq!(
        fs::read_dir(home.path()).unwrap().count(),
        1,
        "a check makes nothing"
    );
}

#[test]
fn a_taken_port_is_said_with_the_remedy() {
    let home = tempfile::tempdir().unwrap();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port().to_string();

    let output = gatehouse(home.path(), &["up", "--port", &port]);

    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    assert!(
        err(&output).contains("in use") && err(&output).contains("--port"),
        "{}",
        err(&output)
    );
}

#[test]
fn words_that_make_no_sense_end_with_2() {
    let home = tempfile::tempdir().unwrap();
    for command in [
        &["fly"][..],
        &["call"],
        &["status", "--url", "ftp://x"],
        &["call", "health", "{"],
        &["chat"],
    ] {
        let output = gatehouse(home.path(), &[command, &["--token", "t"]].concat());
        let expected = if command == ["chat"] { 69 } else { 2 };
        assert_eq!(
            output.status.code(),
            Some(expected),
            "{command:?}: {}",
            err(&output)
        );
    }
}

#[test]
fn what_needs_no_gateway_works_without_one() {
    let home = tempfile::tempdir().unwrap();

    let methods = out(&gatehouse(home.path(), &["methods", "sessions."]));
    assert!(
        methods.contains("\nsessions.list ") && !methods.contains("\nchat.send "),
        "{methods}"
    );
    assert!(out(&gatehouse(home.path(), &["methods", "--markdown"])).starts_with("# Methods and events"));
    assert!(out(&gatehouse(home.path(), &["config", "schema"])).contains("\"$schema\""));
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            out(&gatehouse(home.path(), &["completions", shell])).contains("gatehouse"),
            "{shell}"
        );
    }
    assert!(out(&gatehouse(home.path(), &["--version"])).starts_with("gatehouse 0."));
}

#[test]
fn a_pipe_gets_no_colours() {
    let home = tempfile::tempdir().unwrap();

    let output = gatehouse(home.path(), &["methods"]);

    assert!(!out(&output).contains('\x1b'));
    assert!(!err(&gatehouse(home.path(), &["token", "show"])).contains('\x1b'));
}

#[test]
fn parameters_may_come_from_the_input() {
    let home = tempfile::tempdir().unwrap();

    let output = run(
        home.path(),
        &["call", "health", "@-", "--url", &nobody(), "--token", "t"],
        "{not json",
    );

    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    assert!(err(&output).contains("the input"), "{}", err(&output));
}

/// Runs a command whose output nobody reads.
fn unread(home: &Path, arguments: &[&str]) -> Output {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    Command::new(env!("CARGO_BIN_EXE_gatehouse"))
        .args(arguments)
        .env_clear()
        .env("GATEHOUSE_HOME", home)
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::piped())
        .output()
        .unwrap()
}

#[test]
fn whoever_stops_reading_ends_a_command_without_a_word() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("config")).unwrap();
    fs::write(home.path().join("config/token"), "abc\n").unwrap();
    fs::write(home.path().join("gatehouse.json5"), "{}").unwrap();
    for command in [
        &["methods"][..],
        &["methods", "--json"],
        &["methods", "--markdown"],
        &["config", "schema"],
        &["config", "schema", "--markdown"],
        &["config", "validate"],
        &["completions", "zsh"],
        &["token", "show"],
        &["--help"],
        &["--version"],
        &["up", "--help"],
    ] {
        let output = unread(home.path(), command);

        assert_eq!(output.status.code(), Some(141), "{command:?}: {}", err(&output));
        assert_eq!(err(&output), "", "{command:?}");
    }
}

#[test]
fn a_program_gets_its_failures_as_json_on_the_error_output() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("gatehouse.json5"), "{gateway: {port: 'many'}}").unwrap();
    let url = nobody();
    for (command, code) in [
        (&["status", "--url", &url, "--token", "t"][..], 69),
        (&["call", "health", "--url", &url, "--token", "t"], 69),
        (&["call", "health", "{"], 2),
        (&["token", "show"], 1),
        (&["config", "validate"], 78),
        (&["fly"], 2),
        (&["call"], 2),
        (&["restore", "/nonexistent"], 1),
    ] {
        let output = gatehouse(home.path(), &[&["--json"][..], command].concat());

        assert_eq!(output.status.code(), Some(code), "{command:?}: {}", err(&output));
        assert_eq!(out(&output), "", "{command:?}");
        let told: serde_json::Value = serde_json::from_str(&err(&output)).unwrap();
        assert_eq!(told["error"]["exit"], code, "{command:?}: {told}");
        assert!(
            !told["error"]["message"].as_str().unwrap().is_empty(),
            "{command:?}: {told}"
        );
    }
}

#[test]
fn a_key_with_a_line_break_begins_no_line_of_ours() {
    let home = tempfile::tempdir().unwrap();
    let key = r"x\ngatehouse: all is well\u001b[2J";
    for document in [
        format!("{{gateway: {{\"{key}\": 1}}}}"),
        format!("{{models: {{providers: {{\"{key}\": {{baseUrl: 5}}}}}}}}"),
        format!("{{models: {{providers: {{\"{key}\": {{baseUrl: 'http://h', apiKey: '${{NOT_SET}}'}}}}}}}}"),
        format!("{{\"{key}\": 1}}"),
    ] {
        fs::write(home.path().join("gatehouse.json5"), &document).unwrap();

        let output = gatehouse(home.path(), &["config", "validate"]);

        let told = out(&output) + &err(&output);
        assert!(told.contains("all is well"), "the key is shown: {told}");
        assert!(!told.contains('\x1b'), "{told:?}");
        assert!(
            told.lines()
                .all(|line| !line.trim_start().starts_with("gatehouse: all is well")),
            "{told}"
        );
    }
}

#[test]
fn a_restore_that_is_refused_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("a/new/home");
    let file = folder.path().join("no-backup.tar");
    fs::write(&file, vec![b'x'; 4_096]).unwrap();

    let output = gatehouse(&home, &["restore", file.to_str().unwrap()]);

    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    assert!(err(&output).contains("nothing was changed"), "{}", err(&output));
    assert!(
        err(&output).contains("tar archive") && !err(&output).contains("xxxx"),
        "what stands in a file that is no backup is shown to nobody: {}",
        err(&output)
    );
    assert!(
        !folder.path().join("a").exists(),
        "the folders above it went as well"
    );
    let home = folder.path().join("there-already");
    fs::create_dir_all(home.join("secrets")).unwrap();
    fs::write(home.join("secrets/key"), "k").unwrap();
    gatehouse(&home, &["restore", file.to_str().unwrap()]);
    assert!(home.join("secrets/key").exists(), "what stood there stays");
    assert!(!home.join("session").exists());
}
