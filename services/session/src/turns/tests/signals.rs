//! What engines on one store hear from each other. Nothing here comes from looking: that would take an hour.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// An engine beside others on one store; it looks at nothing by itself before the test is over.
async fn engines(bench: &mut Bench, config: &str) -> [Running; 2] {
    const NEVER: Duration = Duration::from_secs(3600);
    bench.stores.sharing = shared();
    bench.timing.lease = NEVER;
    bench.timing.renew = NEVER;
    bench.timing.look = NEVER;
    let engines = [bench.run(config), bench.run(config)];
    let looks = AtomicUsize::new(0);
    until("both to sleep", async || {
        let asked = bench.asked.take();
        let new = asked.iter().filter(|asked| **asked == "outlook").count();
        looks.fetch_add(new, Ordering::SeqCst) + new >= 2
    })
    .await;
    engines
}

fn in_session(name: &str, message: Admission) -> Admission {
    Admission {
        key: key(name),
        ..message
    }
}

#[tokio::test]
async fn a_turn_that_finds_no_slot_is_run_by_an_engine_that_has_one() {
    let mut bench = Bench::new().await;
    let [first, second] = engines(&mut bench, r#"{"agents":{"defaults":{"maxConcurrent":1}}}"#).await;
    for (run, session) in [("r1", "a"), ("r2", "b")] {
        let message = in_session(session, message(run, "hi"));
        first.engine.submit(message).await.unwrap();
    }

    let open = [bench.call().await, bench.call().await]; // at the same time

    assert!(first.engine.in_flight(&key("a")).is_some());
    assert!(second.engine.in_flight(&key("b")).is_some());
    for call in open {
        call.done().await;
    }
}

#[tokio::test]
async fn a_run_of_another_engine_is_stopped_at_once() {
    let mut bench = Bench::new().await;
    let [mut first, second] = engines(&mut bench, "{}").await;
    first.engine.submit(message("r1", "hi")).await.unwrap();
    let call = bench.call().await;

    let stopped = within("the stop", second.engine.abort(key("main"), None))
        .await
        .unwrap();

    assert_eq!(stopped, [RunId::new("r1")]);
    call.cancelled().await;
    assert_eq!(first.end_of("r1").await.state(), State::Aborted);
}

#[tokio::test]
async fn whoever_waits_for_a_run_of_another_engine_hears_its_end() {
    let mut bench = Bench::new().await;
    let [first, second] = engines(&mut bench, "{}").await;
    first.engine.submit(message("r1", "hi")).await.unwrap();
    let call = bench.call().await;
    let run = RunId::new("r1");

    let (ended, ()) = tokio::join!(
        within("the end", second.engine.wait(&run, PATIENCE * 60)),
        async {
            tokio::task::yield_now().await;
            call.done().await;
        }
    );

    assert_eq!(ended.unwrap().state, TurnState::Done);
}

#[tokio::test]
async fn a_turn_that_an_ending_engine_gives_up_goes_on_elsewhere() {
    let mut bench = Bench::new().await;
    let [first, second] = engines(&mut bench, "{}").await;
    first.engine.submit(message("r1", "hi")).await.unwrap();
    let call = bench.call().await;
    // The first engine is asked for a message more than it may begin when it ends.
    first.engine.submit(message("r2", "and this")).await.unwrap();
    first.drain.start();
    call.done().await;

    let next = bench.call().await;

    assert_eq!(next.request.run_id, "r2");
    until("the other engine to have it", async || {
        second.engine.in_flight(&key("main")).is_some()
    })
    .await;
    next.done().await;
}
