//! What happens, and who sees it.

use std::time::Duration;

use gatehouse_edge::Limits;
use gatehouse_proto::{
    broadcast::v1::{self as broadcast, Event, SubscribeResponse},
    session::v1::{ChatEvent, SessionsChangedEvent, chat_event},
};
use prost::Message;
use serde_json::json;

use crate::{
    client::{Client, v4},
    gateway::{Gateway, Reply, TOKEN, credential, until, with_credentials},
};

fn chat(state: chat_event::State, delta: Option<&str>) -> Event {
    let chat = ChatEvent {
        run_id: "r".to_owned(),
        session_key: "agent:main:main".to_owned(),
        seq: 1,
        state: state.into(),
        delta_text: delta.map(str::to_owned),
        ..ChatEvent::default()
    };
    Event {
        r#type: "gatehouse.session.v1.ChatEvent".to_owned(),
        payload: chat.encode_to_vec().into(),
        ..Event::default()
    }
}

fn delta(text: &str, rendition: broadcast::Rendition, key: &str) -> Event {
    Event {
        rendition: rendition.into(),
        merge_key: Some(key.to_owned()),
        ..chat(chat_event::State::Delta, Some(text))
    }
}

fn changed() -> Event {
    let changed = SessionsChangedEvent {
        session_key: "agent:main:main".to_owned(),
        reason: "send".to_owned(),
        ..SessionsChangedEvent::default()
    };
    Event {
        r#type: "gatehouse.session.v1.SessionsChangedEvent".to_owned(),
        payload: changed.encode_to_vec().into(),
        topics: vec!["sessions".to_owned()],
        ..Event::default()
    }
}

#[tokio::test]
async fn events_are_numbered_without_a_hole_for_each_connection() {
    let gateway = Gateway::start().await;
    let mut one = Client::v4(&gateway, &["operator.read"]).await;
    let mut other = Client::plain(&gateway, &["operator.read"]).await;

    gateway.publish(vec![
        chat(chat_event::State::Status, None),
        chat(chat_event::State::Final, None),
    ]);
    gateway.publish(vec![chat(chat_event::State::Final, None)]);

    for client in [&mut one, &mut other] {
        for seq in 1..=3 {
            let event = client.event("chat").await;
            assert_eq!(event["seq"], seq);
            assert!(event.get("stateVersion").is_none());
        }
    }
}

