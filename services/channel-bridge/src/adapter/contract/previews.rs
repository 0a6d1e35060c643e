//! What every platform must hold that shows an answer while it is being written, in a place where what shows it is a message that stays.

use std::{sync::Arc, time::Duration};

use gatehouse_document::channels::Streaming;
use gatehouse_proto::session::v1::{FollowRunResponse, RunEnd};
use tokio::time::Instant;

use crate::{
    adapter::Adapter,
    preview::Place,
    testing::{Bench, delivery, key, until},
};

/// How the next call goes wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wrong {
    /// Too fast: seconds to wait.
    Wait(u64),
    /// It is done, and the answer breaks off.
    Lose,
    /// It is done after so long, when nobody waits for it any more.
    Late(Duration),
}

/// A chat on a platform, with a running account in it.
pub(crate) trait Stage: Sized {
    /// The method that shows more of an answer.
    const GROWS: &str;
    /// The method that puts the answer in its place.
    const BECOMES: &str;

    /// Starts it; the account is connected.
    async fn start() -> Self;
    fn bench(&self) -> &Bench;
    fn adapter(&self) -> &Arc<dyn Adapter>;
    /// Where the answer is shown.
    fn place(&self) -> Place;
    /// The messages of the bot that are there: their ids and what they say.
    fn seen(&self) -> Vec<(String, String)>;
    /// How often a method was called.
    fn calls(&self, method: &str) -> usize;
    fn fault(&self, method: &str, wrong: Wrong);
    /// Somebody deletes a message.
    fn delete(&self, id: &str);
    /// The same account in a new process.
    async fn again(self) -> Self;
}

impl Bench {
    /// A run begins to be shown.
    pub(crate) fn shows(&self, adapter: &Arc<dyn Adapter>, run: &str, place: Place) {
        self.previews
            .begin(&key("a"), adapter, Streaming::Preview, run, place);
    }

    /// What is read along with last writes this.
    pub(crate) async fn writes(&self, text: &str) {
        let text = text.to_owned();
        self.tells(FollowRunResponse {
            text,
            ..FollowRunResponse::default()
        })
        .await;
    }

    /// It ends without an answer.
    pub(crate) async fn ends_in_silence(&self) {
        let end = Some(RunEnd { replies: false });
        self.tells(FollowRunResponse {
            end,
            ..FollowRunResponse::default()
        })
        .await;
    }

    async fn tells(&self, what: FollowRunResponse) {
        let writes = until("somebody who reads along", async || {
            let followed = self.session.followed.lock().unwrap();
            followed.last().map(|(_, _, writes)| writes.clone())
        })
        .await;
        let _ = writes.try_send(what);
    }

    /// A message that shows an answer is kept.
    pub(crate) async fn keeps_a_preview(&self) {
        until("it to be kept", async || {
            let kept = self.stores.previews.previews(key("a")).await.unwrap();
            (!kept.is_empty()).then_some(())
        })
        .await;
    }
}

/// Something is shown. Its id.
async fn shown<S: Stage>() -> (S, String) {
    let stage = S::start().await;
    stage.bench().shows(stage.adapter(), "run", stage.place());
    stage.bench().writes("half").await;
    let seen = until("a preview", async || stage.seen().pop()).await;
    assert!(seen.1.starts_with("half"), "{seen:?}");
    stage.bench().keeps_a_preview().await;
    (stage, seen.0)
}

async fn grows<S: Stage>(stage: &S) {
    stage.bench().writes(" and more").await;
    until("it to grow", async || (stage.calls(S::GROWS) > 0).then_some(())).await;
}

async fn answer<S: Stage>(stage: &S, text: &str) {
    let place = stage.place();
    let mut answer = delivery("k", place.to.as_str(), text, stage.bench().clock.now());
    answer.thread_id = place.thread_id;
    answer.reply_to_id = place.reply_to_id;
    stage.bench().outbox.enqueue(answer).await.unwrap();
    stage.bench().settled().await;
}

pub(crate) async fn one_message_grows_into_the_answer<S: Stage>() {
    let (stage, preview) = shown::<S>().await;
    grows(&stage).await;
    until("more of it", async || {
        stage.seen()[0].1.starts_with("half and more").then_some(())
    })
    .await;

    answer(&stage, "whole").await;

    assert_eq!(stage.seen(), [(preview, "whole".to_owned())]);
    let kept = stage.bench().stores.previews.previews(key("a")).await.unwrap();
    assert!(kept.is_empty(), "{kept:?}");
}

