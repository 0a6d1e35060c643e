use std::time::Duration;

use futures::{FutureExt, StreamExt};
use gatehouse_contract::PluginId;
use gatehouse_proto::{
    broadcast::v1::{Event, service_health},
    session::v1::ChatEvent,
};
use prost::Name;

use super::*;

fn hub() -> Hub {
    Hub::new(Arc::new(bus::Memory::new()), Clock::fixed(1_000), core_map().1)
}

fn core_map() -> (watch::Sender<Arc<Map>>, watch::Receiver<Arc<Map>>) {
    watch::channel(Arc::clone(Map::core()))
}

/// A reader of all that comes from now on.
async fn reader(hub: &Hub) -> bus::Subscription {
    hub.bus.subscribe(None).await.unwrap()
}

/// What came since the last call.
fn events(reader: &mut bus::Subscription) -> Vec<Event> {
    let mut events = Vec::new();
    while let Some(Some(page)) = reader.pages.next().now_or_never() {
        events.extend(page.unwrap().events);
    }
    events
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
async fn an_unknown_family_reaches_nobody() {
    let hub = hub();
    let mut reader = reader(&hub).await;
    let mut request = publish("a", 1, 1);
    request.events.push(Event {
        r#type: "gatehouse.session.v1.SessionRow".into(),
        ..Event::default()
    });

    assert!(
        matches!(hub.publish(request).await, Err(Error::UnknownEvent(name)) if name.ends_with("SessionRow"))
    );
    assert_eq!(events(&mut reader).len(), 0);
}

#[tokio::test]
async fn a_plugins_events_are_taken_while_it_is_in_the_map() {
    let (maps, map) = core_map();
    let hub = Hub::new(Arc::new(bus::Memory::new()), Clock::fixed(1_000), map);
    let plugin = PluginId::parse("kitchen").unwrap();
    let descriptors = gatehouse_test_contract::descriptors(
        "message Done { option (gatehouse.options.v1.event) = { name: \"kitchen.done\" access: ACCESS_OPERATOR_READ }; }",
    );
    let mut sequence = 0;
    let mut publish = async || {
        sequence += 1;
        let mut request = publish("a", sequence, 0);
        request.events.push(Event {
            r#type: "t.v1.Done".into(),
            ..Event::default()
        });
        hub.publish(request).await
    };

    assert!(matches!(publish().await, Err(Error::UnknownEvent(_))));
    maps.send_replace(Arc::new(Map::core().with(&plugin, &descriptors, &[]).unwrap()));
    assert_eq!(publish().await.unwrap(), 1);
    maps.send_modify(|map| *map = Arc::new(map.without(&plugin)));
    assert!(matches!(publish().await, Err(Error::UnknownEvent(_))));
}

#[tokio::test]
async fn an_edge_goes_on_where_it_was_or_hears_that_it_cannot() {
    let hub = hub();
    hub.publish(publish("a", 1, 3)).await.unwrap();

    let (fresh, stream) = hub.subscribe(None, None).await.unwrap();
    let (back, _) = hub
        .subscribe(Some(stream.start.epoch.clone()), Some(1))
        .await
        .unwrap();
    let (stranger, _) = hub
        .subscribe(Some("another epoch".into()), Some(1))
        .await
        .unwrap();
    let (epoch_alone, _) = hub.subscribe(Some(stream.start.epoch), None).await.unwrap();

    assert_eq!((fresh.offset, fresh.gap), (3, false));
    assert_eq!((back.offset, back.gap), (1, false));
    assert_eq!((stranger.offset, stranger.gap), (3, true));
    assert_eq!((epoch_alone.offset, epoch_alone.gap), (3, true));
}

#[tokio::test(start_paused = true)]
async fn a_change_of_presence_is_told_once_with_its_version() {
    let hub = hub();
    let before = hub.subscribe(None, None).await.unwrap().0.state_version.unwrap();
    let mut reader = reader(&hub).await;
    let entry = PresenceEntry {
        connection_id: Some("c".into()),
        ..PresenceEntry::default()
    };

    hub.report_presence("edge".into(), vec![entry.clone()])
        .await
        .unwrap();
    hub.report_presence("edge".into(), vec![entry]).await.unwrap();

    let told = events(&mut reader);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].state_version.unwrap().presence, before.presence + 1);
    tokio::time::advance(crate::presence::LEASE).await;
    assert_eq!(hub.presence().await.len(), 1, "expired before answered");
    assert_eq!(events(&mut reader).len(), 1, "and told");
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
    hub.report_health(config, false, None).await.unwrap();

    let (status, _) = hub.status(&Answers::new()).await;

    assert!(status.ok);
    assert_eq!(status.config_hash.as_deref(), Some("abc"));
    tokio::time::advance(health::LEASE).await;
    assert!(!hub.status(&Answers::new()).await.0.ok);
}

