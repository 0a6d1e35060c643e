//! What the contract has beside messages, and plugins that are dead, slow, full of nonsense or too much.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::StreamExt;
use gatehouse_core::{
    Clock,
    content::{Block, Media, MediaSource},
};
use gatehouse_proto::{
    channel::v1::{Heard, Inbound, ReportState, Reported, SaveState, run_account_response::Message as Said},
    common::v1::{Block as WireBlock, Content as WireContent, MediaBlock, block},
};

use super::room::{Manner, Room, inbound};
use crate::{
    account::State,
    adapter::{FetchError, HttpHead, HttpRequest, Preview, Report},
    outbox::store::NewDelivery,
    testing::{Bench, delivery, key, stores, until},
};

async fn scene() -> (Room, Bench) {
    let room = Room::open().await;
    let bench = Bench::run(&room.stores, Clock::system(), room.adapter());
    reaches(&bench, State::Connected).await;
    (room, bench)
}

async fn reaches(bench: &Bench, state: State) {
    until(state.as_str(), async || {
        (bench.progress.snapshot().state == state).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_account_is_told_how_it_is_configured_and_what_it_remembered() {
    let (room, bench) = scene().await;

    let saved = room
        .tell(|seq| {
            Said::Save(SaveState {
                seq,
                value: Bytes::from_static(b"offset 7"),
            })
        })
        .await;
    assert_eq!(saved.expect("a stream").await, Ok(true));
    let large = room
        .tell(|seq| {
            Said::Save(SaveState {
                seq,
                value: vec![0; 70_000].into(),
            })
        })
        .await;
    assert_eq!(large.expect("a stream").await, Ok(false));
    room.cut().await;
    room.connected().await;

    let starts = room.starts();
    assert_eq!(
        starts[0].config, r#"{"greeting":"hi"}"#,
        "without the keys that are the bridge's"
    );
    assert_eq!((starts[0].state.len(), &*starts[1].state), (0, &b"offset 7"[..]));
    assert_eq!(starts[0].http_path, "/webhooks/webhook/a");
    bench.stop().await;
}

#[tokio::test]
async fn how_far_a_message_came_is_kept_in_bounds_and_what_is_not_known_of_it_passed_over() {
    let (room, bench) = scene().await;
    let tell = async |message_id: String, state: i32| {
        let told = room.tell(|seq| {
            Said::Reported(Reported {
                seq,
                message_id,
                state,
            })
        });
        told.await.expect("a stream").await
    };

    assert_eq!(tell("m1".into(), ReportState::Read.into()).await, Ok(true));
    assert_eq!(
        tell("m2".into(), ReportState::NotDelivered.into()).await,
        Ok(true)
    );
    assert_eq!(tell("m3".into(), 99).await, Ok(true), "of a newer version");
    let long = "x".repeat(513);
    assert_eq!(
        tell(long, ReportState::Read.into()).await,
        Ok(true),
        "passed over"
    );

    let kept = bench.heard.reports.lock().expect("reports").clone();
    let wanted = [("m1", Report::Read), ("m2", Report::NotDelivered)];
    assert_eq!(kept, wanted.map(|(id, report)| (id.to_owned(), report)));
    bench.stop().await;
}

#[tokio::test]
async fn a_plugin_that_is_killed_loses_nothing_and_is_back_without_a_long_wait() {
    let (mut room, bench) = scene().await;
    room.say("1", "before").await;

    room.kill().await;
    reaches(&bench, State::Backoff).await;
    bench.say("k", "anna", "while it was away").await;
    room.start_again();
    room.say("1", "before").await;
    room.say("2", "after").await;
    bench.settled().await;

    assert_eq!(bench.heard.texts(), ["before", "after"]);
    assert_eq!(room.heard(), ["while it was away"]);
    bench.stop().await;
}

#[tokio::test]
async fn a_part_that_is_not_answered_is_sent_again_under_the_same_key() {
    let (room, bench) = scene().await;
    room.behaves(Manner::Silent);

    bench.say("k", "anna", "hello").await;
    until("the first attempt", async || room.parts().first().map(drop)).await;
    room.behaves(Manner::Good);
    bench.settled().await;

    let parts = room.parts();
    assert!(parts.len() >= 2, "{parts:?}");
    assert!(parts.iter().all(|part| part.key == parts[0].key), "{parts:?}");
    bench.stop().await;
}

#[tokio::test]
async fn an_answer_to_something_else_and_a_message_without_end_cost_the_connection_alone() {
    let (room, bench) = scene().await;
    room.behaves(Manner::Mixed);

    bench.say("k", "anna", "hello").await;
    reaches(&bench, State::Backoff).await;
    let error = bench.progress.snapshot().last_error.expect("a reason");
    assert!(error.contains("another kind of answer"), "{error}");
    room.behaves(Manner::Huge);
    until("the bound", async || {
        let error = bench.progress.snapshot().last_error.unwrap_or_default();
        error.contains("at once").then_some(())
    })
    .await;
    room.behaves(Manner::Good);

    bench.settled().await;
    bench.stop().await;
}

#[tokio::test]
async fn a_plugin_that_cannot_work_says_why_and_is_left_alone() {
    let room = Room::open().await;
    room.behaves(Manner::Broken);
    let bench = Bench::run(&room.stores, Clock::system(), room.adapter());

    reaches(&bench, State::Failed).await;

    assert_eq!(
        bench.progress.snapshot().last_error.as_deref(),
        Some("the token is wrong")
    );
    assert_eq!(room.starts().len(), 1);
    bench.stop().await;
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_and_what_comes_behind_it_is_not() {
    let (room, bench) = scene().await;
    let content = |media: MediaBlock| WireContent {
        blocks: vec![WireBlock {
            kind: Some(block::Kind::Media(media)),
        }],
    };
    let bad: [fn(Inbound) -> Inbound; 3] = [
        |said| Inbound { chat: None, ..said },
        |said| Inbound {
            message_id: String::new(),
            ..said
        },
        |said| Inbound {
            reply_to: "x".repeat(600),
            ..said
        },
    ];

    for change in bad {
        let told = room
            .tell(|seq| Said::Inbound(Box::new(change(inbound(seq, "bad", "x")))))
            .await;
        assert_eq!(told.expect("a stream").await, Ok(true), "never again");
    }
    let kept = MediaBlock {
        id: Some("somebody else's".to_owned()),
        ..MediaBlock::default()
    };
    let forged = content(kept);
    let told = room
        .tell(|seq| {
            Said::Inbound(Box::new(Inbound {
                content: Some(forged),
                ..inbound(seq, "forged", "")
            }))
        })
        .await;
    assert_eq!(told.expect("a stream").await, Ok(true));
    room.say("good", "hello").await;

    assert_eq!(bench.heard.texts(), ["hello"]);
    bench.stop().await;
}

#[tokio::test]
async fn files_go_both_ways_and_within_their_bounds() {
    let (room, bench) = scene().await;
    room.session
        .files
        .lock()
        .unwrap()
        .insert("cat".to_owned(), vec![7; 150_000]);
    let medium = Media {
        source: MediaSource::Id("cat".to_owned()),
        mime_type: Some("image/png".to_owned()),
        name: Some("cat.png".to_owned()),
        size_bytes: Some(150_000),
    };
    let mut message = gatehouse_core::Content::text("look");
    message.push(Block::Media(medium));
    let with_file = NewDelivery {
        message,
        ..delivery("k", "anna", "", Clock::system().now())
    };

    bench.outbox.enqueue(with_file).await.unwrap();
    bench.settled().await;

    let parts = room.parts();
    assert_eq!(parts[1].media[0].handle, "taken/cat.png");
    assert_eq!(room.file("taken/cat.png").map(|bytes| bytes.len()), Some(150_000));

    room.keep_file("small", &[1; 2_500]);
    room.keep_file("large", &vec![1; 1_100_000]);
    let adapter = room.adapter_of(&serde_json::json!({"mediaMaxMb": 1}));
    let small = adapter.fetch("small").await.unwrap();
    assert_eq!(small.declared.as_deref(), Some("image/png"));
    let pieces: Vec<_> = small.bytes.map(Result::unwrap).collect().await;
    assert_eq!(pieces.concat().len(), 2_500);
    let large: Vec<_> = adapter.fetch("large").await.unwrap().bytes.collect().await;
    assert!(
        matches!(large.last(), Some(Err(FetchError::Never(_)))),
        "beyond the bound"
    );
    assert!(matches!(adapter.fetch("none").await, Err(FetchError::Never(_))));
    bench.stop().await;
}

#[tokio::test]
async fn previews_reactions_typing_and_requests_reach_the_plugin() {
    let room = Room::open().await;
    let adapter = room.adapter();
    let preview = Preview {
        run: "run".to_owned(),
        to: "anna".into(),
        thread_id: None,
        reply_to_id: None,
        shown: None,
        text: "so far".to_owned(),
        may_last: true,
    };
    let request = |bytes: usize| HttpRequest {
        head: HttpHead {
            method: "POST".to_owned(),
            target: "/webhooks/room/a".to_owned(),
            headers: vec![("x-signature".to_owned(), "1".to_owned())],
            peer: "192.0.2.1".to_owned(),
        },
        body: vec![b'x'; bytes].into(),
    };
    assert!(
        adapter.preview(&preview).await.is_err(),
        "there is no connection yet"
    );
    let bench = Bench::run(&room.stores, Clock::system(), Arc::clone(&adapter));
    reaches(&bench, State::Connected).await;

    let shown = adapter.preview(&preview).await.unwrap();
    assert_eq!(shown.id.as_deref(), Some("p1"));
    adapter.withdraw(&"anna".into(), None, "p1").await.unwrap();
    adapter
        .react(&"anna".into(), None, &"m".into(), "👀")
        .await
        .unwrap();
    assert_eq!(
        adapter.http_head(&request(0).head, &bench.inbound),
        Some(Ok(1_000))
    );
    let answer = adapter.http(request(12), &bench.inbound).await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (202, r#"{"read":12}"#));
    assert_eq!(
        adapter.http(request(1_001), &bench.inbound).await,
        None,
        "larger than it takes"
    );

    assert_eq!(room.seen(), ["preview", "withdraw", "react"]);
    bench.stop().await;
}

#[tokio::test]
async fn a_plugin_that_floods_is_read_at_its_pace_and_its_neighbour_is_not_held_up() {
    let (room, bench) = scene().await;
    let (_folder, other) = stores();
    let quiet = Room::open().await;
    let beside = Bench::run(&other, Clock::system(), quiet.adapter());
    reaches(&beside, State::Connected).await;
    let flood = async { while room.tell(|_| Said::Heard(Heard {})).await.is_some() {} };

    let talk = async {
        for n in 0..20 {
            quiet.say(&n.to_string(), "hello").await;
        }
    };
    let talked = tokio::select! {
        () = flood => false,
        talked = tokio::time::timeout(Duration::from_secs(20), talk) => talked.is_ok(),
    };

    assert!(talked, "the neighbour's words are taken all the same");
    assert_eq!(beside.heard.texts().len(), 20);
    assert_eq!(bench.stores.outbox.counts(key("a")).await.unwrap().waiting, 0);
    beside.stop().await;
    bench.stop().await;
}

#[tokio::test]
async fn a_server_that_knows_another_gateway_is_not_spoken_to() {
    let room = Room::open().await;
    room.lives.send_modify(|life| life.peer = None);
    let bench = Bench::run(&room.stores, Clock::system(), room.adapter());
    reaches(&bench, State::Backoff).await;
    let away = bench.progress.snapshot().last_error.expect("a reason");
    assert!(away.contains("its plugin tell is not there"), "{away}");

    room.lives();

    reaches(&bench, State::Connected).await;
    bench.stop().await;
}
