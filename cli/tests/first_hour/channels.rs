//! From nothing to a bot that answers, with one command.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    thread,
};

use crate::support::{Person, err, json, out};

const TOKEN: &str = "4242:a-token-of-the-test";

/// A Bot API that knows one bot, and has nothing to tell it.
fn bot_api() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for socket in listener.incoming() {
            thread::spawn(move || {
                let mut socket = socket.unwrap();
                let mut asked = vec![0; 16 * 1024];
                let read = socket.read(&mut asked).unwrap_or(0);
                let asked = String::from_utf8_lossy(&asked[..read]).into_owned();
                let result = match asked.split(' ').nth(1).unwrap_or_default() {
                    path if !path.contains(TOKEN) => {
                        r#"{"ok":false,"error_code":401,"description":"Unauthorized"}"#
                    }
                    path if path.ends_with("/getMe") => {
                        r#"{"ok":true,"result":{"id":4242,"is_bot":true,"first_name":"Gate","username":"gatebot"}}"#
                    }
                    path if path.ends_with("/getWebhookInfo") => r#"{"ok":true,"result":{"url":""}}"#,
                    _ => r#"{"ok":true,"result":[]}"#,
                };
                let length = result.len();
                let _ = write!(
                    socket,
                    "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{result}"
                );
            });
        }
    });
    port
}

#[test]
fn a_bot_is_tried_written_down_connected_given_another_token_and_removed() {
    let person = Person::new();
    fs::create_dir_all(person.home()).unwrap();
    let config = format!(
        r#"{{ channels: {{ telegram: {{ apiRoot: "http://127.0.0.1:{}" }} }} }}"#,
        bot_api()
    );
    fs::write(person.home().join("gatehouse.json5"), config).unwrap();
    person.done("work", &["up", "-d", "--port", "0"]);

    let wrong = person.run(
        "tmp",
        &["channels", "add", "telegram", "--set", "botToken=1:wrong"],
    );
    assert!(!wrong.status.success());
    assert!(err(&wrong).contains("@BotFather"), "{}", err(&wrong));
    assert!(!err(&wrong).contains("1:wrong") && !out(&wrong).contains("1:wrong"));
    let token = format!("botToken={TOKEN}");
    let added = json(&person.done("tmp", &["channels", "add", "telegram", "--set", &token, "--json"]));

    assert_eq!(
        (&added["name"], &added["state"]),
        (&"@gatebot".into(), &"connected".into()),
        "{added}"
    );
    let file = person.home().join("secrets/telegram-default.botToken");
    assert_eq!(fs::read_to_string(&file).unwrap().trim(), TOKEN);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0);
    let written = fs::read_to_string(person.home().join("gatehouse.json5")).unwrap();
    assert!(!written.contains(TOKEN), "{written}");
    let again = person.run("tmp", &["channels", "add", "telegram", "--set", &token]);
    assert!(err(&again).contains("channels login telegram"), "{}", err(&again));
    assert!(
        person
            .done("tmp", &["channels", "test", "telegram"])
            .contains("connected")
    );
    assert!(
        person
            .done("tmp", &["channels", "logs", "telegram"])
            .contains("telegram")
    );
    person.done(
        "tmp",
        &["channels", "login", "telegram", "--set", &token, "--no-wait"],
    );

    let refused = person.run("tmp", &["channels", "remove", "telegram"]);
    assert!(err(&refused).contains("--yes"), "{}", err(&refused));
    person.done("tmp", &["channels", "remove", "telegram", "--yes"]);
    assert!(file.exists(), "a secret is never deleted for somebody");
    assert!(
        !person
            .run("tmp", &["channels", "test", "telegram"])
            .status
            .success()
    );
}
