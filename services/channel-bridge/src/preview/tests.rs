use std::{sync::Arc, time::Duration};

use gatehouse_core::Clock;
use gatehouse_proto::session::v1::{FollowRunResponse, RunEnd};
use tokio::time::Instant;

use super::{Place, SHOWN_MAX, Streaming, store::Posted};
use crate::{
    adapter::{Adapter, PreviewError, Previews as Pace, SendError, Shown},
    outbox::store::Chosen,
    store::Stores,
    testing::{Bench, Puppet, delivery, key, stores, until},
};

const EVERY: Duration = Duration::from_millis(20);

fn puppet() -> Arc<Puppet> {
    let mut puppet = Puppet::new();
    puppet.capabilities.previews = Some(Pace {
        every: EVERY,
        every_shared: EVERY,
        vanish: false,
    });
    Arc::new(puppet)
}

fn place() -> Place {
    Place {
        to: "anna".into(),
        thread_id: None,
        reply_to_id: Some("m1".into()),
        shared: false,
    }
}

struct Scene {
    bench: Bench,
    puppet: Arc<Puppet>,
}

impl Scene {
    fn on(stores: &Stores) -> Self {
        Self::with(stores, puppet())
    }

    fn with(stores: &Stores, puppet: Arc<Puppet>) -> Self {
        let bench = Bench::run(stores, Clock::system(), puppet.clone());
        Self { bench, puppet }
    }

    fn begin(&self, streaming: Streaming, run: &str) {
        let adapter: Arc<dyn Adapter> = self.puppet.clone();
        let previews = &self.bench.previews;
        previews.begin(&key("a"), &adapter, streaming, run, place());
    }

    /// The run says something more to whoever reads along last.
    async fn happens(&self, response: FollowRunResponse) {
        let followed = until("somebody who reads along", async || {
            let followed = self.bench.session.followed.lock().unwrap();
            followed.last().map(|(_, _, writes)| writes.clone())
        });
        let _ = followed.await.try_send(response);
    }

    async fn writes(&self, text: &str) {
        self.happens(FollowRunResponse {
            text: text.into(),
            ..FollowRunResponse::default()
        })
        .await;
    }

    async fn ends(&self, replies: bool) {
        self.happens(FollowRunResponse {
            end: Some(RunEnd { replies }),
            ..FollowRunResponse::default()
        })
        .await;
    }

    /// Waits for so many previews.
    async fn shows(&self, count: usize) -> Vec<String> {
        until("previews", async || {
            let shown = self.puppet.shown.lock().unwrap();
            (shown.len() >= count).then(|| shown.iter().map(|(_, shown)| shown.text.clone()).collect())
        })
        .await
    }

    async fn kept(&self, count: usize) -> Vec<Posted> {
        until("what is kept of previews", async || {
            let kept = self.bench.stores.previews.previews(key("a")).await.unwrap();
            (kept.len() == count).then_some(kept)
        })
        .await
    }

    /// The answer is sent; in the place of which messages its parts stand, and what they say.
    async fn answered(&self, text: &str) -> Vec<(Option<String>, String)> {
        self.bench.say("k", "anna", text).await;
        self.bench.settled().await;
        let sent = self.puppet.sent.lock().unwrap();
        sent.iter()
            .map(|(_, part)| (part.replaces.clone(), part.text.clone()))
            .collect()
    }

