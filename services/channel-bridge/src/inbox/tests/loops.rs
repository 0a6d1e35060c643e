//! Two who only answer each other.

use super::*;
use crate::{
    notice,
    outbox::store::{Chosen, Outcome, Sent},
    pace::Pace,
};

impl Bench {
    /// What waits is said, a moment from now.
    async fn say_all(&self) -> Vec<String> {
        self.clock.advance_ms(500);
        let lease = self.stores.lease(&key("a"));
        let mut said = Vec::new();
        for head in self.stores.outbox.heads(lease.clone(), 10).await.unwrap() {
            let text = head.content.message.clone().into_words();
            let parts = vec![text.clone()];
            let outbox = &self.stores.outbox;
            outbox
                .parts(lease.clone(), head.seq, parts, None, NOW)
                .await
                .unwrap();
            let sent = Sent {
                at: self.clock.now(),
                ..Sent::default()
            };
            outbox.part_sent(lease.clone(), head.seq, 0, sent).await.unwrap();
            outbox
                .settle(lease.clone(), head.seq, Outcome::Sent, NOW)
                .await
                .unwrap();
            said.push(text);
        }
        said
    }

    /// A program that answers whatever it is told, at once; the assistant as well. What it was told.
    async fn loops(&self, from: usize, rounds: usize) -> Vec<String> {
        let mut told = Vec::new();
        for round in from..from + rounds {
            let before = self.settled();
            self.hear(&format!("m{round}"), "botty").await;
            until("the message to be settled", async || {
                (self.settled() > before).then_some(())
            })
            .await;
            if self.taken().contains(&format!("m{round}")) {
                let reply = crate::testing::delivery(&format!("r{round}"), "botty", "an answer", NOW);
                self.stores
                    .outbox
                    .enqueue(format!("r{round}"), reply, NOW)
                    .await
                    .unwrap();
            }
            told.extend(self.say_all().await);
            self.clock.advance_ms(500);
        }
        told
    }

    fn settled(&self) -> u64 {
        [Fate::Delivered, Fate::Refused]
            .into_iter()
            .map(|fate| self.metrics.get("webhook", Direction::In, fate))
            .sum()
    }
}

#[tokio::test]
async fn a_program_that_answers_every_answer_is_left_alone_told_once_and_still_so_after_a_restart() {
    let (_folder, stores) = stores();
    let mut guarded = open();
    guarded["loopGuard"] = json!({"maxTurns": 6});
    let first = bench(&stores, &guarded);

    let told = first.loops(0, 20).await;

    let answers = |told: &[String]| told.iter().filter(|text| *text == "an answer").count();
    assert_eq!(answers(&told), 6);
    assert_eq!(
        told.iter().filter(|text| *text == notice::PAUSED.words()).count(),
        1,
        "{told:?}"
    );
    let now = first.clock.now();
    let six = Pace {
        turns_max: 6,
        ..Pace::default()
    };
    let paused = stores.pace.paused(key("a"), six, now, 10).await.unwrap();
    assert_eq!(paused.len(), 1);
    assert_eq!(paused[0].sender.as_deref(), Some("botty"));
    let free = Pace { turns_max: 0, ..six };
    let shown = stores.pace.paused(key("a"), free, now, 10).await.unwrap();
    assert_eq!(shown, [], "without a bound nobody is paused");
    first.drain.start();

    let second = bench(&stores, &guarded);
    second.clock.advance_ms(now.ms_since(NOW));
    let told = second.loops(100, 5).await;
    assert!(told.is_empty(), "{told:?}");

    // Somebody else is answered all the same.
    second.hear("x1", "anna").await;
    second.takes(1).await;
    let waiting = stores.outbox.waiting(Chosen::default(), 0, 10).await.unwrap();
    assert_eq!(waiting.total, 0);
}

#[tokio::test]
async fn without_a_bound_nobody_is_left_alone() {
    let (_folder, stores) = stores();
    let mut free = open();
    free["loopGuard"] = json!({"maxTurns": 0});
    let bench = bench(&stores, &free);

    assert_eq!(bench.loops(0, 40).await.len(), 40);
}

#[tokio::test]
async fn who_is_marked_as_a_bot_is_answered_only_where_the_operator_wants_programs_to_talk() {
    for (max_turns, answered) in [(30, 0), (0, 1)] {
        let (_folder, stores) = stores();
        let mut policy = open();
        policy["loopGuard"] = json!({"maxTurns": max_turns});
        let bench = bench(&stores, &policy);

        let mut said = message("m1", "botty", "hi");
        said.from_bot = true;
        bench.inbox.receive(&key("a"), said).await.unwrap();
        until("the message to be settled", async || {
            (bench.settled() == 1).then_some(())
        })
        .await;

        assert_eq!(bench.taken().len(), answered, "{max_turns}");
    }
}
