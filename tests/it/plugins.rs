//! Plugins as their authors write them: programs of other languages, which `gatehouse up` starts.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use gatehouse_tests::{Client, Gateway, gateway::binary, http, until};
use serde_json::{Value, json};
use tokio::{process::Command, time::timeout};

use crate::{SCREEN, with_an_answer_each};

/// Longer than a loaded machine takes to start an interpreter.
pub(crate) const WITHIN: Duration = Duration::from_secs(60);

fn example(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples/plugins")
        .join(language)
}

/// Copies the files of an example, and compiles its contract as docs/plugins.md says.
pub(crate) async fn prepared(language: &str, contract: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in fs::read_dir(example(language)).expect("the example") {
        let entry = entry.expect("a file");
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("copied");
        }
    }
    let compiled = Command::new(binary())
        .args(["plugins", "compile"])
        .arg(folder.path().join(contract))
        .stdin(Stdio::null())
        .output();
    let compiled = timeout(WITHIN, compiled)
        .await
        .expect("in time")
        .expect("the binary");
    let said = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{said}");
    folder
}

/// A Python with grpcio. Debian's package is for Debian's own.
#[expect(clippy::panic, reason = "a test fails by panicking")]
pub(crate) async fn python() -> &'static str {
    for python in ["/usr/bin/python3", "python3"] {
        let asked = Command::new(python)
            .args(["-c", "import grpc, google.protobuf"])
            .stderr(Stdio::null())
            .status();
        if timeout(WITHIN, asked)
            .await
            .is_ok_and(|ended| ended.is_ok_and(|status| status.success()))
        {
            return python;
        }
    }
    panic!("no Python has grpcio and protobuf: apt-get install python3-grpcio python3-protobuf");
}

/// Waits until a plugin is so.
async fn becomes(gateway: &Gateway, state: &str) -> Value {
    until(&format!("a plugin that is {state}"), async || {
        let listed: Value = rpc(gateway, gateway.token(), "plugins.list", &json!({})).await;
        let plugin = listed["plugins"][0].clone();
        (plugin["state"] == state).then_some(plugin)
    })
    .await
}

pub(crate) async fn rpc(gateway: &Gateway, token: &str, method: &str, params: &Value) -> Value {
    let request = http::client().post(format!("{}/rpc/{method}", gateway.http()));
    let sent = request.bearer_auth(token).body(params.to_string()).send().await;
    match sent {
        Ok(answer) => answer.json().await.unwrap_or_default(),
        Err(_) => Value::Null,
    }
}

#[tokio::test]
async fn a_plugin_in_python_brings_a_method_and_an_event_and_is_started_and_stopped_with_its_entry() {
    let kitchen = prepared("python", "kitchen.proto").await;
    let entry = json!({
        "command": python().await,
        "args": [kitchen.path().join("kitchen.py")],
        "config": {"pot": "the red pot"},
        "http": {},
    });
    let gateway = Gateway::start(&json!({"plugins": {"entries": {"kitchen": entry}}})).await;
    let plugin = becomes(&gateway, "serving").await;
    assert_eq!(
        (&plugin["name"], &plugin["methodCount"]),
        (&json!("The kitchen"), &json!(1))
    );
    let client = Client::v4(&gateway, SCREEN).await;
    assert!(
        client.hello["features"]["methods"]
            .to_string()
            .contains("kitchen.boil")
    );

    let boiled = client
        .call("kitchen.boil", json!({"leaf": "mint"}))
        .await
        .expect("tea");
    assert_eq!(boiled, json!({"cup": "mint tea from the red pot"}));
    let told = client.event("kitchen.done", |_| true).await;
    assert_eq!(told, json!({"cup": "mint tea from the red pot"}));
    let refused = client.call("kitchen.boil", json!({"leaf": ""})).await;
    assert_eq!(refused.expect_err("nothing to boil").details["path"], "/leaf");

    let page = http::client().get(format!("{}/plugins/kitchen/", gateway.http()));
    let stranger = page
        .try_clone()
        .expect("a request")
        .send()
        .await
        .expect("an answer");
    assert_eq!(stranger.status(), 401);
    let served = page.bearer_auth(gateway.token()).send().await.expect("an answer");
    assert_eq!(served.text().await.expect("a body"), "Tea from the red pot.\n");

    // Its own credential is good for nothing that its entry does not say, and nobody else's publishes its events.
    let own = fs::read_to_string(gateway.path("config/plugins/kitchen.token")).expect("its token");
    let beyond = rpc(&gateway, own.trim(), "sessions.list", &json!({})).await;
    assert_eq!(
        beyond["error"]["details"]["missingScope"], "operator.read",
        "{beyond}"
    );
    let event = json!({"event": "kitchen.done", "payload": {"cup": "x"}});
    let forged = rpc(&gateway, gateway.token(), "plugins.publish", &event).await;
    assert_eq!(forged["error"]["details"]["reason"], "NOT_A_PLUGIN", "{forged}");

    for words in [
        vec!["plugins"],
        vec!["plugins", "show", "kitchen"],
        vec!["plugins", "check", "kitchen"],
    ] {
        let output = gateway.run(&words).await;
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("kitchen"),
            "{words:?}: {said}"
        );
    }

    // The document changes: the program ends, and its methods with it.
    fs::write(gateway.path("gatehouse.json5"), "{}").expect("written");
    client
        .event("plugins.changed", |event| event["reason"] == "left")
        .await;
    let gone = client.call("kitchen.boil", json!({"leaf": "mint"})).await;
    assert_eq!(
        gone.expect_err("it is gone").message,
        "unknown method: kitchen.boil"
    );
}

