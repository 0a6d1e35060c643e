//! What belongs to a message besides its words.

use gatehouse_core::{
    Content,
    content::{Block, Media, MediaSource},
};

use super::*;
use crate::adapter::{FetchError, InboundMessage};

/// Words and a file.
fn with_a_file() -> InboundMessage {
    let file = Block::Media(Media {
        source: MediaSource::Url("puppet:file".into()),
        mime_type: None,
        name: Some("cat.png".into()),
        size_bytes: None,
    });
    InboundMessage {
        content: [Block::text("look at this"), file].into_iter().collect(),
        ..message("1", "anna", "")
    }
}

/// What the session service was told.
fn told(bench: &Bench) -> Content {
    let taken = bench.session.taken.lock().unwrap();
    Content::from_parts(taken[0].text.clone(), taken[0].content.clone()).unwrap()
}

/// Lets time pass until something was handed on.
async fn patiently(bench: &Bench) {
    until("the message", async || {
        bench.clock.advance_ms(5_000);
        bench.inbox.wake.notify_one();
        (!bench.taken().is_empty()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_file_of_somebody_who_may_not_talk_is_never_fetched() {
    let (_folder, stores) = stores();
    let bench = bench(&stores, &json!({"dmPolicy": "allowlist", "allowFrom": ["bert"]}));

    bench.inbox.receive(&key("a"), with_a_file()).await.unwrap();
    bench.counts(Fate::Refused, 1).await;

    assert!(bench.puppet.fetched.lock().unwrap().is_empty());
    assert!(bench.session.kept.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_file_is_kept_once_and_the_message_names_it_however_often_it_is_handed_on() {
    let (_folder, stores) = stores();
    let bench = bench_with(&stores, &open(), |session| {
        let away = || Failure::new(Kind::Unavailable, "away");
        session.refusals.lock().unwrap().extend([away(), away()]);
        session.keep_refusals.lock().unwrap().push(away());
    });

    bench.inbox.receive(&key("a"), with_a_file()).await.unwrap();
    patiently(&bench).await;

    let kept = bench.session.kept.lock().unwrap().clone();
    assert_eq!(kept, [(Some("image/png".to_owned()), b"a file".to_vec())]);
    assert_eq!(
        bench.puppet.fetched.lock().unwrap().len(),
        2,
        "once more after the session service was away"
    );
    let content = told(&bench);
    assert_eq!(content.words(), "look at this");
    let Some(Block::Media(media)) = content.blocks().last() else {
        panic!("{content:?}")
    };
    assert_eq!(media.source, MediaSource::Id("medium-1".into()));
    assert_eq!(
        (media.name.as_deref(), media.size_bytes),
        (Some("cat.png"), Some(6))
    );
}

#[tokio::test]
async fn what_cannot_be_had_is_said_in_words_after_some_tries_or_at_once() {
    for (error, tries) in [
        (FetchError::Never("it is larger than 20 MB".into()), 1),
        (FetchError::Retry("it stumbles".into()), 5),
    ] {
        let (_folder, stores) = stores();
        let bench = bench(&stores, &open());
        let results = std::iter::repeat_n(error.clone(), 20).map(Err);
        bench.puppet.files.lock().unwrap().extend(results);

        bench.inbox.receive(&key("a"), with_a_file()).await.unwrap();
        patiently(&bench).await;

        assert_eq!(bench.puppet.fetched.lock().unwrap().len(), tries, "{error}");
        let words = told(&bench).words();
        assert!(words.starts_with("look at this"), "{words}");
        assert!(
            words.contains(&error.to_string()) && words.contains("cat.png"),
            "{words}"
        );
    }
}
