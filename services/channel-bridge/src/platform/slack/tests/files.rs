//! Files that people send.

use futures::TryStreamExt;
use gatehouse_core::content::{Block, MediaSource};

use super::*;
use crate::adapter::FetchError;

async fn fetched(app: &App, keys: Value, address: &str) -> Result<Vec<u8>, FetchError> {
    let mut config = app.config();
    config
        .as_object_mut()
        .unwrap()
        .extend(keys.as_object().unwrap().clone());
    let adapter = adapter(&config, &app.stores, Clock::system(), &Arc::default());
    let remote = adapter.fetch(address).await?;
    let parts: Vec<bytes::Bytes> = remote.bytes.try_collect().await?;
    Ok(parts.concat())
}

#[tokio::test]
async fn the_files_of_a_message_are_named_and_fetched_with_the_token() {
    let scene = Scene::start().await;
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let address = scene.workspace.keep("f1", bytes.clone());
    let mut said = direct(ANNA, &scene.workspace.ts(), "look");
    said["subtype"] = json!("file_share");
    said["files"] = json!([{"id": "f1", "name": "../cat.png", "mimetype": "image/png", "size": bytes.len(),
        "url_private_download": address}, {"id": "gone", "mode": "tombstone"}]);

    scene.workspace.event(said);

    scene.hears(1).await;
    let heard = scene.bench.heard.messages.lock().unwrap()[0].clone();
    let media: Vec<_> = heard
        .content
        .blocks()
        .iter()
        .filter_map(|block| match block {
            Block::Media(media) => Some(media.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(media.len(), 1);
    assert_eq!(media[0].name.as_deref(), Some("cat.png"));
    let MediaSource::Url(address) = &media[0].source else {
        unreachable!("it is at Slack")
    };
    let config = json!({"botToken": scene.workspace.bot_token(), "appToken": scene.workspace.app_token(),
        "apiRoot": scene.workspace.root()});
    let remote = adapter(&config, &scene.stores, Clock::system(), &Arc::default())
        .fetch(address)
        .await
        .unwrap();
    let parts: Vec<bytes::Bytes> = remote.bytes.try_collect().await.unwrap();
    assert_eq!(parts.concat(), bytes);
    scene.bench.stop().await;
}

#[tokio::test]
async fn what_is_too_large_unknown_or_elsewhere_is_never_fetched_and_what_breaks_off_may_be_again() {
    let app = App::new().await;
    let large = app.workspace.keep("large", vec![7; 1_000_001]);
    let torn = app.workspace.keep("torn", vec![7; 1000]);
    let small = json!({"mediaMaxMb": 1});
    let unknown = torn.replace("torn", "unknown");

    for address in [
        format!("slack-file:{large}"),
        format!("slack-file:{unknown}"),
        "slack-file:https://example.org/cat.png".to_owned(),
        "slack-file:file:///etc/passwd".to_owned(),
        torn.clone(),
    ] {
        let error = fetched(&app, small.clone(), &address).await.unwrap_err();
        assert!(matches!(error, FetchError::Never(_)), "{address}: {error}");
    }
    let torn = format!("slack-file:{torn}");
    for fault in [Fault::Drop, Fault::Gateway(502)] {
        app.workspace.fault("file", fault);
        let error = fetched(&app, small.clone(), &torn).await.unwrap_err();
        assert!(matches!(error, FetchError::Retry(_)), "{error}");
    }
    let other = json!({"botToken": "xoxb-another"});
    let error = fetched(&app, other, &torn).await.unwrap_err();
    assert!(error.to_string().contains("files:read"), "{error}");
    assert_eq!(fetched(&app, small, &torn).await.unwrap().len(), 1000);
}
