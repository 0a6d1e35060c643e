//! A chat that shows an answer while it is being written.

use gatehouse_proto::agent::v1::turn_message::Role as Speaker;

use super::*;
use crate::turns::progress::{Progress, Reader};

fn to_room(run: &str, text: &str) -> Admission {
    Admission {
        reply: Reply::To(room("#a")),
        ..message(run, text)
    }
}

async fn next(reader: &mut Reader) -> Option<Progress> {
    within("what the run writes", reader.next()).await.unwrap()
}

fn text(text: &str, replace: bool) -> Option<Progress> {
    let text = text.to_owned();
    Some(Progress::Text { text, replace })
}

#[tokio::test]
async fn whoever_reads_along_gets_the_words_as_they_come_and_one_end() {
    let mut bench = Bench::new().await;
    let running = bench.run("{}");
    running.engine.submit(to_room("r1", "hi")).await.unwrap();
    running.engine.submit(to_room("r2", "and then?")).await.unwrap();
    let mut first = running.engine.read_along(RunId::new("r1"), false);
    let mut second = running.engine.read_along(RunId::new("r2"), false);
    let mut none = running.engine.read_along(RunId::new("r3"), false);
    assert!(none.next().await.is_err(), "there is no such run");

    let call = bench.call().await;
    call.text("one ").await;
    assert_eq!(next(&mut first).await, text("one ", false));
    call.text("two").await;
    assert_eq!(next(&mut first).await, text("two", false));
    call.done().await;
    assert_eq!(next(&mut first).await, Some(Progress::End { replies: true }));
    assert_eq!(next(&mut first).await, None);

    // The second waited, is begun, and is stopped before it says anything whole.
    let call = bench.call().await;
    call.text("half").await;
    assert_eq!(next(&mut second).await, text("half", false));
    running
        .engine
        .abort(key("main"), Some(RunId::new("r2")))
        .await
        .unwrap();
    assert_eq!(next(&mut second).await, Some(Progress::End { replies: false }));
}

#[tokio::test]
async fn a_message_before_a_tool_is_taken_back_by_what_follows_it() {
    let mut bench = Bench::new().await;
    let running = bench.run("{}");
    running.engine.submit(to_room("r1", "hi")).await.unwrap();
    let mut reader = running.engine.read_along(RunId::new("r1"), false);

    let call = bench.call().await;
    call.text("I look").await;
    assert_eq!(next(&mut reader).await, text("I look", false));
    call.entry(Speaker::Assistant, r#"[{"type":"text","text":"I look"}]"#)
        .await;
    call.text("found").await;

    assert_eq!(next(&mut reader).await, text("found", true));
    call.done().await;
    assert_eq!(next(&mut reader).await, Some(Progress::End { replies: true }));
}

/// A turn that is read half when its process dies, and its engine after that.
async fn read_half(lasting: bool) -> (Bench, Running) {
    let mut bench = Bench::new().await;
    let mut first = bench.run("{}");
    first.engine.submit(to_room("r1", "hi")).await.unwrap();
    let mut reader = first.engine.read_along(RunId::new("r1"), lasting);
    let call = bench.call().await;
    call.text("half").await;
    assert_eq!(next(&mut reader).await, text("half", false));
    first.die();
    let second = bench.run("{}");
    (bench, second)
}

#[tokio::test]
async fn a_turn_that_stands_in_a_chat_half_written_is_told_as_cut_off_after_a_restart() {
    let (mut bench, mut second) = read_half(true).await;

    let end = second.end_of("r1").await;

    assert_eq!(end.state(), State::Error);
    assert_eq!(state(&bench, "r1").await, TurnState::Interrupted);
    let replies = bench.stores.deliveries.waiting(Timestamp::MAX, 10).await.unwrap();
    assert!(
        matches!(&*replies, [reply] if reply.content.words().starts_with("half\n\n") && reply.content.words().contains("restart")),
        "{replies:?}"
    );
    assert!(bench.calls.try_recv().is_err(), "it is not run again");
}

#[tokio::test]
async fn a_turn_whose_half_vanishes_from_the_chat_by_itself_runs_again_after_a_restart() {
    let (mut bench, mut second) = read_half(false).await;
    let mut reader = second.engine.read_along(RunId::new("r1"), false);

    let call = bench.call().await;
    call.text("whole").await;

    assert_eq!(next(&mut reader).await, text("whole", false));
    call.done().await;
    assert_eq!(second.end_of("r1").await.state(), State::Final);
}
