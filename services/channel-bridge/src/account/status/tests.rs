use std::{collections::BTreeMap, sync::Arc, time::Duration};

use gatehouse_core::Clock;
use gatehouse_proto::channel::v1::GetChannelsStatusRequest;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{ASK_FOR, ASK_FOR_MAX, Asking, read};
use crate::{
    account::{Entry, State, View},
    adapter::Ended,
    config::{Accounts, Config},
    platform::Platforms,
    testing::{Bench, Life, Puppet, key, stores, until},
};

/// Account `a`, connected to a platform of this kind and last heard a while ago.
async fn connected(life: Life, calls_us: bool) -> (tempfile::TempDir, Bench, View) {
    let (folder, stores) = stores();
    let mut puppet = Puppet::new();
    puppet.lives.lock().unwrap().push(life);
    if calls_us {
        puppet.limits.liveness = None;
    }
    let puppet = Arc::new(puppet);
    let bench = Bench::run(&stores, Clock::system(), puppet.clone());
    until("a connection", async || {
        (bench.progress.snapshot().state == State::Connected).then_some(())
    })
    .await;
    until("some silence", async || {
        (bench.progress.last_heard().elapsed() > Duration::from_millis(1100)).then_some(())
    })
    .await;
    let written = json!({"channels": {"webhook": {"accounts": {"a": {"secret": "0123456789abcdef"}}}}});
    let config: Config = serde_json::from_value(written).unwrap();
    let mut accounts = Accounts::read(&config, &Platforms::all(), &[]);
    let entry = Entry {
        config: accounts.by_key.remove(&key("a")).unwrap(),
        progress: bench.progress.clone(),
        adapter: Some(puppet),
        inbound: bench.inbound.clone(),
        hints: bench.hints.clone(),
    };
    let view = View {
        accounts: BTreeMap::from([(key("a"), entry)]),
        ..View::default()
    };
    (folder, bench, view)
}

async fn account(bench: &Bench, view: &View, ask: Option<Duration>) -> Value {
    let asking = Asking {
        within: ask,
        ..Asking::default()
    };
    let status = read(view, &bench.stores, &bench.clock, &asking).await.unwrap();
    serde_json::from_str::<Value>(&status.channel_accounts).unwrap()["webhook"][0].clone()
}

#[tokio::test]
async fn a_platform_that_answers_is_connected_and_was_heard_just_now() {
    let (_folder, bench, view) = connected(Life::Serve, false).await;
    let known = account(&bench, &view, None).await;

    let asked = account(&bench, &view, Some(Duration::from_secs(10))).await;

    let heard = |account: &Value| account["lastProgressAt"].as_i64().unwrap();
    assert_eq!(
        (&known["connected"], &asked["connected"]),
        (&json!(true), &json!(true))
    );
    assert!(heard(&asked) >= heard(&known) + 1000, "{known} {asked}");
    bench.stop().await;
}

#[tokio::test]
async fn a_platform_that_does_not_answer_is_said_to_be_silent() {
    let (_folder, bench, view) = connected(Life::BlackHole, false).await;

    let known = account(&bench, &view, None).await;
    let asked = account(&bench, &view, Some(Duration::from_millis(100))).await;

    assert_eq!(known["connected"], true, "without asking nobody can know");
    assert_eq!(
        (&asked["connected"], &asked["state"]),
        (&json!(false), &json!("degraded"))
    );
    let error = asked["lastError"].as_str().unwrap();
    assert!(error.contains("did not answer within 100 ms"), "{error}");
    let snapshot = bench.progress.snapshot();
    assert_eq!(
        (snapshot.state, snapshot.last_error),
        (State::Connected, None),
        "asking changes nothing"
    );
    bench.stop().await;
}

#[tokio::test]
async fn a_platform_that_calls_us_is_not_asked() {
    let (_folder, bench, view) = connected(Life::BlackHole, true).await;
    let began = Instant::now();

    let asked = account(&bench, &view, Some(Duration::from_secs(60))).await;

    assert_eq!(asked["connected"], true);
    assert!(began.elapsed() < Duration::from_secs(30));
    bench.stop().await;
}

/// The same, where the platform says this of the account when it is asked.
async fn asked_of(known: Result<(), Ended>) -> (Value, Bench, tempfile::TempDir) {
    let (folder, bench, view) = connected(Life::Serve, true).await;
    let puppet = Puppet::new();
    puppet.knows.lock().unwrap().push(known);
    let mut view = view;
    if let Some(entry) = view.accounts.get_mut(&key("a")) {
        entry.adapter = Some(Arc::new(puppet));
    }
    let asked = account(&bench, &view, Some(Duration::from_secs(10))).await;
    (asked, bench, folder)
}

#[tokio::test]
async fn a_platform_that_calls_us_is_asked_whether_it_knows_the_account() {
    let (asked, bench, _folder) = asked_of(Ok(())).await;
    assert_eq!(
        (&asked["state"], &asked["connected"]),
        (&json!("connected"), &json!(true))
    );
    bench.stop().await;

    let (asked, bench, _folder) = asked_of(Err(Ended::Retry("502 from between".into()))).await;
    assert_eq!(
        (&asked["state"], &asked["lastError"]),
        (&json!("degraded"), &json!("502 from between"))
    );
    assert_eq!(bench.progress.snapshot().state, State::Connected, "it may pass");
    bench.stop().await;

    let (asked, bench, _folder) = asked_of(Err(Ended::Failed("token_revoked".into()))).await;
    assert_eq!(
        (
            &asked["state"],
            &asked["connected"],
            &asked["running"],
            &asked["lastError"]
        ),
        (
            &json!("failed"),
            &json!(false),
            &json!(false),
            &json!("token_revoked")
        )
    );
    until("the end of the connection", async || {
        (bench.progress.snapshot().state == State::Failed).then_some(())
    })
    .await;
    bench.stop().await;
}

#[test]
fn the_time_to_ask_is_bounded_and_zero_asks_nobody() {
    let within = |probe, timeout_ms| {
        let request = GetChannelsStatusRequest {
            probe,
            timeout_ms,
            channel: None,
        };
        Asking::from(request).within
    };
    assert_eq!(within(Some(true), None), Some(ASK_FOR));
    assert_eq!(within(Some(true), Some(250)), Some(Duration::from_millis(250)));
    assert_eq!(within(Some(true), Some(60_000)), Some(ASK_FOR_MAX));
    assert_eq!(within(Some(true), Some(0)), None);
    assert_eq!(within(Some(true), Some(-1)), None);
    assert_eq!((within(None, Some(250)), within(Some(false), None)), (None, None));
}