pub(crate) async fn a_change_that_arrives_after_the_answer_finds_nothing_to_change<S: Stage>() {
    let (stage, preview) = shown::<S>().await;
    // Longer than anybody waits for a preview.
    let late = Duration::from_secs(13);
    stage.fault(S::GROWS, Wrong::Late(late));
    grows(&stage).await;
    let called = Instant::now();

    answer(&stage, "whole").await;
    tokio::time::sleep_until(called + late + Duration::from_millis(300)).await;

    let seen = stage.seen();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0].1, "whole");
    assert_ne!(seen[0].0, preview, "the message that it was to change is gone");
}

pub(crate) async fn the_answer_waits_as_long_as_a_preview_was_told_to<S: Stage>() {
    let (stage, preview) = shown::<S>().await;
    stage.fault(S::GROWS, Wrong::Wait(2));
    grows(&stage).await;
    let refused = Instant::now();

    answer(&stage, "whole").await;

    assert!(
        refused.elapsed() >= Duration::from_millis(1900),
        "{:?}",
        refused.elapsed()
    );
    assert_eq!(stage.seen(), [(preview, "whole".to_owned())]);
}

pub(crate) async fn an_answer_whose_receipt_was_lost_is_put_there_again<S: Stage>() {
    let (stage, preview) = shown::<S>().await;
    stage.fault(S::BECOMES, Wrong::Lose);

    answer(&stage, "whole").await;

    assert_eq!(stage.seen(), [(preview, "whole".to_owned())]);
    assert_eq!(stage.calls(S::BECOMES), 2);
}

pub(crate) async fn an_answer_whose_preview_was_deleted_is_sent<S: Stage>() {
    let (stage, preview) = shown::<S>().await;
    stage.delete(&preview);

    answer(&stage, "whole").await;

    let seen = stage.seen();
    assert_eq!((seen.len(), seen[0].1.as_str()), (1, "whole"));
    assert_ne!(seen[0].0, preview);
}

pub(crate) async fn a_new_process_takes_the_preview_back_when_no_answer_comes<S: Stage>() {
    let (stage, _) = shown::<S>().await;
    let stage = stage.again().await;

    stage.bench().ends_in_silence().await;

    until("an empty chat", async || stage.seen().is_empty().then_some(())).await;
}

pub(crate) async fn a_new_process_goes_on_with_the_preview_and_the_answer_takes_its_place<S: Stage>() {
    let (stage, preview) = shown::<S>().await;
    let stage = stage.again().await;
    stage.bench().writes("half and more").await;
    until("it to go on", async || {
        stage.seen()[0].1.starts_with("half and more").then_some(())
    })
    .await;

    answer(&stage, "whole").await;

    assert_eq!(stage.seen(), [(preview, "whole".to_owned())]);
}

/// The promises as tests of one stage.
macro_rules! previews {
    ($module:ident, $stage:ident) => {
        $crate::adapter::contract::previews::previews!(
            $module,
            $stage,
            one_message_grows_into_the_answer,
            a_change_that_arrives_after_the_answer_finds_nothing_to_change,
            the_answer_waits_as_long_as_a_preview_was_told_to,
            an_answer_whose_receipt_was_lost_is_put_there_again,
            an_answer_whose_preview_was_deleted_is_sent,
            a_new_process_takes_the_preview_back_when_no_answer_comes,
            a_new_process_goes_on_with_the_preview_and_the_answer_takes_its_place,
        );
    };
    ($module:ident, $stage:ident, $($name:ident),+ $(,)?) => {
        mod $module {
            $(
                #[tokio::test]
                async fn $name() {
                    $crate::adapter::contract::previews::$name::<super::$stage>().await;
                }
            )+

            /// With the account as a process of its own.
            mod apart {
                type Stage = $crate::platform::isolated::tests::Isolated<super::super::$stage>;
                $(
                    #[tokio::test]
                    async fn $name() {
                        $crate::adapter::contract::previews::$name::<Stage>().await;
                    }
                )+
            }
        }
    };
}
pub(crate) use previews;
