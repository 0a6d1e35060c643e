//! What is no text of an answer.

use gatehouse_core::{
    Content,
    content::{Block, Media, MediaSource},
};

use super::*;
use crate::testing::delivery;

fn medium(id: &str, name: &str, size_bytes: Option<i64>) -> Block {
    Block::Media(Media {
        source: MediaSource::Id(id.into()),
        mime_type: Some("image/png".into()),
        name: Some(name.into()),
        size_bytes,
    })
}

async fn sent(puppet: Arc<Puppet>, message: Vec<Block>) -> Vec<(String, Vec<String>)> {
    let (_folder, stores) = stores();
    let bench = Bench::run(&stores, Clock::system(), puppet.clone());
    bench.media.reached_at(Some("https://home.example".into()));
    bench
        .session
        .files
        .lock()
        .unwrap()
        .insert("kept".into(), b"bytes".to_vec());
    let mut delivery = delivery("k", "anna", "", bench.clock.now());
    delivery.message = message.into_iter().collect::<Content>();
    bench.outbox.enqueue(delivery).await.unwrap();
    bench.settled().await;
    bench.stop().await;
    let sent = puppet.sent.lock().unwrap();
    let named = |media: &Media| media.name.clone().unwrap_or_default();
    sent.iter()
        .map(|(_, part)| (part.text.clone(), part.media.iter().map(named).collect()))
        .collect()
}

fn words(said: &str) -> (String, Vec<String>) {
    (said.to_owned(), Vec::new())
}

#[tokio::test]
async fn where_no_files_are_shown_they_are_named_with_a_link_while_they_are_kept() {
    let message = vec![
        Block::text("see"),
        medium("kept", "cat.png", None),
        medium("gone", "dog.png", None),
    ];

    let sent = sent(Arc::new(Puppet::new()), message).await;

    assert_eq!(
        sent,
        [
            words("see"),
            words("[image: cat.png] https://home.example/media/kept?for=a-while"),
            words("[image: dog.png]"),
        ]
    );
}

#[tokio::test]
async fn where_files_are_shown_each_is_a_part_of_its_own_and_one_that_is_too_large_is_a_link() {
    let puppet = puppet(|puppet| {
        puppet.capabilities.media = true;
        puppet.capabilities.media_bytes_max = 10;
    });
    let message = vec![
        Block::text("see"),
        medium("kept", "cat.png", Some(5)),
        medium("kept", "large.png", Some(11)),
        medium("kept", "dog.png", None),
    ];

    let sent = sent(puppet, message).await;

    assert_eq!(
        sent,
        [
            words("see"),
            words("[image: large.png] https://home.example/media/kept?for=a-while"),
            (String::new(), vec!["cat.png".to_owned()]),
            (String::new(), vec!["dog.png".to_owned()]),
        ]
    );
}
