//! One trace leads from a message's way in to its answer's way out, through every row in which it waited.

use std::{collections::BTreeSet, time::Duration};

use gatehouse_core::trace::Context;
use gatehouse_tests::{
    Client, Gateway,
    collector::{Collector, Seen},
    irc::Person,
    model::Model,
    ngircd::Ngircd,
    until,
};
use rusqlite::{Connection, OpenFlags};
use serde_json::json;

use crate::{SCREEN, with_channels};

/// The traces in a column, of rows that hold some text.
fn traces(gateway: &Gateway, database: &str, sql: &str) -> Vec<String> {
    let connection = Connection::open_with_flags(gateway.path(database), OpenFlags::SQLITE_OPEN_READ_ONLY)
        .expect("the database");
    let mut statement = connection.prepare(sql).expect("the table has a column for it");
    let rows = statement
        .query_map([], |row| row.get::<_, Option<String>>(0))
        .expect("rows");
    rows.map(|row| {
        let text = row.expect("a row").expect("no row is without a trace");
        text.parse::<Context>().expect("a trace context").trace_id()
    })
    .collect()
}

#[tokio::test]
async fn a_message_and_its_reply_have_one_trace_also_when_services_are_killed_in_between() {
    let ircd = Ngircd::start().await;
    let gateway = Gateway::start(&with_channels(&json!({"irc": {
        "enabled": true, "server": "127.0.0.1", "port": ircd.port(), "tls": false, "nick": "gate", "channels": ["#home"],
        "groupPolicy": "open", "groups": {"*": {"requireMention": true}},
    }})))
    .await;
    let person = Person::connect(ircd.port(), "anna").await;
    person.join("#home").await;
    person.sees("#home", "gate").await;

    person.say("#home", "gate: the first").await;
    person.hears("the first reply", |said| said.from == "gate").await;
    gateway.kill("agent").await;
    person.say("#home", "gate: the second").await;
    until("the second is taken", async || {
        let taken = traces(
            &gateway,
            "channel-bridge/bridge.db",
            "SELECT traceparent FROM inbox",
        );
        (taken.len() == 2).then_some(())
    })
    .await;
    gateway.kill("session").await;
    person
        .hears("the second reply", |said| {
            said.from == "gate" && said.text.contains("the second")
        })
        .await;

    let mut seen = Vec::new();
    for (database, sql) in [
        (
            "channel-bridge/bridge.db",
            "SELECT traceparent FROM inbox ORDER BY seq",
        ),
        ("session/session.db", "SELECT traceparent FROM turns ORDER BY id"),
        (
            "session/session.db",
            "SELECT traceparent FROM deliveries ORDER BY id",
        ),
        (
            "channel-bridge/bridge.db",
            "SELECT traceparent FROM outbox ORDER BY seq",
        ),
    ] {
        let rows = traces(&gateway, database, sql);
        assert_eq!(rows.len(), 2, "{sql}");
        seen.push(rows);
    }
    let (first, others) = seen.split_first().expect("four tables");
    assert_ne!(first[0], first[1], "each message has a trace of its own");
    for other in others {
        assert_eq!(other, first, "the same two traces, in order");
    }
}

#[tokio::test]
async fn a_client_may_bring_its_trace_and_what_is_none_begins_a_new_one() {
    const BROUGHT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let gateway = Gateway::start(&json!({})).await;
    let screen = Client::plain(&gateway, SCREEN).await;

    for (n, traceparent) in [BROUGHT, "not a trace context", &"x".repeat(200)]
        .iter()
        .enumerate()
    {
        let params = json!({"sessionKey": format!("agent:main:s{n}"), "message": "hello", "idempotencyKey": format!("k{n}")});
        let frame = json!({"type": "req", "id": format!("t{n}"), "method": "chat.send", "params": params,
            "traceparent": traceparent});
        screen.send(&frame).await.expect("sent");
        let answer = screen
            .first(|frame| frame["id"] == format!("t{n}"))
            .await
            .expect("an answer");
        assert_eq!(answer["ok"], true, "{traceparent:?}: {answer}");
    }

    let turns = traces(
        &gateway,
        "session/session.db",
        "SELECT traceparent FROM turns ORDER BY id",
    );
    assert_eq!(turns[0], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(
        turns.iter().collect::<BTreeSet<_>>().len(),
        3,
        "each has its own: {turns:?}"
    );
}

/// A gateway in an IRC room that sends its traces, with somebody in the room and a model that takes its time.
async fn traced(collector: &Collector, model: &Model, more: &[(&str, &str)]) -> (Gateway, Ngircd, Person) {
    let ircd = Ngircd::start().await;
    let config = model.config(&with_channels(&json!({"irc": {
        "enabled": true, "server": "127.0.0.1", "port": ircd.port(), "tls": false, "nick": "gate", "channels": ["#home"],
        "groupPolicy": "open", "groups": {"*": {"requireMention": true}},
    }})));
    let mut env = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url()),
        ("OTEL_SERVICE_NAME", "home"),
    ];
    env.extend(more);
    let gateway = Gateway::start_with(&config, &env).await;
    let person = Person::connect(ircd.port(), "anna").await;
    person.join("#home").await;
    person.sees("#home", "gate").await;
    (gateway, ircd, person)
}

/// The spans of a trace that hang together, from its first. What a killed process had not ended is lost, and what hangs below that with it.
fn below_the_root(spans: &[Seen], trace: &str) -> Vec<Seen> {
    let of_trace = || spans.iter().filter(|span| span.trace == trace);
    let mut found: Vec<Seen> = of_trace()
        .filter(|span| span.parent.is_empty())
        .cloned()
        .collect();
    let mut at = 0;
    while let Some(id) = found.get(at).map(|span| span.id.clone()) {
        found.extend(of_trace().filter(|span| span.parent == id).cloned());
        at += 1;
    }
    found
}

