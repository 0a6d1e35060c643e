//! Ten times the load of a home, for twenty minutes: what all processes weigh together, and whether they have stopped growing.
//!
//! A home has two screens, a message in five seconds when it is busy, and somebody who opens the page now and then. Here
//! are twenty screens in both dialects, two messages a second from forty people on a channel, each answered with sixty streamed
//! tokens and a callback, a screen that reconnects every two seconds, and a client that reads lists and histories all the time.

use std::{collections::BTreeMap, time::Duration};

use futures::{SinkExt, StreamExt, future::join_all};
use gatehouse_tests::{DEADLINE, Gateway, platform::Platform, process::pss_kib, until};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use tokio_tungstenite::{client_async, tungstenite::Message};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    listener::Caller,
    model::Model,
    report::{Report, percentile},
    start::mib,
};

/// How long, unless `GATEHOUSE_SOAK_SECONDS` says otherwise (`make bench ARGS=soak SECONDS=120`).
const SECONDS: u64 = 20 * 60;
const SCREENS: usize = 20;
const PEOPLE: usize = 40;
const MESSAGE_EVERY: Duration = Duration::from_millis(500);
const RECONNECT_EVERY: Duration = Duration::from_secs(2);
const READ_EVERY: Duration = Duration::from_millis(500);
const TOKENS: u64 = 60;
const TOKEN_EVERY: Duration = Duration::from_millis(20);

/// Between two looks at the processes.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Between two lines of the table on the way.
const LINE_EVERY: Duration = Duration::from_secs(60);
/// The whole, supervisor included (demand: a small machine's share).
const AIM_MIB: f64 = 80.0;
/// What the whole may weigh more at the end than in the middle and still be level: an allocator's page more or less in
/// each of seven processes, and the databases' caches, which fill for an hour.
const GROWTH_AIM_MIB: f64 = 3.0;

const SERVICES: [&str; 6] = [
    "edge",
    "session",
    "agent",
    "channel-bridge",
    "config",
    "broadcast",
];

pub(crate) async fn run(report: &mut Report) {
    let seconds = std::env::var_os("GATEHOUSE_SOAK_SECONDS");
    let seconds = seconds
        .and_then(|text| text.to_str()?.parse().ok())
        .unwrap_or(SECONDS);
    let (model, platform) = (Model::serve(TOKENS, TOKEN_EVERY).await, Platform::start().await);
    let mut channels = platform.config();
    for channel in channels
        .as_object_mut()
        .into_iter()
        .flat_map(|channels| channels.values_mut())
    {
        // Who goes on and on, each answer behind the other, is taken for a program that answers another.
        channel["loopGuard"] = json!({"maxTurns": 0});
    }
    let gateway = Gateway::start(&json!({
        "channels": channels,
        "models": {"providers": {"bench": {"baseUrl": model.base, "apiKey": "k", "models": [{"id": "m", "name": "M"}]}}},
        "agents": {"defaults": {"model": {"primary": "bench/m"}}},
        // Each person has a conversation; in one they would wait for each other.
        "session": {"dmScope": "per-peer"},
    }))
    .await;

    let ends = Instant::now() + Duration::from_secs(seconds);
    let (sent, _, (), weighed) = tokio::join!(
        talk(&gateway, &platform, ends),
        screens(&gateway, ends),
        read(&gateway, ends),
        weigh(&gateway, ends),
    );
    let answered = until("the last answers", async || {
        Some(platform.replies().len()).filter(|count| *count >= sent)
    })
    .await;

    assert_eq!(answered, sent, "each message is answered once");
    let (largest, growth) = tell(report, seconds, &weighed);
    assert!(largest < AIM_MIB, "{largest:.1} MiB at the end");
    assert!(growth < GROWTH_AIM_MIB, "{growth:.1} MiB more than in the middle");
}

/// What each process weighed, look by look, in KiB.
type Weighed = Vec<BTreeMap<&'static str, u64>>;

fn tell(report: &mut Report, seconds: u64, weighed: &Weighed) -> (f64, f64) {
    // A tenth of the looks, so that one that falls into a burst does not decide.
    let tenth = (weighed.len() / 10).max(1);
    let median = |looks: &[BTreeMap<&'static str, u64>], of: &dyn Fn(&BTreeMap<&'static str, u64>) -> u64| {
        percentile(
            &mut looks.iter().map(|look| mib(of(look))).collect::<Vec<_>>(),
            0.5,
        )
    };
    let total = |look: &BTreeMap<&'static str, u64>| look.values().sum::<u64>();
    let last = weighed.get(weighed.len() - tenth..).unwrap_or_default();
    let middle = weighed.len() / 2;
    let middle = weighed.get(middle..middle + tenth).unwrap_or_default();

    let end = median(last, &total);
    report.add(
        format!("memory after {seconds} s of ten times home load, all processes (PSS)"),
        end,
        "MiB",
        Some(AIM_MIB),
        None,
    );
    for name in weighed.last().into_iter().flat_map(BTreeMap::keys) {
        let own = |look: &BTreeMap<&'static str, u64>| look.get(name).copied().unwrap_or_default();
        let (first, end) = (median(middle, &own), median(last, &own));
        report.add(
            format!("the same, {name}; reference its middle"),
            end,
            "MiB",
            None,
            Some(first),
        );
    }
    let growth = end - median(middle, &total);
    report.add(
        "growth from its middle to its end",
        growth,
        "MiB",
        Some(GROWTH_AIM_MIB),
        None,
    );
    (end, growth)
}

