//! Answers that are still being written.

use gatehouse_fakes::telegram::Fault;

use super::*;
use crate::{
    adapter::contract::previews::{Stage, Wrong, previews},
    preview::Place,
};

previews!(in_a_group, Group);

impl Scene {
    /// A run begins to be shown in this chat.
    fn begin(&self, run: &str, to: &str) {
        self.bench.shows(&self.adapter, run, place(to));
    }

    async fn answer(&self, to: &str, text: &str) {
        self.bench.say("k", to, text).await;
        self.bench.settled().await;
    }

    async fn calls(&self, method: &str, count: usize) {
        until(method, async || {
            (self.api.calls(method).len() >= count).then_some(())
        })
        .await;
    }
}

fn place(to: &str) -> Place {
    Place {
        to: to.into(),
        thread_id: None,
        reply_to_id: Some(format!("{to}/33").as_str().into()),
        shared: to.starts_with('-'),
    }
}

/// A group, in which a message shows the answer.
struct Group(Scene);

impl Stage for Group {
    const GROWS: &str = "editMessageText";
    const BECOMES: &str = "editMessageText";

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
        place("-5")
    }

    fn seen(&self) -> Vec<(String, String)> {
        let seen = self.0.api.seen().into_iter();
        seen.map(|seen| (seen.id.to_string(), seen.text)).collect()
    }

    fn calls(&self, method: &str) -> usize {
        self.0.api.calls(method).len()
    }

    fn fault(&self, method: &str, wrong: Wrong) {
        let fault = match wrong {
            Wrong::Wait(seconds) => Fault::Wait(seconds),
            Wrong::Lose => Fault::Lose,
            Wrong::Late(after) => Fault::Late(after),
        };
        self.0.api.fault(method, fault);
    }

    fn delete(&self, id: &str) {
        self.0.api.delete(id.parse().unwrap());
    }

    async fn again(self) -> Self {
        Self(self.0.again().await)
    }
}

#[tokio::test]
async fn one_person_sees_drafts_and_then_one_message() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    scene.begin("run", "7");
    scene.bench.writes("**Hel").await;
    scene.calls("sendMessageDraft", 1).await;
    scene.bench.writes("lo** there").await;
    scene.calls("sendMessageDraft", 2).await;

    scene.answer("7", "**Hello** there").await;

    let drafts = scene.api.drafts();
    assert_eq!(
        (drafts[0].2.as_str(), drafts[1].2.as_str()),
        ("**Hel …", "Hello there …")
    );
    assert_eq!(drafts[0].1, drafts[1].1, "one draft that grows");
    let seen = scene.api.seen();
    assert_eq!((seen.len(), seen[0].text.as_str()), (1, "Hello there"));
    assert!(
        !scene.bench.session.followed.lock().unwrap()[0].1,
        "nothing of it stays"
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_telegram_without_drafts_is_shown_a_message_that_changes() {
    let scene = Scene::with(json!({"replyToMode": "first"})).await;
    scene.api.knows_no_drafts();
    scene.is(State::Connected).await;
    scene.begin("run", "7");
    scene.bench.writes("half").await;
    scene.calls("sendMessageDraft", 1).await;
    until("reading along anew", async || {
        (scene.bench.session.followed.lock().unwrap().len() == 2).then_some(())
    })
    .await;
    scene.bench.writes("half").await;
    let preview = scene.seen(1).await.remove(0);
    assert_eq!((preview.text.as_str(), preview.answers), ("half …", Some(33)));

    scene.answer("7", "whole").await;

    let seen = scene.api.seen();
    assert_eq!((seen.len(), seen[0].text.as_str()), (1, "whole"));
    assert_eq!((seen[0].id, seen[0].answers), (preview.id, Some(33)));
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_draft_whose_markup_is_refused_is_shown_without_and_drafts_go_on() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    scene.begin("run", "7");
    let refusal = Fault::Refuse(400, "Bad Request: can't parse entities: byte offset 1");
    scene.api.fault("sendMessageDraft", refusal);

    scene.bench.writes("Hello").await;
    scene.calls("sendMessageDraft", 2).await;
    scene.bench.writes(" **bold** one").await;
    scene.calls("sendMessageDraft", 3).await;
    scene.answer("7", "Hello **bold** one").await;

    let drafts: Vec<String> = scene.api.drafts().into_iter().map(|draft| draft.2).collect();
    assert_eq!(drafts, ["Hello …", "Hello bold one …"]);
    assert_eq!(scene.api.seen().len(), 1, "and none of them stays");
    scene.bench.stop().await;
}
