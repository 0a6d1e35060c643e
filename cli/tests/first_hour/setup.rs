//! From nothing to a real answer, with a server that speaks as model servers do.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use serde_json::{Value, json as object};

use crate::support::{Person, err, json, out};

const KEY: &str = "sk-0123456789abcdef";

/// A model server that wants this key, or none. Lives as long as the process.
fn server(key: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || answer(stream, key));
        }
    });
    url
}

fn answer(stream: TcpStream, key: Option<&str>) -> Option<()> {
    let mut input = BufReader::new(stream.try_clone().ok()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        input.read_line(&mut head).ok().filter(|bytes| *bytes > 0)?;
    }
    let lower = head.to_lowercase();
    let length = lower
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    input.read_exact(&mut body).ok()?;
    let is_let_in = key.is_none_or(|key| lower.contains(&format!("authorization: bearer {key}")));
    let (status, kind, text) = if !is_let_in {
        (
            "401 Unauthorized",
            "application/json",
            object!({"error": {"message": "that key opens nothing"}}).to_string(),
        )
    } else if head.starts_with("GET /v1/models ") {
        let models = object!({"object": "list", "data": [{"id": "nomic-embed"}, {"id": "small-talker"}]});
        ("200 OK", "application/json", models.to_string())
    } else {
        let asked: Value = serde_json::from_slice(&body).ok()?;
        let chunk = |delta: Value, end: Value| object!({"model": asked["model"], "choices": [{"index": 0, "delta": delta, "finish_reason": end}]});
        let said = chunk(
            object!({"role": "assistant", "content": "ready, as a model is"}),
            Value::Null,
        );
        let end = chunk(object!({}), object!("stop"));
        (
            "200 OK",
            "text/event-stream",
            format!("data: {said}\n\ndata: {end}\n\ndata: [DONE]\n\n"),
        )
    };
    let mut output = stream;
    write!(
        output,
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    )
    .ok()
}

fn key_file(person: &Person, key: &str) -> String {
    let path = person.path("key");
    fs::write(&path, format!("{key}\n")).unwrap();
    path.display().to_string()
}

fn document(person: &Person) -> String {
    fs::read_to_string(person.home().join("gatehouse.json5")).unwrap_or_default()
}

#[test]
fn a_server_on_this_machine_is_found_tried_and_answers_the_first_question() {
    let person = Person::new();
    let url = server(None);

    let told = json(&person.done("work", &["setup", "--yes", "--json", "--look-at", &url]));
    assert_eq!(
        told["model"], "small-talker",
        "not the one that only embeds: {told}"
    );
    assert!(
        document(&person).contains("// A chat room."),
        "the comments of the sample stay"
    );
    person.done("work", &["up", "-d", "--port", "0"]);

    assert_eq!(
        person.done("tmp", &["chat", "are you there?"]),
        "ready, as a model is\n"
    );
    assert!(person.done("tmp", &["models"]).contains("small-talker"));
    let tested = json(&person.done("tmp", &["models", "test", "--json"]));
    assert_eq!(tested[0]["ok"], true, "{tested}");
}

#[test]
fn a_key_is_kept_as_a_file_for_its_owner_and_the_running_gateway_uses_it_at_once() {
    let person = Person::new();
    let url = server(Some(KEY));
    person.done("work", &["up", "-d", "--port", "0"]);
    let key = key_file(&person, KEY);

    let told = person.done(
        "tmp",
        &[
            "setup",
            "--provider",
            "mine",
            "--base-url",
            &url,
            "--api-key-file",
            &key,
            "--model",
            "small-talker",
            "--yes",
        ],
    );

    assert!(told.contains("next: gatehouse chat\n"), "{told}");
    let kept = person.home().join("secrets/mine.key");
    assert_eq!(fs::read_to_string(&kept).unwrap().trim(), KEY);
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!document(&person).contains(KEY) && document(&person).contains("mine.key"));
    assert_eq!(
        person.done("tmp", &["chat", "are you there?"]),
        "ready, as a model is\n"
    );
}

#[test]
fn nothing_is_written_when_the_model_does_not_answer_unless_that_is_asked_for() {
    let person = Person::new();
    let url = server(Some(KEY));
    let key = key_file(&person, "sk-wrong-key-of-somebody");
    let setup = [
        "setup",
        "--provider",
        "mine",
        "--base-url",
        &url,
        "--api-key-file",
        &key,
        "--model",
        "small-talker",
        "--json",
    ];

    let refused = person.run("work", &setup);

    assert_eq!(refused.status.code(), Some(1), "{}", err(&refused));
    let told = err(&refused);
    let told = json(told.lines().last().unwrap());
    assert!(
        told["error"]["message"]
            .as_str()
            .unwrap()
            .contains("that key opens nothing"),
        "{told}"
    );
    assert_eq!(told["error"]["code"], "AUTH", "{told}");
    assert!(!person.home().exists(), "not even a home");
    let forced = person.run("work", &[&setup[..], &["--force"]].concat());
    assert_eq!(json(&out(&forced))["ok"], false, "{}", err(&forced));
    assert!(document(&person).contains("small-talker"));
}

#[test]
fn an_address_is_taken_as_people_type_it() {
    let person = Person::new();
    let url = server(Some(KEY));
    let key = key_file(&person, KEY);
    let typed = url.trim_start_matches("http://").trim_end_matches("/v1");
    for model in [&["--model", "small-talker"][..], &[]] {
        let setup = [
            "setup",
            "--provider",
            "mine",
            "--base-url",
            typed,
            "--api-key-file",
            &key,
            "--json",
        ];

        let told = json(&person.done("work", &[&setup[..], model].concat()));

        assert_eq!(told["baseUrl"], url.as_str(), "{told}");
        assert_eq!(told["model"], "small-talker", "{told}");
    }
}

#[test]
fn a_second_server_without_a_name_stands_beside_the_first_and_the_first_is_found_again() {
    let person = Person::new();
    let (first, second) = (server(None), server(None));
    let provider = |url: &str| {
        let setup = ["setup", "--base-url", url, "--model", "small-talker", "--json"];
        let told = json(&person.done("work", &setup));
        told["provider"].as_str().unwrap().to_owned()
    };

    assert_eq!(provider(&first), "custom");
    assert_eq!(provider(&second), "custom-2");
    assert_eq!(provider(&first), "custom", "it is known by its address");
    assert!(document(&person).contains(&first) && document(&person).contains(&second));

    let named = [
        "setup",
        "--provider",
        "custom",
        "--base-url",
        &second,
        "--model",
        "small-talker",
        "--yes",
    ];
    let replaced = person.run("work", &named);
    assert!(
        err(&replaced).contains(&format!("models.providers.custom was {first} before")),
        "{}",
        err(&replaced)
    );
}

#[test]
fn without_anything_to_find_a_script_is_told_what_to_name() {
    let person = Person::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = format!("http://{silent}/v1");
    for (arguments, code, needed) in [
        (&["--yes", "--look-at", &silent][..], 1, "--provider"),
        (&["--yes", "--provider", "openai"], 2, "--api-key-file"),
        (&["--yes", "--provider", "nobody-knows"], 2, "--base-url"),
        (&["--yes", "--base-url", "ftp://x"], 2, "http://127.0.0.1"),
    ] {
        let output = person.run("work", &[&["setup"][..], arguments].concat());
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {}",
            err(&output)
        );
        assert!(err(&output).contains(needed), "{arguments:?}: {}", err(&output));
    }
    assert!(!Path::new(&person.home()).exists());
}
