//! A process that dies a thousand times around the times of a job.

use gatehouse_core::Timestamp;

use super::super::super::*;
use super::MINUTE;
use super::gateway::{Death, Gateway, spec};

const RESTARTS: i64 = 1_000;
/// Where a process dies, one after the other.
const DEATHS: [Death; 3] = [Death::BehindTheClaim, Death::BehindTheTurn, Death::BeforeTheClaim];

#[tokio::test]
async fn a_thousand_restarts_around_its_times_cost_a_job_none_of_them_and_give_it_none_twice() {
    let start = Timestamp::from_ms(1_800_000_000_000);
    let mut gateway = Gateway::new(start).await;
    let every = Schedule::Every {
        every_ms: MINUTE,
        anchor_ms: Some(start),
    };
    let new = NewJob {
        id: JobId::generate(),
        spec: spec(every),
        enabled: true,
        now: start,
    };
    let id = gateway.jobs().add_job(new).await.unwrap().0.id;

    for (n, death) in (0..RESTARTS).zip(DEATHS.into_iter().cycle()) {
        // Right before a slot and right behind it, in turns; two deaths for each.
        let slot = start.plus_ms((1 + n / 2) * MINUTE);
        gateway.now = slot.plus_ms(if n % 2 == 0 { -1 } else { n % 7 });
        gateway.look(Some(death)).await;
        gateway.start().await;
        if n % 2 == 1 {
            gateway.look(None).await; // what comes after it lives on: a process that always dies settles nothing
        }
        gateway.end_runs().await;
    }
    gateway.come_to_rest(&id).await;

    let rows = gateway.rows(&id).await;
    let mut slots: Vec<Timestamp> = rows.iter().map(|row| row.slot.at).collect();
    slots.sort_unstable();
    let due: Vec<Timestamp> = (1..=RESTARTS / 2).map(|n| start.plus_ms(n * MINUTE)).collect();
    assert_eq!(slots, due, "each of its times has one row");
    let fired = rows.iter().filter(|row| row.state == SlotState::Fired).count();
    assert_eq!(
        gateway.turns.len(),
        fired,
        "a turn for each that fired, and none beside"
    );
    assert!(
        gateway.fired.values().all(|times| *times == 1),
        "{:?}",
        gateway.fired
    );
    let left_out: Vec<_> = rows.iter().filter(|row| row.state == SlotState::Missed).collect();
    assert!(left_out.is_empty(), "nobody was away for a minute: {left_out:?}");
    assert_eq!(fired, due.len(), "each of its times fired");
}
