//! One trace leads from a message's way in to its answer's way out, through every row in which it waited.

use std::collections::BTreeSet;

use gatehouse_core::trace::Context;
use gatehouse_tests::{Client, Gateway, irc::Person, ngircd::Ngircd, until};
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
