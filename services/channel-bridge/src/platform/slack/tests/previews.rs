//! Answers that are still being written.

use super::*;
use crate::{
    adapter::contract::previews::{Stage, Wrong, previews},
    preview::Place,
};

previews!(as_a_message, Changed);
previews!(as_a_stream, Streamed);

const ROOT: &str = "1790000000.000001";

impl Scene {
    fn messages(&self) -> Vec<(String, String)> {
        let seen = self.workspace.seen().into_iter();
        seen.map(|seen| (seen.ts, seen.text)).collect()
    }

    fn goes_wrong(&self, method: &str, wrong: Wrong) {
        let fault = match wrong {
            Wrong::Wait(seconds) => Fault::Wait(seconds),
            Wrong::Lose => Fault::Lose,
            Wrong::Late(after) => Fault::Late(after),
        };
        self.workspace.fault(method, fault);
    }

    /// Somebody asks in a thread. Where the answer will be.
    async fn asked(&self) -> Place {
        let ts = self.workspace.ts();
        let question = channel(
            OFFICE,
            ANNA,
            &ts,
            "<@U0GATE> a question",
            json!({"thread_ts": ROOT}),
        );
        self.workspace.event(question);
        self.hears(1).await;
        Place {
            to: OFFICE.into(),
            thread_id: Some(ROOT.to_owned()),
            reply_to_id: Some(format!("{OFFICE}/{ts}").as_str().into()),
            shared: true,
        }
    }
}

/// A channel outside of threads, in which a message shows the answer.
struct Changed(Scene);

impl Stage for Changed {
    const GROWS: &str = "chat.update";
    const BECOMES: &str = "chat.update";

    async fn start() -> Self {
        let scene = Scene::start().await;
        scene.is(State::Connected).await;
        Self(scene)
    }

    fn bench(&self) -> &Bench {
        &self.0.bench
    }

    fn adapter(&self) -> &Arc<dyn Adapter> {
        &self.0.adapter
    }

    fn place(&self) -> Place {
        Place {
            to: OFFICE.into(),
            thread_id: None,
            reply_to_id: None,
            shared: true,
        }
    }

    fn seen(&self) -> Vec<(String, String)> {
        self.0.messages()
    }

    fn calls(&self, method: &str) -> usize {
        self.0.workspace.calls(method).len()
    }

    fn fault(&self, method: &str, wrong: Wrong) {
        self.0.goes_wrong(method, wrong);
    }

    fn delete(&self, id: &str) {
        self.0.workspace.delete(id);
    }

    async fn again(self) -> Self {
        Self(self.0.again().await)
    }
}

/// A thread, in which the answer is streamed.
struct Streamed {
    scene: Scene,
    place: Place,
}

impl Stage for Streamed {
    const GROWS: &str = "chat.appendStream";
    const BECOMES: &str = "chat.update";

    async fn start() -> Self {
        let scene = Scene::start().await;
        let place = scene.asked().await;
        Self { scene, place }
    }

    fn bench(&self) -> &Bench {
        &self.scene.bench
    }

    fn adapter(&self) -> &Arc<dyn Adapter> {
        &self.scene.adapter
    }

    fn place(&self) -> Place {
        self.place.clone()
    }

    fn seen(&self) -> Vec<(String, String)> {
        self.scene.messages()
    }

    fn calls(&self, method: &str) -> usize {
        self.scene.workspace.calls(method).len()
    }

    fn fault(&self, method: &str, wrong: Wrong) {
        self.scene.goes_wrong(method, wrong);
    }

    fn delete(&self, id: &str) {
        self.scene.workspace.delete(id);
    }

    async fn again(self) -> Self {
        Self {
            scene: self.scene.again().await,
            place: self.place,
        }
    }
}

#[tokio::test]
async fn a_stream_is_for_who_asked_says_only_what_is_new_and_ends_with_the_answer() {
    let Streamed { scene, place } = Streamed::start().await;
    scene.bench.shows(&scene.adapter, "run", place);
    scene.bench.writes("one").await;
    let shown = scene.seen(1).await.remove(0);
    assert_eq!(
        (shown.text.as_str(), shown.streams, shown.thread.as_deref()),
        ("one", true, Some(ROOT))
    );
    let began = &scene.workspace.calls("chat.startStream")[0].body;
    assert_eq!(
        (&began["recipient_user_id"], &began["recipient_team_id"]),
        (&json!(ANNA), &json!("T1"))
    );

    scene.bench.writes(" two <!channel>").await;
    until("more", async || {
        (scene.workspace.seen()[0].text == "one two <!channel>").then_some(())
    })
    .await;
    let more = &scene.workspace.calls("chat.appendStream")[0].body;
    assert_eq!(more["markdown_text"], " two <\u{200b}!channel>");
    scene.bench.say("k", OFFICE, "whole").await;
    scene.bench.settled().await;

    let seen = scene.workspace.seen();
    assert_eq!(
        (seen.len(), seen[0].text.as_str(), seen[0].streams),
        (1, "whole", false)
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn where_slack_streams_nothing_a_message_changes_and_it_is_not_asked_again() {
    let Streamed { scene, place } = Streamed::start().await;
    scene.workspace.knows_no_streams();

    for (count, run) in [(1, "one"), (2, "two")] {
        scene.bench.shows(&scene.adapter, run, place.clone());
        until("somebody who reads along", async || {
            (scene.bench.session.followed.lock().unwrap().len() == count).then_some(())
        })
        .await;
        scene.bench.writes(run).await;
        until("a preview", async || {
            let wanted = format!("{run} …");
            scene
                .workspace
                .seen()
                .iter()
                .any(|seen| seen.text == wanted)
                .then_some(())
        })
        .await;
    }

    assert_eq!(scene.workspace.calls("chat.startStream").len(), 1);
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_text_that_does_not_only_grow_ends_the_stream_and_changes_the_message() {
    let Streamed { scene, place } = Streamed::start().await;
    scene.bench.shows(&scene.adapter, "run", place);
    scene.bench.writes("the beginning").await;
    scene.seen(1).await;

    // Of what is longer than a message the newest part is shown.
    scene.bench.writes(&" word".repeat(1000)).await;

    until("the newest part", async || {
        let seen = scene.workspace.seen();
        (!seen[0].streams && !seen[0].text.starts_with("the beginning") && seen[0].text.ends_with('…'))
            .then_some(())
    })
    .await;
    assert_eq!(scene.workspace.seen().len(), 1);
    scene.bench.stop().await;
}
