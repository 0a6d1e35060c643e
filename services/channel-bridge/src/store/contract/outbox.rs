//! What every store must hold of the outbox.

use gatehouse_core::{Content, Timestamp};

use super::accounts::another;
use crate::{
    outbox::store::{Chosen, Counts, NewDelivery, Outcome, Retry, Sent},
    store::{StoreError, Stores},
    testing::{NOW, claim, delivery, key},
};

/// Something of ours is said in a chat.
pub(super) async fn answered(stores: &Stores, to: &str, at: Timestamp) {
    let (name, lease) = (format!("{to} {at}"), || stores.lease(&key("a")));
    let queued = stores
        .outbox
        .enqueue(name.clone(), delivery(&name, to, "x", at), at);
    queued.await.unwrap();
    let heads = stores.outbox.heads(lease(), 10).await.unwrap();
    let seq = heads
        .iter()
        .find(|head| head.content.key.as_str() == name)
        .unwrap()
        .seq;
    stores
        .outbox
        .parts(lease(), seq, vec!["x".into()], None, at)
        .await
        .unwrap();
    stores.outbox.part_leaves(lease(), seq, 0, None).await.unwrap();
    let sent = Sent {
        at,
        ..Sent::default()
    };
    stores.outbox.part_sent(lease(), seq, 0, sent).await.unwrap();
    stores
        .outbox
        .settle(lease(), seq, Outcome::Sent, at)
        .await
        .unwrap();
}

pub(crate) async fn a_delivery_is_stored_once(stores: Stores) {
    let first = stores
        .outbox
        .enqueue("id-1".into(), delivery("k", "anna", "x", NOW), NOW)
        .await
        .unwrap();
    let again = stores
        .outbox
        .enqueue(
            "id-2".into(),
            delivery("k", "anna", "x", NOW.plus_ms(5)),
            NOW.plus_ms(5),
        )
        .await
        .unwrap();
    assert_eq!((first, again), (("id-1".into(), false), ("id-1".into(), true)));

    for other in [delivery("k", "bert", "x", NOW), delivery("k", "anna", "y", NOW)] {
        let refused = stores.outbox.enqueue("id-3".into(), other, NOW).await;
        assert!(matches!(refused, Err(StoreError::Conflict { id }) if id == "id-1"));
    }
    let heads = stores.outbox.heads(stores.lease(&key("a")), 10).await.unwrap();
    assert_eq!(heads.len(), 1);
    assert_eq!(heads[0].content, delivery("k", "anna", "x", NOW));
}

pub(crate) async fn what_a_delivery_says_is_kept_with_all_its_blocks(stores: Stores) {
    let json = r#"[{"type":"text","text":"see"},{"type":"image","url":"u","mimeType":"image/png"},{"type":"hologram",  "of":1.0}]"#;
    let blocks = |key: &str, json: &str| NewDelivery {
        message: Content::from_json(json).unwrap(),
        ..delivery(key, "anna", "", NOW)
    };
    let enqueue = async |delivery| stores.outbox.enqueue("id".into(), delivery, NOW).await;
    enqueue(blocks("k", json)).await.unwrap();
    assert!(enqueue(blocks("k", json)).await.unwrap().1, "the same");
    let other = json.replace("hologram", "photograph");
    assert!(matches!(
        enqueue(blocks("k", &other)).await,
        Err(StoreError::Conflict { .. })
    ));

    let heads = stores.outbox.heads(stores.lease(&key("a")), 10).await.unwrap();

    assert_eq!(heads[0].content.message.to_json(), json);
}

pub(crate) async fn parts_are_kept_and_the_unsent_ones_remain(stores: Stores) {
    stores
        .outbox
        .enqueue("id".into(), delivery("k", "anna", "one\ntwo", NOW), NOW)
        .await
        .unwrap();
    let seq = stores.outbox.heads(stores.lease(&key("a")), 1).await.unwrap()[0].seq;
    stores
        .outbox
        .parts(
            stores.lease(&key("a")),
            seq,
            vec!["one".into(), "two".into()],
            None,
            NOW,
        )
        .await
        .unwrap();
    stores
        .outbox
        .part_leaves(stores.lease(&key("a")), seq, 0, Some("(late) one".into()))
        .await
        .unwrap();
    stores
        .outbox
        .part_sent(
            stores.lease(&key("a")),
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

    let parts = stores
        .outbox
        .parts(stores.lease(&key("a")), seq, vec!["other".into()], None, NOW)
        .await
        .unwrap();
    let state: Vec<(&str, bool)> = parts.iter().map(|part| (part.text.as_str(), part.sent)).collect();
    assert_eq!(state, [("(late) one", true), ("two", false)]);
    assert!(parts[0].unconfirmed && !parts[1].unconfirmed);
    assert!(stores.outbox.heads(stores.lease(&key("a")), 1).await.unwrap()[0].late);

    stores
        .outbox
        .settle(stores.lease(&key("a")), seq, Outcome::Sent, NOW)
        .await
        .unwrap();
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
    let seq = stores.outbox.heads(stores.lease(&key("a")), 1).await.unwrap()[0].seq;
    stores
        .outbox
        .parts(stores.lease(&key("a")), seq, vec!["x".into()], None, NOW)
        .await
        .unwrap();
    stores
        .outbox
        .part_leaves(stores.lease(&key("a")), seq, 0, None)
        .await
        .unwrap();

    assert_eq!(stores.outbox.recover(stores.lease(&key("b"))).await.unwrap(), 0);
    assert_eq!(stores.outbox.recover(stores.lease(&key("a"))).await.unwrap(), 1);
    assert!(
        stores
            .outbox
            .parts(stores.lease(&key("a")), seq, Vec::new(), None, NOW)
            .await
            .unwrap()[0]
            .possible_duplicate
    );

    stores
        .outbox
        .part_leaves(stores.lease(&key("a")), seq, 0, None)
        .await
        .unwrap();
    stores
        .outbox
        .postpone(
            stores.lease(&key("a")),
            seq,
            Retry {
                next_at: NOW.plus_ms(9),
                unknown: true,
            },
        )
        .await
        .unwrap();
    let head = stores
        .outbox
        .heads(stores.lease(&key("a")), 1)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        (head.attempts, head.unknowns, head.next_at),
        (1, 1, NOW.plus_ms(9))
    );
    assert_eq!(stores.outbox.counts(key("a")).await.unwrap().repeated, 1);
}

