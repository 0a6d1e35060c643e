//! Somebody sets the time of day.

use std::time::Duration;

use gatehouse_core::Clock;

use super::puppet;
use crate::{
    adapter::SendError,
    metrics::Fate,
    testing::{Bench, NOW, delivery, stores, until},
};

const HOUR: i64 = 3_600_000;
const YEAR: i64 = 365 * 24 * HOUR;

#[tokio::test]
async fn a_clock_that_is_set_delays_no_retry() {
    for step in [-HOUR, -YEAR, HOUR, YEAR] {
        let (_folder, stores) = stores();
        let clock = Clock::fixed(NOW.as_ms());
        let puppet = puppet(|puppet| {
            puppet
                .results
                .lock()
                .unwrap()
                .push(Err(SendError::retry("not now")))
        });
        let bench = Bench::run(&stores, clock.clone(), puppet.clone());

        bench.say("k", "anna", "x").await;
        until("the first attempt", async || {
            puppet.results.lock().unwrap().is_empty().then_some(())
        })
        .await;
        clock.advance_ms(step);
        bench.settled().await;

        bench.counts(Fate::Delivered, 1).await;
        bench.stop().await;
    }
}

#[tokio::test]
async fn after_a_restart_what_is_due_in_the_far_future_is_due_now() {
    for step in [-2 * HOUR, -YEAR] {
        let (_folder, stores) = stores();
        let wait = NOW.plus_ms(5_000);
        stores
            .outbox
            .enqueue("1".into(), delivery("k", "anna", "x", NOW), wait)
            .await
            .unwrap();
        let puppet = puppet(|_| {});

        let bench = Bench::run(&stores, Clock::fixed(NOW.as_ms() + step), puppet.clone());
        bench.settled().await;

        assert_eq!(puppet.texts(), ["x"], "{step}");
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_clock_that_is_set_forward_gives_up_on_nothing_young() {
    let (_folder, stores) = stores();
    let clock = Clock::fixed(NOW.as_ms());
    let puppet = puppet(|puppet| {
        // Once it is put off for a moment, in which the clock is set.
        let after = Some(Duration::from_millis(500));
        let reason = "slow down".to_owned();
        puppet
            .results
            .lock()
            .unwrap()
            .push(Err(SendError::Retry { after, reason }));
    });
    let bench = Bench::run(&stores, clock.clone(), puppet.clone());

    bench.say("k", "anna", "x").await;
    until("the first attempt", async || {
        puppet.results.lock().unwrap().is_empty().then_some(())
    })
    .await;
    clock.advance_ms(YEAR);
    assert!(
        stores
            .outbox
            .expire(clock.before(super::AGE_MAX), NOW)
            .await
            .unwrap()
            .is_empty()
    );
    bench.settled().await;

    bench.counts(Fate::Delivered, 1).await;
    bench.counts(Fate::Expired, 0).await;
    assert_eq!(
        puppet.texts(),
        ["(delayed) x"],
        "it says so, which is all that anybody can know"
    );
    bench.stop().await;
}
