//! Rendering and state; delivery over sockets is tested in `tests/it`.

use super::*;

fn hub() -> Hub {
    Hub::new(
        watch::channel(Arc::new(Offer::core())).1,
        Arc::new(Metrics::default()),
    )
}

fn presence(version: i64) -> broadcast::Event {
    let entry = broadcast::PresenceEntry {
        host: Some("desk".to_owned()),
        ts: 5,
        connection_id: Some("c-1".to_owned()),
        client_id: Some("cli".to_owned()),
        ..broadcast::PresenceEntry::default()
    };
    broadcast::Event {
        r#type: PRESENCE.to_owned(),
        payload: PresenceEvent {
            presence: vec![entry],
        }
        .encode_to_vec()
        .into(),
        state_version: Some(StateVersion {
            presence: version,
            health: 1,
        }),
        ..broadcast::Event::default()
    }
}

#[tokio::test]
async fn presence_shows_no_ids_of_connections_and_carries_its_version() {
    let hub = hub();

    let event = hub.render(Map::core(), presence(4)).unwrap();
    hub.take(vec![presence(4)]).await;

    let body = std::str::from_utf8(&event.body).unwrap();
    assert!(
        body.contains("desk") && !body.contains("c-1") && !body.contains("clientId"),
        "{body}"
    );
    assert!(
        body.ends_with(r#","stateVersion":{"presence":4,"health":1}"#),
        "{body}"
    );
    let snapshot = hub.lock().snapshot.clone();
    assert_eq!(snapshot.versions.presence, 4);
    assert!(snapshot.presence.starts_with(b"[{"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_waits_for_the_events_before_it_and_not_for_ever() {
    let hub = hub();
    let mut waiting = Box::pin(hub.reach(5));
    hub.gave(4);
    assert!(futures::poll!(&mut waiting).is_pending());
    hub.gave(6);
    assert!(futures::poll!(&mut waiting).is_ready());
    assert!(
        futures::poll!(Box::pin(hub.reach(6))).is_ready(),
        "it is there already"
    );

    let began = tokio::time::Instant::now();
    hub.reach(7).await;
    assert_eq!(
        began.elapsed(),
        REACH,
        "a stream that is away holds nobody up for longer"
    );
}

#[test]
fn an_event_that_no_contract_knows_reaches_nobody() {
    let event = broadcast::Event {
        r#type: "acme.v1.Secret".to_owned(),
        ..broadcast::Event::default()
    };

    assert!(hub().render(Map::core(), event).is_none());
}

#[test]
fn a_delta_knows_where_its_text_stands() {
    use gatehouse_proto::session::v1::{ChatEvent, chat_event};
    let chat = ChatEvent {
        run_id: "r".to_owned(),
        delta_text: Some("two \"words\"".to_owned()),
        state: chat_event::State::Delta.into(),
        ..ChatEvent::default()
    };
    let event = broadcast::Event {
        r#type: "gatehouse.session.v1.ChatEvent".to_owned(),
        payload: chat.encode_to_vec().into(),
        rendition: broadcast::Rendition::Increment.into(),
        merge_key: Some("r/i".to_owned()),
        ..broadcast::Event::default()
    };

    let event = hub().render(Map::core(), event).unwrap();

    assert_eq!(event.audience.rendition, Some(Rendition::Increment));
    let range = event.merge.unwrap().append.unwrap();
    assert_eq!(&event.body[range], br#"two \"words\""#);
}

#[tokio::test]
async fn where_the_stream_stands_fills_the_snapshot() {
    let hub = hub();
    let versions = StateVersion {
        presence: 2,
        health: 3,
    };

    hub.stand(broadcast::Position {
        state_version: Some(versions),
        ..broadcast::Position::default()
    })
    .await;

    let snapshot = hub.lock().snapshot.clone();
    assert_eq!(
        (snapshot.versions, &*snapshot.presence),
        (versions, b"[]".as_slice())
    );
    assert!(snapshot.health.starts_with(b"{"));
}
