//! A bridge that has no room.

use super::*;

#[tokio::test]
async fn a_reply_that_the_bridge_has_no_room_for_is_offered_again_and_an_idle_dispatcher_asks_nothing() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let address = dispatch(&bench, &running);
    let bridge = FakeBridge::default();
    *bridge.refuse.lock().unwrap() = Some(Status::resource_exhausted("full"));
    bridge.serve(&bench, &address).await;
    answer(&mut bench, &mut running, "r1", "#a").await;
    until("the reply to be put off", async || {
        bench
            .stores
            .deliveries
            .next_due(Clock::system().now())
            .await
            .unwrap()
            .is_some()
    })
    .await;

    *bridge.refuse.lock().unwrap() = None;
    until("the reply to arrive", async || bridge.keys() == ["r1/0"]).await;
    let asked = Mutex::new(Vec::new());
    until("nothing to do", async || {
        let mut asked = asked.lock().unwrap();
        asked.extend(bench.asked.take());
        let last = |name| asked.iter().rposition(|asked| *asked == name);
        let settled = asked.iter().filter(|asked| **asked == "settle").count();
        settled == 2 && last("next_due") > last("settle") // put off, and then taken
    })
    .await;

    time::pause();
    time::advance(Duration::from_secs(3600)).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    time::resume();

    let asked = bench.asked.take();
    assert!(
        !asked.contains(&"waiting") && !asked.contains(&"next_due"),
        "{asked:?}"
    );
}
