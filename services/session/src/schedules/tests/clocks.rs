//! I8 under a clock that is set, sleeps and goes on, and a process that dies anywhere: whatever happens, each slot of a job has one row at the
//! end, and none made two turns.

use std::collections::{BTreeMap, HashSet};

use gatehouse_core::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime;

use super::super::*;
use crate::id::RunId;
use crate::store::contract::reopen;
use crate::store::{self, Stores};
use crate::testing::key;

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
    /// The runs that are under way end.
    End,
}

#[derive(Clone, Copy, Debug)]
enum Death {
    BeforeTheClaim,
    BehindTheClaim,
    BehindTheTurn,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_i64..20 * MINUTE).prop_map(Step::Pass),
        1 => prop_oneof![Just(HOUR), Just(9 * HOUR), 0..3 * HOUR].prop_map(Step::Jump),
        1 => prop_oneof![Just(HOUR), 0..2 * HOUR].prop_map(Step::SetBack),
        2 => prop_oneof![
            Just(Death::BeforeTheClaim), Just(Death::BehindTheClaim), Just(Death::BehindTheTurn)
        ].prop_map(Step::Die),
        1 => (0_u8..4).prop_map(Step::Edit),
        1 => any::<bool>().prop_map(Step::Switch),
        2 => Just(Step::End),
    ];
    prop::collection::vec(step, 1..40)
}

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
        _ => cron("0 */5 * * * *", "UTC"),
    }
}

fn spec(choice: u8) -> Spec {
    Spec {
        name: "job".to_owned(),
        declaration_key: None,
        display_name: None,
        agent_id: None,
        session_key: None,
        description: None,
        delete_after_run: None,
        schedule: schedule(choice),
        session_target: SessionTarget::Main,
        wake_mode: WakeMode::Now,
        payload: Payload::SystemEvent {
            text: "tick".to_owned(),
            tools_allow: None,
            tools_allow_is_default: None,
        },
        delivery: None,
        failure_alert: None,
        missed: Some(Missed::Run { within_minutes: 30 }),
    }
}

/// A gateway whose turns are their ids.
struct Gateway {
    folder: TempDir,
    /// Unset while there is no process.
    stores: Option<Stores>,
    now: Timestamp,
    /// The turns that there are. The id of a turn is its run's, so the store of turns makes a second one a repeat.
    turns: HashSet<RunId>,
    /// How often each slot left its claim for a turn.
    fired: BTreeMap<Slot, u32>,
    /// The latest time up to which slots were decided about.
    latest: Timestamp,
}

impl Gateway {
    async fn new(now: Timestamp) -> Self {
        let mut gateway = Self {
            folder: tempfile::tempdir().unwrap(),
            stores: None,
            now,
            turns: HashSet::new(),
            fired: BTreeMap::new(),
            latest: now,
        };
        gateway.start().await;
        gateway
    }

    fn jobs(&self) -> &dyn Schedules {
        &*self.stores.as_ref().unwrap().schedules
    }

    async fn start(&mut self) {
        self.stores = None;
        let path = self.folder.path().join("session.db");
        self.stores = Some(reopen(async || store::open(&path)).await.stores);
        self.jobs().replan(self.now).await.unwrap();
    }

    /// What the runner does at one look, up to its death.
    async fn look(&mut self, death: Option<Death>) {
        if matches!(death, Some(Death::BeforeTheClaim)) {
            return;
        }
        self.jobs().plan_slots(false, self.now).await.unwrap();
        self.latest = self.latest.max(self.now);
        if matches!(death, Some(Death::BehindTheClaim)) {
            return;
        }
        for Claim { row, job } in self.jobs().claims(self.now).await.unwrap() {
            let slot = &row.slot;
            if !self.turns.contains(&slot.run()) {
                let off = || Settle::Skipped {
                    reason: "off".to_owned(),
                    failed: false,
                };
                let late = || Settle::Missed {
                    reason: "late".to_owned(),
                };
                if !job.enabled {
                    self.settle(slot, off()).await;
                    continue;
                }
                if !planner::may_still_fire(&job, slot.at, false, self.now) {
                    self.settle(slot, late()).await;
                    continue;
                }
                self.jobs().decide(slot, key("main"), None).await.unwrap();
                self.turns.insert(slot.run());
            }
            if matches!(death, Some(Death::BehindTheTurn)) {
                return;
            }
            if self.settle(slot, Settle::Fired).await {
                *self.fired.entry(slot.clone()).or_default() += 1;
            }
        }
    }