#[tokio::test]
async fn an_answer_is_sent_behind_the_events_that_it_is_to_be_heard_after() {
    let gateway = Gateway::start().await;
    gateway.answers(
        "chat.abort",
        Reply::Behind(7, r#"{"ok":true,"aborted":true,"runIds":["r"]}"#),
    );
    let mut client = Client::v4(&gateway, &["operator.read", "operator.write"]).await;
    let abort = json!({"type": "req", "id": "x", "method": "chat.abort", "params": {"sessionKey": "main"}});

    client.send(&abort.to_string()).await;
    until("the call", async || !gateway.calls("chat.abort").is_empty()).await;
    for (offset, state) in [(6, chat_event::State::Delta), (7, chat_event::State::Aborted)] {
        gateway.publish(vec![Event {
            offset,
            ..chat(state, None)
        }]);
    }

    // An answer that came before them would be passed over here, and waited for in vain below.
    for state in ["delta", "aborted"] {
        assert_eq!(client.event("chat").await["payload"]["state"], state);
    }
    let answer = client.answer("x").await;
    assert_eq!(answer["payload"]["aborted"], true, "{answer}");
}

#[tokio::test]
async fn many_clients_are_written_to_in_shares_and_everybody_sees_the_same_order() {
    let gateway = Gateway::start().await;
    let mut clients = Vec::new();
    for _ in 0..350 {
        clients.push(Client::v4(&gateway, &["operator.read"]).await);
    }

    for batch in 0..8 {
        for number in 0..5 {
            let text = format!("{batch}.{number}");
            gateway.publish(vec![chat(chat_event::State::Final, Some(&text))]);
        }
        // The last of them has it: the next batch is another one.
        let last = clients.last_mut().unwrap();
        for number in 0..5 {
            let event = last.event("chat").await;
            assert_eq!(event["payload"]["deltaText"], format!("{batch}.{number}"));
        }
    }

    clients.pop();
    for client in &mut clients {
        let (mut seq, mut number) = (0, 0);
        while number < 40 {
            let event = client.frame().await;
            seq += 1;
            assert_eq!(event["seq"], seq);
            if event["event"] == "chat" {
                let text = format!("{}.{}", number / 5, number % 5);
                assert_eq!(event["payload"]["deltaText"], text);
                number += 1; // a tick may come between
            }
        }
    }
}

#[tokio::test]
async fn nobody_sees_what_its_scopes_topics_or_id_do_not_allow() {
    let gateway = Gateway::start().await;
    gateway.answers("sessions.subscribe", Reply::Json(r#"{"subscribed":true}"#));
    gateway.answers("sessions.unsubscribe", Reply::Json(r#"{"subscribed":false}"#));
    let mut subscriber = Client::v4(&gateway, &["operator.read"]).await;
    let mut reader = Client::v4(&gateway, &["operator.read"]).await;
    let mut pairing = Client::v4(&gateway, &["operator.pairing"]).await;
    assert_eq!(subscriber.call("sessions.subscribe", json!({})).await["ok"], true);
    let only_reader = Event {
        connection_id: Some(reader.hello["server"]["connId"].as_str().unwrap().to_owned()),
        ..chat(chat_event::State::Error, None)
    };
    let unknown = Event {
        r#type: "acme.v1.Nobody".to_owned(),
        ..Event::default()
    };
    let end = health(2);

    gateway.publish(vec![changed(), only_reader, unknown, end.clone()]);

    let mut names = Vec::new();
    for client in [&mut subscriber, &mut reader, &mut pairing] {
        let first = client.frame().await;
        assert_eq!(first["seq"], 1);
        names.push(first["event"].as_str().unwrap().to_owned());
    }
    assert_eq!(names, ["sessions.changed", "chat", "health"]);
    assert_eq!(
        subscriber.call("sessions.unsubscribe", json!({})).await["ok"],
        true
    );
    gateway.publish(vec![changed(), chat(chat_event::State::Final, None)]);
    assert_eq!(subscriber.frame().await["event"], "chat");
}

#[tokio::test]
async fn a_connection_that_is_told_otherwise_is_left_out_and_one_that_follows_some_sessions_hears_of_no_other()
 {
    let gateway = Gateway::start().await;
    let subscribed = r#"{"subscribed":true,"key":"agent:main:mine"}"#;
    gateway.answers("sessions.messages.subscribe", Reply::Json(subscribed));
    let mut params = v4(&["operator.read"]);
    params["caps"] = json!(["session-scoped-events"]);
    let mut scoped = Client::connect(&gateway, params).await;
    let mut left_out = Client::v4(&gateway, &["operator.read"]).await;
    let mut other = Client::v4(&gateway, &["operator.read"]).await;
    let mine = json!({"key": "agent:main:mine"});
    assert_eq!(scoped.call("sessions.messages.subscribe", mine).await["ok"], true);
    let id = left_out.hello["server"]["connId"].as_str().unwrap().to_owned();
    let of = |session: &str| Event {
        session_topic: Some(format!("session/agent:main:{session}")),
        ..chat(chat_event::State::Final, Some(session))
    };
    let except = Event {
        except_connection_ids: vec![id],
        ..chat(chat_event::State::Final, Some("the others"))
    };

    gateway.publish(vec![of("other"), of("mine"), except]);

    let expected = [
        (&mut scoped, &["mine", "the others"][..]),
        (&mut left_out, &["other", "mine"]),
        (&mut other, &["other", "mine", "the others"]),
    ];
    for (client, texts) in expected {
        for (seq, text) in (1..).zip(texts) {
            let event = client.event("chat").await;
            assert_eq!(
                (&event["payload"]["deltaText"], &event["seq"]),
                (&json!(text), &json!(seq))
            );
        }
    }
    gateway.publish(vec![health(3)]);
    assert_eq!(left_out.frame().await["event"], "health");
}

#[tokio::test]
async fn what_belongs_to_a_named_user_reaches_that_user_the_owner_and_administrators_alone() {
    let scopes = ["operator.read", "operator.admin"];
    let rows = [("ann", &scopes[..1]), ("bob", &scopes[..1]), ("eve", &scopes)].map(|(user, scopes)| {
        let mut row = credential(user, &format!("the-token-of-{user}"), scopes);
        row.user_id = Some(user.to_owned());
        row
    });
    let shared = credential("shared", TOKEN, &scopes);
    let gateway = Gateway::with(
        Limits::default(),
        Some(with_credentials("{}", [vec![shared], rows.to_vec()].concat())),
    )
    .await;
    let of = |user: &str, scope: &str| {
        let mut params = v4(&[scope]);
        params["auth"]["token"] = json!(format!("the-token-of-{user}"));
        params
    };
    let mut ann = Client::connect(&gateway, of("ann", "operator.read")).await;
    let mut owner = Client::v4(&gateway, &["operator.read"]).await;
    let mut administrator = Client::connect(&gateway, of("eve", "operator.admin")).await;
    let mut others = [
        Client::connect(&gateway, of("bob", "operator.read")).await,
        Client::connect(&gateway, of("eve", "operator.read")).await,
    ];

    let owned = |user: &str, text: &str| Event {
        user_id: Some(user.to_owned()),
        ..chat(chat_event::State::Final, Some(text))
    };
    gateway.publish(vec![
        owned("ann", "to ann"),
        owned("", "to no user"),
        chat(chat_event::State::Final, Some("to all")),
    ]);

    for (client, texts) in [
        (&mut ann, &["to ann", "to all"][..]),
        (&mut owner, &["to ann", "to no user", "to all"]),
        (&mut administrator, &["to ann", "to no user", "to all"]),
    ] {
        for text in texts {
            assert_eq!(client.event("chat").await["payload"]["deltaText"], *text);
        }
    }
    for client in &mut others {
        let event = client.event("chat").await;
        assert_eq!(
            (&event["payload"]["deltaText"], &event["seq"]),
            (&json!("to all"), &json!(1))
        );
    }
}

fn health(version: i64) -> Event {
    Event {
        r#type: "gatehouse.broadcast.v1.HealthEvent".to_owned(),
        payload: broadcast::HealthEvent {
            ok: true,
            ..broadcast::HealthEvent::default()
        }
        .encode_to_vec()
        .into(),
        state_version: Some(broadcast::StateVersion {
            presence: 1,
            health: version,
        }),
        ..Event::default()
    }
}

#[tokio::test]
async fn a_state_carries_its_version_and_newcomers_see_the_newest() {
    let gateway = Gateway::start().await;
    let mut client = Client::v4(&gateway, &["operator.read"]).await;

    gateway.publish(vec![health(9)]);

    assert_eq!(
        client.event("health").await["stateVersion"],
        json!({"presence": 1, "health": 9})
    );
    let newcomer = Client::v4(&gateway, &[]).await;
    assert_eq!(newcomer.hello["snapshot"]["stateVersion"]["health"], 9);
}

#[tokio::test]
async fn each_client_gets_the_rendition_it_draws() {
    let gateway = Gateway::start().await;
    let mut params = v4(&["operator.read"]);
    params["client"]["id"] = json!("openclaw-control-ui");
    let mut increments = Client::connect(&gateway, params).await;
    let mut whole = Client::v4(&gateway, &["operator.read"]).await;

    gateway.publish(vec![
        delta("a", broadcast::Rendition::Increment, "r/i"),
        delta("A", broadcast::Rendition::Cumulative, "r/c"),
        chat(chat_event::State::Final, None),
    ]);

    for (client, text) in [(&mut increments, "a"), (&mut whole, "A")] {
        let event = client.event("chat").await;
        assert_eq!(
            (&event["payload"]["deltaText"], &event["seq"]),
            (&json!(text), &json!(1))
        );
        assert_eq!(client.event("chat").await["payload"]["state"], "final");
    }
}

#[tokio::test]
async fn a_loss_is_a_hole_for_v4_clients_and_an_event_for_plain_ones() {
    let gateway = Gateway::start().await;
    let mut v4 = Client::v4(&gateway, &["operator.read"]).await;
    let mut plain = Client::plain(&gateway, &["operator.read"]).await;

    gateway.publish(vec![chat(chat_event::State::Final, None)]);
    gateway
        .stream
        .send(SubscribeResponse {
            epoch: "e1".to_owned(),
            gap: true,
            ..SubscribeResponse::default()
        })
        .unwrap();

    assert_eq!(v4.event("chat").await["seq"], 1);
    assert_eq!(v4.event("tick").await["seq"], 3, "the hole is seen at once");
    assert_eq!(plain.event("chat").await["seq"], 1);
    assert_eq!(plain.event("gap").await["seq"], 2);
    assert_eq!(plain.event("tick").await["seq"], 3);
}

#[tokio::test]
async fn connections_are_reported_and_forgotten() {
    let gateway = Gateway::start().await;
    let mut presence = gateway.presence.clone();
    let patience = Duration::from_secs(10);

    let client = Client::v4(&gateway, &[]).await;
    tokio::time::timeout(patience, presence.wait_for(|entries| entries.len() == 1))
        .await
        .unwrap()
        .unwrap();
    drop(client);
    tokio::time::timeout(patience, presence.wait_for(|entries| entries.is_empty()))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn what_a_connection_looks_at_is_reported_until_it_looks_elsewhere_and_is_no_subscription() {
    let gateway = Gateway::start().await;
    let mut presence = gateway.presence.clone();
    let mut client = Client::v4(&gateway, &["operator.read"]).await;

    for keys in [
        json!(["agent:main:a", "agent:main:b"]),
        json!(["agent:main:c"]),
        json!([]),
    ] {
        let answer = json!({ "sessionKeys": keys }).to_string();
        gateway.answers("sessions.viewers.set", Reply::Json(answer.leak()));
        let set = client
            .call("sessions.viewers.set", json!({ "sessionKeys": keys }))
            .await;
        assert_eq!(set["payload"]["sessionKeys"], keys);
        let shown = |entries: &Vec<broadcast::PresenceEntry>| {
            entries.iter().any(|entry| json!(entry.watched_sessions) == keys)
        };
        tokio::time::timeout(Duration::from_secs(10), presence.wait_for(shown))
            .await
            .unwrap()
            .unwrap();
    }
    gateway.publish(vec![changed(), chat(chat_event::State::Final, None)]);
    assert_eq!(client.frame().await["event"], "chat");
}

#[tokio::test]
async fn an_ending_edge_says_so_and_closes_for_a_restart() {
    let gateway = Gateway::start().await;
    let mut client = Client::v4(&gateway, &[]).await;

    gateway.drain.start();

    assert_eq!(
        client.event("shutdown").await["payload"]["reason"],
        "gateway stopping"
    );
    assert_eq!(client.closed().await, (1012, "service restart".to_owned()));
    assert!(
        tokio::net::TcpStream::connect(&gateway.http).await.is_err(),
        "nobody new comes in"
    );
}

#[tokio::test]
async fn who_came_while_no_events_could_be_had_is_told_that_some_may_be_missing() {
    let gateway = Gateway::deaf().await;
    until("a policy", async || {
        Client::open_with(&gateway, &[]).await.is_ok()
    })
    .await;
    let mut v4 = None;
    until("a client", async || {
        let mut client = Client::open(&gateway).await;
        let answer = client.call("connect", self::v4(&["operator.read"])).await;
        let known = answer["ok"] == true;
        v4 = known.then_some(client);
        known
    })
    .await;
    let (mut v4, mut plain) = (v4.unwrap(), Client::plain(&gateway, &["operator.read"]).await);

    gateway.hear();

    assert_eq!(plain.event("gap").await["event"], "gap");
    let mut numbers = Vec::new();
    while !numbers.contains(&2) {
        numbers.push(v4.frame().await["seq"].as_u64().unwrap());
    }
    assert_eq!(
        numbers[0], 2,
        "the hole is before everything that is heard: {numbers:?}"
    );
    let mut late = Client::v4(&gateway, &["operator.read"]).await;
    gateway.publish(vec![chat(chat_event::State::Final, None)]);
    assert_eq!(
        late.event("chat").await["seq"],
        1,
        "who came later missed nothing"
    );
}

#[tokio::test]
async fn an_edge_that_ends_with_the_session_service_holds_its_screens_until_that_is_gone() {
    let gateway = Gateway::start().await;
    let mut client = Client::v4(&gateway, &["operator.read", "operator.write"]).await;
    gateway.stopping(true);

    gateway.drain.start();
    client.event("shutdown").await;
    until("the question whether the session service is gone", async || {
        gateway.calls("/grpc.health.v1.Health/Check").len() > 20
    })
    .await;
    let message = json!({"sessionKey": "main", "message": "x", "idempotencyKey": "k"});
    let refused = client.call("chat.send", message).await;
    assert_eq!(refused["error"]["code"], "UNAVAILABLE", "{refused}");
    assert_eq!(refused["error"]["retryable"], true, "{refused}");
    gateway.publish(vec![chat(chat_event::State::Final, None)]);
    client.event("chat").await;
    gateway.stopping(false);

    assert_eq!(client.closed().await, (1012, "service restart".to_owned()));
}