async fn weigh(gateway: &Gateway, ends: Instant) -> Weighed {
    let (mut looks, mut told) = (Weighed::new(), None::<Instant>);
    let began = Instant::now();
    while Instant::now() < ends {
        sleep(LOOK_EVERY).await;
        let services = SERVICES
            .iter()
            .filter_map(|name| Some((*name, gateway.pid(name)?)));
        let up = gateway.pids().first().map(|pid| ("up", *pid));
        let look: BTreeMap<_, _> = services
            .chain(up)
            .map(|(name, pid)| (name, pss_kib(pid)))
            .collect();
        if told.is_none_or(|at| at.elapsed() >= LINE_EVERY) {
            let parts: Vec<String> = look
                .iter()
                .map(|(name, kib)| format!("{name} {:.1}", mib(*kib)))
                .collect();
            let total = mib(look.values().sum());
            eprintln!(
                "{:>5} s  {total:>6.1} MiB  {}",
                began.elapsed().as_secs(),
                parts.join("  ")
            );
            told = Some(Instant::now());
        }
        looks.push(look);
    }
    looks
}

/// People say things on the channel. How many were acknowledged.
async fn talk(gateway: &Gateway, platform: &Platform, ends: Instant) -> usize {
    let mut every = paced(MESSAGE_EVERY);
    let (mut number, mut taken) = (0, 0);
    while Instant::now() < ends {
        every.tick().await;
        let (id, person) = (format!("soak-{number}"), format!("person-{}", number % PEOPLE));
        let text = format!(
            "{number}: {}",
            "what is for dinner and who cooks it today? ".repeat(4)
        );
        taken += usize::from(platform.deliver(gateway, &id, &person, &text).await);
        number += 1;
    }
    assert_eq!(taken, number, "each message is acknowledged");
    taken
}

/// Screens are open; one after the other goes and comes back.
async fn screens(gateway: &Gateway, ends: Instant) {
    let mut open = join_all((0..SCREENS).map(|number| screen(gateway, number))).await;
    let mut every = paced(RECONNECT_EVERY);
    let mut number = 0;
    while Instant::now() < ends {
        every.tick().await;
        let place = number % SCREENS;
        if let Some(old) = open.get_mut(place) {
            *old = screen(gateway, place).await;
        }
        number += 1;
    }
}

/// One screen that reads all it is sent: every other one speaks v4, and so takes the cumulative form.
async fn screen(gateway: &Gateway, number: usize) -> AbortOnDropHandle<()> {
    let params = if number.is_multiple_of(2) {
        json!({"token": gateway.token(), "role": "operator", "scopes": ["operator.read"], "clientId": "soak"})
    } else {
        json!({
            "minProtocol": 4, "maxProtocol": 4, "role": "operator", "scopes": ["operator.read"],
            "client": {"id": "cli", "version": "1.0.0", "platform": "linux", "mode": "cli"}, "auth": {"token": gateway.token()},
        })
    };
    let connect = json!({"type": "req", "id": "1", "method": "connect", "params": params});
    let url = gateway.url();
    let socket = TcpStream::connect(url.trim_start_matches("ws://"))
        .await
        .expect("the edge");
    let (mut socket, _) = client_async(&url, socket).await.expect("an upgrade");
    socket
        .send(Message::text(connect.to_string()))
        .await
        .expect("sent");
    let hello = timeout(DEADLINE, async {
        while let Some(Ok(message)) = socket.next().await {
            if message.to_text().is_ok_and(|text| text.contains("\"hello-ok\"")) {
                return true;
            }
        }
        false
    });
    assert!(hello.await.expect("a hello in time"), "the edge refused a screen");
    AbortOnDropHandle::new(tokio::spawn(async move {
        while let Some(Ok(_)) = socket.next().await {}
    }))
}

/// Somebody looks around all the time.
async fn read(gateway: &Gateway, ends: Instant) {
    let mut caller = Caller::connect(gateway).await;
    let mut every = paced(READ_EVERY);
    let questions: [(&str, Value); 5] = [
        ("sessions.list", json!({"limit": 50})),
        ("chat.history", json!({"sessionKey": "main", "limit": 100})),
        ("status", json!({})),
        ("channels.status", json!({"probe": false})),
        ("config.get", json!({})),
    ];
    for (method, params) in questions.iter().cycle() {
        if Instant::now() >= ends {
            return;
        }
        every.tick().await;
        caller.call(method, params).await;
    }
}

fn paced(period: Duration) -> tokio::time::Interval {
    let mut every = interval(period);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    every
}