#[tokio::test]
async fn a_collector_draws_one_tree_from_a_room_to_the_receipt_across_a_restart_of_session() {
    const WORDS: &str = "the words of a person";
    let (collector, model) = (
        Collector::start().await,
        Model::start(12, Duration::from_millis(400)).await,
    );
    let (gateway, _ircd, person) = traced(&collector, &model, &[]).await;
    let _screen = Client::plain(&gateway, SCREEN).await;

    person.say("#home", &format!("gate: {WORDS}")).await;
    let taken = collector
        .sees("session has taken the message", |span| {
            span.service() == "home-session" && span.name.ends_with("/DeliverMessage")
        })
        .await;
    until("the model is asked", async || (model.asked() > 0).then_some(())).await;
    gateway.kill("session").await;
    person.hears("the reply", |said| said.from == "gate").await;
    let whole = until("every step of the trace", async || {
        let spans = below_the_root(&collector.spans(), &taken.trace);
        let needed = [
            "process irc",
            "publish irc",
            "send irc",
            "settle irc",
            "chat words",
            "publish gatehouse.session.v1.ChatEvent",
            "deliver gatehouse.session.v1.ChatEvent",
        ];
        let is_there = |name: &&str| spans.iter().any(|span| span.name == **name);
        needed.iter().all(is_there).then_some(spans)
    })
    .await;

    let tree = collector.tree(&taken.trace);
    let roots: Vec<_> = whole.iter().filter(|span| span.parent.is_empty()).collect();
    assert_eq!(roots.len(), 1, "one tree:\n{tree}");
    assert_eq!(roots[0].name, "receive irc", "{tree}");
    let processes: BTreeSet<_> = whole
        .iter()
        .map(|span| &span.process["service.instance.id"])
        .collect();
    let services: BTreeSet<_> = whole.iter().map(|span| span.service().to_owned()).collect();
    let all =
        ["agent", "broadcast", "channel-bridge", "edge", "session"].map(|service| format!("home-{service}"));
    assert_eq!(services, BTreeSet::from(all), "{tree}");
    assert_eq!(processes.len(), 6, "these five, and session once more:\n{tree}");
    let ended = |span: &&Seen| {
        span.attributes
            .get("gatehouse.outcome")
            .is_some_and(|word| word == "done")
    };
    let agent = whole
        .iter()
        .filter(|span| span.name.starts_with("invoke_agent"))
        .find(ended);
    assert!(agent.is_some(), "the run says how it ended:\n{tree}");
    // A call has two sides: who asked, and who was asked below it.
    let answered = whole
        .iter()
        .filter(|span| span.name.ends_with("/EnqueueDelivery") && span.service() == "home-channel-bridge")
        .find(|served| {
            let asked = whole.iter().find(|span| span.id == served.parent);
            asked.is_some_and(|asked| {
                asked.name == served.name
                    && asked.service() == "home-session"
                    && asked.attributes["rpc.response.status_code"] == "Ok"
            })
        });
    assert!(answered.is_some(), "{tree}");
    let sent = whole
        .iter()
        .find(|span| span.name == "send irc")
        .expect("it is there");
    assert_eq!(sent.attributes["gatehouse.fate"], "delivered", "{tree}");
    for span in &whole {
        let says = format!("{span:?}");
        assert!(
            !says.contains(WORDS) && !says.contains("anna") && !says.contains("#home"),
            "who said what, and where, is nobody's business: {says}"
        );
    }
}

#[tokio::test]
async fn one_trace_in_none_is_recorded_and_a_collector_that_is_away_keeps_nobody() {
    let collector = Collector::start().await;
    let off = [("OTEL_TRACES_SAMPLER", "parentbased_always_off")];
    let model = Model::start(2, Duration::ZERO).await;
    let (_gateway, _ircd, person) = traced(&collector, &model, &off).await;
    person.say("#home", "gate: hello").await;
    person.hears("the reply", |said| said.from == "gate").await;

    let nobody = "http://127.0.0.1:1";
    let gateway = Gateway::start_with(&json!({}), &[("OTEL_EXPORTER_OTLP_ENDPOINT", nobody)]).await;
    let screen = Client::plain(&gateway, SCREEN).await;
    let params = json!({"sessionKey": "agent:main:main", "message": "hello", "idempotencyKey": "k"});
    let answer = screen.call("chat.send", params).await;

    assert!(answer.is_ok(), "{answer:?}");
    assert!(collector.spans().is_empty(), "{:?}", collector.spans());
}

#[tokio::test]
async fn a_collector_is_sent_the_metrics_that_a_scraper_reads() {
    let collector = Collector::start().await;
    let often = [("OTEL_METRIC_EXPORT_INTERVAL", "1000")];
    let model = Model::start(2, Duration::ZERO).await;
    let (_gateway, _ircd, person) = traced(&collector, &model, &often).await;

    person.say("#home", "gate: hello").await;
    person.hears("the reply", |said| said.from == "gate").await;

    for (service, name) in [
        ("home-session", "gatehouse_turns_total"),
        ("home-session", "gatehouse_turn_seconds"),
        ("home-agent", "gatehouse_model_calls_total"),
        ("home-channel-bridge", "gatehouse_trace_spans_total"),
        ("home-edge", "gatehouse_build_info"),
        ("home-broadcast", "process_start_time_seconds"),
        ("home-config", "gatehouse_serving"),
    ] {
        until(&format!("{name} of {service}"), async || {
            collector.metric(service, name).filter(|value| *value >= 1.0)
        })
        .await;
    }
}
