//! What an account is promised, and what it promises.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures::{TryStreamExt, stream};
use gatehouse_proto::channel::v1::{
    DescribeChannelRequest, FetchMediaRequest, InboundCommitted, MediaHead, Probe, SendPart, StateSaved,
    StopAccount, TakeMediaRequest, run_account_request::Message as Asked,
    run_account_response::Message as Said,
};
use tokio::time::timeout;
use tonic::Code;

use super::{DEADLINE, Theatre, shown};
use crate::{PartOutcome, channel::run::TASKS_MAX, sent};

fn part(id: u64, text: &str) -> Asked {
    Asked::Send(SendPart {
        id,
        text: text.into(),
        ..SendPart::default()
    })
}

async fn until(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, waiting).await.expect("in time");
}

#[tokio::test]
async fn what_is_heard_waits_for_the_bridge_and_what_is_to_be_said_does_not() {
    let theatre = Theatre::open().await;
    let mut bridge = theatre.connected("").await;

    theatre.stage.speaks.notify_one();
    let Some(Said::Inbound(inbound)) = bridge.said().await else {
        panic!("nobody spoke");
    };
    bridge.ask(part(7, "hello")).await;
    let said = bridge.said().await;
    assert!(
        matches!(&said, Some(Said::Part(part)) if part.id == 7 && part.outcome == Some(sent("hello"))),
        "{said:?}"
    );
    assert!(!theatre.stage.kept.load(Ordering::SeqCst));
    let seq = inbound.seq;
    let duplicate = false;
    bridge
        .ask(Asked::Committed(InboundCommitted { seq, duplicate }))
        .await;

    until(|| theatre.stage.kept.load(Ordering::SeqCst)).await;
    theatre.stage.speaks.notify_one();
    let said = bridge.said().await;
    assert!(
        matches!(&said, Some(Said::Ended(ended)) if ended.for_good && ended.reason == "the curtain falls"),
        "{said:?}"
    );
    assert_eq!(bridge.said().await, None);
}

#[tokio::test]
async fn while_somebody_logs_in_the_bridge_knows_that_we_are_there_and_may_end_it() {
    let theatre = Theatre::open().await;
    let mut bridge = theatre.start("login").await;
    assert!(matches!(bridge.said().await, Some(Said::Login(_))));

    bridge.ask(Asked::Probe(Probe {})).await;
    assert!(matches!(bridge.said().await, Some(Said::Heard(_))));
    theatre.stage.login.notify_one();
    let Some(Said::Save(save)) = bridge.said().await else {
        panic!("nothing is remembered");
    };
    let saved = StateSaved {
        seq: save.seq,
        error: None,
    };
    bridge.ask(Asked::Saved(saved)).await;
    assert!(matches!(bridge.said().await, Some(Said::Connected(_))));

    let mut another = theatre.start("login").await;
    assert!(matches!(another.said().await, Some(Said::Login(_))));
    another.ask(Asked::Stop(StopAccount {})).await;
    assert_eq!(another.said().await, None);
}

#[tokio::test]
async fn an_account_that_cannot_run_says_why() {
    let theatre = Theatre::open().await;

    let said = theatre.start("wrong").await.said().await;

    assert!(
        matches!(&said, Some(Said::Ended(ended)) if ended.for_good && ended.reason == "the token is wrong"),
        "{said:?}"
    );
}

#[tokio::test]
async fn what_is_too_much_at_the_same_time_is_not_begun() {
    let theatre = Theatre::open().await;
    let mut bridge = theatre.connected("slow").await;

    for id in 0..=TASKS_MAX as u64 {
        bridge.ask(part(id, "")).await;
    }

    let Some(Said::Part(answered)) = bridge.said().await else {
        panic!("it was taken");
    };
    assert_eq!(answered.id, TASKS_MAX as u64);
    let outcome = answered.outcome.expect("an outcome");
    assert!(
        matches!(&outcome, PartOutcome::ChatBusy(busy) if busy.after_ms == 1_000),
        "{outcome:?}"
    );
    until(|| theatre.stage.begun.load(Ordering::SeqCst) == TASKS_MAX).await;
}

#[tokio::test]
async fn when_the_process_ends_its_accounts_do_and_nothing_hangs() {
    let theatre = Theatre::open().await;
    let mut bridge = theatre.connected("").await;

    theatre.end.send_replace(true);

    let said = bridge.said().await;
    assert!(
        matches!(&said, Some(Said::Ended(ended)) if !ended.for_good),
        "{said:?}"
    );
    assert_eq!(bridge.said().await, None);
    assert!(theatre.stage.closed.load(Ordering::SeqCst));
    let served = timeout(DEADLINE, theatre.serving).await.expect("in time");
    served.expect("no panic").expect("it has served");
}

#[tokio::test]
async fn files_go_both_ways_while_the_account_is_connected() {
    let theatre = Theatre::open().await;
    let fetch = |account_id: &str| FetchMediaRequest {
        channel: "stage".into(),
        account_id: account_id.into(),
        address: "what is in it".into(),
    };
    let _bridge = theatre.connected("").await;

    let fetched = theatre.client().fetch_media(shown(fetch("default"))).await;
    let pieces: Vec<_> = fetched
        .expect("fetched")
        .into_inner()
        .try_collect()
        .await
        .expect("whole");
    let bytes: Vec<u8> = pieces.iter().flat_map(|piece| piece.data.to_vec()).collect();
    assert_eq!(bytes, b"what is in it");
    let away = theatre.client().fetch_media(shown(fetch("another"))).await;
    assert_eq!(away.expect_err("away").code(), Code::Unavailable);

    let head = MediaHead {
        channel: "stage".into(),
        account_id: "default".into(),
        name: "tea.txt".into(),
        size_bytes: 3,
        ..MediaHead::default()
    };
    let pieces = [Some(head), None].map(|head| TakeMediaRequest {
        data: Bytes::from_static(if head.is_some() { b"t" } else { b"ea" }),
        head,
    });
    let taken = theatre.client().take_media(shown(stream::iter(pieces))).await;
    assert_eq!(taken.expect("taken").into_inner().handle, "tea.txt 3");
}

#[tokio::test]
async fn a_channel_of_another_name_and_a_stranger_are_told_so() {
    let theatre = Theatre::open().await;
    let ask = |channel: &str| DescribeChannelRequest {
        channel: channel.into(),
        gateway_version: String::new(),
    };

    let described = theatre.client().describe_channel(shown(ask("stage"))).await;
    assert_eq!(described.expect("described").into_inner().label, "A stage");
    let another = theatre.client().describe_channel(shown(ask("lines"))).await;
    assert_eq!(another.expect_err("refused").code(), Code::NotFound);
    let stranger = theatre.client().describe_channel(ask("stage")).await;
    assert_eq!(stranger.expect_err("refused").code(), Code::Unauthenticated);
}
