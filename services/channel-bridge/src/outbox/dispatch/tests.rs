use std::{sync::Arc, time::Duration};

use gatehouse_core::Clock;

use super::{AGE_MAX, LATE_AFTER};
use crate::{
    adapter::{Rate, SendError},
    metrics::{Direction, Fate},
    outbox::store::Counts,
    testing::{Bench, NOW, Puppet, key, stores, until},
};

fn puppet(change: impl FnOnce(&mut Puppet)) -> Arc<Puppet> {
    let mut puppet = Puppet::new();
    change(&mut puppet);
    Arc::new(puppet)
}

#[tokio::test]
async fn order_holds_within_a_chat_when_the_first_is_refused_for_a_while() {
    let (_folder, stores) = stores();
    let puppet = puppet(|puppet| {
        puppet
            .results
            .lock()
            .unwrap()
            .push(Err(SendError::retry("not now")))
    });
    let bench = Bench::run(&stores, Clock::system(), puppet.clone());

    for n in 0..5 {
        bench.say(&format!("k{n}"), "anna", &format!("{n}\n{n}!")).await;
    }
    bench.settled().await;

    assert_eq!(
        puppet.texts(),
        ["0", "0!", "1", "1!", "2", "2!", "3", "3!", "4", "4!"]
    );
    bench.counts(Fate::Delivered, 5).await;
    bench.stop().await;
}

#[tokio::test]
async fn nothing_leaves_before_the_platforms_retry_after() {
    let (_folder, stores) = stores();
    let wait = Duration::from_millis(700);
    let limited = SendError::Retry {
        after: Some(wait),
        reason: "slow down".into(),
    };
    let puppet = puppet(|puppet| puppet.results.lock().unwrap().push(Err(limited)));
    let bench = Bench::run(&stores, Clock::system(), puppet.clone());
    bench.say("k0", "anna", "first").await;
    let began = until("the refusal", async || {
        puppet
            .results
            .lock()
            .unwrap()
            .is_empty()
            .then(tokio::time::Instant::now)
    })
    .await;

    for n in 1..20 {
        bench.say(&format!("k{n}"), &format!("chat {}", n % 3), "x").await;
    }
    bench.settled().await;

    let sent = puppet.sent.lock().unwrap().clone();
    assert_eq!(sent.len(), 20);
    // One chat may have passed the gate already when the answer came in; none begins afterwards.
    let early = sent
        .iter()
        .filter(|(at, _)| *at + Duration::from_millis(30) < began + wait)
        .count();
    assert_eq!(early, 0, "sends before retry_after");
    bench.stop().await;
}

// On the real clock: a paused one runs ahead while the database's threads work.
#[tokio::test]
async fn a_chat_is_not_flooded() {
    let (_folder, stores) = stores();
    let puppet = puppet(|puppet| {
        puppet.limits.chat_rate = Rate {
            burst: 2,
            per_second: 20.0,
        }
    });
    let bench = Bench::run(&stores, Clock::fixed(NOW.as_ms()), puppet.clone());

    let began = tokio::time::Instant::now();
    bench.say("k", "anna", "1\n2\n3\n4\n5").await;
    until("five parts", async || (puppet.texts().len() == 5).then_some(())).await;

    let sent = puppet.sent.lock().unwrap().clone();
    // Two at once and three more at 20 a second: never sooner, however late the machine runs any of them.
    assert!(sent[4].0 - began >= Duration::from_millis(149));
    drop(sent);
    bench.stop().await;
}

#[tokio::test]
async fn what_is_refused_for_good_is_a_dead_letter_and_the_chat_goes_on() {
    let (_folder, stores) = stores();
    let puppet = puppet(|puppet| {
        puppet
            .results
            .lock()
            .unwrap()
            .push(Err(SendError::permanent("no such room")))
    });
    let bench = Bench::run(&stores, Clock::system(), puppet.clone());

    bench.say("k1", "anna", "lost").await;
    bench.say("k2", "anna", "next").await;
    bench.settled().await;

    assert_eq!(puppet.texts(), ["next"]);
    assert_eq!(
        bench.stores.outbox.counts(key("a")).await.unwrap(),
        Counts {
            dead: 1,
            ..Counts::default()
        }
    );
    bench.stop().await;
}

#[tokio::test]
async fn a_late_reply_says_so_once_and_a_very_old_one_is_given_up_on() {
    let (_folder, stores) = stores();
    let clock = Clock::fixed(NOW.as_ms());
    let puppet = puppet(|_| {});
    let late = crate::testing::delivery("late", "anna", "one\ntwo", (NOW - LATE_AFTER).plus_ms(-1));
    stores.outbox.enqueue("1".into(), late, NOW).await.unwrap();
    let old = crate::testing::delivery("old", "bert", "x", NOW);
    stores
        .outbox
        .enqueue("2".into(), old, (NOW - AGE_MAX).plus_ms(-1))
        .await
        .unwrap();

    let bench = Bench::run(&stores, clock, puppet.clone());
    bench.settled().await;

    assert_eq!(puppet.texts(), ["(delayed) one", "two"]);
    bench.counts(Fate::Expired, 1).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_restart_goes_on_with_the_part_that_was_not_sent() {
    let (_folder, stores) = stores();
    let puppet = puppet(|_| {});
    stores
        .outbox
        .enqueue(
            "1".into(),
            crate::testing::delivery("k", "anna", "one\ntwo\nthree", NOW),
            NOW,
        )
        .await
        .unwrap();
    let seq = stores.outbox.heads(stores.lease(&key("a")), 1).await.unwrap()[0].seq;
    stores
        .outbox
        .parts(
            stores.lease(&key("a")),
            seq,
            vec!["one".into(), "two".into(), "three".into()],
            None,
            NOW,
        )
        .await
        .unwrap();
    stores
        .outbox
        .part_leaves(stores.lease(&key("a")), seq, 0, None)
        .await
        .unwrap();
    stores
        .outbox
        .part_sent(
            stores.lease(&key("a")),
            seq,
            0,
            crate::outbox::store::Sent::default(),
        )
        .await
        .unwrap();
    stores
        .outbox
        .part_leaves(stores.lease(&key("a")), seq, 1, None)
        .await
        .unwrap();

    let bench = Bench::run(&stores, Clock::fixed(NOW.as_ms()), puppet.clone());
    bench.settled().await;

    assert_eq!(puppet.texts(), ["(resent) two", "three"]);
    let keys: Vec<String> = puppet
        .sent
        .lock()
        .unwrap()
        .iter()
        .map(|(_, part)| part.key.clone())
        .collect();
    assert_eq!(keys, ["k/1", "k/2"]);
    bench.stop().await;
}

#[tokio::test]
async fn a_repeated_key_sends_nothing_and_the_sum_closes() {
    let (_folder, stores) = stores();
    let puppet = puppet(|_| {});
    let bench = Bench::run(&stores, Clock::fixed(NOW.as_ms()), puppet.clone());

    for _ in 0..5 {
        bench.say("k", "anna", "once").await;
    }
    bench.settled().await;

    assert_eq!(puppet.texts(), ["once"]);
    bench.counts(Fate::Delivered, 1).await;
    let count = |fate| bench.metrics.get("webhook", Direction::Out, fate);
    assert_eq!(
        count(Fate::Accepted),
        count(Fate::Delivered) + count(Fate::Deduped) + count(Fate::Failed) + count(Fate::Expired)
    );
    bench.stop().await;
}

mod clocks;
mod doubts;
mod media;
mod stopped;
