//! Runs that programs are to be told of.

use super::hooks::{hook, job, runs};
use super::*;
use crate::schedules::{
    DeliveryStatus, NewPost, Post, PostEnd, RunEnd, RunFilter, Settle, Slot, SlotRow, Status, Wanted,
};

/// A run that ended, of which a program is to be told.
async fn ended(store: &Stores) -> Slot {
    runs(store, hook(None, "x", vec![job(None, T0)])).await;
    let slot = store.schedules.claims(T0).await.unwrap().remove(0).row.slot;
    store.schedules.decide(&slot, key("main"), None).await.unwrap();
    store
        .schedules
        .settle_slot(&slot, Settle::Fired, T0)
        .await
        .unwrap();
    let end = RunEnd {
        slot: slot.clone(),
        status: Status::Ok,
        error: None,
        summary: None,
        session_id: None,
        answered_by: None,
        reply: None,
        wanted: Wanted::No,
        post: Some(NewPost {
            url: "https://example.org/".to_owned(),
            body: "{}".to_owned(),
        }),
        is_transient: false,
        now: T0.plus_ms(5),
    };
    store.schedules.end_run(end).await.unwrap().unwrap();
    slot
}

async fn row(store: &Stores, slot: &Slot) -> SlotRow {
    let filter = RunFilter {
        run: Some(slot.run().to_string()),
        limit: 1,
        ..RunFilter::default()
    };
    store.schedules.runs(filter).await.unwrap().0.remove(0)
}

pub(super) async fn what_a_program_is_to_be_told_waits_until_it_was_told_or_is_given_up(store: &Stores) {
    let slot = ended(store).await;
    assert_eq!(row(store, &slot).await.delivered, None, "nobody knows yet");
    let due = store.schedules.posts(T0.plus_ms(5)).await.unwrap();
    let [Post { id, attempts: 0, .. }] = due.as_slice() else {
        panic!("one: {due:?}")
    };
    assert_eq!(due[0].slot, slot);

    let again = PostEnd::Again {
        at: T0.plus_ms(100),
        problem: "it answered 503".to_owned(),
    };
    store.schedules.settle_post(*id, again).await.unwrap();

    assert!(store.schedules.posts(T0.plus_ms(99)).await.unwrap().is_empty());
    assert_eq!(store.schedules.next_post().await.unwrap(), Some(T0.plus_ms(100)));
    assert_eq!(
        store.schedules.posts(T0.plus_ms(100)).await.unwrap()[0].attempts,
        1
    );
    assert_eq!(
        row(store, &slot).await.delivery_error.as_deref(),
        Some("it answered 503")
    );
    store.schedules.settle_post(*id, PostEnd::Told).await.unwrap();
    let told = row(store, &slot).await;
    assert_eq!(
        (told.delivered, told.delivery_error),
        (Some(DeliveryStatus::Delivered), None)
    );
    assert_eq!(store.schedules.next_post().await.unwrap(), None);

    let other = ended(store).await;
    let id = store.schedules.posts(T0.plus_ms(5)).await.unwrap()[0].id;
    store
        .schedules
        .settle_post(id, PostEnd::GaveUp("it answered 404".to_owned()))
        .await
        .unwrap();
    let given_up = row(store, &other).await;
    assert_eq!(given_up.delivered, Some(DeliveryStatus::NotDelivered));
    assert!(store.schedules.posts(T0.plus_ms(5)).await.unwrap().is_empty());
}
