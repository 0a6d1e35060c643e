//! Signal through the whole gateway: a daemon of our own stands where signal-cli is.

use gatehouse_fakes::signal::{Daemon, NUMBER};
use gatehouse_tests::{Gateway, until};
use serde_json::json;

use crate::with_an_answer_each;

const ANNA: &str = "5b04ab7b-1d1a-4f0e-8d3a-3c1f0a2b4c6d";
const FAMILY: &str = "YWJjZGVmZ2g=";

#[tokio::test]
async fn a_message_is_answered_where_it_was_said_also_after_the_daemon_was_away() {
    let daemon = Daemon::start().await;
    let channels = json!({"signal": {"account": NUMBER, "httpUrl": daemon.root(), "dmPolicy": "allowlist",
        "allowFrom": [ANNA], "groups": {FAMILY: {"requireMention": false}}, "groupAllowFrom": [ANNA]}});
    let _gateway = Gateway::start(&with_an_answer_each(&channels)).await;
    let answered = async |text: &str| {
        until(&format!("an answer to {text:?}"), async || {
            daemon.seen().into_iter().find(|seen| seen.text.contains(text))
        })
        .await
    };
    until("somebody who listens", async || daemon.is_heard().then_some(())).await;

    daemon.says("00000000-0000-4000-8000-000000000001", "a stranger");
    daemon.says(ANNA, "hello in private");
    assert_eq!(answered("hello in private").await.to, ANNA);
    let group = json!({"timestamp": daemon.moment(), "message": "hello in the group", "groupInfo": {"groupId": FAMILY}});
    daemon.envelope(ANNA, json!({"dataMessage": group}));
    assert_eq!(answered("hello in the group").await.to, FAMILY);

    let listened = daemon.listened();
    daemon.cut();
    until("somebody who listens anew", async || {
        (daemon.listened() > listened && daemon.is_heard()).then_some(())
    })
    .await;
    daemon.says(ANNA, "still there?");
    answered("still there?").await;
    assert!(!daemon.seen().iter().any(|seen| seen.text.contains("a stranger")));
}
