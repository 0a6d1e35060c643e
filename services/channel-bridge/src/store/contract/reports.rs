//! What every store must hold of what platforms say later of messages that they took.

use gatehouse_core::Timestamp;

use crate::{
    adapter::Report,
    outbox::store::{EARLY_REPORTS_MAX, Outcome, Sent},
    store::Stores,
    testing::{NOW, delivery, key},
};

/// Something is said, and the platform calls it this.
async fn said(stores: &Stores, receipt: &str) {
    let lease = || stores.lease(&key("a"));
    let outbox = &stores.outbox;
    let queued = outbox.enqueue(receipt.into(), delivery(receipt, "anna", "x", NOW), NOW);
    queued.await.unwrap();
    let seq = outbox.heads(lease(), 1).await.unwrap()[0].seq;
    let parts = outbox.parts(lease(), seq, vec!["x".into()], None, NOW);
    parts.await.unwrap();
    outbox.part_leaves(lease(), seq, 0, None).await.unwrap();
    let sent = Sent {
        receipt: Some(receipt.into()),
        at: NOW,
        ..Sent::default()
    };
    outbox.part_sent(lease(), seq, 0, sent).await.unwrap();
    outbox.settle(lease(), seq, Outcome::Sent, NOW).await.unwrap();
}

async fn report(stores: &Stores, account: &str, receipt: &str, report: Report, at: Timestamp) {
    let kept = stores.outbox.report(key(account), receipt.into(), report, at);
    kept.await.unwrap();
}

/// What reached nobody, somebody, and was seen.
async fn counts(stores: &Stores, account: &str) -> [i64; 3] {
    let counts = stores.outbox.counts(key(account)).await.unwrap();
    [counts.not_delivered, counts.delivered, counts.read]
}

pub(crate) async fn what_a_platform_says_of_a_message_moves_it_forward_in_any_order_and_however_often(
    stores: Stores,
) {
    for receipt in ["m1", "m2", "m3"] {
        said(&stores, receipt).await;
    }
    assert_eq!(counts(&stores, "a").await, [0, 0, 0]);

    for word in [
        Report::Read,
        Report::Delivered,
        Report::Read,
        Report::NotDelivered,
    ] {
        report(&stores, "a", "m1", word, NOW).await;
        assert_eq!(counts(&stores, "a").await, [0, 1, 1], "{word:?}");
    }
    report(&stores, "a", "m2", Report::NotDelivered, NOW).await;
    report(&stores, "a", "m2", Report::NotDelivered, NOW).await;
    report(&stores, "a", "m3", Report::NotDelivered, NOW).await;
    assert_eq!(counts(&stores, "a").await, [2, 1, 1]);
    report(&stores, "a", "m3", Report::Delivered, NOW).await;
    assert_eq!(counts(&stores, "a").await, [1, 2, 1]);

    report(&stores, "b", "m2", Report::Read, NOW).await;
    assert_eq!(counts(&stores, "a").await, [1, 2, 1], "another account's word");
    assert_eq!(counts(&stores, "b").await, [0, 0, 0]);
    stores.outbox.prune(NOW.plus_ms(1), NOW).await.unwrap();
    assert_eq!(
        counts(&stores, "a").await,
        [0, 0, 0],
        "forgotten with the messages"
    );
}

pub(crate) async fn what_is_said_of_a_message_before_its_receipt_is_stored_holds_once_it_is(stores: Stores) {
    report(&stores, "a", "m1", Report::Read, NOW).await;
    report(&stores, "a", "m1", Report::Delivered, NOW).await;
    report(&stores, "b", "m2", Report::Read, NOW).await;
    assert_eq!(
        counts(&stores, "a").await,
        [0, 0, 0],
        "nothing of ours is known of it"
    );
    said(&stores, "m1").await;
    said(&stores, "m2").await;
    assert_eq!(counts(&stores, "a").await, [0, 1, 1]);

    // What never was ours is forgotten in time, and the oldest first when there is too much of it.
    report(&stores, "a", "m3", Report::Read, NOW).await;
    stores.outbox.prune(NOW, NOW.plus_ms(1)).await.unwrap();
    said(&stores, "m3").await;
    report(&stores, "a", "m4", Report::Read, NOW).await;
    for number in 0..i64::from(EARLY_REPORTS_MAX) {
        let receipt = format!("of somebody else {number}");
        report(&stores, "a", &receipt, Report::Read, NOW.plus_ms(1 + number)).await;
    }
    said(&stores, "m4").await;
    assert_eq!(counts(&stores, "a").await, [0, 1, 1]);
}
