use gatehouse_proto::broadcast::v1::TickEvent;
use tokio::time::Instant;

use super::*;
use crate::{address::Address, secret::Secret};

fn tick() -> Outgoing {
    Outgoing::new(&TickEvent { ts: 1 })
}

#[tokio::test(start_paused = true)]
async fn an_absent_broadcast_holds_up_nobodys_end() {
    let (drain, folder) = (Drain::new(), tempfile::tempdir().unwrap());
    let nobody = Peer::lazy(&Address::Unix(folder.path().join("none.sock")), &Secret::new("x"));
    let publisher = Publisher::spawn(&nobody, &drain);
    publisher.publish(tick());
    tokio::time::sleep(Duration::from_secs(1)).await;

    let began = Instant::now();
    assert!(drain.finish(Duration::from_secs(60)).await);

    assert!(began.elapsed() <= FLUSH + QUIET, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_full_queue_loses_the_newest_and_remembers_it() {
    let (publisher, mut events) = Publisher::for_tests();
    for _ in 0..=QUEUE_BATCHES {
        publisher.publish(tick());
    }

    assert!(publisher.state.lost.load(Ordering::Relaxed));
    let mut kept = 0;
    while events.try_recv().is_some() {
        kept += 1;
    }
    assert_eq!(kept, QUEUE_BATCHES);
    assert_eq!(events.recv().now_or_never(), None);
}

#[test]
fn an_answer_says_behind_which_event_it_belongs() {
    let mut answer = Response::new(());
    assert_eq!(heard_after(answer.metadata()), None);
    say_after(&mut answer, None);
    assert_eq!(heard_after(answer.metadata()), None);
    say_after(&mut answer, Some(7));
    assert_eq!(heard_after(answer.metadata()), Some(7));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_long_for_an_absent_broadcast_to_have_heard_it() {
    let (drain, folder) = (Drain::new(), tempfile::tempdir().unwrap());
    let nobody = Peer::lazy(&Address::Unix(folder.path().join("none.sock")), &Secret::new("x"));
    let publisher = Publisher::spawn(&nobody, &drain);
    publisher.publish(tick());

    let began = Instant::now();
    assert_eq!(publisher.reached().await, None);

    assert!(began.elapsed() <= REACH, "{:?}", began.elapsed());
}

#[test]
fn an_event_that_is_refused_keeps_no_room() {
    let (publisher, _events) = Publisher::for_tests();
    let huge = GetStatus {
        version: "x".repeat(QUEUE_BYTES + 1),
        ..GetStatus::default()
    };

    publisher.publish(Outgoing::new(&huge));

    assert!(publisher.state.lost.load(Ordering::Relaxed));
    assert_eq!(publisher.state.bytes.load(Ordering::Relaxed), 0);
}

use futures::FutureExt;
use gatehouse_proto::broadcast::v1::GetStatusResponse as GetStatus;