#[tokio::test(start_paused = true)]
async fn a_subscription_does_not_begin_with_who_fell_silent() {
    let hub = hub();
    hub.report_presence("edge".into(), vec![PresenceEntry::default()])
        .await
        .unwrap();
    tokio::time::advance(crate::presence::LEASE).await;

    let (position, stream) = hub.subscribe(None, None).await.unwrap();

    assert_eq!(position.presence.unwrap().presence.len(), 1, "the gateway itself");
    assert_eq!(position.offset, stream.start.offset);
    assert!(
        stream.pages.into_future().now_or_never().is_none(),
        "all of it was told before"
    );
}

#[tokio::test(start_paused = true)]
async fn an_edge_is_gone_with_its_last_subscription_and_its_connections_with_it() {
    let hub = hub();
    hub.edge_came("edge");
    hub.report_presence("edge".into(), vec![PresenceEntry::default()])
        .await
        .unwrap();
    hub.edge_came("edge"); // it lost its stream, and the new one came first

    hub.edge_left("edge");
    assert_eq!(hub.presence().await.len(), 2, "it is still here");

    hub.edge_left("edge");
    assert_eq!(hub.presence().await.len(), 1, "the gateway itself");
}

#[tokio::test(start_paused = true)]
async fn nobody_falls_silent_before_it_is_due() {
    let hub = hub();
    assert_eq!(hub.due(), Instant::now() + health::LEASE);
    hub.report_presence("edge".into(), vec![PresenceEntry::default()])
        .await
        .unwrap();
    let due = hub.due();

    tokio::time::advance(due - Instant::now() - Duration::from_millis(1)).await;
    assert_eq!(hub.presence().await.len(), 2);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(hub.presence().await.len(), 1);
}

/// A bus that can be cut off.
#[derive(Debug)]
struct Unsteady {
    bus: bus::Memory,
    is_away: std::sync::atomic::AtomicBool,
}

#[async_trait::async_trait]
impl Bus for Unsteady {
    async fn publish(&self, batch: Batch) -> Result<bus::Position, bus::Error> {
        if self.is_away.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(bus::Error("gone".into()));
        }
        self.bus.publish(batch).await
    }

    async fn subscribe(&self, after: Option<bus::Position>) -> Result<bus::Subscription, bus::Error> {
        self.bus.subscribe(after).await
    }

    fn kept(&self) -> Option<bus::Kept> {
        self.bus.kept()
    }

    fn signal(&self, topic: &str) {
        self.bus.signal(topic);
    }

    fn listen(&self, topic: &str) -> bus::Listener {
        self.bus.listen(topic)
    }
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_announced_is_announced_once_the_bus_is_back() {
    let bus = Arc::new(Unsteady {
        bus: bus::Memory::new(),
        is_away: true.into(),
    });
    let hub = Hub::new(Arc::clone(&bus) as _, Clock::fixed(1_000), core_map().1);
    let mut reader = reader(&hub).await;
    hub.report_presence("edge".into(), vec![PresenceEntry::default()])
        .await
        .unwrap();
    assert!(!hub.announce().await);
    assert!(matches!(
        hub.publish(publish("a", 1, 1)).await,
        Err(Error::Bus(_))
    ));

    bus.is_away.store(false, std::sync::atomic::Ordering::SeqCst);

    assert!(hub.announce().await);
    let told = events(&mut reader);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].r#type, PresenceEvent::full_name());
}
