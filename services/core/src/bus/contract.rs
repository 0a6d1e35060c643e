//! What every bus promises. An implementation passes [`everything`] with a way to open a fresh one.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt};
use gatehouse_proto::broadcast::v1::Event;
use tokio::time::timeout;

use super::{Batch, Bus, Page, Position, Subscription};

/// Nothing takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// All promises, each on a bus of its own.
pub(super) async fn everything(open: impl AsyncFn() -> Arc<dyn Bus>) {
    what_is_published_comes_in_order_to_everybody(open().await).await;
    a_subscription_goes_on_from_its_position(open().await).await;
    a_batch_that_comes_again_adds_nothing(open().await).await;
    a_lost_stretch_is_told_before_what_follows_it(open().await).await;
    a_position_of_another_epoch_is_a_gap(open().await, open().await).await;
    a_reader_that_does_not_read_holds_up_nobody_and_is_told_what_it_missed(open().await).await;
    batches_of_several_publishers_stay_in_one_piece(open().await).await;
    a_signal_wakes_those_who_listen_to_its_topic_and_nobody_else(open().await).await;
    a_signal_is_kept_for_a_listener_that_is_busy(open().await).await;
}

fn event(text: &str) -> Event {
    Event {
        r#type: text.into(),
        ..Event::default()
    }
}

fn batch(publisher: &str, sequence: u64, texts: &[&str]) -> Batch {
    Batch {
        publisher: publisher.into(),
        sequence,
        events: texts.iter().map(|text| event(text)).collect(),
        lost: false,
    }
}

async fn page(subscription: &mut Subscription) -> Page {
    let page = timeout(PATIENCE, subscription.pages.next());
    page.await
        .expect("a page in time")
        .expect("a stream")
        .expect("a page")
}