    fn withdrawn(&self) -> Vec<String> {
        self.puppet.withdrawn.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn what_is_written_is_shown_at_the_platforms_pace_and_the_answer_takes_its_place_once() {
    let (_folder, stores) = stores();
    let scene = Scene::on(&stores);
    scene.begin(Streaming::Preview, "run");
    for n in 0..50 {
        scene.writes(&format!("{n} ")).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let shown = scene.shows(2).await;
    assert!(
        shown[0].starts_with("0 1") && shown[0].ends_with('…'),
        "{shown:?}"
    );
    assert!(shown.len() < 25, "changes are joined: {}", shown.len());
    {
        let shown = scene.puppet.shown.lock().unwrap();
        for pair in shown.windows(2) {
            assert!(pair[1].0.duration_since(pair[0].0) >= EVERY);
            assert_eq!(pair[1].1.shown.as_deref(), Some("p0"), "one message is changed");
        }
    }

    let answered = scene.answered("one\ntwo").await;

    assert_eq!(
        answered,
        [(Some("p0".into()), "one".into()), (None, "two".into())]
    );
    scene.kept(0).await;
    let count = scene.puppet.shown.lock().unwrap().len();
    scene.writes("late").await;
    tokio::time::sleep(3 * EVERY).await;
    assert_eq!(
        scene.puppet.shown.lock().unwrap().len(),
        count,
        "nothing is shown any more"
    );
    assert!(scene.withdrawn().is_empty());
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_change_that_is_on_its_way_is_waited_for_before_the_answer_leaves() {
    let (_folder, stores) = stores();
    let scene = Scene::on(&stores);
    *scene.puppet.showing_takes.lock().unwrap() = Duration::from_millis(300);
    scene.begin(Streaming::Preview, "run");
    scene.writes("half").await;
    tokio::time::sleep(3 * EVERY).await;

    let answered = scene.answered("whole").await;

    assert_eq!(answered, [(Some("p0".into()), "whole".into())]);
    let shown = scene.puppet.shown.lock().unwrap()[0].0;
    assert!(shown <= scene.puppet.sent.lock().unwrap()[0].0);
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_message_that_may_still_be_changed_by_what_was_lost_is_taken_back_and_the_answer_is_sent_anew() {
    let (_folder, stores) = stores();
    let scene = Scene::on(&stores);
    let id = Some("p".to_owned());
    scene
        .puppet
        .showings
        .lock()
        .unwrap()
        .extend([Ok(Shown { id }), Err(PreviewError::Unknown("silence".into()))]);
    scene.begin(Streaming::Preview, "run");
    scene.writes("ha").await;
    scene.shows(1).await;
    scene.writes("lf").await;
    scene.shows(2).await;
    until("the doubt", async || {
        let kept = stores.previews.previews(key("a")).await.unwrap();
        kept.first().filter(|kept| kept.doubtful).map(drop)
    })
    .await;

    assert_eq!(scene.answered("whole").await, [(None, "whole".into())]);

    assert_eq!(scene.withdrawn(), ["p"]);
    scene.kept(0).await;
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_preview_that_somebody_deleted_is_no_reason_to_lose_the_answer_or_to_say_it_twice() {
    let (_folder, stores) = stores();
    let scene = Scene::on(&stores);
    let gone = SendError::PreviewGone {
        reason: "deleted".into(),
    };
    scene.puppet.results.lock().unwrap().push(Err(gone));
    scene.begin(Streaming::Preview, "run");
    scene.writes("half").await;
    scene.kept(1).await;

    assert_eq!(scene.answered("whole").await, [(None, "whole".into())]);

    scene.kept(0).await;
    scene.bench.stop().await;
}

#[tokio::test]
async fn an_answer_whose_receipt_is_lost_takes_the_same_place_again_and_does_not_say_that_it_may_be_a_repeat()
{
    let (_folder, stores) = stores();
    let scene = Scene::on(&stores);
    scene
        .puppet
        .results
        .lock()
        .unwrap()
        .push(Err(SendError::unknown("lost")));
    scene.begin(Streaming::Preview, "run");
    scene.writes("half").await;
    scene.kept(1).await;

    assert_eq!(
        scene.answered("whole").await,
        [(Some("p0".into()), "whole".into())]
    );

    scene.bench.stop().await;
}

#[tokio::test]
async fn a_run_that_ends_without_an_answer_takes_back_what_was_shown() {
    let (_folder, stores) = stores();
    let scene = Scene::on(&stores);
    scene.begin(Streaming::Preview, "run");
    scene.writes("half").await;
    scene.kept(1).await;

    scene.ends(false).await;

    scene.kept(0).await;
    assert_eq!(scene.withdrawn(), ["p0"]);
    scene.bench.stop().await;
}

#[tokio::test]
async fn an_answer_that_somebody_stops_before_it_is_sent_takes_its_preview_with_it() {
    let (_folder, stores) = stores();
    let scene = Scene::on(&stores);
    scene.begin(Streaming::Preview, "run");
    scene.writes("half").await;
    scene.kept(1).await;
    scene.ends(true).await;
    tokio::time::sleep(3 * EVERY).await;
    assert!(scene.withdrawn().is_empty(), "its answer is on the way");

    // Of another chat: only what is dropped counts.
    let elsewhere = delivery("k", "bert", "text", Clock::system().now());
    scene.bench.outbox.enqueue(elsewhere).await.unwrap();
    let chosen = Chosen::of_account(&key("a"));
    let _ = scene.bench.outbox.drop_waiting(chosen, "stop").await.unwrap();

    until("it to be taken back", async || {
        let next = delivery("k2", "bert", "more", Clock::system().now());
        let _ = scene.bench.outbox.enqueue(next).await;
        let _ = scene
            .bench
            .outbox
            .drop_waiting(Chosen::of_account(&key("a")), "stop")
            .await;
        (scene.withdrawn() == ["p0"]).then_some(())
    })
    .await;
    scene.bench.stop().await;
}

#[tokio::test]
async fn after_a_restart_what_stands_in_a_chat_goes_on_and_ends_as_if_nothing_had_happened() {
    let (_folder, stores) = stores();
    for replies in [true, false] {
        let scene = Scene::on(&stores);
        scene.begin(Streaming::Preview, "run");
        scene.writes("half").await;
        scene.kept(1).await;
        scene.bench.task.abort();

        let after = Scene::on(&stores);
        after.writes("half and more").await;
        let shown = after.shows(1).await;
        assert_eq!(shown, ["half and more …"]);
        let of = after.puppet.shown.lock().unwrap()[0].1.clone();
        assert_eq!((of.shown.as_deref(), of.may_last), (Some("p0"), true));

        after.ends(replies).await;
        if replies {
            assert_eq!(
                after.answered("whole").await,
                [(Some("p0".into()), "whole".into())]
            );
        } else {
            until("it to be taken back", async || {
                (after.withdrawn() == ["p0"]).then_some(())
            })
            .await;
        }
        after.kept(0).await;
        after.bench.stop().await;
    }
}

#[tokio::test]
async fn what_the_platform_asks_for_is_kept_and_what_it_does_not_want_is_not_tried_again() {
    let (_folder, stores) = stores();
    let scene = Scene::on(&stores);
    let wait = Duration::from_millis(200);
    let reason = String::from("too fast");
    scene.puppet.showings.lock().unwrap().extend([
        Err(PreviewError::Busy { after: wait, reason }),
        Err(PreviewError::Never("no".into())),
    ]);
    scene.begin(Streaming::Preview, "run");
    scene.writes("ha").await;
    scene.shows(1).await;
    let busy = Instant::now();
    scene.writes("lf").await;
    scene.shows(2).await;
    assert!(busy.elapsed() >= wait - EVERY, "{:?}", busy.elapsed());

    scene.writes("more").await;
    tokio::time::sleep(3 * EVERY).await;

    assert_eq!(scene.puppet.shown.lock().unwrap().len(), 2);
    assert_eq!(scene.answered("whole").await, [(None, "whole".into())]);
    scene.bench.stop().await;
}

#[tokio::test]
async fn where_nothing_vanishes_by_itself_the_session_service_is_told_before_anything_stays() {
    let (_folder, stores) = stores();
    let mut puppet = Puppet::new();
    puppet.capabilities.previews = Some(Pace {
        every: EVERY,
        every_shared: EVERY,
        vanish: true,
    });
    puppet.showings.lock().unwrap().push(Err(PreviewError::MustLast));
    let scene = Scene::with(&stores, Arc::new(puppet));
    scene.begin(Streaming::Preview, "run");
    scene.writes("half").await;
    until("reading along anew", async || {
        (scene.bench.session.followed.lock().unwrap().len() == 2).then_some(())
    })
    .await;
    scene.writes("half again").await;

    assert_eq!(scene.shows(2).await[1], "half again …");

    let lasting: Vec<bool> = {
        let followed = scene.bench.session.followed.lock().unwrap();
        followed.iter().map(|(_, lasting, _)| *lasting).collect()
    };
    assert_eq!(lasting, [false, true]);
    let may_last: Vec<bool> = {
        let shown = scene.puppet.shown.lock().unwrap();
        shown.iter().map(|(_, shown)| shown.may_last).collect()
    };
    assert_eq!(may_last, [false, true]);
    scene.bench.stop().await;
}

#[tokio::test]
async fn so_many_runs_are_read_along_with_and_no_more_and_none_where_it_is_off() {
    let (_folder, stores) = stores();
    let scene = Scene::on(&stores);
    scene.begin(Streaming::Off, "off");
    for n in 0..SHOWN_MAX + 10 {
        scene.begin(Streaming::Preview, &format!("run{n}"));
    }

    until("those who read along", async || {
        (scene.bench.session.followed.lock().unwrap().len() == SHOWN_MAX).then_some(())
    })
    .await;
    tokio::time::sleep(3 * EVERY).await;
    assert_eq!(scene.bench.session.followed.lock().unwrap().len(), SHOWN_MAX);
    scene.bench.stop().await;
}
