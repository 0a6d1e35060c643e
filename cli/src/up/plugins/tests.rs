//! Commands of plugins, as real programs.

use std::time::Duration;

use gatehouse_core::Env;
use serde_json::{Value, json};

use super::*;
use crate::term::Style;

/// Says with which variables it came, and waits; a signal ends it.
const PATIENT: &str = "echo \"$GATEHOUSE_PLUGIN_ID $GATEHOUSE_PLUGIN_LISTEN $GATEHOUSE_URL $WORD $SECRET\" >> came; \
                       trap 'echo went >> came; exit 0' TERM; while true; do sleep 0.05; done";

fn maker(home: &Path) -> Maker {
    let home_text = home.to_string_lossy().into_owned();
    Maker {
        home: Home::read(&Env::of([("GATEHOUSE_HOME", home_text.as_str())])),
        url: "ws://127.0.0.1:5".to_owned(),
        environment: BTreeMap::from([
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ("WORD".to_owned(), "tea".to_owned()),
        ]),
        wrapper: None,
    }
}

fn quiet() -> Log {
    Log::to(std::io::sink(), Style::plain(), true).0
}

fn section(entries: Value) -> Section {
    serde_json::from_value(json!({ "entries": entries })).expect("a section")
}

fn script(home: &Path, text: &str) -> Value {
    let text = format!("cd '{}'; {text}", home.display());
    json!({"command": "/bin/sh", "args": ["-c", text], "env": {"SECRET": "s3"}})
}

fn lines(home: &Path) -> Vec<String> {
    let text = fs::read_to_string(home.join("came")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

async fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let waiting = async {
        while !ready() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    assert!(waited.is_ok(), "{what}: not in time");
}

#[tokio::test]
async fn a_command_is_told_who_it_is_and_ends_by_a_signal_when_its_entry_goes() {
    let home = tempfile::tempdir().expect("a folder");
    let (maker, mut programs) = (maker(home.path()), Programs::default());

    programs.apply(
        &section(json!({"kitchen": script(home.path(), PATIENT)})),
        &maker,
        &quiet(),
    );
    until("the command", || lines(home.path()).len() == 1).await;
    programs.apply(&section(json!({})), &maker, &quiet());
    until("its end", || lines(home.path()).len() == 2).await;

    let socket = format!("unix:{}/run/plugin-kitchen.sock", home.path().display());
    assert_eq!(
        lines(home.path()),
        [
            format!("kitchen {socket} ws://127.0.0.1:5 tea s3"),
            "went".to_owned()
        ]
    );
}

#[tokio::test]
async fn a_changed_entry_starts_its_command_again_and_changed_settings_do_not() {
    let home = tempfile::tempdir().expect("a folder");
    let (maker, mut programs) = (maker(home.path()), Programs::default());
    let mut entry = script(home.path(), PATIENT);

    programs.apply(&section(json!({"kitchen": entry.clone()})), &maker, &quiet());
    until("the command", || lines(home.path()).len() == 1).await;
    entry["config"] = json!({"stove": "gas"});
    programs.apply(&section(json!({"kitchen": entry.clone()})), &maker, &quiet());
    entry["env"] = json!({"SECRET": "another"});
    programs.apply(&section(json!({"kitchen": entry})), &maker, &quiet());
    until("the next one", || lines(home.path()).len() == 3).await;
    programs.stop().await;

    let came = lines(home.path());
    assert!(came[0].ends_with("tea s3") && came[1] == "went", "{came:?}");
    assert!(came[2].ends_with("tea another"), "{came:?}");
    assert_eq!(came[3], "went");
}

#[tokio::test]
async fn a_command_that_dies_is_started_again_and_one_that_cannot_be_started_holds_up_nobody() {
    let home = tempfile::tempdir().expect("a folder");
    let (maker, mut programs) = (maker(home.path()), Programs::default());
    let entries = json!({
        "absent": {"command": "/nonexistent/program"},
        "dying": script(home.path(), "echo came >> came; echo no port is free >&2; exit 78"),
    });

    programs.apply(&section(entries), &maker, &quiet());
    until("a second life", || lines(home.path()).len() >= 2).await;
    let failures = programs.failures.clone();
    until("both reasons", || failures.now().len() == 2).await;

    let told = |plugin: &str| {
        let all = failures.now();
        let one = all.into_iter().find(|one| one.service == plugin);
        one.expect("a reason").told()
    };
    assert!(told("plugin/absent").contains("cannot be started"));
    assert_eq!(
        told("plugin/dying"),
        "it ended with exit status: 78: no port is free"
    );
    programs.apply(&section(json!({})), &maker, &quiet());
    assert!(failures.now().is_empty(), "nobody asks for what is not set up");
    programs.stop().await;
}

#[tokio::test]
async fn what_a_command_started_ends_with_it() {
    let home = tempfile::tempdir().expect("a folder");
    let (maker, mut programs) = (maker(home.path()), Programs::default());
    let text = "sh -c 'trap \"\" TERM; echo $$ > child; while true; do sleep 0.05; done' & wait";

    programs.apply(
        &section(json!({"kitchen": script(home.path(), text)})),
        &maker,
        &quiet(),
    );
    let pid = || {
        fs::read_to_string(home.path().join("child"))
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    until("its child", || !pid().is_empty()).await;
    programs.stop().await;

    // One that nobody has waited for yet is a name without a process.
    let lives = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid())).unwrap_or_default();
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| !rest.starts_with('Z'))
    };
    until("the end of its child", || !lives()).await;
}
