//! Requests that Slack makes.

use super::*;
use crate::adapter::{HttpAnswer, HttpHead, HttpRequest};

/// An account that is called.
struct Called {
    scene: Scene,
    adapter: Arc<dyn Adapter>,
}

impl Called {
    async fn start() -> Self {
        let app = App::new().await;
        let App {
            workspace,
            folder,
            stores,
            opened: _,
        } = app;
        let config = json!({"mode": "http", "botToken": workspace.bot_token(),
            "signingSecret": workspace.signing_secret(), "apiRoot": workspace.root()});
        let clock = Clock::system();
        let adapter = adapter(&config, &stores, clock.clone(), &Arc::default());
        let bench = Bench::run(&stores, clock, Arc::clone(&adapter));
        let scene = Scene {
            workspace,
            bench,
            stores,
            adapter: Arc::clone(&adapter),
            files: Arc::default(),
            folder,
        };
        scene.is(State::Connected).await;
        Self { scene, adapter }
    }

    async fn post(&self, body: &str, headers: Vec<(String, String)>) -> HttpAnswer {
        let head = HttpHead {
            method: "POST".into(),
            target: "/webhooks/slack/a".into(),
            headers,
            peer: "192.0.2.1".into(),
        };
        if let Err(answer) = self.adapter.http_head(&head, &self.scene.bench.inbound).unwrap() {
            return answer;
        }
        let body = body.to_owned().into();
        self.adapter
            .http(HttpRequest { head, body }, &self.scene.bench.inbound)
            .await
            .unwrap()
    }

    async fn signed(&self, body: &str) -> HttpAnswer {
        self.post(body, self.scene.workspace.signed(body, self.now()))
            .await
    }

    fn now(&self) -> i64 {
        self.scene.bench.clock.now_ms() / 1000
    }
}

#[tokio::test]
async fn slack_is_told_its_word_and_an_event_is_answered_once_it_is_committed() {
    let called = Called::start().await;
    let event =
        gatehouse_fakes::slack::callback(direct(ANNA, "1790000000.000001", "grüße 🎉 & more")).to_string();

    let asked = called
        .signed(r#"{"type":"url_verification","challenge":"the word"}"#)
        .await;
    *called.scene.bench.heard.failures.lock().unwrap() = 1;
    let refused = called.signed(&event).await;
    let taken = called.signed(&event).await;
    let again = called.signed(&event).await;

    assert_eq!(
        (asked.status, asked.body.as_str()),
        (200, r#"{"challenge":"the word"}"#)
    );
    assert_eq!((refused.status, refused.retry_after), (503, Some(5)));
    assert_eq!((taken.status, again.status), (200, 200));
    assert_eq!(called.scene.bench.heard.texts(), ["grüße 🎉 & more"]);
    called.scene.bench.stop().await;
}

#[tokio::test]
async fn a_request_with_a_wrong_missing_or_old_signature_says_nothing() {
    let called = Called::start().await;
    let body = gatehouse_fakes::slack::callback(direct(ANNA, "1790000000.000001", "hello")).to_string();
    let now = called.now();
    let signed = |second: i64| called.scene.workspace.signed(&body, second);
    let mut other = signed(now);
    other[1].1 = other[1].1.replace("v0=", "v1=");
    let mut twice = signed(now);
    twice.extend(signed(now));
    let mut moved = signed(now);
    moved[0].1 = (now - 1).to_string();

    for headers in [
        Vec::new(),
        signed(now - 301),
        signed(now + 400),
        other,
        twice,
        moved,
    ] {
        let answer = called.post(&body, headers.clone()).await;
        assert_eq!(answer.status, 401, "{headers:?}");
    }
    let changed = body.replace("hello", "jello");
    assert_eq!(called.post(&changed, signed(now)).await.status, 401);

    assert!(called.scene.bench.heard.texts().is_empty());
    assert_eq!(called.post(&body, signed(now - 290)).await.status, 200);
    called.scene.bench.stop().await;
}

#[tokio::test]
async fn a_command_comes_as_a_form_and_a_button_says_nothing() {
    let called = Called::start().await;
    let form = |body: &str| {
        let mut headers = called.scene.workspace.signed(body, called.now());
        headers.push(("content-type".into(), "application/x-www-form-urlencoded".into()));
        headers
    };
    let command = "command=%2Fgatehouse&text=new+day&user_id=UANNA&user_name=anna&channel_id=C1&team_id=T1&trigger_id=9.9";
    let button = "payload=%7B%22type%22%3A%22block_actions%22%7D";

    assert_eq!(called.post(command, form(command)).await.status, 200);
    assert_eq!(called.post(button, form(button)).await.status, 200);

    assert_eq!(called.scene.bench.heard.texts(), ["/new day"]);
    called.scene.bench.stop().await;
}
