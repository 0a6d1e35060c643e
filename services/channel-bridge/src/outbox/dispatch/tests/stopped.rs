//! Long answers and their ends: what is kept for later, what is dropped on its way, and that others do not wait behind it.

use std::time::Duration;

use gatehouse_core::{Clock, Timestamp};

use super::puppet;
use crate::{
    adapter::Rate,
    metrics::Fate,
    outbox::store::{Chosen, Counts, More},
    testing::{Bench, NOW, key, stores, until},
};

/// Slow enough to stop something in the middle, fast enough not to wait for it.
const SLOW: Rate = Rate {
    burst: 1,
    per_second: 5.0,
};

fn lines(count: usize) -> String {
    (0..count).map(|n| format!("line {n}\n")).collect()
}

fn more(id: &str, to: &str) -> More {
    More {
        key: id.into(),
        account: key("a"),
        to: to.into(),
        thread_id: None,
        reply_to_id: None,
        since: Timestamp::EPOCH,
    }
}

#[tokio::test]
async fn more_of_a_long_answer_is_said_when_somebody_asks_also_after_a_restart() {
    let (_folder, stores) = stores();
    let platform = puppet(|_| {});
    let bench = Bench::run(&stores, Clock::fixed(NOW.as_ms()), platform.clone());
    bench.say("k", "#Home", &lines(12)).await;
    bench.settled().await;
    assert_eq!(platform.texts().last().unwrap(), "… 8 more lines: say \"more\"");
    bench.stop().await;

    let platform = puppet(|_| {});
    let bench = Bench::run(&stores, Clock::fixed(NOW.as_ms()), platform.clone());
    assert!(!bench.outbox.more(more("m0", "#other")).await.unwrap());
    assert!(bench.outbox.more(more("m1", "#home")).await.unwrap());
    assert!(
        bench.outbox.more(more("m1", "#home")).await.unwrap(),
        "a repeat is answered the same"
    );
    bench.settled().await;
    assert!(bench.outbox.more(more("m2", "#home")).await.unwrap());
    bench.settled().await;

    assert_eq!(
        platform.texts(),
        [
            "line 4",
            "line 5",
            "line 6",
            "line 7",
            "… 4 more lines: say \"more\"",
            "line 8",
            "line 9",
            "line 10",
            "line 11"
        ]
    );
    assert!(!bench.outbox.more(more("m3", "#home")).await.unwrap());
    bench.stop().await;
}

#[tokio::test]
async fn the_rest_of_an_answer_is_forgotten_after_an_hour() {
    for (age_ms, kept) in [(3_500_000, true), (3_700_000, false)] {
        let (_folder, stores) = stores();
        let bench = Bench::run(&stores, Clock::fixed(NOW.as_ms() - age_ms), puppet(|_| {}));
        bench.say("k", "#home", &lines(12)).await;
        bench.settled().await;
        bench.stop().await;

        let bench = Bench::run(&stores, Clock::fixed(NOW.as_ms()), puppet(|_| {}));
        assert_eq!(
            bench.outbox.more(more("m1", "#home")).await.unwrap(),
            kept,
            "{age_ms}"
        );
        bench.stop().await;
    }
}

#[tokio::test]
async fn what_is_dropped_on_its_way_ends_there_and_nothing_of_it_is_said_again() {
    let (_folder, stores) = stores();
    let slow = puppet(|puppet| (puppet.limits.chat_rate, puppet.limits.parts_max) = (SLOW, 400));
    let bench = Bench::run(&stores, Clock::fixed(NOW.as_ms()), slow.clone());
    bench.say("long", "#home", &lines(300)).await;
    bench.say("behind", "#home", "behind it").await;
    until("some lines", async || (slow.texts().len() >= 2).then_some(())).await;
    let counts = bench.stores.outbox.counts(key("a")).await.unwrap();
    assert_eq!(counts.waiting, 2);
    assert!(counts.parts > 290, "{counts:?}");
    let chosen = Chosen {
        to: Some("#HOME".into()),
        ..Chosen::of_account(&key("a"))
    };

    let dropped = bench.outbox.drop_waiting(chosen.clone(), "a test").await.unwrap();

    assert_eq!(dropped.total, 2);
    assert!(dropped.parts > 290, "{dropped:?}");
    bench.say("next", "#home", "something new").await;
    bench.settled().await;
    let said = slow.texts();
    assert!(said.len() < 10, "{said:?}");
    assert_eq!(said.last().unwrap(), "something new");
    assert_eq!(
        said.len(),
        said.iter().collect::<std::collections::BTreeSet<_>>().len(),
        "nothing is said twice"
    );
    bench.counts(Fate::Dropped, 2).await;
    assert_eq!(bench.outbox.drop_waiting(chosen, "again").await.unwrap().total, 0);
    bench.stop().await;

    // What was dropped stays so, and is no dead letter.
    let platform = puppet(|_| {});
    let bench = Bench::run(&stores, Clock::fixed(NOW.as_ms()), platform.clone());
    bench.say("after", "#home", "after").await;
    bench.settled().await;
    assert_eq!(platform.texts(), ["after"]);
    assert_eq!(
        bench.stores.outbox.counts(key("a")).await.unwrap(),
        Counts::default()
    );
    bench.stop().await;
}

#[tokio::test]
async fn the_replies_of_other_chats_do_not_wait_behind_long_ones() {
    let (_folder, stores) = stores();
    let slow = puppet(|puppet| {
        let limits = &mut puppet.limits;
        (limits.account_rate, limits.chat_rate, limits.parts_max) = (SLOW, SLOW, 400);
        limits.concurrency = 32;
    });
    let bench = Bench::run(&stores, Clock::fixed(NOW.as_ms()), slow.clone());
    for room in 0..6 {
        bench
            .say(&format!("long {room}"), &format!("#room {room}"), &lines(50))
            .await;
    }
    until("the first lines", async || {
        (slow.texts().len() >= 2).then_some(())
    })
    .await;

    bench.say("short", "anna", "short").await;
    until("the short reply", async || {
        slow.texts().contains(&"short".to_owned()).then_some(())
    })
    .await;

    // One line of each of the others, and what was under way: not the three hundred lines before it.
    assert!(slow.texts().len() <= 20, "{:?}", slow.texts());
    bench
        .outbox
        .drop_waiting(Chosen::of_account(&key("a")), "done")
        .await
        .unwrap();
    tokio::time::timeout(Duration::from_secs(20), bench.stop())
        .await
        .unwrap();
}
