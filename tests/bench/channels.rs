//! Chats: messages through one account in and out, accounts that are idle, previews of many answers at once, and many accounts whose
//! connections break in the same moment. The platforms are fakes in this process, so what is measured is the gateway.

use std::time::Duration;

use gatehouse_fakes::{slack::Workspace, telegram::BotApi};
use gatehouse_tests::{
    Gateway,
    process::{cpu, pss_kib},
    wait::until_within,
};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use crate::{model::Model, report::Report};

/// People who write, each so often, that no chat's own pace is met (Telegram: three at once).
const PEOPLE: i64 = 500;
const MESSAGES: usize = 3;
/// Accounts of one platform.
const ACCOUNTS: usize = 50;
/// Answers that are written at the same time.
const STREAMS: i64 = 100;
/// A word in 50 ms, for twenty seconds: what a fast model writes.
const WORDS: u64 = 400;
const WORD: Duration = Duration::from_millis(50);
/// No machine that runs this needs as long.
const PATIENCE: Duration = Duration::from_secs(180);

fn open(mut account: Value) -> Value {
    let more = json!({"dmPolicy": "open", "allowFrom": ["*"], "loopGuard": {"maxTurns": 0},
        "rateLimit": {"burst": 1000, "perSecond": 1000}});
    if let (Some(fields), Value::Object(more)) = (account.as_object_mut(), more) {
        fields.extend(more);
    }
    account
}

/// Answered by a model that says so many words.
fn with_model(model: &Model, channels: &Value) -> Value {
    json!({
        "channels": channels,
        "session": {"dmScope": "per-channel-peer"},
        "models": {"providers": {"bench": {"baseUrl": model.base, "apiKey": "k", "models": [{"id": "m", "name": "M"}]}}},
        "agents": {"defaults": {"model": {"primary": "bench/m"}, "maxConcurrent": 128}},
    })
}

pub(crate) async fn run(report: &mut Report) {
    through_one_account(report).await;
    idle_and_storm(report).await;
    previews(report).await;
}

/// Each message is in the inbox on the disk before Telegram is told, answered by a turn, and out with a receipt.
async fn through_one_account(report: &mut Report) {
    let (api, model) = (BotApi::start().await, Model::serve(1, Duration::ZERO).await);
    let telegram = open(json!({"botToken": api.token(), "apiRoot": api.root(), "streaming": "off"}));
    let gateway = Gateway::start(&with_model(&model, &json!({"telegram": telegram}))).await;
    // Statements are compiled, connections made.
    api.says(7, "warm");
    until_within(PATIENCE, "the first answer", async || {
        (!api.seen().is_empty()).then_some(())
    })
    .await;
    let bridge = gateway.pid("channel-bridge").expect("the bridge");
    let before = cpu(bridge);
    let total = usize::try_from(PEOPLE).unwrap_or_default() * MESSAGES;

    let began = Instant::now();
    for round in 0..MESSAGES {
        for person in 0..PEOPLE {
            api.says(1_000 + person, &format!("message {round}"));
        }
    }
    until_within(PATIENCE, "all to be acknowledged", async || {
        (api.unread() == 0).then_some(())
    })
    .await;
    let taken = began.elapsed();
    // Some answers are to more than one message: what was said while one was written is answered together.
    let quiet = async || {
        let seen = api.seen().len();
        sleep(Duration::from_secs(2)).await;
        (seen > usize::try_from(PEOPLE).unwrap_or_default() && api.seen().len() == seen).then_some(seen)
    };
    let seen = until_within(PATIENCE, "the answers", quiet).await;
    let last = api.calls("sendMessage").last().map_or(began, |call| call.at);

    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let a_second = |count: usize, time: Duration| count as f64 / time.as_secs_f64();
    report.add(
        "messages a second through one account into the inbox",
        a_second(total, taken),
        "1/s",
        None,
        None,
    );
    report.add(
        "answers a second through one account out to receipts",
        a_second(seen, last - began),
        "1/s",
        None,
        None,
    );
    let spent = cpu(bridge).saturating_sub(before);
    report.add(
        "processor time of the bridge for a message in and its answer out",
        spent.as_secs_f64() * 1000.0 / a_second(total, Duration::from_secs(1)),
        "ms",
        None,
        None,
    );
}

