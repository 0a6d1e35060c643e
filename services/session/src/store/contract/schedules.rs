//! Jobs and their slots.

use super::*;
use crate::schedules::{
    Delivery, Job, JobChange, JobId, NewJob, Planned, Replaced, RunEnd, RunFilter, RunNow, SLOTS_KEPT,
    Schedule, SessionTarget, Settle, Slot, SlotKind, SlotRow, SlotState, Spec, Status, WakeMode, Wanted,
};

const MINUTE: i64 = 60_000;

/// So many milliseconds after the suite's beginning.
const fn after(ms: i64) -> Timestamp {
    T0.plus_ms(ms)
}

fn every(ms: i64) -> Schedule {
    Schedule::Every {
        every_ms: ms,
        anchor_ms: Some(T0),
    }
}

fn at(time: Timestamp) -> Schedule {
    let at = jiff::Timestamp::from_millisecond(time.as_ms())
        .unwrap()
        .to_string();
    Schedule::At { at }
}

fn spec(schedule: Schedule) -> Spec {
    Spec {
        name: "daily".to_owned(),
        declaration_key: None,
        display_name: None,
        agent_id: Some("main".to_owned()),
        session_key: None,
        description: None,
        delete_after_run: None,
        schedule,
        session_target: SessionTarget::Isolated,
        wake_mode: WakeMode::Now,
        payload: serde_json::from_str(r#"{"kind":"agentTurn","message":"what is new?"}"#).unwrap(),
        delivery: Some(Delivery::None {
            channel: None,
            to: None,
        }),
        failure_alert: None,
        missed: None,
    }
}

async fn added(store: &Stores, schedule: Schedule, now: Timestamp) -> Job {
    let new = NewJob {
        id: JobId::generate(),
        spec: spec(schedule),
        enabled: true,
        now,
    };
    store.schedules.add_job(new).await.unwrap().0
}

async fn planned(store: &Stores, now: Timestamp) -> Planned {
    let jobs = &store.schedules;
    jobs.plan_slots(false, TimeZone::UTC, now).await.unwrap()
}

async fn job(store: &Stores, id: &JobId) -> Job {
    store.schedules.job(id).await.unwrap().unwrap()
}

/// Makes the turn of each claim, as a runner does. Answers the slots.
async fn fired(store: &Stores, now: Timestamp) -> Vec<Slot> {
    let mut slots = Vec::new();
    for claim in store.schedules.claims(now).await.unwrap() {
        let slot = claim.row.slot;
        let place = key(&format!("cron:{}:run:{}", slot.job, slot.at));
        store
            .schedules
            .decide(&slot, place.clone(), Some(chat("bob")))
            .await
            .unwrap();
        say(store, &place, slot.run().as_str(), "what is new?").await;
        let settled = store
            .schedules
            .settle_slot(&slot, Settle::Fired, now)
            .await
            .unwrap();
        assert_eq!(settled.unwrap().0.state, SlotState::Fired);
        slots.push(slot);
    }
    slots
}

fn end(slot: &Slot, status: Status, now: Timestamp) -> RunEnd {
    RunEnd {
        slot: slot.clone(),
        status,
        error: (status == Status::Error).then(|| "no model".to_owned()),
        summary: None,
        session_id: None,
        answered_by: None,
        reply: Some(Content::text("news")),
        wanted: Wanted::Yes,
        post: None,
        is_transient: true,
        now,
    }
}

async fn ledger(store: &Stores, job: &JobId) -> Vec<SlotRow> {
    let filter = RunFilter {
        job: Some(job.clone()),
        oldest_first: true,
        limit: 10_000,
        ..RunFilter::default()
    };
    store.schedules.runs(filter).await.unwrap().0
}

fn states(rows: &[SlotRow]) -> Vec<(Timestamp, SlotState)> {
    let mut states: Vec<_> = rows.iter().map(|row| (row.slot.at, row.state)).collect();
    states.sort_by_key(|(at, _)| *at);
    states
}

pub(super) async fn a_slot_is_claimed_once_and_leaves_its_claim_once(store: &Stores) {
    let job = added(store, every(MINUTE), T0).await;
    assert_eq!(job.next_slot, Some(after(MINUTE)), "nothing is due at once");
    assert_eq!(store.schedules.next_slot().await.unwrap(), Some(after(MINUTE)));
    assert!(planned(store, after(MINUTE - 1)).await.ended.is_empty());
    assert!(
        store
            .schedules
            .claims(after(MINUTE - 1))
            .await
            .unwrap()
            .is_empty()
    );

    planned(store, after(MINUTE)).await;
    planned(store, after(MINUTE)).await;
    let claims = store.schedules.claims(after(MINUTE)).await.unwrap();
    let [claim] = claims.as_slice() else {
        panic!("one slot is one claim: {claims:?}")
    };
    let slot = claim.row.slot.clone();
    let first = (key("a"), Some(chat("bob")));
    let decided = store
        .schedules
        .decide(&slot, first.0.clone(), first.1.clone())
        .await
        .unwrap();
    assert_eq!(decided, Some(first.clone()));
    let again = store.schedules.decide(&slot, key("b"), None).await.unwrap();
    assert_eq!(again, Some(first), "where an answer goes is decided once");

    let settle = async |settle: Settle| {
        store
            .schedules
            .settle_slot(&slot, settle, after(MINUTE))
            .await
            .unwrap()
    };
    assert!(settle(Settle::Fired).await.is_some());
    assert!(settle(Settle::Fired).await.is_none());
    let missed = Settle::Missed {
        reason: "late".to_owned(),
    };
    assert!(settle(missed).await.is_none());
    let open = store.schedules.open_runs().await.unwrap();
    assert_eq!(open.iter().map(|row| &row.slot).collect::<Vec<_>>(), [&slot]);
    assert!(
        store
            .schedules
            .end_run(end(&slot, Status::Ok, after(MINUTE + 5)))
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        store
            .schedules
            .end_run(end(&slot, Status::Ok, after(MINUTE + 6)))
            .await
            .unwrap()
            .is_none()
    );
    assert!(store.schedules.open_runs().await.unwrap().is_empty());
    assert_eq!(
        states(&ledger(store, &job.id).await),
        [(after(MINUTE), SlotState::Fired)]
    );
    assert_eq!(store.schedules.jobs().await.unwrap().len(), 1);
}

pub(super) async fn of_what_was_missed_one_slot_runs_and_each_has_a_row(store: &Stores) {
    let job = added(store, every(MINUTE), T0).await;
    let other = added(store, every(MINUTE), T0).await;
    let never = NewJob {
        spec: Spec {
            missed: Some(crate::schedules::Missed::Skip),
            ..spec(every(10 * MINUTE))
        },
        id: JobId::generate(),
        enabled: true,
        now: T0,
    };
    let never = store.schedules.add_job(never).await.unwrap().0;
    let now = after(8 * 60 * MINUTE + 59_000 + 2 * MINUTE); // a night, and the last slot is nearly a minute ago

    planned(store, now).await;

    for id in [&job.id, &other.id] {
        let rows = ledger(store, id).await;
        assert_eq!(rows.len(), 8 * 60 + 1, "all but the last were missed");
        assert!(rows.iter().all(|row| row.state == SlotState::Missed));
    }
    let rows = ledger(store, &never.id).await;
    assert_eq!(rows.len(), 8 * 6, "none is on time");
    let claims = store.schedules.claims(now.plus_ms(3_600_000)).await.unwrap();
    assert_eq!(claims.len(), 2, "one run makes up for all");

    // Two days of seconds are more than is remembered.
    let busy = added(store, every(1_000), T0).await;
    planned(store, after(2 * 24 * 60 * MINUTE)).await;
    assert!(ledger(store, &busy.id).await.len() <= SLOTS_KEPT);
    // What makes up for a night does not all begin at once.
    let late = after(3 * 24 * 60 * MINUTE + 5 * MINUTE);
    for _ in 0..3 {
        added(store, every(60 * MINUTE), after(24 * 60 * MINUTE)).await;
    }
    planned(store, late).await;
    let mut begin: Vec<Timestamp> = store
        .schedules
        .claims(late.plus_ms(60 * MINUTE))
        .await
        .unwrap()
        .iter()
        .filter(|claim| claim.row.fire_at >= late)
        .map(|claim| claim.row.fire_at)
        .collect();
    begin.sort_unstable();
    assert_eq!(begin, [late, late.plus_ms(5_000), late.plus_ms(10_000)]);
}

pub(super) async fn a_slot_that_comes_while_the_run_before_it_goes_on_is_skipped(store: &Stores) {
    let job = added(store, every(MINUTE), T0).await;
    planned(store, after(MINUTE)).await;
    let slots = fired(store, after(MINUTE)).await;

    let second = planned(store, after(2 * MINUTE)).await;

    let [(row, _)] = second.ended.as_slice() else {
        panic!("one slot: {second:?}")
    };
    assert_eq!(row.state, SlotState::Skipped);
    assert!(row.reason.as_ref().unwrap().contains("under way"));
    assert!(self::job(store, &job.id).await.running_at.is_some());
    store
        .schedules
        .end_run(end(&slots[0], Status::Ok, after(2 * MINUTE + 1)))
        .await
        .unwrap();
    planned(store, after(3 * MINUTE)).await;
    assert_eq!(fired(store, after(3 * MINUTE)).await.len(), 1);
}

pub(super) async fn what_was_due_before_a_change_is_decided_by_the_schedule_before_it(store: &Stores) {
    let job = added(store, every(MINUTE), T0).await;
    let change = JobChange {
        id: job.id.clone(),
        version: job.version,
        spec: spec(every(2 * MINUTE)),
        enabled: true,
        skips_missed: false,
        now: after(MINUTE), // the second in which it fires
    };

    let Replaced::Done(changed, _) = store.schedules.replace_job(change.clone()).await.unwrap() else {
        panic!("nobody else changed it")
    };

    assert_eq!(changed.next_slot, Some(after(2 * MINUTE)));
    let stale = store.schedules.replace_job(change.clone()).await.unwrap();
    assert!(matches!(stale, Replaced::Stale));
    assert_eq!(fired(store, after(MINUTE)).await.len(), 1);
    planned(store, after(MINUTE)).await;
    assert!(
        fired(store, after(MINUTE)).await.is_empty(),
        "the slot of that second ran"
    );
    let gone = JobChange {
        id: JobId::generate(),
        ..change.clone()
    };
    assert!(matches!(
        store.schedules.replace_job(gone).await.unwrap(),
        Replaced::Gone
    ));

    let off = JobChange {
        version: changed.version,
        enabled: false,
        now: after(MINUTE + 1),
        ..change
    };
    let Replaced::Done(off, _) = store.schedules.replace_job(off).await.unwrap() else {
        panic!("nobody else changed it")
    };
    assert_eq!(off.next_slot, None);
}

pub(super) async fn a_job_that_fails_rests_longer_each_time_and_its_chat_is_told_once(store: &Stores) {
    let job = added(store, every(10_000), T0).await;
    let mut now = T0;
    let mut rests = Vec::new();
    for _ in 0..4 {
        let slot = loop {
            now = now.plus_ms(10_000);
            planned(store, now).await;
            if let Some(slot) = fired(store, now).await.pop() {
                break slot;
            }
        };
        rests.push(slot.at);
        store
            .schedules
            .end_run(end(&slot, Status::Error, now.plus_ms(1)))
            .await
            .unwrap();
    }

    let between: Vec<i64> = rests.windows(2).map(|pair| pair[1].ms_since(pair[0])).collect();
    assert_eq!(
        between,
        [40_000, 70_000, 310_000],
        "30 s, a minute, five minutes, and on to the next slot"
    );
    let state = self::job(store, &job.id).await.state;
    assert_eq!(
        (state.consecutive_errors, state.last_status),
        (4, Some(Status::Error))
    );
    let told = store.deliveries.waiting(now, 10).await.unwrap();
    let [alarm] = told.as_slice() else {
        panic!("it is told once in an hour: {told:?}")
    };
    assert!(
        alarm.content.words().contains("failed 2 times"),
        "{}",
        alarm.content.words()
    );
    let skipped = ledger(store, &job.id)
        .await
        .into_iter()
        .filter(|row| row.state == SlotState::Skipped);
    assert!(skipped.count() > 10, "each slot of a rest has its row");
}

pub(super) async fn a_job_that_runs_once_is_over_when_it_went_well_and_is_tried_again_when_not(
    store: &Stores,
) {
    let good = added(store, at(after(MINUTE)), T0).await;
    planned(store, after(MINUTE)).await;
    let slots = fired(store, after(MINUTE)).await;
    let ended = store
        .schedules
        .end_run(end(&slots[0], Status::Ok, after(MINUTE + 1)))
        .await
        .unwrap()
        .unwrap();
    assert!(ended.says_something && ended.job.is_some());
    assert!(store.schedules.job(&good.id).await.unwrap().is_none());
    let told = store.deliveries.waiting(after(2 * MINUTE), 10).await.unwrap();
    assert_eq!(
        (told[0].content.words().as_str(), told[0].target.to.as_str()),
        ("news", "bob")
    );

    let bad = added(store, at(after(5 * MINUTE)), T0).await;
    let mut now = after(5 * MINUTE);
    planned(store, now).await;
    let mut tried = 0;
    while let Some(slot) = fired(store, now).await.pop() {
        tried += 1;
        store
            .schedules
            .end_run(end(&slot, Status::Error, now))
            .await
            .unwrap();
        now = now.plus_ms(3_600_000);
        planned(store, now).await;
    }
    assert_eq!(tried, 4, "once, and three times again");
    let job = self::job(store, &bad.id).await;
    assert!(!job.enabled && job.next_slot.is_none());
    assert_eq!(store.schedules.next_slot().await.unwrap(), None);
}

pub(super) async fn what_is_removed_leaves_its_history_and_no_claim(store: &Stores) {
    let job = added(store, every(MINUTE), T0).await;
    planned(store, after(MINUTE)).await;

    let (_, planned) = store
        .schedules
        .remove_job(&job.id, after(MINUTE))
        .await
        .unwrap()
        .unwrap();

    assert_eq!(planned.ended.len(), 1);
    assert!(store.schedules.claims(after(MINUTE)).await.unwrap().is_empty());
    assert!(
        store
            .schedules
            .remove_job(&job.id, after(MINUTE))
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(store.schedules.next_slot().await.unwrap(), None);
    assert_eq!(
        states(&ledger(store, &job.id).await),
        [(after(MINUTE), SlotState::Skipped)]
    );
    store.upkeep.prune(after(2 * MINUTE)).await.unwrap();
    assert!(ledger(store, &job.id).await.is_empty());
}

pub(super) async fn a_run_by_hand_is_beside_the_schedule_and_waits_for_nobody(store: &Stores) {
    let job = added(store, every(60 * MINUTE), T0).await;

    let Some(RunNow::Claimed(slot)) = store.schedules.claim_by_hand(&job.id, after(1)).await.unwrap() else {
        panic!("nothing runs")
    };

    assert_eq!((slot.kind, slot.at), (SlotKind::Manual, after(1)));
    let busy = store.schedules.claim_by_hand(&job.id, after(1)).await.unwrap();
    assert_eq!(busy, Some(RunNow::Busy));
    assert_eq!(
        store
            .schedules
            .claim_by_hand(&JobId::generate(), T0)
            .await
            .unwrap(),
        None
    );
    assert_eq!(fired(store, after(1)).await, std::slice::from_ref(&slot));
    store
        .schedules
        .end_run(end(&slot, Status::Ok, after(9)))
        .await
        .unwrap();
    assert_eq!(
        self::job(store, &job.id).await.next_slot,
        Some(after(60 * MINUTE))
    );
    let by_run = RunFilter {
        run: Some(slot.run().to_string()),
        limit: 1,
        ..RunFilter::default()
    };
    let (rows, total) = store.schedules.runs(by_run).await.unwrap();
    assert_eq!((rows[0].slot.clone(), total), (slot, 1));
    let failed = RunFilter {
        statuses: vec![Status::Error],
        limit: 1,
        ..RunFilter::default()
    };
    assert_eq!(store.schedules.runs(failed).await.unwrap().1, 0);
}

pub(super) async fn a_clock_that_was_set_back_leaves_no_job_behind_and_runs_no_slot_twice(store: &Stores) {
    let job = added(store, every(60 * MINUTE), T0).await;
    let year = 365 * 24 * 60 * MINUTE;
    planned(store, after(year)).await; // a clock that was wrong
    fired(store, after(year)).await;
    for open in store.schedules.open_runs().await.unwrap() {
        let end = end(&open.slot, Status::Ok, after(year));
        store.schedules.end_run(end).await.unwrap();
    }
    assert!(self::job(store, &job.id).await.next_slot > Some(after(year)));

    let jobs = &store.schedules;
    jobs.replan(TimeZone::UTC, after(MINUTE)).await.unwrap();

    assert_eq!(
        self::job(store, &job.id).await.next_slot,
        Some(after(60 * MINUTE))
    );
    planned(store, after(60 * MINUTE)).await;
    assert_eq!(fired(store, after(60 * MINUTE)).await.len(), 1);
    // An hour back, in which everything was decided about: nothing runs again.
    jobs.replan(TimeZone::UTC, after(MINUTE)).await.unwrap();
    assert_eq!(
        self::job(store, &job.id).await.next_slot,
        Some(after(120 * MINUTE))
    );
}
