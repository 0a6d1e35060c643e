//! What a turn costs the store, and that an idle engine costs nothing.

use gatehouse_proto::broadcast::v1::Rendition;

use super::*;
use crate::store::{Admitted, Lease};

/// What was asked of the store but for what depends on how long a test takes.
fn asked(bench: &Bench) -> Vec<&'static str> {
    let mut asked = bench.asked.take();
    asked.retain(|asked| !["renew", "keep_text"].contains(asked));
    asked
}

/// An engine that has looked at everything and sleeps.
async fn asleep(bench: &Bench, config: &str) -> Running {
    let running = bench.run(config);
    until("the engine to sleep", async || {
        bench.asked.take().last() == Some(&"outlook")
    })
    .await;
    running
}

/// Lets timers of so long fire.
async fn pass(time: Duration) {
    time::pause();
    time::advance(time).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    time::resume();
}

#[tokio::test]
async fn a_turn_is_three_commits_from_its_message_to_its_end() {
    let mut bench = Bench::new().await;
    let mut running = asleep(&bench, "{}").await;

    running.engine.submit(message("r1", "hi")).await.unwrap();
    let call = bench.call().await;
    call.text("hello").await;
    running.sees_text("hello").await;
    call.done().await;
    running.end_of("r1").await;

    assert_eq!(
        asked(&bench),
        ["admit", "context", "show", "finish_and_claim"],
        "`context` reads"
    );
}

#[tokio::test]
async fn an_answer_whose_end_is_there_with_its_first_word_is_two_commits_and_shown_behind_the_second() {
    let mut bench = Bench::new().await;
    let mut running = asleep(&bench, "{}").await;

    running.engine.submit(message("r1", "hi")).await.unwrap();
    let call = bench.call().await;
    call.text("hel").await;
    call.text("lo").await;
    call.done().await;
    let end = running.end_of("r1").await;

    assert_eq!(
        asked(&bench),
        ["admit", "context", "finish_and_claim"],
        "`context` reads"
    );
    for followed in [Rendition::Increment, Rendition::Cumulative] {
        assert_eq!(running.screen("r1", followed), "hello");
    }
    assert!(end.message.unwrap().contains("hello"));
    let labels = running.labels();
    let place = |start: &str| labels.iter().position(|label| label.starts_with(start)).unwrap();
    assert!(place("chat delta") < place("chat final"), "{labels:?}");
    let seqs = running.seqs("r1");
    assert!(seqs.is_sorted(), "{seqs:?}");
}

#[tokio::test]
async fn a_turn_that_waited_for_a_slot_begins_in_the_commit_that_frees_it() {
    let mut bench = Bench::new().await;
    let mut running = asleep(&bench, r#"{"agents":{"defaults":{"maxConcurrent":1}}}"#).await;
    for n in 1..=3 {
        let message = Admission {
            key: key(&format!("s{n}")),
            ..message(&format!("r{n}"), "hi")
        };
        running.engine.submit(message).await.unwrap();
    }
    for run in ["r1", "r2"] {
        bench.call().await.done().await;
        running.end_of(run).await;
    }
    let third = bench.call().await;

    let asked = asked(&bench);
    assert!(
        !asked.contains(&"claim") && !asked.contains(&"outlook"),
        "each began with the end of the one before it: {asked:?}"
    );
    third.done().await;
    running.end_of("r3").await;
}

#[tokio::test]
async fn an_idle_engine_asks_its_store_nothing() {
    let mut bench = Bench::new().await;
    let mut running = asleep(&bench, "{}").await;
    running.engine.submit(message("r1", "hi")).await.unwrap();
    bench.call().await.done().await;
    running.end_of("r1").await;
    asked(&bench);

    pass(Duration::from_secs(3600)).await;

    assert_eq!(asked(&bench), [] as [&str; 0]);
    running
        .engine
        .submit(message("r2", "still there?"))
        .await
        .unwrap();
    bench.call().await.done().await;
    running.end_of("r2").await;
}

#[tokio::test]
async fn a_turn_that_waits_behind_another_one_is_not_asked_for_until_that_one_ends() {
    let mut bench = Bench::new().await;
    let mut running = asleep(&bench, "{}").await;
    running.engine.submit(message("r1", "one")).await.unwrap();
    let call = bench.call().await;
    running.engine.submit(message("r2", "two")).await.unwrap();
    let mut before = Vec::new();
    within("the engine to sleep", async {
        while before.last() != Some(&"outlook") {
            before.extend(asked(&bench));
            time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;

    pass(Duration::from_secs(300)).await;

    assert_eq!(before, ["admit", "context", "admit", "claim", "outlook"]);
    assert_eq!(
        asked(&bench),
        [] as [&str; 0],
        "it was looked for once, when it came"
    );
    call.done().await;
    bench.call().await.done().await;
    running.end_of("r2").await;
}

#[tokio::test]
async fn a_store_that_others_have_open_is_looked_at_now_and_then() {
    let mut bench = Bench::new().await;
    bench.stores.sharing = shared();
    let running = asleep(&bench, "{}").await;
    let Admitted::New(_) = bench.stores.turns.admit(message("r1", "hi"), None).await.unwrap() else {
        panic!("it was known")
    };

    pass(bench.timing.lease).await;

    let call = bench.call().await; // nobody told this engine: whoever took the message died
    assert_eq!(call.request.run_id, "r1");
    call.done().await;
    drop(running);
}

#[tokio::test]
async fn a_lease_that_nobody_keeps_is_looked_after_in_a_store_of_our_own() {
    let mut bench = Bench::new().await;
    bench.timing.look = Duration::from_millis(20);
    let mut running = asleep(&bench, "{}").await;
    let ghost = Lease {
        owner: Owner::new("ghost"),
        until: running.engine.now().plus_ms(50),
    };
    bench
        .stores
        .turns
        .admit(message("r1", "one"), Some(ghost))
        .await
        .unwrap();

    running.engine.submit(message("r2", "two")).await.unwrap();

    for run in ["r1", "r2"] {
        bench.call().await.done().await;
        running.end_of(run).await;
    }
}
