//! Replies that are taken back.

use super::*;
use gatehouse_core::Timestamp;

#[tokio::test]
async fn what_is_stopped_is_taken_back_here_and_at_the_bridge_also_when_it_is_away_for_a_while() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let (_, address) = bench.peer(BRIDGE);
    for (run, to) in [("r1", "#a"), ("r2", "#b"), ("r3", "#a")] {
        answer(&mut bench, &mut running, run, to).await;
    }
    let here = |stores: &crate::store::Stores| {
        let deliveries = Arc::clone(&stores.deliveries);
        async move {
            let waiting = deliveries.waiting(Timestamp::MAX, 9).await.unwrap();
            waiting
                .into_iter()
                .map(|delivery| delivery.run.to_string())
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(running.recall.of_chat(&key("main"), room("#b")).await.unwrap(), 1);
    assert_eq!(here(&bench.stores).await, ["r1", "r3"]);

    let stopped_at = bench.clock.now();
    let one = running
        .recall
        .of_session(&key("main"), Some(&RunId::new("r3")))
        .await
        .unwrap();
    let until_then = stopped_at.as_ms()..=bench.clock.now_ms();
    assert_eq!(one, 1, "what the bridge has is not known while it is away");
    assert_eq!(here(&bench.stores).await, ["r1"]);

    let bridge = FakeBridge::default();
    bridge.serve(&bench, &address).await;
    until("the bridge to be told", async || {
        !bridge.dropped.lock().unwrap().is_empty()
    })
    .await;
    let told = bridge.dropped.lock().unwrap().clone();
    assert_eq!(told[0].session_key, key("main").to_string());
    assert_eq!(told[0].run_id.as_deref(), Some("r3"));
    let meant = told[0].created_until.expect("what was said until the stop");
    assert!(until_then.contains(&meant), "and nothing that came after it");
    assert_eq!(running.recall.of_session(&key("main"), None).await.unwrap(), 2);
    assert!(here(&bench.stores).await.is_empty());
}

#[tokio::test]
async fn a_reply_that_is_taken_back_while_it_is_handed_over_is_taken_back_at_the_bridge() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let bridge = FakeBridge::default();
    *bridge.refuse.lock().unwrap() = Some(Status::unavailable("not yet"));
    let address = dispatch(&bench, &running);
    bridge.serve(&bench, &address).await;
    answer(&mut bench, &mut running, "r1", "#a").await;
    let delivery = bench
        .stores
        .deliveries
        .waiting(Timestamp::MAX, 9)
        .await
        .unwrap()
        .remove(0);

    assert_eq!(running.recall.of_chat(&key("main"), room("#a")).await.unwrap(), 1);
    let outcome = DeliveryOutcome::Taken {
        now: Timestamp::EPOCH,
    };

    assert!(
        !bench
            .stores
            .deliveries
            .settle(delivery.id, outcome)
            .await
            .unwrap(),
        "whoever handed it over hears that it is not wanted"
    );
}