/// What an account weighs that is connected and says nothing, and how long it takes until all are back after their connections broke.
async fn idle_and_storm(report: &mut Report) {
    let mut workspaces = Vec::with_capacity(ACCOUNTS);
    for _ in 0..ACCOUNTS {
        workspaces.push(Workspace::start().await);
    }
    let weigh = async |count: usize| {
        let accounts = workspaces.iter().take(count).enumerate();
        let accounts: Map<String, Value> = accounts
            .map(|(number, workspace)| {
                let account = json!({"botToken": workspace.bot_token(), "appToken": workspace.app_token(),
                    "apiRoot": workspace.root()});
                (format!("a{number}"), open(account))
            })
            .collect();
        let gateway = Gateway::start(&json!({"channels": {"slack": {"accounts": accounts}}})).await;
        until_within(PATIENCE, "all to be connected", async || {
            workspaces
                .iter()
                .take(count)
                .all(|workspace| workspace.open() > 0)
                .then_some(())
        })
        .await;
        sleep(Duration::from_secs(5)).await; // start-up buffers are given back
        let kib = pss_kib(gateway.pid("channel-bridge").expect("the bridge"));
        (gateway, kib)
    };
    let (one, light) = weigh(1).await;
    drop(one);
    let (gateway, heavy) = weigh(ACCOUNTS).await;
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let each = heavy.saturating_sub(light) as f64 / 1024.0 / (ACCOUNTS - 1) as f64;
    report.add(
        format!("memory of an idle account, of {ACCOUNTS} on one platform (PSS of the bridge)"),
        each,
        "MiB",
        Some(1.0),
        None,
    );

    let bridge = gateway.pid("channel-bridge").expect("the bridge");
    let before = cpu(bridge);
    let opened: Vec<u64> = workspaces.iter().map(Workspace::opened).collect();
    let began = Instant::now();
    workspaces.iter().for_each(Workspace::cut);
    until_within(PATIENCE, "all to be back", async || {
        let back =
            |(workspace, before): (&Workspace, &u64)| workspace.opened() > *before && workspace.open() > 0;
        workspaces.iter().zip(&opened).all(back).then_some(())
    })
    .await;
    report.add(
        format!("{ACCOUNTS} accounts back after all of their connections broke at once"),
        began.elapsed().as_secs_f64(),
        "s",
        None,
        None,
    );
    report.add(
        "processor time of the bridge for that",
        cpu(bridge).saturating_sub(before).as_secs_f64() * 1000.0,
        "ms",
        None,
        None,
    );
}

/// A hundred answers are shown while they are written, at the platform's own pace.
async fn previews(report: &mut Report) {
    let (api, model) = (BotApi::start().await, Model::serve(WORDS, WORD).await);
    let telegram = open(json!({"botToken": api.token(), "apiRoot": api.root(), "streaming": "preview"}));
    let gateway = Gateway::start(&with_model(&model, &json!({"telegram": telegram}))).await;
    api.says(7, "warm");
    until_within(PATIENCE, "the first answer", async || {
        (!api.seen().is_empty()).then_some(())
    })
    .await;
    let bridge = gateway.pid("channel-bridge").expect("the bridge");
    let (before, drafts) = (cpu(bridge), api.drafts().len());

    let began = Instant::now();
    for person in 0..STREAMS {
        api.says(1_000 + person, "tell me");
    }
    let answers = usize::try_from(STREAMS).unwrap_or_default() + 1;
    until_within(PATIENCE, "all answers", async || {
        (api.seen().len() >= answers).then_some(())
    })
    .await;
    let took = began.elapsed();

    let shown = api.drafts().len() - drafts;
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let a_second = shown as f64 / took.as_secs_f64();
    report.add(
        format!("changes of previews a second, {STREAMS} answers at once"),
        a_second,
        "1/s",
        None,
        None,
    );
    report.add(
        "processor time of the bridge meanwhile",
        cpu(bridge).saturating_sub(before).as_secs_f64() * 100.0 / took.as_secs_f64(),
        "% core",
        None,
        None,
    );
}
