use std::time::Duration;

use gatehouse_contract::PluginId;
use gatehouse_proto::{
    broadcast::v1::{Event, service_health},
    session::v1::ChatEvent,
};
use prost::Name;

use super::*;

fn hub() -> Hub {
    Hub::new(Clock::fixed(1_000), core_map().1)
}

fn core_map() -> (watch::Sender<Arc<Map>>, watch::Receiver<Arc<Map>>) {
    watch::channel(Arc::clone(Map::core()))
}

fn page(hub: &Hub) -> Page {
    let max = PageMax {
        events: 9,
        bytes: usize::MAX,
    };
    hub.page(0, max)
}

fn publish(publisher: &str, sequence: u64, count: usize) -> PublishRequest {
    let event = Event {
        r#type: ChatEvent::full_name(),
        ..Event::default()
    };
    PublishRequest {
        publisher_id: publisher.into(),
        sequence,
        events: vec![event; count],
        lost: false,
    }
}

#[tokio::test]
async fn a_repeated_request_adds_nothing_and_gets_the_same_answer() {
    let hub = hub();

    assert_eq!(hub.publish(publish("a", 1, 2)).unwrap(), 2);
    assert_eq!(hub.publish(publish("a", 1, 2)).unwrap(), 2);
    assert_eq!(hub.publish(publish("a", 2, 1)).unwrap(), 3);
}

#[tokio::test]
async fn an_unknown_family_reaches_nobody() {
    let hub = hub();
    let mut request = publish("a", 1, 1);
    request.events.push(Event {
        r#type: "gatehouse.session.v1.SessionRow".into(),
        ..Event::default()
    });

    assert!(matches!(hub.publish(request), Err(Error::UnknownEvent(name)) if name.ends_with("SessionRow")));
    assert_eq!(page(&hub).events.len(), 0);
}

#[tokio::test]
async fn a_plugins_events_are_taken_while_it_is_in_the_map() {
    let (maps, map) = core_map();
    let hub = Hub::new(Clock::fixed(1_000), map);
    let plugin = PluginId::parse("kitchen").unwrap();
    let descriptors = gatehouse_test_contract::descriptors(
        "message Done { option (gatehouse.options.v1.event) = { name: \"kitchen.done\" access: ACCESS_OPERATOR_READ }; }",
    );
    let mut sequence = 0;
    let mut publish = || {
        sequence += 1;
        let mut request = publish("a", sequence, 0);
        request.events.push(Event {
            r#type: "t.v1.Done".into(),
            ..Event::default()
        });
        hub.publish(request)
    };

    assert!(matches!(publish(), Err(Error::UnknownEvent(_))));
    maps.send_replace(Arc::new(Map::core().with(&plugin, &descriptors, &[]).unwrap()));
    assert_eq!(publish().unwrap(), 1);
    maps.send_modify(|map| *map = Arc::new(map.without(&plugin)));
    assert!(matches!(publish(), Err(Error::UnknownEvent(_))));
}

#[tokio::test]
async fn an_edge_goes_on_where_it_was_or_hears_that_it_cannot() {
    let hub = hub();
    hub.publish(publish("a", 1, 3)).unwrap();

    let fresh = hub.begin(None, None);
    let back = hub.begin(Some(hub.epoch()), Some(1));
    let stranger = hub.begin(Some("another epoch"), Some(1));

    assert_eq!((fresh.offset, fresh.gap), (3, false));
    assert_eq!((back.offset, back.gap), (1, false));
    assert_eq!((stranger.offset, stranger.gap), (3, true));
}

#[tokio::test(start_paused = true)]
async fn a_change_of_presence_is_told_once_with_its_version() {
    let hub = hub();
    let before = hub.begin(None, None).state_version.unwrap();
    let entry = PresenceEntry {
        connection_id: Some("c".into()),
        ..PresenceEntry::default()
    };

    hub.report_presence("edge".into(), vec![entry.clone()]).unwrap();
    hub.report_presence("edge".into(), vec![entry]).unwrap();

    let events = page(&hub).events;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].state_version.unwrap().presence, before.presence + 1);
    tokio::time::advance(crate::presence::LEASE).await;
    assert_eq!(hub.presence().len(), 1, "expired before answered");
    assert_eq!(page(&hub).events.len(), 2, "and told");
}

#[tokio::test(start_paused = true)]
async fn status_shows_every_service_and_the_revision_it_runs() {
    let hub = hub();
    let config = ServiceHealth {
        service: "config".into(),
        instance_id: "1".into(),
        state: service_health::State::Serving.into(),
        config_hash: Some("abc".into()),
        ..ServiceHealth::default()
    };
    hub.report_health(config, false, None).unwrap();

    let status = hub.status(&Answers::new());

    assert!(status.ok);
    assert_eq!(status.config_hash.as_deref(), Some("abc"));
    tokio::time::advance(health::LEASE).await;
    assert!(!hub.status(&Answers::new()).ok);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_does_not_begin_with_who_fell_silent() {
    let hub = hub();
    hub.report_presence("edge".into(), vec![PresenceEntry::default()])
        .unwrap();
    tokio::time::advance(crate::presence::LEASE).await;

    let position = hub.begin(None, None);

    assert_eq!(position.presence.unwrap().presence.len(), 1, "the gateway itself");
    assert_eq!(position.offset, page(&hub).next);
}

#[tokio::test(start_paused = true)]
async fn an_edge_is_gone_with_its_last_subscription_and_its_connections_with_it() {
    let hub = hub();
    hub.edge_came("edge");
    hub.report_presence("edge".into(), vec![PresenceEntry::default()])
        .unwrap();
    hub.edge_came("edge"); // it lost its stream, and the new one came first

    hub.edge_left("edge");
    assert_eq!(hub.presence().len(), 2, "it is still here");

    hub.edge_left("edge");
    assert_eq!(hub.presence().len(), 1, "the gateway itself");
}

#[tokio::test(start_paused = true)]
async fn nobody_falls_silent_before_it_is_due() {
    let hub = hub();
    assert_eq!(hub.due(), Instant::now() + health::LEASE);
    hub.report_presence("edge".into(), vec![PresenceEntry::default()])
        .unwrap();
    let due = hub.due();

    tokio::time::advance(due - Instant::now() - Duration::from_millis(1)).await;
    assert_eq!(hub.presence().len(), 2);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(hub.presence().len(), 1);
}
