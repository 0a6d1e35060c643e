//! I8 under a clock that is set, sleeps and goes on, and a process that dies anywhere: whatever happens, each slot of a job has one row at the
//! end, and none made two turns.

mod gateway;
mod restarts;
mod zones;

use std::collections::HashSet;

use gatehouse_core::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::test_runner::contextualize_config;
use tokio::runtime;

use self::gateway::{Death, Gateway, spec};
use super::super::*;

const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    /// Time goes by, and the runner looks once.
    Pass(i64),
    /// Time goes by while the machine sleeps, or somebody sets the clock forward.
    Jump(i64),
    /// Somebody sets the clock back.
    SetBack(i64),
    /// The process dies, perhaps between the claim of a slot and its turn, or behind the turn.
    Die(Death),
    /// Somebody changes the schedule, in the second in which it fires or at any other time.
    Edit(u8),
    /// Somebody switches the job off or on.
    Switch(bool),
    /// Somebody takes the machine to another zone.
    Travel(&'static str),
    /// The runs that are under way end.
    End,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_i64..20 * MINUTE).prop_map(Step::Pass),
        1 => prop_oneof![Just(HOUR), Just(9 * HOUR), 0..3 * HOUR].prop_map(Step::Jump),
        1 => prop_oneof![Just(HOUR), 0..2 * HOUR].prop_map(Step::SetBack),
        2 => prop_oneof![
            Just(Death::BeforeTheClaim), Just(Death::BehindTheClaim), Just(Death::BehindTheTurn)
        ].prop_map(Step::Die),
        1 => (0_u8..SCHEDULES).prop_map(Step::Edit),
        1 => any::<bool>().prop_map(Step::Switch),
        1 => prop::sample::select(&ZONES[..]).prop_map(Step::Travel),
        2 => Just(Step::End),
    ];
    prop::collection::vec(step, 1..40)
}

/// Schedules to choose from.
const SCHEDULES: u8 = 5;

/// Where the machine may be.
const ZONES: [&str; 3] = ["UTC", "Europe/Berlin", "America/New_York"];

fn schedule(choice: u8) -> Schedule {
    let cron = |expr: &str, tz: &str| Schedule::Cron {
        expr: expr.to_owned(),
        tz: Some(tz.to_owned()),
        stagger_ms: Some(0),
    };
    match choice {
        0 => Schedule::Every {
            every_ms: 7 * MINUTE,
            anchor_ms: Some(Timestamp::EPOCH),
        },
        1 => cron("*/10 * * * *", "Europe/Berlin"),
        2 => cron("30 1,2 * * *", "America/New_York"),
        3 => cron("0 */5 * * * *", "UTC"),
        // By the clock of wherever the machine is.
        _ => Schedule::Cron {
            expr: "0,30 1-3 * * *".to_owned(),
            tz: None,
            stagger_ms: Some(0),
        },
    }
}

impl Gateway {
    async fn take(&mut self, step: &Step, id: &JobId) {
        match step {
            Step::Pass(ms) | Step::Jump(ms) => {
                self.now = self.now.plus_ms(*ms);
                self.look(None).await;
            }
            Step::SetBack(ms) => {
                self.now = self.now.plus_ms(-ms);
                self.replan().await;
                self.look(None).await;
            }
            Step::Die(death) => {
                self.look(Some(*death)).await;
                self.start().await;
                self.look(None).await;
            }
            Step::Edit(choice) => {
                self.edit(id, |change| change.spec = spec(schedule(*choice)))
                    .await;
                self.latest = self.latest.max(self.now);
                self.look(None).await;
            }
            Step::Switch(on) => self.edit(id, |change| change.enabled = *on).await,
            Step::Travel(zone) => {
                self.travel(zone).await;
                self.look(None).await;
            }
            Step::End => self.end_runs().await,
        }
    }
}

/// The nights of both changes in Berlin and New York, and the day before a leap day.
const NIGHTS: [i64; 5] = [
    1_806_184_800_000, // 2027-03-27T22:00Z
    1_824_919_200_000, // 2027-10-30T18:00Z
    1_805_000_400_000, // 2027-03-14T05:00Z
    1_825_995_600_000, // 2027-11-12, days behind the other
    1_835_391_600_000, // 2028-02-28
];

proptest! {
    #![proptest_config(contextualize_config(ProptestConfig { cases: 40, max_shrink_iters: 200, ..ProptestConfig::default() }))]

    #[test]
    fn each_slot_has_one_row_and_makes_one_turn_at_most_whatever_the_clock_and_the_process_do(
        night in prop::sample::select(&NIGHTS[..]), choice in 0..SCHEDULES, steps in steps(),
    ) {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let night = Timestamp::from_ms(night);
        runtime.block_on(async {
            let mut gateway = Gateway::new(night).await;
            let new = NewJob { id: JobId::generate(), spec: spec(schedule(choice)), enabled: true, now: night };
            let id = gateway.jobs().add_job(new).await.unwrap().0.id;
            gateway.replan().await; // it was added in the zone of the tests' own host
            let job = gateway.jobs().job(&id).await.unwrap().unwrap();
            let first = job.next_slot.unwrap();
            let is_left_alone = !steps.iter().any(|step| matches!(step, Step::Edit(_) | Step::Switch(_) | Step::Travel(_)));

            for step in &steps {
                gateway.take(step, &job.id).await;
            }

            if is_left_alone {
                gateway.look(None).await;
                let calendar = Calendar::read(&schedule(choice), night, &TimeZone::UTC).unwrap();
                // The oldest go when there are too many.
                let due = calendar.between(first, gateway.latest, SLOTS_KEPT / 4);
                let open = gateway.jobs().open_runs().await.unwrap();
                let claims = gateway.jobs().claims(gateway.now.plus_ms(24 * HOUR)).await.unwrap();
                let rows = gateway.rows(&job.id).await;
                let known: HashSet<Timestamp> = rows.iter().chain(&open).map(|row| row.slot.at)
                    .chain(claims.iter().map(|claim| claim.row.slot.at)).collect();
                let forgotten: Vec<_> = due.iter().filter(|slot| !known.contains(slot)).collect();
                prop_assert!(forgotten.is_empty(), "nothing was decided about {forgotten:?}");
            }
            gateway.come_to_rest(&job.id).await;
            prop_assert!(gateway.jobs().open_runs().await.unwrap().is_empty());
            prop_assert!(gateway.jobs().claims(gateway.now.plus_ms(24 * HOUR)).await.unwrap().is_empty());
            let rows = gateway.rows(&job.id).await;
            let slots: HashSet<_> = rows.iter().map(|row| &row.slot).collect();
            prop_assert_eq!(slots.len(), rows.len(), "one row for each slot");
            prop_assert!(gateway.fired.values().all(|times| *times == 1), "{:?}", gateway.fired);
            let made = rows.iter().filter(|row| row.state == SlotState::Fired).count();
            prop_assert!(made <= gateway.turns.len(), "a slot that fired has its turn");
            Ok(())
        })?;
    }
}