/// Reads so many events, with a mark for each gap.
async fn read(subscription: &mut Subscription, events: usize) -> Vec<String> {
    let (mut seen, mut count) = (Vec::new(), 0);
    while count < events {
        let page = page(subscription).await;
        seen.extend(page.gap.then(|| "gap".to_owned()));
        count += page.events.len();
        seen.extend(page.events.into_iter().map(|event| event.r#type));
    }
    seen
}

async fn what_is_published_comes_in_order_to_everybody(bus: Arc<dyn Bus>) {
    let mut readers = [
        bus.subscribe(None).await.unwrap(),
        bus.subscribe(None).await.unwrap(),
    ];
    for sequence in 1..=3 {
        let name = sequence.to_string();
        bus.publish(batch("p", sequence, &[&name, &name])).await.unwrap();
    }
    for reader in &mut readers {
        assert!(!reader.gap);
        assert_eq!(read(reader, 6).await, ["1", "1", "2", "2", "3", "3"]);
        assert!(reader.pages.next().now_or_never().is_none(), "and nothing more");
    }
}

async fn a_subscription_goes_on_from_its_position(bus: Arc<dyn Bus>) {
    let first = bus.publish(batch("p", 1, &["a", "b"])).await.unwrap();
    bus.publish(batch("p", 2, &["c"])).await.unwrap();

    let mut later = bus.subscribe(Some(first.clone())).await.unwrap();
    let seen = page(&mut later).await;

    assert!(!later.gap && later.start == first);
    assert_eq!(
        seen.events
            .iter()
            .map(|event| event.r#type.as_str())
            .collect::<Vec<_>>(),
        ["c"]
    );
    assert_eq!(seen.position.epoch, first.epoch);
    assert!(seen.position.offset > first.offset && seen.events[0].offset == seen.position.offset);
    let mut now = bus.subscribe(None).await.unwrap();
    assert_eq!(
        now.start, seen.position,
        "without a position: what comes from now on"
    );
    assert!(now.pages.next().now_or_never().is_none());
}

async fn a_batch_that_comes_again_adds_nothing(bus: Arc<dyn Bus>) {
    let mut reader = bus.subscribe(None).await.unwrap();
    let first = bus.publish(batch("p", 1, &["a"])).await.unwrap();
    let again = bus.publish(batch("p", 1, &["a"])).await.unwrap();
    bus.publish(batch("q", 1, &["b"])).await.unwrap();
    let late = bus.publish(batch("p", 1, &["a"])).await.unwrap();
    bus.publish(batch("p", 2, &["c"])).await.unwrap();

    assert_eq!(first, again);
    assert!(late.offset >= first.offset);
    assert_eq!(read(&mut reader, 3).await, ["a", "b", "c"]);
}

async fn a_lost_stretch_is_told_before_what_follows_it(bus: Arc<dyn Bus>) {
    let mut reader = bus.subscribe(None).await.unwrap();
    bus.publish(batch("p", 1, &["a"])).await.unwrap();
    let lossy = Batch {
        lost: true,
        ..batch("p", 2, &["b"])
    };
    bus.publish(lossy).await.unwrap();

    assert_eq!(read(&mut reader, 2).await, ["a", "gap", "b"]);
}

async fn a_position_of_another_epoch_is_a_gap(bus: Arc<dyn Bus>, other: Arc<dyn Bus>) {
    let elsewhere = other.publish(batch("p", 1, &["a"])).await.unwrap();
    let here = bus.publish(batch("p", 1, &["b"])).await.unwrap();
    assert_ne!(elsewhere.epoch, here.epoch);
    let ahead = Position {
        offset: here.offset + 100,
        ..here.clone()
    };

    for unknown in [elsewhere, ahead] {
        let reader = bus.subscribe(Some(unknown)).await.unwrap();
        assert!(reader.gap && reader.start == here);
    }
}

async fn a_reader_that_does_not_read_holds_up_nobody_and_is_told_what_it_missed(bus: Arc<dyn Bus>) {
    let mut slow = bus.subscribe(None).await.unwrap();
    let large = Event {
        payload: vec![7; 256 * 1024].into(),
        ..event("large")
    };
    let mut sequence = 0;
    let mut end = slow.start.clone();
    for _ in 0..200 {
        sequence += 1;
        let batch = Batch {
            events: vec![large.clone()],
            ..batch("p", sequence, &[])
        };
        let published = timeout(PATIENCE, bus.publish(batch));
        end = published.await.expect("nobody is waited for").unwrap();
    }

    let first = page(&mut slow).await;
    assert!(first.gap, "50 MiB are kept for nobody");
    let mut at = first.position;
    while at.offset < end.offset {
        let next = page(&mut slow).await;
        assert!(!next.gap, "told once");
        at = next.position;
    }
    assert_eq!(at, end, "and then it is there again");
}

async fn batches_of_several_publishers_stay_in_one_piece(bus: Arc<dyn Bus>) {
    let mut reader = bus.subscribe(None).await.unwrap();
    let publish = |name: &'static str| {
        let bus = Arc::clone(&bus);
        tokio::spawn(async move {
            for sequence in 1..=20 {
                bus.publish(batch(name, sequence, &[name, name, name]))
                    .await
                    .unwrap();
            }
        })
    };
    let tasks = ["p", "q", "r"].map(publish);
    for task in tasks {
        task.await.unwrap();
    }

    let seen = read(&mut reader, 180).await;

    assert!(
        seen.chunks(3)
            .all(|three| three.iter().all(|name| *name == three[0])),
        "{seen:?}"
    );
}

async fn a_signal_wakes_those_who_listen_to_its_topic_and_nobody_else(bus: Arc<dyn Bus>) {
    bus.signal("a"); // nobody listens: nothing is kept for those who come later
    let (mut one, mut two, mut other) = (bus.listen("a"), bus.listen("a"), bus.listen("b"));
    assert!(one.heard().now_or_never().is_none());

    bus.signal("a");

    for listener in [&mut one, &mut two] {
        timeout(PATIENCE, listener.heard()).await.expect("woken");
    }
    assert!(other.heard().now_or_never().is_none());
}

async fn a_signal_is_kept_for_a_listener_that_is_busy(bus: Arc<dyn Bus>) {
    let mut listener = bus.listen("a");
    for _ in 0..100 {
        bus.signal("a");
    }

    timeout(PATIENCE, listener.heard()).await.expect("kept");
    assert!(
        listener.heard().now_or_never().is_none(),
        "a hundred that were not heard are one"
    );
}
