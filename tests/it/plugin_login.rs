//! A channel of a plugin that somebody has to link by a code, at a terminal and on a page.

use std::{fs, path::Path, process::Stdio, time::Duration};

use gatehouse_tests::{Gateway, gateway::binary, until};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use crate::{
    plugins::{WITHIN, prepared, python, rpc},
    with_channels,
};

/// The example of a channel, which is not there before a file `linked` is: until then it wants a login, with what stands in `code`.
const LINKED: &str = r#"
import pathlib, threading, time
import lines

def tell(self, **said):
    if "connected" in said:
        threading.Thread(target=link, args=(self,), daemon=True).start()
    else:
        plain(self, **said)

def link(self):
    here, shown = pathlib.Path(__file__).parent, None
    while not (here / "linked").exists() and not self.stopped.is_set():
        code = (here / "code").read_text()
        if code != shown:
            plain(self, login={"qr": code, "pair_code": "ABCD-1234", "how": "Linked devices"})
            shown = code
        time.sleep(0.05)
    plain(self, connected={})

plain, lines.Account.tell = lines.Account.tell, tell
lines.main()
"#;

/// Puts a text into a file, whole.
fn put(folder: &Path, name: &str, text: &str) {
    let beside = folder.join(format!("{name}.new"));
    fs::write(&beside, text).expect("written");
    fs::rename(beside, folder.join(name)).expect("put there");
}

/// A gateway with a channel that wants a login, and the folder in which it looks for what becomes of it.
async fn wanting_login() -> (Gateway, TempDir) {
    let folder = prepared("python-channel", "lines.proto").await;
    put(folder.path(), "linked.py", LINKED);
    put(folder.path(), "code", "2@first");
    let (script, people) = (folder.path().join("linked.py"), folder.path().join("people"));
    fs::create_dir(&people).expect("made");
    let mut config = with_channels(&json!({"lines": {"folder": people}}));
    config["plugins"] = json!({"entries": {"tell": {
        "command": python().await, "args": [script], "channels": ["lines"],
    }}});
    (Gateway::start(&config).await, folder)
}

fn login(gateway: &Gateway, words: &[&str]) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child = Command::new(binary())
        .args(["channels", "login"])
        .args(words)
        .arg("--home")
        .arg(gateway.path(""))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the binary");
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    (child, lines)
}

async fn told(lines: &mut Lines<BufReader<ChildStdout>>) -> Value {
    let line = timeout(WITHIN, lines.next_line()).await.expect("in time");
    let line = line.expect("its output").expect("another line");
    serde_json::from_str(&line).expect("JSON")
}

#[tokio::test]
async fn a_code_is_shown_at_the_terminal_renewed_and_over_once_it_was_scanned() {
    let (gateway, folder) = wanting_login().await;

    let (mut command, mut lines) = login(&gateway, &["lines", "--json", "--timeout", "120"]);
    let first = told(&mut lines).await;
    assert_eq!(
        (&first["qr"], &first["pairCode"]),
        (&json!("2@first"), &json!("ABCD-1234"))
    );
    assert!(
        first["qrDataUrl"]
            .as_str()
            .is_some_and(|url| url.starts_with("data:image/png;base64,")),
        "{first}"
    );

    let status = rpc(&gateway, gateway.token(), "channels.status", &json!({})).await;
    let account = &status["channelAccounts"]["lines"][0];
    assert_eq!(account["login"], json!({"how": "Linked devices"}), "{status}");
    assert!(
        !status.to_string().contains("2@first"),
        "a reader gets no code: {status}"
    );
    let shown = gateway.run(&["channels", "login", "lines", "--no-wait"]).await;
    let drawn = String::from_utf8_lossy(&shown.stdout);
    assert!(
        shown.status.success() && drawn.contains('█') && drawn.contains("ABCD-1234"),
        "{drawn}"
    );

    put(folder.path(), "code", "2@second");
    assert_eq!(told(&mut lines).await["qr"], "2@second");
    put(folder.path(), "linked", "");
    let linked = told(&mut lines).await;
    assert_eq!(
        (&linked["connected"], &linked["qr"]),
        (&json!(true), &Value::Null),
        "{linked}"
    );
    let ended = timeout(WITHIN, command.wait())
        .await
        .expect("in time")
        .expect("it ran");
    assert!(ended.success());

    let again = rpc(
        &gateway,
        gateway.token(),
        "web.login.start",
        &json!({"channel": "lines"}),
    )
    .await;
    assert_eq!(again["connected"], true, "{again}");
}

#[tokio::test]
async fn a_login_that_nobody_finishes_ends_with_a_reason_and_a_next_step() {
    let (gateway, _folder) = wanting_login().await;
    until("an account that waits", async || {
        let status = rpc(&gateway, gateway.token(), "channels.status", &json!({})).await;
        status["channelAccounts"]["lines"][0]["login"]
            .is_object()
            .then_some(())
    })
    .await;

    let ended = gateway
        .run(&["channels", "login", "lines", "--timeout", "1"])
        .await;
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success());
    assert!(
        said.contains("not linked within 1 seconds") && said.contains("shows another code"),
        "{said}"
    );
    let wrong = gateway
        .run(&["channels", "login", "lines", "--set", "token=x"])
        .await;
    let said = String::from_utf8_lossy(&wrong.stderr);
    assert!(said.contains("takes no credentials"), "{said}");
    let refused = timeout(
        Duration::from_secs(60),
        gateway.run(&["channels", "login", "nothing"]),
    )
    .await;
    let refused = refused.expect("in time");
    assert!(!refused.status.success());
}
