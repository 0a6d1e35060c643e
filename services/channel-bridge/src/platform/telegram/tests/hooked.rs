//! Messages that Telegram brings.

use super::*;
use crate::adapter::{HttpAnswer, HttpHead, HttpRequest};

const SECRET: &str = "a-secret-of-the-webhook";
const URL: &str = "https://home.example/webhooks/telegram/a";

async fn scene() -> Scene {
    let scene = Scene::with(json!({"webhookUrl": URL, "webhookSecret": SECRET})).await;
    scene.is(State::Connected).await;
    scene
}

fn head(secrets: &[&str]) -> HttpHead {
    let header = |secret: &&str| ("x-telegram-bot-api-secret-token".to_owned(), (*secret).to_owned());
    HttpHead {
        method: "POST".into(),
        target: "/webhooks/telegram/a".into(),
        headers: secrets.iter().map(header).collect(),
        peer: "149.154.160.1".into(),
    }
}

impl Scene {
    async fn brings(&self, secrets: &[&str], body: Value) -> HttpAnswer {
        let request = HttpRequest {
            head: head(secrets),
            body: body.to_string().into(),
        };
        self.adapter.http(request, &self.bench.inbound).await.unwrap()
    }
}

#[tokio::test]
async fn what_telegram_brings_is_committed_before_it_is_answered_and_taken_once() {
    let scene = scene().await;
    assert_eq!(scene.api.webhook(), Some((URL.to_owned(), SECRET.to_owned())));
    let update = json!({"update_id": 7, "message": direct(ANNA, 1, "hello")});
    *scene.bench.heard.failures.lock().unwrap() = 1;

    let full = scene.brings(&[SECRET], update.clone()).await;
    assert_eq!(
        (full.status, full.retry_after.is_some()),
        (503, true),
        "it comes again"
    );
    assert_eq!(scene.brings(&[SECRET], update.clone()).await.status, 200);
    assert_eq!(scene.bench.heard.texts(), ["hello"]);
    assert_eq!(scene.brings(&[SECRET], update).await.status, 200);
    assert_eq!(
        scene
            .brings(&[SECRET], json!({"update_id": 8, "poll": {}}))
            .await
            .status,
        200
    );

    assert_eq!(scene.bench.heard.texts(), ["hello"]);
    assert!(scene.api.calls("getUpdates").is_empty());
    scene.bench.say("k", "7", "an answer").await;
    assert_eq!(scene.seen(1).await[0].text, "an answer");
    scene.bench.stop().await;
}

#[tokio::test]
async fn whoever_does_not_show_the_secret_is_refused_before_a_byte_of_the_body_is_read() {
    let scene = scene().await;
    let inspect = |head: &HttpHead| scene.adapter.http_head(head, &scene.bench.inbound).unwrap();

    assert!(inspect(&head(&[SECRET])).is_ok());
    for secrets in [
        &[][..],
        &["wrong"],
        &[""],
        &[SECRET, SECRET],
        &["A-SECRET-OF-THE-WEBHOOK"],
    ] {
        assert_eq!(inspect(&head(secrets)).unwrap_err().status, 401, "{secrets:?}");
        let update = json!({"update_id": 1, "message": direct(ANNA, 1, "let me in")});
        assert_eq!(scene.brings(secrets, update).await.status, 401, "{secrets:?}");
    }
    let get = HttpHead {
        method: "GET".into(),
        ..head(&[SECRET])
    };
    assert_eq!(inspect(&get).unwrap_err().status, 405);
    assert!(scene.bench.heard.texts().is_empty());
    scene.bench.stop().await;

    let polled = Scene::start().await;
    assert!(
        polled
            .adapter
            .http_head(&head(&[SECRET]), &polled.bench.inbound)
            .is_none()
    );
    polled.bench.stop().await;
}

#[test]
fn an_address_that_telegram_does_not_come_to_and_one_without_a_secret_are_refused() {
    let read = |keys: Value| {
        let mut config = json!({"botToken": "1:a"});
        config
            .as_object_mut()
            .unwrap()
            .extend(keys.as_object().unwrap().clone());
        Telegram::read(&config).map(drop)
    };
    assert!(read(json!({"webhookUrl": URL, "webhookSecret": SECRET})).is_ok());
    for (keys, word) in [
        (json!({"webhookUrl": URL}), "webhookSecret"),
        (json!({"webhookSecret": SECRET}), "webhookUrl"),
        (
            json!({"webhookUrl": "http://home.example/x", "webhookSecret": SECRET}),
            "https",
        ),
        (
            json!({"webhookUrl": "https://home.example:9000/x", "webhookSecret": SECRET}),
            "8443",
        ),
        (json!({"webhookUrl": URL, "webhookSecret": "short"}), "letters"),
        (
            json!({"webhookUrl": URL, "webhookSecret": "with a blank in it and more"}),
            "letters",
        ),
    ] {
        let wrong = read(keys.clone()).unwrap_err();
        assert!(wrong.contains(word), "{keys} {wrong}");
    }
}

fn picture(number: i64, words: Option<&str>) -> Value {
    let mut message = direct(ANNA, number, "");
    message["text"] = Value::Null;
    message["media_group_id"] = json!("album");
    message["photo"] = json!([{"file_id": format!("photo-{number}"), "file_size": 3}]);
    message["caption"] = json!(words);
    json!({"update_id": number, "message": message})
}

#[tokio::test]
async fn pictures_of_an_album_are_one_message_and_each_is_answered_behind_its_commit() {
    let scene = scene().await;
    let bring = async |number, words| scene.brings(&[SECRET], picture(number, words)).await.status;
    *scene.bench.heard.failures.lock().unwrap() = 1;

    let full = tokio::join!(
        bring(101, Some("what are these?")),
        bring(103, None),
        bring(102, None)
    );
    assert_eq!(full, (503, 503, 503), "all of it comes again");
    let again = tokio::join!(
        bring(102, None),
        bring(101, Some("what are these?")),
        bring(101, Some("what are these?")),
        bring(103, None)
    );

    assert_eq!(again, (200, 200, 200, 200));
    assert_eq!(scene.bench.heard.texts(), ["what are these?"]);
    let heard = scene.bench.heard.messages.lock().unwrap()[0].clone();
    let files = heard.content.blocks().iter().filter_map(|block| match block {
        gatehouse_core::content::Block::Media(media) => Some(format!("{:?}", media.source)),
        _ => None,
    });
    let files: Vec<String> = files.collect();
    assert_eq!(files.len(), 3, "{files:?}");
    assert!(
        files
            .iter()
            .zip(101..)
            .all(|(file, number)| file.contains(&format!("photo-{number}"))),
        "{files:?}"
    );
    scene.bench.stop().await;
}
