//! What stands in chats until an answer takes its place.

use crate::{
    outbox::store::Sent,
    preview::{Place, store::Posted},
    store::Stores,
    testing::{NOW, delivery, key},
};

fn posted(run: &str, message: &str) -> Posted {
    Posted {
        run: run.to_owned(),
        place: Place {
            to: "7".into(),
            thread_id: Some("42".into()),
            reply_to_id: Some("7/1".into()),
            shared: true,
        },
        message: message.to_owned(),
        doubtful: false,
        at: NOW,
    }
}

pub(crate) async fn a_preview_is_kept_once_for_its_run_until_it_is_forgotten(stores: Stores) {
    let store = &stores.previews;
    let doubtful = Posted {
        doubtful: true,
        ..posted("run", "11")
    };
    store.keep_preview(key("a"), posted("run", "10")).await.unwrap();
    store.keep_preview(key("a"), doubtful.clone()).await.unwrap();
    store.keep_preview(key("a"), posted("run2", "12")).await.unwrap();
    store.keep_preview(key("b"), posted("run", "13")).await.unwrap();

    assert_eq!(
        store.previews(key("a")).await.unwrap(),
        [doubtful, posted("run2", "12")]
    );
    store.forget_preview(key("a"), "run".into()).await.unwrap();
    store.forget_preview(key("a"), "run".into()).await.unwrap();
    assert_eq!(store.previews(key("a")).await.unwrap(), [posted("run2", "12")]);
    assert_eq!(
        store.previews(key("b")).await.unwrap().len(),
        1,
        "of that account alone"
    );
    store.prune_previews(NOW).await.unwrap();
    assert_eq!(store.previews(key("a")).await.unwrap().len(), 1);
    store.prune_previews(NOW.plus_ms(1)).await.unwrap();
    assert!(store.previews(key("a")).await.unwrap().is_empty());
}

pub(crate) async fn the_receipt_of_the_first_part_forgets_the_preview_of_its_run(stores: Stores) {
    let outbox = &stores.outbox;
    stores
        .previews
        .keep_preview(key("a"), posted("run", "10"))
        .await
        .unwrap();
    stores
        .previews
        .keep_preview(key("b"), posted("run", "11"))
        .await
        .unwrap();
    outbox
        .enqueue("1".into(), delivery("k", "7", "text", NOW), NOW)
        .await
        .unwrap();
    let lease = stores.lease(&key("a"));
    let seq = outbox.heads(lease.clone(), 1).await.unwrap()[0].seq;
    let parts = vec!["one".to_owned(), "two".to_owned()];
    outbox.parts(lease.clone(), seq, parts, None, NOW).await.unwrap();

    outbox
        .part_sent(lease.clone(), seq, 1, Sent::default())
        .await
        .unwrap();
    assert_eq!(stores.previews.previews(key("a")).await.unwrap().len(), 1);
    outbox.part_sent(lease, seq, 0, Sent::default()).await.unwrap();

    assert!(stores.previews.previews(key("a")).await.unwrap().is_empty());
    assert_eq!(stores.previews.previews(key("b")).await.unwrap().len(), 1);
}