#[tokio::test]
async fn a_plugin_that_is_killed_is_started_again_and_its_methods_are_back() {
    let kitchen = prepared("python", "kitchen.proto").await;
    let entry = json!({"command": python().await, "args": [kitchen.path().join("kitchen.py")]});
    let gateway = Gateway::start(&json!({"plugins": {"entries": {"kitchen": entry}}})).await;
    becomes(&gateway, "serving").await;
    let script = kitchen.path().join("kitchen.py");
    let pid = || {
        let mut all = gateway.pids().into_iter();
        all.find(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&*script.to_string_lossy())
        })
    };
    let before = pid().expect("the program");

    gatehouse_tests::gateway::signal(before, "KILL");
    until("another life of it", async || pid().filter(|now| *now != before)).await;

    let client = Client::v4(&gateway, SCREEN).await;
    let boiled = until("tea", async || {
        client.call("kitchen.boil", json!({"leaf": "mint"})).await.ok()
    })
    .await;
    assert_eq!(boiled, json!({"cup": "mint tea from a cup"}));
}

#[tokio::test]
async fn a_plugin_in_rust_is_known_by_its_reflection_and_answers_with_a_stream() {
    let counter = binary().with_file_name("gatehouse-plugin-counter");
    assert!(
        counter.is_file(),
        "build it with `cargo build -p gatehouse-plugin-counter`"
    );
    let gateway = Gateway::start(&json!({"plugins": {"entries": {"counter": {"command": counter}}}})).await;
    becomes(&gateway, "serving").await;

    let request = http::client().post(format!("{}/rpc/counter.count", gateway.http()));
    let request = request
        .bearer_auth(gateway.token())
        .header("accept", "text/event-stream");
    let answers = request.body(r#"{"to": 3}"#).send().await.expect("an answer");

    let answers = answers.text().await.expect("a stream that ends");
    let numbers: Vec<_> = answers
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .collect();
    assert_eq!(numbers, [r#"{"number":1}"#, r#"{"number":2}"#, r#"{"number":3}"#]);
}

#[tokio::test]
async fn a_plugin_in_node_takes_a_method_over_and_calls_the_original() {
    let shout = prepared("node", "shout.proto").await;
    let modules = example("node").join("node_modules");
    let node = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/node_modules/node/bin/node");
    if !node.is_file() {
        eprintln!("left out, npm is not here");
        return;
    }
    assert!(
        modules.is_dir(),
        "run `npm install` in examples/plugins/node: `make test` does"
    );
    std::os::unix::fs::symlink(&modules, shout.path().join("node_modules")).expect("linked");
    let entry = json!({
        "command": node, "args": [shout.path().join("shout.mjs")],
        "overrides": ["models.list"], "scopes": ["operator.read"],
    });
    let gateway = Gateway::start(&json!({"plugins": {"entries": {"shout": entry}}})).await;
    becomes(&gateway, "serving").await;

    let shouted = rpc(&gateway, gateway.token(), "models.list", &json!({})).await;
    fs::write(gateway.path("gatehouse.json5"), "{}").expect("written");
    let original = until("the original", async || {
        let listed = rpc(&gateway, gateway.token(), "models.list", &json!({})).await;
        (listed["models"].is_array() && listed != shouted).then_some(listed)
    })
    .await;

    let names = |listed: &Value| -> Vec<String> {
        let models = listed["models"].as_array().expect("models").iter();
        models
            .map(|model| model["name"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    let capitals: Vec<String> = names(&original).iter().map(|name| name.to_uppercase()).collect();
    assert!(!capitals.is_empty());
    assert_eq!(names(&shouted), capitals, "{shouted} {original}");
}

/// What stands in the file of somebody's answers.
fn answers(folder: &Path, who: &str) -> Vec<String> {
    let lines = fs::read_to_string(folder.join("out").join(format!("{who}.txt"))).unwrap_or_default();
    let line = |line: &str| -> Value { serde_json::from_str(line).expect("a line of the plugin") };
    let texts = lines.lines().map(line);
    texts
        .map(|line| line["text"].as_str().expect("a text").to_owned())
        .collect()
}

#[tokio::test]
async fn a_channel_in_python_carries_a_message_in_and_an_answer_out_and_loses_nothing_when_it_is_killed() {
    let lines = prepared("python-channel", "lines.proto").await;
    let people = tempfile::tempdir().expect("a folder");
    let say = |name: &str, text: &str| {
        let written = people.path().join(name);
        fs::write(&written, text).expect("written");
        fs::rename(&written, people.path().join("in").join(name)).expect("put there whole");
    };
    fs::create_dir(people.path().join("in")).expect("a folder");
    let script = lines.path().join("lines.py");
    let entry = json!({"command": python().await, "args": [script], "channels": ["lines"]});
    let mut config = with_an_answer_each(&json!({
        "lines": {"folder": people.path(), "dmPolicy": "open", "allowFrom": ["*"]},
    }));
    config["plugins"] = json!({"entries": {"tell": entry}});

    let gateway = Gateway::start(&config).await;
    say("anna.1.txt", "what is for dinner");
    let first = until("an answer", async || {
        answers(people.path(), "anna").first().cloned()
    })
    .await;
    assert!(
        first.contains("what is for dinner"),
        "the echo agent repeats what was said: {first}"
    );

    let pid = || {
        let mut all = gateway.pids().into_iter();
        all.find(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&*script.to_string_lossy())
        })
    };
    for number in 2..12 {
        say(&format!("anna.{number:02}.txt"), &format!("question {number}"));
        if number % 4 == 0 {
            let before = pid();
            if let Some(before) = before {
                gatehouse_tests::gateway::signal(before, "KILL");
            }
            until("another life of it", async || {
                pid().filter(|now| Some(*now) != before)
            })
            .await;
        }
    }
    let all = until("every answer", async || {
        let all = answers(people.path(), "anna");
        (all.len() >= 11).then_some(all)
    })
    .await;

    for number in 2..12 {
        let asked = format!("question {number}");
        let said = all
            .iter()
            .filter(|text| text.lines().next() == Some(asked.as_str()));
        assert_eq!(
            said.count(),
            1,
            "{asked}: nothing is lost and nothing is said twice: {all:#?}"
        );
    }
    let left = fs::read_dir(people.path().join("in"))
        .expect("the folder")
        .count();
    assert_eq!(left, 0, "what is on the gateway's disk was acknowledged");
    let status = rpc(&gateway, gateway.token(), "channels.status", &json!({})).await;
    assert_eq!(status["channelLabels"]["lines"], "Lines in files", "{status}");
    let listed = rpc(&gateway, gateway.token(), "plugins.list", &json!({})).await;
    assert_eq!(listed["plugins"][0]["channels"], json!(["lines"]), "{listed}");
}
