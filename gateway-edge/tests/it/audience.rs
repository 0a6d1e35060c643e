//! What is for some operators and not for others: whom somebody looks at, and which devices ask to come in.

use gatehouse_edge::Limits;
use gatehouse_proto::{
    broadcast::v1::{self as broadcast, Event},
    device::v1::{DevicePairRequestedEvent, DevicePairResolvedEvent},
    node::v1::NodePairRequestedEvent,
};
use prost::{Message, Name};
use serde_json::{Value, json};

use crate::{
    client::{Client, v4},
    device::Device,
    gateway::{Gateway, TOKEN, credential, with_credentials},
};

const SCOPES: [&str; 3] = ["operator.read", "operator.pairing", "operator.admin"];

/// A gateway with a token of the owner, and of some users that may read and pair; `eve` is an administrator.
async fn gateway() -> Gateway {
    let users = ["ann", "bob", "eve"].map(|user| {
        let scopes = if user == "eve" { &SCOPES[..] } else { &SCOPES[..2] };
        let mut row = credential(user, &format!("the-token-of-{user}"), scopes);
        row.user_id = Some(user.to_owned());
        row
    });
    let rows = [vec![credential("shared", TOKEN, &SCOPES)], users.to_vec()].concat();
    Gateway::with(Limits::default(), Some(with_credentials("{}", rows))).await
}

fn of(user: &str, scopes: &[&str]) -> Value {
    let mut params = v4(scopes);
    params["auth"]["token"] = json!(format!("the-token-of-{user}"));
    params
}

fn event<M: Message + Name>(message: &M) -> Event {
    Event {
        r#type: M::full_name(),
        payload: message.encode_to_vec().into(),
        ..Event::default()
    }
}

/// Ann looks at her own session and at everybody's.
fn presence(version: i64, keys: &[&str]) -> Event {
    let entry = broadcast::PresenceEntry {
        user: Some(broadcast::PresenceUser {
            id: "ann".to_owned(),
            ..broadcast::PresenceUser::default()
        }),
        watched_sessions: keys.iter().map(|key| (*key).to_owned()).collect(),
        ..broadcast::PresenceEntry::default()
    };
    let state = broadcast::PresenceEvent {
        presence: vec![entry],
    };
    Event {
        state_version: Some(broadcast::StateVersion {
            presence: version,
            health: 1,
        }),
        ..event(&state)
    }
}

fn watched(presence: &Value) -> Value {
    presence[0]["watchedSessions"].clone()
}

#[tokio::test]
async fn which_private_session_somebody_looks_at_is_told_to_those_alone_who_may_see_all() {
    let gateway = gateway().await;
    let read = &SCOPES[..1];
    let mut owner = Client::v4(&gateway, read).await;
    let mut eve = Client::connect(&gateway, of("eve", &["operator.admin"])).await;
    let mut bob = Client::connect(&gateway, of("bob", read)).await;
    let mut weak_eve = Client::connect(&gateway, of("eve", read)).await;
    let all = ["agent:main:main", "agent:main:diary"];

    gateway.publish(vec![presence(101, &all)]);
    gateway.publish(vec![presence(102, &all[..1])]);
    gateway.publish(vec![presence(103, &all[1..])]);

    for (client, shown) in [
        (&mut owner, [json!(all), json!([all[0]]), json!([all[1]])]),
        (&mut eve, [json!(all), json!([all[0]]), json!([all[1]])]),
        (&mut bob, [json!([all[0]]), json!([all[0]]), Value::Null]),
        (&mut weak_eve, [json!([all[0]]), json!([all[0]]), Value::Null]),
    ] {
        let told = loop {
            let told = client.event("presence").await;
            let version = told["stateVersion"]["presence"].as_u64().unwrap();
            // Those of one moment may come as one.
            let shown = &shown[usize::try_from(version.saturating_sub(101)).unwrap()];
            assert_eq!(&watched(&told["payload"]["presence"]), shown, "{told}");
            if version == 103 {
                break told;
            }
        };
        assert_eq!(told["payload"]["presence"].as_array().unwrap().len(), 1);
    }

    let newcomer = |params| Client::connect(&gateway, params);
    let snapshot = |client: &Client| watched(&client.hello["snapshot"]["presence"]);
    assert_eq!(snapshot(&newcomer(v4(read)).await), json!([all[1]]));
    assert_eq!(snapshot(&newcomer(of("bob", read)).await), Value::Null);
}

#[tokio::test]
async fn a_device_that_manages_itself_hears_of_no_other_and_nobody_of_one_that_can_do_more() {
    let gateway = gateway().await;
    let (own, other) = (Device::new(1), Device::new(2));
    let pair = &SCOPES[..2];
    let mut confined = own.connect(&gateway, v4(pair)).await;
    let mut administrators = Device::new(3).connect(&gateway, v4(&SCOPES)).await;
    let mut owner = Client::v4(&gateway, pair).await;
    let mut bob = Client::connect(&gateway, of("bob", pair)).await;

    let requested = |device: &Device, scopes: &[&str]| Event {
        device_id: Some(device.id()),
        device_scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        ..event(&DevicePairRequestedEvent {
            device_id: device.id(),
            request_id: scopes.join(" "),
            ..DevicePairRequestedEvent::default()
        })
    };
    let resolved = |device: &Device, decision: &str| Event {
        device_id: Some(device.id()),
        device_scopes: vec!["operator.admin".to_owned()],
        ..event(&DevicePairResolvedEvent {
            device_id: device.id(),
            request_id: decision.to_owned(),
            ..DevicePairResolvedEvent::default()
        })
    };
    let node = Event {
        device_id: Some(other.id()),
        ..event(&NodePairRequestedEvent {
            node_id: other.id(),
            request_id: "node".to_owned(),
            ..NodePairRequestedEvent::default()
        })
    };
    gateway.publish(vec![
        requested(&other, &["operator.admin"]),
        requested(&other, &["operator.read"]),
        node,
        resolved(&other, "removed"),
        resolved(&own, "mine"),
        // For all of them, so that the end is seen.
        event(&NodePairRequestedEvent {
            request_id: "end".to_owned(),
            ..NodePairRequestedEvent::default()
        }),
    ]);

    for (client, expected) in [
        (&mut confined, &["mine"][..]),
        (
            &mut administrators,
            &["operator.admin", "operator.read", "node", "removed", "mine"],
        ),
        (
            &mut owner,
            &["operator.admin", "operator.read", "node", "removed", "mine"],
        ),
        (&mut bob, &["operator.read", "node"]),
    ] {
        let mut heard = Vec::new();
        loop {
            let frame = client.frame().await;
            if !frame["event"]
                .as_str()
                .is_some_and(|name| name.contains(".pair."))
            {
                continue;
            }
            match frame["payload"]["requestId"].as_str().unwrap() {
                "end" => break,
                request => heard.push(request.to_owned()),
            }
        }
        assert_eq!(heard, expected);
    }
}
