//! Outcomes that nobody knows.

use gatehouse_core::Clock;

use super::{LATE_AFTER, puppet};
use crate::{
    adapter::SendError,
    metrics::Fate,
    outbox::store::Counts,
    store::Stores,
    testing::{Bench, Life, NOW, delivery, key, stores, until},
};

/// Waits until the head of this chat was put off and its time has come.
async fn due(stores: &Stores, chat: &str) {
    until("a retry that is due", async || {
        let heads = stores.outbox.heads(stores.lease(&key("a")), 10).await.unwrap();
        let head = heads.into_iter().find(|head| head.content.to == chat)?;
        (head.attempts > 0 && head.next_at.plus_ms(300) < Clock::system().now()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_unknown_outcome_is_not_tried_again_on_the_same_connection_and_once_on_the_next() {
    let (_folder, stores) = stores();
    let unknown = Err(SendError::unknown("no answer"));
    let puppet = puppet(|puppet| puppet.results.lock().unwrap().push(unknown));
    let bench = Bench::run(&stores, Clock::system(), puppet.clone());

    bench.say("k1", "anna", "first").await;
    bench.say("k2", "anna", "second").await;
    due(&stores, "anna").await;
    bench.say("k3", "bert", "other").await;
    bench.counts(Fate::Delivered, 1).await;
    assert_eq!(
        puppet.texts(),
        ["other"],
        "the others go on, its own chat keeps its order"
    );

    puppet.cut.notify_one();
    bench.settled().await;

    assert_eq!(puppet.texts(), ["other", "(resent) first", "second"]);
    let counts = Counts {
        repeated: 1,
        ..Counts::default()
    };
    assert_eq!(stores.outbox.counts(key("a")).await.unwrap(), counts);
    bench.stop().await;
}

#[tokio::test]
async fn where_each_message_is_a_request_of_its_own_the_second_try_waits_for_no_other_connection() {
    let (_folder, stores) = stores();
    let unknown = Err(SendError::unknown("no answer"));
    let puppet = puppet(|puppet| {
        puppet.capabilities.separate_sends = true;
        puppet.results.lock().unwrap().push(unknown);
    });
    let bench = Bench::run(&stores, Clock::system(), puppet.clone());

    bench.say("k1", "anna", "first").await;
    bench.say("k2", "anna", "second").await;
    bench.settled().await;

    assert_eq!(puppet.texts(), ["(resent) first", "second"]);
    bench.stop().await;
}

#[tokio::test]
async fn a_part_whose_receipt_never_comes_is_said_twice_and_what_is_behind_it_once() {
    let (_folder, stores) = stores();
    let puppet = puppet(|puppet| {
        let lives = [Life::DieSending, Life::DieSending, Life::Serve];
        puppet.lives.lock().unwrap().extend(lives);
    });
    let bench = Bench::run(&stores, Clock::system(), puppet.clone());

    bench.say("k", "anna", "one\ntwo").await;
    bench.settled().await;

    let tries = puppet.tries();
    let texts: Vec<&str> = tries.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["one", "(resent) one", "two"]);
    let counts = Counts {
        dead: 1,
        repeated: 1,
        unconfirmed: 1,
        ..Counts::default()
    };
    assert_eq!(
        stores.outbox.counts(key("a")).await.unwrap(),
        counts,
        "and somebody can see it"
    );
    bench.counts(Fate::Failed, 1).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_platform_that_knows_repeats_is_asked_again_at_once_with_the_same_key_and_the_same_words() {
    let (_folder, stores) = stores();
    let puppet = puppet(|puppet| {
        puppet.capabilities.idempotent_sends = true;
        let unknown = || Err(SendError::unknown("no answer"));
        puppet.results.lock().unwrap().extend([unknown(), unknown()]);
    });
    let late = i64::try_from(LATE_AFTER.as_millis()).unwrap();
    let clock = Clock::fixed(NOW.as_ms());
    let bench = Bench::run(&stores, clock.clone(), puppet.clone());

    // One that is late already, and one that grows late between two attempts.
    bench
        .outbox
        .enqueue(delivery("old", "anna", "x", NOW.plus_ms(-late - 1)))
        .await
        .unwrap();
    bench.settled().await;
    puppet
        .results
        .lock()
        .unwrap()
        .push(Err(SendError::unknown("no answer")));
    bench.say("young", "bert", "y").await;
    until("the first attempt", async || {
        puppet.results.lock().unwrap().is_empty().then_some(())
    })
    .await;
    clock.advance_ms(late + 1);
    bench.settled().await;

    let mut tries = puppet.tries();
    tries.dedup();
    let wanted = [("old/0", "(delayed) x"), ("young/0", "y")];
    assert_eq!(tries, wanted.map(|(key, text)| (key.to_owned(), text.to_owned())));
    assert_eq!(puppet.tries().len(), 5);
    bench.stop().await;
}
