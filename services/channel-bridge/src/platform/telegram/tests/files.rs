//! Files that people send.

use futures::TryStreamExt;
use gatehouse_core::content::{Block, MediaSource};

use super::*;
use crate::adapter::FetchError;

async fn fetched(bot: &Bot, keys: Value, address: &str) -> Result<Vec<u8>, FetchError> {
    let mut config = bot.config();
    config
        .as_object_mut()
        .unwrap()
        .extend(keys.as_object().unwrap().clone());
    let adapter = adapter(&config, &bot.stores, &Arc::default());
    let remote = adapter.fetch(address).await?;
    let parts: Vec<bytes::Bytes> = remote.bytes.try_collect().await?;
    Ok(parts.concat())
}

#[tokio::test]
async fn a_file_is_fetched_whole_by_its_id_from_the_server_that_knows_the_token() {
    let bot = Bot::new().await;
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    bot.api.keep("f1", bytes.clone());

    assert_eq!(fetched(&bot, json!({}), "telegram-file:f1").await.unwrap(), bytes);
    assert_eq!(bot.api.fetched(), ["f1"]);
}

#[tokio::test]
async fn what_is_too_large_unknown_or_elsewhere_is_never_fetched_and_what_breaks_off_may_be_again() {
    let bot = Bot::new().await;
    bot.api.keep("large", vec![7; 1_000_001]);
    bot.api.keep("torn", vec![7; 1000]);
    let small = json!({"mediaMaxMb": 1});

    for address in [
        "telegram-file:large",
        "telegram-file:unknown",
        "https://example.org/cat.png",
        "file:///etc/passwd",
    ] {
        let error = fetched(&bot, small.clone(), address).await.unwrap_err();
        assert!(matches!(error, FetchError::Never(_)), "{address}: {error}");
        assert!(!error.to_string().contains(&bot.api.token()), "{error}");
    }
    for fault in [Fault::Drop, Fault::Gateway(502)] {
        bot.api.fault("file", fault);
        let error = fetched(&bot, small.clone(), "telegram-file:torn")
            .await
            .unwrap_err();
        assert!(matches!(error, FetchError::Retry(_)), "{error}");
        assert!(!error.to_string().contains(&bot.api.token()), "{error}");
    }
    assert_eq!(
        fetched(&bot, small, "telegram-file:torn").await.unwrap().len(),
        1000
    );
}

#[tokio::test]
async fn an_album_is_one_message_with_all_of_its_pictures_also_when_it_comes_in_pieces() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let picture = |number: i64, words: Option<&str>| {
        let mut message = direct(ANNA, number, "");
        message["text"] = Value::Null;
        message["media_group_id"] = json!("album");
        message["photo"] = json!([{"file_id": format!("photo-{number}"), "file_size": 3}]);
        message["caption"] = json!(words);
        message
    };
    scene.api.update("message", picture(101, Some("what are these?")));
    scene.api.update("message", picture(102, None));
    // Mostly a poll of its own: far shorter than the wait for the rest of an album, and either way it is one message.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    scene.api.update("message", picture(103, None));
    scene.hears(1).await;
    scene.api.says(ANNA, "another message");

    assert_eq!(scene.hears(2).await, ["what are these?", "another message"]);
    let heard = scene.bench.heard.messages.lock().unwrap()[0].clone();
    let files = heard.content.blocks().iter().filter_map(|block| match block {
        Block::Media(media) => Some(media.source.clone()),
        _ => None,
    });
    let named = |number: i64| MediaSource::Url(format!("telegram-file:photo-{number}"));
    assert_eq!(files.collect::<Vec<_>>(), [named(101), named(102), named(103)]);
    until("the acknowledgement", async || {
        (scene.api.unread() == 0).then_some(())
    })
    .await;
    scene.bench.stop().await;
}
