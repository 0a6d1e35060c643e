use std::{sync::Arc, time::Duration};

use gatehouse_core::Clock;
use tokio::time::{self, Instant};

use crate::{
    account::State,
    adapter::{Ended, SendError, TYPING_MAX, Typing},
    outbox::store::Counts,
    testing::{Bench, Life, Puppet, key, stores, until},
};

async fn reaches(bench: &Bench, state: State) {
    let mut states = bench.progress.watch();
    time::timeout(Duration::from_secs(200), states.wait_for(|now| *now == state))
        .await
        .expect("in time")
        .unwrap();
}

fn bench(puppet: &Arc<Puppet>) -> (tempfile::TempDir, Bench) {
    let (folder, stores) = stores();
    (folder, Bench::run(&stores, Clock::system(), puppet.clone()))
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_one_connection_and_leaves_the_other_accounts_alone() {
    let broken = Arc::new(Puppet::new());
    broken.lives.lock().unwrap().extend([Life::Panic, Life::Panic]);
    let (_one, broken_bench) = bench(&broken);
    let (_two, sound) = bench(&Arc::new(Puppet::new()));

    reaches(&sound, State::Connected).await;
    reaches(&broken_bench, State::Backoff).await;
    assert!(
        broken_bench
            .progress
            .snapshot()
            .last_error
            .unwrap()
            .contains("panicked")
    );
    reaches(&broken_bench, State::Connected).await;

    assert_eq!(sound.progress.snapshot().reconnect_count, 0);
    assert_eq!(broken.open.lock().unwrap().1, 1);
    broken_bench.stop().await;
    sound.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_black_hole_is_degraded_within_90_seconds_and_connected_anew_within_120() {
    let puppet = Arc::new(Puppet::new());
    puppet.lives.lock().unwrap().push(Life::BlackHole);
    let (_folder, bench) = bench(&puppet);
    reaches(&bench, State::Connected).await;
    let began = Instant::now();

    reaches(&bench, State::Degraded).await;
    assert!(
        began.elapsed() <= Duration::from_secs(90),
        "{:?}",
        began.elapsed()
    );
    reaches(&bench, State::Connected).await;

    assert!(
        began.elapsed() <= Duration::from_secs(120),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(bench.progress.snapshot().reconnect_count, 1);
    assert_eq!(
        *puppet.open.lock().unwrap(),
        (1, 1, 2),
        "open now, at most at once, ever"
    );
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn after_fifty_reconnects_there_is_one_connection() {
    let puppet = Arc::new(Puppet::new());
    puppet
        .lives
        .lock()
        .unwrap()
        .extend(vec![Life::End(Ended::Retry("cut".into())); 50]);
    let (_folder, bench) = bench(&puppet);

    // Fifty waits of at most two minutes.
    time::timeout(Duration::from_secs(50 * 120), async {
        while puppet.open.lock().unwrap().2 < 51 {
            time::sleep(Duration::from_secs(1)).await;
        }
    })
    .await
    .unwrap();

    assert_eq!(*puppet.open.lock().unwrap(), (1, 1, 51));
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_work_is_not_tried_again() {
    let puppet = Arc::new(Puppet::new());
    puppet
        .lives
        .lock()
        .unwrap()
        .push(Life::End(Ended::Failed("no secret".into())));
    let (_folder, bench) = bench(&puppet);

    reaches(&bench, State::Failed).await;
    time::sleep(Duration::from_secs(3600)).await;

    assert_eq!(puppet.open.lock().unwrap().2, 1);
    bench.stop().await;
}

#[tokio::test]
async fn a_part_that_died_with_its_connection_is_sent_again_and_flagged() {
    let puppet = Arc::new(Puppet::new());
    puppet.lives.lock().unwrap().push(Life::DieSending);
    let (_folder, bench) = bench(&puppet);

    bench.say("k", "anna", "one\ntwo").await;
    until("both parts", async || (puppet.texts().len() == 2).then_some(())).await;
    bench.settled().await;

    assert_eq!(puppet.texts(), ["(resent) one", "two"]);
    let counts = Counts {
        repeated: 1,
        ..Counts::default()
    };
    assert_eq!(bench.stores.outbox.counts(key("a")).await.unwrap(), counts);
    bench.stop().await;
}

#[tokio::test]
async fn a_stopped_account_keeps_its_deliveries_and_sends_them_when_it_is_back() {
    let (_folder, stores) = stores();
    let puppet = Arc::new(Puppet::new());
    puppet
        .results
        .lock()
        .unwrap()
        .push(Err(SendError::retry("not now")));
    let bench = Bench::run(&stores, Clock::system(), puppet.clone());
    reaches(&bench, State::Connected).await;
    bench.say("k", "anna", "one").await;
    until("the first attempt", async || {
        puppet.results.lock().unwrap().is_empty().then_some(())
    })
    .await;
    bench.stop().await;

    let bench = Bench::run(&stores, Clock::system(), puppet.clone());
    bench.settled().await;

    assert_eq!(puppet.texts(), ["one"]);
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn typing_hints_go_to_the_connection_there_is_and_nowhere_in_between() {
    let puppet = Arc::new(Puppet::new());
    puppet.lives.lock().unwrap().push(Life::BlackHole);
    let (_folder, bench) = bench(&puppet);
    let typing = |to: &str| Typing {
        to: to.into(),
        thread_id: None,
    };
    reaches(&bench, State::Connected).await;
    for _ in 0..TYPING_MAX * 2 {
        bench.hints.hint(typing("nobody takes it"));
    }

    reaches(&bench, State::Backoff).await;
    bench.hints.hint(typing("nobody is there"));
    reaches(&bench, State::Connected).await;

    until("a hint", async || {
        bench.hints.hint(typing("anna"));
        (!puppet.typed.lock().unwrap().is_empty()).then_some(())
    })
    .await;
    assert_eq!(puppet.typed.lock().unwrap()[0], typing("anna"));
    let hints = bench.hints.clone();
    bench.stop().await;
    hints.hint(typing("nobody is there"));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_taken_back_is_found_within_minutes_without_anything_to_say() {
    let puppet = Arc::new(Puppet::new());
    puppet.knows.lock().unwrap().extend([
        Ok(()),
        Err(Ended::Retry("a gateway between us stumbles".into())),
        Err(Ended::Failed("the token was taken back: make another".into())),
    ]);
    let (_folder, bench) = bench(&puppet);
    reaches(&bench, State::Connected).await;
    let began = Instant::now();

    let mut states = bench.progress.watch();
    let failed = states.wait_for(|now| *now == State::Failed);
    time::timeout(Duration::from_secs(1000), failed)
        .await
        .unwrap()
        .unwrap();

    assert!(
        began.elapsed() > Duration::from_secs(600),
        "it is not asked all the time"
    );
    let why = bench.progress.snapshot().last_error.unwrap();
    assert!(why.contains("taken back"), "{why}");
    assert_eq!(*puppet.open.lock().unwrap(), (0, 1, 1), "and is not tried again");
    bench.stop().await;
}
