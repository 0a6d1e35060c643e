use std::{sync::Arc, time::Duration};

use gatehouse_proto::channel::v1::{
    Connected, Inbound, Reported, RunAccountResponse, run_account_response::Message,
};
use tokio::{sync::mpsc, time::timeout};
use tonic::Status;

use super::{Heard, Link, QUEUE_MAX};

async fn said(queued: &mut mpsc::Receiver<Result<RunAccountResponse, Status>>) -> Message {
    let said = queued.recv().await.expect("a message").expect("no error");
    said.message.expect("it says something")
}

#[tokio::test(start_paused = true)]
async fn whoever_brings_a_message_waits_until_it_is_kept() {
    let (queue, mut queued) = mpsc::channel(QUEUE_MAX);
    let link = Arc::new(Link::new(queue));
    let waiting = tokio::spawn({
        let link = Arc::clone(&link);
        async move { link.hear(Inbound::default()).await }
    });

    let Message::Inbound(inbound) = said(&mut queued).await else {
        panic!("it is no message");
    };
    assert!(!waiting.is_finished());
    link.told(inbound.seq, Heard::Kept);

    assert_eq!(waiting.await.expect("no panic"), Heard::Kept);
}

#[tokio::test(start_paused = true)]
async fn whoever_brings_a_report_waits_for_the_word_on_it_and_on_nothing_else() {
    let (queue, mut queued) = mpsc::channel(QUEUE_MAX);
    let link = Arc::new(Link::new(queue));
    let mut seqs = Vec::new();
    for (word, outcome) in [
        (Heard::Kept, Heard::Kept),
        (Heard::Again("full".into()), Heard::Again("full".into())),
    ] {
        let waiting = tokio::spawn({
            let link = Arc::clone(&link);
            async move { link.report(Reported::default()).await }
        });
        let Message::Reported(reported) = said(&mut queued).await else {
            panic!("it is no report");
        };
        seqs.push(reported.seq);
        link.told(reported.seq, word);
        assert_eq!(waiting.await.expect("no panic"), outcome);
    }
    assert_eq!(seqs, [1, 2], "numbered with what is heard");
}

#[tokio::test(start_paused = true)]
async fn the_stream_ends_although_somebody_still_holds_the_way_to_the_bridge() {
    let (queue, mut queued) = mpsc::channel(QUEUE_MAX);
    let link = Link::new(queue);
    link.say(Message::Connected(Connected {})).await;

    link.end();
    link.say(Message::Connected(Connected {})).await;

    said(&mut queued).await;
    let end = timeout(Duration::from_secs(10), queued.recv()).await;
    assert!(matches!(end, Ok(None)), "{end:?}");
}

#[tokio::test(start_paused = true)]
async fn a_value_is_remembered_once_the_bridge_says_so() {
    let (queue, mut queued) = mpsc::channel(QUEUE_MAX);
    let link = Arc::new(Link::new(queue));
    for (error, outcome) in [(None, Ok(())), (Some("full".to_owned()), Err("full".to_owned()))] {
        let waiting = tokio::spawn({
            let link = Arc::clone(&link);
            async move { link.save(&b"where we are"[..]).await }
        });
        let Message::Save(save) = said(&mut queued).await else {
            panic!("it is no value");
        };
        assert_eq!(&*save.value, b"where we are");
        link.kept(save.seq, error);

        assert_eq!(waiting.await.expect("no panic"), outcome);
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_gateway_is_slow_nobody_is_remembered_and_when_it_is_gone_everybody_hears_so() {
    let (queue, mut queued) = mpsc::channel(QUEUE_MAX);
    let link = Arc::new(Link::new(queue));

    let slow = timeout(Duration::from_secs(10), link.hear(Inbound::default())).await;
    assert!(slow.is_err(), "{slow:?}");
    assert_eq!(link.heard.open().as_ref().map(|open| open.len()), Some(0));

    let waiting = tokio::spawn({
        let link = Arc::clone(&link);
        async move { link.hear(Inbound::default()).await }
    });
    said(&mut queued).await;
    said(&mut queued).await;
    link.end();
    let gone = waiting.await.expect("no panic");
    assert!(matches!(gone, Heard::Again(_)), "{gone:?}");
    let late = link.hear(Inbound::default()).await;
    assert!(matches!(late, Heard::Again(_)), "{late:?}");
    assert!(link.save(&b""[..]).await.is_err());
}
