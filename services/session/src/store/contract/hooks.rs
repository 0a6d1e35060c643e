//! What came by hooks.

use super::*;
use crate::schedules::{
    HOOKS_MAX, HookJob, JobId, NewHook, NewJob, RunEnd, Schedule, SessionTarget, Settle, Slot, Spec, Status,
    TakenHook, WakeMode, Wanted,
};

pub(super) fn job(declared: Option<&str>, fire_at: Timestamp) -> HookJob {
    HookJob {
        id: JobId::of_hook(),
        spec: Spec {
            name: "forge".to_owned(),
            declaration_key: declared.map(str::to_owned),
            display_name: None,
            agent_id: Some("main".to_owned()),
            session_key: None,
            description: None,
            delete_after_run: Some(true),
            schedule: Schedule::At {
                at: "2027-01-15T08:00:00Z".to_owned(),
            },
            session_target: SessionTarget::Isolated,
            wake_mode: WakeMode::Now,
            payload: serde_json::from_str(r#"{"kind":"agentTurn","message":"pushed"}"#).unwrap(),
            delivery: None,
            failure_alert: None,
            missed: None,
        },
        at: T0,
        fire_at,
        trace: gatehouse_core::trace::Context::new(),
    }
}

pub(super) fn hook(key: Option<&str>, says: &str, jobs: Vec<HookJob>) -> NewHook {
    NewHook {
        key: key.map(str::to_owned),
        fingerprint: says.as_bytes().to_vec(),
        jobs,
        now: T0,
    }
}

async fn take(store: &Stores, new: NewHook) -> TakenHook {
    store.schedules.take_hook(new).await.unwrap()
}

pub(super) async fn runs(store: &Stores, new: NewHook) -> Vec<RunId> {
    match take(store, new).await {
        TakenHook::Taken { runs, .. } => runs,
        other => panic!("it is taken: {other:?}"),
    }
}

async fn end(store: &Stores, slot: &Slot, status: Status) {
    let end = RunEnd {
        slot: slot.clone(),
        status,
        error: None,
        summary: None,
        session_id: None,
        answered_by: None,
        reply: None,
        wanted: Wanted::No,
        post: None,
        is_transient: false,
        now: T0.plus_ms(5),
    };
    store.schedules.end_run(end).await.unwrap().unwrap();
}

pub(super) async fn what_comes_by_a_hook_is_claimed_at_once_and_a_repeat_is_told_its_runs(store: &Stores) {
    let both = vec![job(None, T0), job(None, T0)];
    let first = runs(store, hook(Some("a"), "x", both)).await;

    let claims = store.schedules.claims(T0).await.unwrap();
    let claimed: Vec<RunId> = claims.iter().map(|claim| claim.row.slot.run()).collect();
    assert_eq!((first.len(), claimed.len()), (2, 2));
    assert!(claimed.iter().all(|run| first.contains(run)));

    let again = take(store, hook(Some("a"), "x", vec![job(None, T0)])).await;
    assert_eq!(again, TakenHook::Repeat(first));
    let other = take(store, hook(Some("a"), "y", vec![job(None, T0)])).await;
    assert_eq!(other, TakenHook::Conflict);
    runs(store, hook(None, "x", vec![job(None, T0)])).await;
    runs(store, hook(None, "x", vec![job(None, T0)])).await;
    assert_eq!(
        store.schedules.claims(T0).await.unwrap().len(),
        4,
        "without a key each is its own"
    );

    while store.upkeep.prune(T0.plus_ms(1)).await.unwrap() > 0 {}
    let forgotten = take(store, hook(Some("a"), "y", vec![job(None, T0)])).await;
    assert!(matches!(forgotten, TakenHook::Taken { .. }), "{forgotten:?}");
}

pub(super) async fn an_event_that_waits_already_is_one_and_what_is_over_is_gone(store: &Stores) {
    let bell = |fire_at| hook(None, "x", vec![job(Some("hook:bell"), fire_at)]);
    let first = runs(store, bell(T0.plus_ms(1_000))).await;
    let second = take(store, bell(T0.plus_ms(2_000))).await;
    let coalesced = TakenHook::Taken {
        runs: first.clone(),
        coalesced: true,
    };
    assert_eq!(second, coalesced);
    assert!(
        store.schedules.claims(T0).await.unwrap().is_empty(),
        "it is not time"
    );
    assert_eq!(
        store.schedules.next_slot().await.unwrap(),
        Some(T0.plus_ms(1_000))
    );

    let claim = store.schedules.claims(T0.plus_ms(1_000)).await.unwrap().remove(0);
    let slot = claim.row.slot;
    store.schedules.decide(&slot, key("main"), None).await.unwrap();
    store
        .schedules
        .settle_slot(&slot, Settle::Fired, T0.plus_ms(1_000))
        .await
        .unwrap();
    let third = runs(store, bell(T0.plus_ms(2_000))).await;
    assert_ne!(third, first, "what is being looked at does not hear of more");
    end(store, &slot, Status::Error).await;
    assert!(store.schedules.job(&slot.job).await.unwrap().is_none());

    let late = store
        .schedules
        .claims(T0.plus_ms(2_000))
        .await
        .unwrap()
        .remove(0)
        .row
        .slot;
    let missed = Settle::Missed {
        reason: "late".to_owned(),
    };
    let (row, _) = store
        .schedules
        .settle_slot(&late, missed, T0)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.status, Some(Status::Skipped));
    assert!(store.schedules.jobs().await.unwrap().is_empty());
}

pub(super) async fn more_than_a_thousand_events_do_not_wait(store: &Stores) {
    for _ in 0..HOOKS_MAX / 50 {
        let many = (0..50).map(|_| job(None, T0)).collect();
        runs(store, hook(None, "x", many)).await;
    }

    assert_eq!(
        take(store, hook(None, "x", vec![job(None, T0)])).await,
        TakenHook::Full
    );
}

pub(super) async fn jobs_that_may_not_run_keep_no_event_waiting(store: &Stores) {
    const MINUTE: i64 = 60_000;
    for _ in 0..100 {
        let spec = Spec {
            schedule: Schedule::Every {
                every_ms: MINUTE,
                anchor_ms: Some(T0),
            },
            ..job(None, T0).spec
        };
        let new = NewJob {
            id: JobId::generate(),
            spec,
            enabled: true,
            now: T0,
        };
        store.schedules.add_job(new).await.unwrap();
    }
    let now = T0.plus_ms(MINUTE);
    while store
        .schedules
        .plan_slots(false, TimeZone::UTC, now)
        .await
        .unwrap()
        .more
    {}
    let come = runs(store, hook(None, "x", vec![job(None, now)])).await;

    let claims = store.schedules.asked_for(now).await.unwrap();

    let [event] = claims.as_slice() else {
        panic!("the event alone: {claims:?}")
    };
    assert_eq!(come, [event.row.slot.run()]);
    let slot = event.row.slot.clone();
    store.schedules.put_off(&slot, now.plus_ms(5_000)).await.unwrap();
    assert!(store.schedules.asked_for(now).await.unwrap().is_empty());
    let later = store.schedules.asked_for(now.plus_ms(5_000)).await.unwrap();
    assert_eq!(later.len(), 1, "it waits for its session, and is not gone");
}