pub(crate) async fn an_old_delivery_is_given_up_on(stores: Stores) {
    stores
        .outbox
        .enqueue("old".into(), delivery("k1", "anna", "x", NOW), NOW.plus_ms(-10))
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
            parts: 1,
            oldest_at: Some(NOW),
            dead: 1,
            ..Counts::default()
        }
    );
}

pub(crate) async fn who_lost_the_account_sends_settles_and_changes_nothing(stores: Stores) {
    let (lost, holder) = (stores.lease(&key("a")), another(&stores));
    stores
        .outbox
        .enqueue("id".into(), delivery("k", "anna", "x", NOW), NOW)
        .await
        .unwrap();
    let seq = stores.outbox.heads(lost.clone(), 1).await.unwrap()[0].seq;
    stores
        .outbox
        .parts(lost.clone(), seq, vec!["x".into()], None, NOW)
        .await
        .unwrap();
    stores
        .outbox
        .part_leaves(lost.clone(), seq, 0, None)
        .await
        .unwrap();
    stores.accounts.release(stores.owner.clone()).await.unwrap();
    claim(&holder, &["a"]).await;

    let refused = |result: Result<(), StoreError>| matches!(result, Err(StoreError::NotHeld(account)) if account == key("a"));
    let outbox = &stores.outbox;
    assert!(refused(outbox.heads(lost.clone(), 1).await.map(drop)));
    assert!(refused(
        outbox
            .parts(lost.clone(), seq, Vec::new(), None, NOW)
            .await
            .map(drop)
    ));
    assert!(refused(
        outbox
            .part_leaves(lost.clone(), seq, 0, Some("(late) x".into()))
            .await
    ));
    assert!(refused(
        outbox.part_sent(lost.clone(), seq, 0, Sent::default()).await
    ));
    let retry = Retry {
        next_at: NOW.plus_ms(9),
        unknown: false,
    };
    assert!(refused(outbox.postpone(lost.clone(), seq, retry).await));
    assert!(refused(
        outbox.settle(lost.clone(), seq, Outcome::Sent, NOW).await
    ));
    assert!(refused(outbox.recover(lost).await.map(drop)));

    // Whoever has it finds the part as it was left, and says it again, flagged.
    let lease = holder.lease(&key("a"));
    assert_eq!(holder.outbox.recover(lease.clone()).await.unwrap(), 1);
    let head = holder.outbox.heads(lease.clone(), 1).await.unwrap().remove(0);
    assert_eq!((head.seq, head.attempts, head.next_at), (seq, 0, NOW));
    let part = holder
        .outbox
        .parts(lease, seq, Vec::new(), None, NOW)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        (part.text.as_str(), part.sent, part.possible_duplicate),
        ("x", false, true)
    );
}

pub(crate) async fn a_stop_that_comes_late_leaves_what_was_said_since(stores: Stores) {
    let of_session = |id: &str, at| NewDelivery {
        session_key: Some("agent:main:main".into()),
        ..delivery(id, "anna", "x", at)
    };
    for (id, made) in [("before", NOW), ("since", NOW.plus_ms(1_000))] {
        let enqueued = stores
            .outbox
            .enqueue(id.into(), of_session(id, made), NOW.plus_ms(2_000));
        enqueued.await.unwrap();
    }
    let stopped = Chosen {
        session_key: Some("agent:main:main".into()),
        created_until: Some(NOW),
        ..Chosen::default()
    };

    let dropped = stores
        .outbox
        .drop_waiting(stopped, 9, NOW.plus_ms(3_000))
        .await
        .unwrap();

    assert_eq!(dropped.total, 1);
    assert_eq!(dropped.deliveries[0].id, "before");
    let left = stores.outbox.waiting(Chosen::default(), 0, 9).await.unwrap();
    assert_eq!(
        left.deliveries.iter().map(|left| &*left.id).collect::<Vec<_>>(),
        ["since"]
    );
}
