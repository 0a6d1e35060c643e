//! What every store must hold of the outbox.

use crate::{
    outbox::store::{Counts, Outcome, Retry, Sent},
    store::{StoreError, Stores},
    testing::{NOW, delivery, key},
};

pub(crate) async fn a_delivery_is_stored_once(stores: Stores) {
    let first = stores
        .outbox
        .enqueue("id-1".into(), delivery("k", "anna", "x", NOW), NOW)
        .await
        .unwrap();
    let again = stores
        .outbox
        .enqueue("id-2".into(), delivery("k", "anna", "x", NOW + 5), NOW + 5)
        .await
        .unwrap();
    assert_eq!((first, again), (("id-1".into(), false), ("id-1".into(), true)));

    for other in [delivery("k", "bert", "x", NOW), delivery("k", "anna", "y", NOW)] {
        let refused = stores.outbox.enqueue("id-3".into(), other, NOW).await;
        assert!(matches!(refused, Err(StoreError::Conflict { id }) if id == "id-1"));
    }
    let heads = stores.outbox.heads(key("a"), 10).await.unwrap();
    assert_eq!(heads.len(), 1);
    assert_eq!(heads[0].content, delivery("k", "anna", "x", NOW));
}

pub(crate) async fn parts_are_kept_and_the_unsent_ones_remain(stores: Stores) {
    stores
        .outbox
        .enqueue("id".into(), delivery("k", "anna", "one\ntwo", NOW), NOW)
        .await
        .unwrap();
    let seq = stores.outbox.heads(key("a"), 1).await.unwrap()[0].seq;
    stores
        .outbox
        .parts(seq, vec!["one".into(), "two".into()])
        .await
        .unwrap();
    stores
        .outbox
        .part_leaves(seq, 0, Some("(late) one".into()))
        .await
        .unwrap();
    stores
        .outbox
        .part_sent(
            seq,
            0,
            Sent {
                receipt: Some("p1".into()),
                unconfirmed: true,
                at: NOW,
            },
        )
        .await
        .unwrap();

    let parts = stores.outbox.parts(seq, vec!["other".into()]).await.unwrap();
    let state: Vec<(&str, bool)> = parts.iter().map(|part| (part.text.as_str(), part.sent)).collect();
    assert_eq!(state, [("(late) one", true), ("two", false)]);
    assert!(parts[0].unconfirmed && !parts[1].unconfirmed);
    assert!(stores.outbox.heads(key("a"), 1).await.unwrap()[0].late);

    stores.outbox.settle(seq, Outcome::Sent, NOW).await.unwrap();
    let counts = Counts {
        unconfirmed: 1,
        ..Counts::default()
    };
    assert_eq!(stores.outbox.counts(key("a")).await.unwrap(), counts);
    assert_eq!(stores.outbox.counts(key("b")).await.unwrap(), Counts::default());
}

pub(crate) async fn what_was_leaving_waits_again_and_is_flagged(stores: Stores) {
    stores
        .outbox
        .enqueue("id".into(), delivery("k", "anna", "x", NOW), NOW)
        .await
        .unwrap();
    let seq = stores.outbox.heads(key("a"), 1).await.unwrap()[0].seq;
    stores.outbox.parts(seq, vec!["x".into()]).await.unwrap();
    stores.outbox.part_leaves(seq, 0, None).await.unwrap();

    assert_eq!(stores.outbox.recover(key("b")).await.unwrap(), 0);
    assert_eq!(stores.outbox.recover(key("a")).await.unwrap(), 1);
    assert!(stores.outbox.parts(seq, Vec::new()).await.unwrap()[0].possible_duplicate);

    stores.outbox.part_leaves(seq, 0, None).await.unwrap();
    stores
        .outbox
        .postpone(
            seq,
            Retry {
                next_at: NOW + 9,
                unknown: true,
            },
        )
        .await
        .unwrap();
    let head = stores.outbox.heads(key("a"), 1).await.unwrap().remove(0);
    assert_eq!((head.attempts, head.unknowns, head.next_at), (1, 1, NOW + 9));
    assert_eq!(stores.outbox.counts(key("a")).await.unwrap().repeated, 1);
}

pub(crate) async fn an_old_delivery_is_given_up_on(stores: Stores) {
    stores
        .outbox
        .enqueue("old".into(), delivery("k1", "anna", "x", NOW), NOW - 10)
        .await
        .unwrap();
    stores
        .outbox
        .enqueue("new".into(), delivery("k2", "bert", "x", NOW), NOW)
        .await
        .unwrap();

    assert_eq!(stores.outbox.expire(NOW, NOW).await.unwrap(), ["webhook"]);
    assert_eq!(
        stores.outbox.counts(key("a")).await.unwrap(),
        Counts {
            waiting: 1,
            dead: 1,
            ..Counts::default()
        }
    );
}