    async fn settle(&self, slot: &Slot, settle: Settle) -> bool {
        let settled = self.jobs().settle_slot(slot, settle, self.now).await;
        settled.unwrap().is_some()
    }

    async fn end_runs(&self) {
        for row in self.jobs().open_runs().await.unwrap() {
            let end = RunEnd {
                slot: row.slot,
                status: Status::Ok,
                error: None,
                summary: None,
                session_id: None,
                answered_by: None,
                reply: None,
                wanted: Wanted::No,
                post: None,
                is_transient: false,
                now: self.now,
            };
            assert!(self.jobs().end_run(end).await.unwrap().is_some());
        }
    }

    async fn edit(&self, id: &JobId, change: impl FnOnce(&mut JobChange)) {
        let job = self.jobs().job(id).await.unwrap().unwrap();
        let mut asked = JobChange {
            id: id.clone(),
            version: job.version,
            spec: job.spec,
            enabled: job.enabled,
            skips_missed: false,
            now: self.now,
        };
        change(&mut asked);
        let replaced = self.jobs().replace_job(asked).await.unwrap();
        assert!(matches!(replaced, Replaced::Done(..)));
    }

    async fn take(&mut self, step: &Step, id: &JobId) {
        match step {
            Step::Pass(ms) | Step::Jump(ms) => {
                self.now = self.now.plus_ms(*ms);
                self.look(None).await;
            }
            Step::SetBack(ms) => {
                self.now = self.now.plus_ms(-ms);
                self.jobs().replan(self.now).await.unwrap();
                self.look(None).await;
            }
            Step::Die(death) => {
                self.look(Some(*death)).await;
                self.start().await;
                self.look(None).await;
            }
            Step::Edit(choice) => {
                self.edit(id, |change| change.spec = spec(*choice)).await;
                self.latest = self.latest.max(self.now);
                self.look(None).await;
            }
            Step::Switch(on) => self.edit(id, |change| change.enabled = *on).await,
            Step::End => self.end_runs().await,
        }
    }

    async fn rows(&self, id: &JobId) -> Vec<SlotRow> {
        let filter = RunFilter {
            job: Some(id.clone()),
            limit: 1_000_000,
            ..RunFilter::default()
        };
        self.jobs().runs(filter).await.unwrap().0
    }

    /// Lets everything that was begun come to its end.
    async fn come_to_rest(&mut self, id: &JobId) {
        self.edit(id, |change| change.enabled = false).await;
        self.now = self.latest.max(self.now).plus_ms(3 * HOUR);
        for _ in 0..3 {
            self.look(None).await;
            self.end_runs().await;
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
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn each_slot_has_one_row_and_makes_one_turn_at_most_whatever_the_clock_and_the_process_do(
        night in prop::sample::select(&NIGHTS[..]), choice in 0_u8..4, steps in steps(),
    ) {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let night = Timestamp::from_ms(night);
        runtime.block_on(async {
            let mut gateway = Gateway::new(night).await;
            let new = NewJob { id: JobId::generate(), spec: spec(choice), enabled: true, now: night };
            let job = gateway.jobs().add_job(new).await.unwrap().0;
            let first = job.next_slot.unwrap();
            let is_left_alone = !steps.iter().any(|step| matches!(step, Step::Edit(_) | Step::Switch(_)));

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
